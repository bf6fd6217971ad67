"""What was found beside what was planted: recall by kind and format, precision, and what look-alikes were taken for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.audit.unseen import PREFIX

SECRETS_AND_DATA = ("pii.", "secret.")
LICENCES = ("licence.text", "licence.header")
BUCKETS = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
_FULL = "full:"


@dataclass(frozen=True)
class Corpus:
    """A corpus in its folder, with its truth."""

    folder: Path

    @cached_property
    def about(self) -> dict[str, Any]:
        """What corpus.json says."""
        found: dict[str, Any] = json.loads((self.folder / "corpus.json").read_text("utf-8"))
        return found

    @cached_property
    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """What is true of each document, by its id."""
        known: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in read_lines(self.folder / "truth.jsonl"):
            known[row["id"]].append(row)
        return known

    def megabytes(self) -> float:
        """Of text, in 10^6 bytes."""
        return float(self.about["text_bytes"]) / 1e6

    def documents(self) -> int:
        """How many."""
        return int(self.about["documents"])

    def texts(self, ids: Iterable[str]) -> dict[str, str]:
        """The texts of some documents."""
        import pyarrow.parquet as pq

        wanted = set(ids)
        found = {}
        for path in sorted((self.folder / "parquet").glob("*.parquet")):
            table = pq.read_table(path, columns=["id", "text"])
            for one, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True):
                if one in wanted:
                    found[one] = text
        return found


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


# ---------------------------------------------------------------- spans


@dataclass(frozen=True)
class SpanScore:
    """How well spans of personal data and secrets were found."""

    planted_own: int
    found_own: int
    """Of the kinds that the tool looks for."""
    planted_all: int
    found_all: int
    """Of all kinds of personal data and secrets."""
    claimed: int
    correct: int
    """Findings that meet a planted value of any such kind."""
    by_kind: Mapping[str, tuple[int, int]]
    unseen: tuple[int, int]
    """Of the tool's kinds in formats that are in no canary."""
    look_alikes: Mapping[str, int]
    """Wrong findings that meet a look-alike, by its name."""
    elsewhere: int
    """Wrong findings in the text itself."""


def score_spans(corpus: Corpus, found: Iterable[dict[str, Any]], kinds: Iterable[str]) -> SpanScore:
    """Compare spans with the truth. A value is found where findings of any kind cover half of it.

    The kind that a tool gives is not compared: tools differ in what they call things, and each is measured by the kinds
    that it says to look for. Spans in characters are turned into bytes first.
    """
    spans = _spans_in_bytes(corpus, found)
    own = set(kinds)
    by_kind: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    unseen = [0, 0]
    for document, rows in corpus.truth.items():
        for row in rows:
            if row["kind"].startswith(SECRETS_AND_DATA):
                is_new = row["format"].startswith(PREFIX)
                if is_new and row["kind"] not in own:
                    continue
                tally = unseen if is_new else by_kind[row["kind"]]
                tally[0] += 1
                tally[1] += (
                    2 * _covered(spans.get(document, ()), row["start"], row["end"])
                    >= row["end"] - row["start"]
                )
    look_alikes: Counter[str] = Counter()
    claimed = correct = elsewhere = 0
    for document, placed in spans.items():
        for start, end in placed:
            claimed += 1
            met = [
                row
                for row in corpus.truth.get(document, ())
                if row.get("start", end) < end and start < row["end"]
            ]
            if any(row["kind"].startswith(SECRETS_AND_DATA) for row in met):
                correct += 1
            elif lures := [row["format"] for row in met if row["kind"].startswith("negative.")]:
                look_alikes[lures[0]] += 1
            else:
                elsewhere += 1
    mine = [tally for kind, tally in by_kind.items() if kind in own]
    return SpanScore(
        sum(tally[0] for tally in mine),
        sum(tally[1] for tally in mine),
        sum(tally[0] for tally in by_kind.values()),
        sum(tally[1] for tally in by_kind.values()),
        claimed,
        correct,
        {kind: (tally[0], tally[1]) for kind, tally in sorted(by_kind.items())},
        (unseen[0], unseen[1]),
        dict(look_alikes.most_common()),
        elsewhere,
    )


