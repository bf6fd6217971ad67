"""Which of the planted values a check found: counts a kind and format, that shards add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from verilabel.audit.canaries.planting import Truth
    from verilabel.audit.interface import Batch, Findings

PASSAGES = ("licence.", "copyright.", "use.", "contamination.")
"""Kinds of passages: nobody defines where one begins and ends, so that any overlap finds it."""
_Spans = dict[tuple[int, str], list[tuple[int, int]]]


class Recall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the values planted in one format of a kind, how many were found."""

    kind: str
    format: str
    planted: int
    found: int


def count_found(
    truth: Sequence[Truth], batch: Batch, findings: Findings | None, kinds: Sequence[str]
) -> list[Recall]:
    """Count the planted values of a batch that findings of the same kind meet.

    A value is met where findings cover half of it; a passage (a licence, a notice, a benchmark's item) where they
    touch it: a statement is about documents, and what names the passage is found in it.
    `kinds` are the ids that `findings.kind` are indexes of; values of other kinds are left out, as another check looks
    for them.
    """
    first, last = (int(batch.rows[0]), int(batch.rows[-1])) if len(batch) else (0, -1)
    spans = _spans_of(batch, findings, kinds)
    looked_for = set(kinds)
    counts: dict[tuple[str, str], list[int]] = {}
    for one in truth:
        if one.kind not in looked_for or not first <= one.document <= last:
            continue
        tally = counts.setdefault((one.kind, one.format), [0, 0])
        tally[0] += 1
        covered = _covered(spans.get((one.document, one.kind), []), one.start, one.end)
        tally[1] += covered > 0 if one.kind.startswith(PASSAGES) else 2 * covered >= one.end - one.start
    return [Recall(*key, *tally) for key, tally in sorted(counts.items())]


def _spans_of(batch: Batch, findings: Findings | None, kinds: Sequence[str]) -> _Spans:
    spans: _Spans = {}
    if findings is None:
        return spans
    rows, offsets = batch.rows.tolist(), batch.offsets.tolist()
    columns = (
        findings.document.tolist(),
        findings.kind.tolist(),
        findings.start.tolist(),
        findings.end.tolist(),
    )
    for document, kind, start, end in zip(*columns, strict=True):
        key = rows[document], kinds[kind]
        spans.setdefault(key, []).append((start - offsets[document], end - offsets[document]))
    return spans


def _covered(spans: Sequence[tuple[int, int]], start: int, end: int) -> int:
    """Bytes from start to end that lie in any of the spans."""
    covered = 0
    reached = start
    if len(spans) == 1:
        return max(0, min(spans[0][1], end) - max(spans[0][0], start))
    for first, last in sorted(spans):
        lower, upper = max(first, reached), min(last, end)
        if upper > lower:
            covered += upper - lower
            reached = upper
    return covered


def add_recalls(parts: Iterable[Sequence[Recall]]) -> list[Recall]:
    """The counts of shards or batches together, by kind and format."""
    counts: dict[tuple[str, str], list[int]] = {}
    for part in parts:
        for one in part:
            tally = counts.setdefault((one.kind, one.format), [0, 0])
            tally[0] += one.planted
            tally[1] += one.found
    return [Recall(*key, *tally) for key, tally in sorted(counts.items())]
