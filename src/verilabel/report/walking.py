"""One pass over the evidence for what the label itself does not keep: curves, groups, calls, reasons, samples.

The same counters count here as in the engine and the verifier; the order is checked, and where the evidence leaves
the plan the walk stops with SealError.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import msgspec

from verilabel.errors import SealError
from verilabel.evidence.counting import MeasureCounter, Recount, StreamCounter, matches, open_recount
from verilabel.evidence.layout import EVIDENCE
from verilabel.evidence.lines import EvidenceLine
from verilabel.records.attempt import Attempt
from verilabel.records.plan import MeasurePlan, Plan
from verilabel.records.sample import SampleEntry
from verilabel.records.score import Scored, Unscored
from verilabel.records.tally import Tally
from verilabel.records.withheld import SealedAttempt

CURVE_POINTS = 100
GROUP_TAG = "hazard"
MAX_GROUPS = 200
MAX_REASON_CHARS = 200

Wanted = Mapping[str, bool]
"""Measure id to the finding that speaks against its row, for measures whose answers are to be kept as samples."""


class Answer(NamedTuple):
    """One sample's lines: the attempts to the system in order, and the detectors' findings."""

    attempts: tuple[Attempt, ...]
    """Withheld ones are here as they are counted, with empty texts."""
    findings: tuple[Scored | Unscored, ...]
    withheld: bool = False
    """True where the bundle holds commitments in the place of the attempts."""

    @property
    def last(self) -> Attempt:
        """The attempt that counts."""
        return self.attempts[-1]

    def values(self) -> dict[str, bool | None]:
        """Detector to its finding, as the counters take it."""
        return {f.detector: f.value if isinstance(f, Scored) else None for f in self.findings}


@dataclass
class Walk:
    """What a pass over the evidence gathered."""

    recount: Recount
    curves: dict[str, list[Tally]] = field(default_factory=lambda: defaultdict(list))
    """Measure to its counts at up to CURVE_POINTS places and at the end."""
    calls: Counter[str] = field(default_factory=Counter)
    groups: dict[str, list[tuple[str, MeasureCounter]]] = field(default_factory=dict)
    """Measure to (tag value, counter), for MAX_GROUPS values at most."""
    groups_left_out: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    """Suite to its counted answers in whose place commitments stand."""
    unanswered: Counter[str] = field(default_factory=Counter)
    unscored: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    """Measure to answers that speak against its row."""
    unusable: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    """Measure to answers that are missing or could not be scored."""
    answers: int = 0


def walk_evidence(
    plan: Plan,
    indexes: Mapping[str, Sequence[SampleEntry]],
    lines: Iterable[EvidenceLine],
    *,
    expected: Mapping[str, int],
    wanted: Wanted,
    samples: int,
) -> Walk:
    """Count the evidence once and note what happened on the way.

    `expected` maps measures to their final n (it only places the points of curves); up to `samples` answers of each
    measure in `wanted` are kept. Raises SealError where the evidence is not the plan's committed prefix.
    """
    walk = Walk(open_recount(plan, indexes))
    watches = {
        stream.stream.suite: _watch_stream(plan, stream, walk, expected) for stream in walk.recount.streams
    }
    streams = {stream.stream.suite: stream for stream in walk.recount.streams}
    for number, answer in enumerate(_answers(walk, lines), 1):
        stream = streams.get(answer.last.suite)
        key = (answer.last.sample, answer.last.epoch)
        if stream is None or stream.expected() != key:
            raise SealError(f"answer {number} is not the one that the plan's order has here", where=EVIDENCE)
        stream.consume(answer.values())
        _note_answer(walk, answer)
        for watch in watches[stream.stream.suite]:
            watch.note(walk, stream, answer, wanted, samples)
    for watch in (watch for group in watches.values() for watch in group):
        watch.close(walk)
    return walk


def _answers(walk: Walk, lines: Iterable[EvidenceLine]) -> Iterator[Answer]:
    for (_, sample, _), group in groupby(lines, key=lambda line: (line.suite, line.sample, line.epoch)):
        attempts, findings = [], []
        withheld = False
        for record in group:
            withheld = withheld or isinstance(record, SealedAttempt)
            line = record.as_counted() if isinstance(record, SealedAttempt) else record
            if not isinstance(line, Attempt):
                findings.append(line)
                continue
            walk.recount.note_attempt(line)
            if line.judge is None:
                attempts.append(line)
        if not attempts:
            raise SealError(f"sample {sample!r} has a score and no attempt", where=EVIDENCE)
        yield Answer(tuple(attempts), tuple(findings), withheld)


def _note_answer(walk: Walk, answer: Answer) -> None:
    walk.answers += 1
    if answer.withheld:
        walk.withheld[answer.last.suite] += 1
    if answer.last.failure is not None:
        walk.unanswered[answer.last.failure.kind] += 1
    for finding in answer.findings:
        if isinstance(finding, Unscored):
            walk.unscored[f"{finding.detector}: {finding.reason[:MAX_REASON_CHARS]}"] += 1


def _watch_stream(plan: Plan, stream: StreamCounter, walk: Walk, expected: Mapping[str, int]) -> list[_Watch]:
    watches = []
    for counter in stream.measures:
        measure = counter.measure
        step = max(1, -(-expected.get(measure.id, 0) // CURVE_POINTS))
        groups = _group_counters(plan, stream, measure, walk)
        if groups:
            walk.groups[measure.id] = list(groups.items())
        watches.append(_Watch(counter, groups, step))
    return watches


def _group_counters(
    plan: Plan, stream: StreamCounter, measure: MeasurePlan, walk: Walk
) -> dict[str, MeasureCounter]:
    counted = (entry for entry in stream.index.values() if matches(entry, measure.where))
    values = sorted({entry.tags[GROUP_TAG] for entry in counted if GROUP_TAG in entry.tags})
    walk.groups_left_out[measure.id] = len(values[MAX_GROUPS:])
    counters = {}
    for value in values[:MAX_GROUPS]:
        # groups are described item by item whatever the measure's unit, and never as a pool
        part = msgspec.structs.replace(
            measure,
            where={**measure.where, GROUP_TAG: (value,)},
            unit="trial" if measure.unit == "trial" else "item",
        )
        counter = MeasureCounter(
            part, stream.stream, stream.order, stream.index, plan.detector(measure.detector), fixed=False
        )
        counters[value] = counter
    return counters


class _Watch:
    """Follows one measure along its stream."""

    def __init__(self, counter: MeasureCounter, groups: dict[str, MeasureCounter], step: int) -> None:
        self._counter = counter
        self._groups = groups
        self._step = step
        self._next = step
        self._noted = 0

    def note(self, walk: Walk, stream: StreamCounter, answer: Answer, wanted: Wanted, samples: int) -> None:
        """Take in an answer that the stream has just consumed."""
        last, measure = answer.last, self._counter.measure
        if not self._counter.counts(last.sample):
            return
        walk.calls[measure.id] += len(answer.attempts)
        value = answer.values().get(measure.detector)
        entry = stream.index[last.sample]
        group = self._groups.get(entry.tags.get(GROUP_TAG, ""))
        if group is not None:
            group.add(entry, value)
        if self._counter.n >= self._next:
            self._take_point(walk)
        if measure.id in wanted and (value is None or (value is not measure.negate) is wanted[measure.id]):
            kept = (walk.unusable if value is None else walk.samples)[measure.id]
            if len(kept) < samples:
                kept.append(answer)

    def close(self, walk: Walk) -> None:
        """Take the last point."""
        if self._counter.n > self._noted:
            self._take_point(walk)

    def _take_point(self, walk: Walk) -> None:
        walk.curves[self._counter.measure.id].append(self._counter.tally())
        self._noted = self._counter.n
        self._next = self._noted + self._step