def _spans_in_bytes(corpus: Corpus, found: Iterable[dict[str, Any]]) -> dict[str, list[tuple[int, int]]]:
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    in_characters: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in found:
        if "characters" in row:
            in_characters[row["id"]].append(tuple(row["characters"]))
        elif "start" in row:
            spans[row["id"]].append((row["start"], row["end"]))
    texts = corpus.texts(in_characters)
    for document, placed in in_characters.items():
        text = texts[document]
        for start, end in placed:
            first = len(text[:start].encode())
            spans[document].append((first, first + len(text[start:end].encode())))
    return spans


def _covered(spans: Iterable[tuple[int, int]], start: int, end: int) -> int:
    covered, reached = 0, start
    for first, last in sorted(spans):
        lower, upper = max(first, reached), min(last, end)
        if upper > lower:
            covered, reached = covered + upper - lower, upper
    return covered


# ---------------------------------------------------------------- documents


@dataclass(frozen=True)
class DocumentScore:
    """How well documents were found that contain something."""

    by_format: Mapping[str, tuple[int, int]]
    wrong: int
    """Documents that were flagged and contain nothing of it."""


def score_documents(corpus: Corpus, flagged: set[str], kind: str) -> DocumentScore:
    """Compare flagged documents with those that have something of the kind planted, a format each."""
    by_format: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    holding = set()
    for document, rows in corpus.truth.items():
        for row in rows:
            if row["kind"] == kind:
                holding.add(document)
                by_format[row["format"]][0] += 1
                by_format[row["format"]][1] += document in flagged
    counts = {name: (tally[0], tally[1]) for name, tally in sorted(by_format.items())}
    return DocumentScore(counts, len(flagged - holding))


def score_licences(
    corpus: Corpus, ids: Mapping[str, set[str]], among: set[str] | None = None
) -> tuple[int, int, int]:
    """Of planted licences, how many were named rightly; and documents that have a licence and should not.

    `ids` are the SPDX ids found in each document; `-only`, `-or-later` and versions of the same text are the same
    licence here. `among` names the documents that were looked at, where not all were.
    """
    planted = right = wrong = 0
    for document, rows in corpus.truth.items():
        if among is not None and document not in among:
            continue
        for row in rows:
            if row["kind"] in LICENCES:
                planted += 1
                wanted = _base_id(row["format"].removeprefix(_FULL))
                right += any(wanted == _base_id(one) for one in ids.get(document, ()))
    for document, named in ids.items():
        rows = corpus.truth.get(document, [])
        if named and not any(row["kind"].startswith(("licence.", "copyright.", "use.")) for row in rows):
            wrong += 1
    return planted, right, wrong


def _base_id(name: str) -> str:
    name = name.removesuffix("-or-later").removesuffix("-only").removesuffix("+")
    return {
        "GPL-1": "GPL-1.0",
        "GPL-2": "GPL-2.0",
        "GPL-3": "GPL-3.0",
        "LGPL-2": "LGPL-2.0",
        "LGPL-3": "LGPL-3.0",
    }.get(name, name)


# ---------------------------------------------------------------- duplicates


@dataclass(frozen=True)
class CopyScore:
    """How well copies were found, by their true similarity."""

    exact: tuple[int, int]
    by_similarity: Mapping[str, tuple[int, int]]
    mixed: int
    """Clusters with documents of two originals or more."""


def score_copies(corpus: Corpus, clusters: Mapping[str, Any]) -> CopyScore:
    """Compare clusters of documents with the planted copies: found where copy and original share a cluster."""
    buckets = {f">= {low}": [0, 0] for low in BUCKETS}
    exact = [0, 0]
    family: dict[str, str] = {}
    for document, rows in corpus.truth.items():
        for row in rows:
            if row["kind"] == "duplicate":
                family[document] = row["of"]
                low = next((low for low in BUCKETS if row["jaccard"] >= low), None)
                tally = exact if row["format"] == "exact" else buckets.get(f">= {low}")
                if tally is not None:
                    tally[0] += 1
                    own, other = clusters.get(document), clusters.get(row["of"])
                    tally[1] += own is not None and own == other
            elif row["kind"] in LICENCES:
                family.setdefault(
                    document, f"licence {row['format']}"
                )  # short hosts of a long text are alike
    members: dict[Any, set[str]] = defaultdict(set)
    for document, cluster in clusters.items():
        members[cluster].add(family.get(document, document))
    named = {name: (tally[0], tally[1]) for name, tally in buckets.items() if tally[0]}
    return CopyScore((exact[0], exact[1]), named, sum(len(one) > 1 for one in members.values()))
