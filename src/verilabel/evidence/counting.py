"""From evidence lines to counts: the one place where answers become numbers, for the engine and every verifier.

The rules (label-semantics sections 4 and 5, statistics.md section 1.3):
1. answers are counted in the plan's committed order; what is counted is always a prefix of it;
2. an answer that is missing, or that the detector could not score, stays in the denominator as missing;
3. repeated epochs collapse to the item (any or all, as the plan says) before counting;
4. a family counts when all of its planned answers are in; its answers are never counted as independent items;
5. an answer is withheld whole or not at all, and never one of a suite's first five (section 13); it counts as it
   would in the open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.layout import EVIDENCE
from verilabel.evidence.lines import EvidenceLine
from verilabel.records.attempt import Attempt
from verilabel.records.plan import MeasurePlan, Plan, StreamPlan, ordered_ids
from verilabel.records.sample import SampleEntry
from verilabel.records.score import DetectorCard, ErrorCounts, Scored, Unscored
from verilabel.records.tally import Clusters, Tally
from verilabel.records.withheld import OPEN_ANSWERS, SealedAttempt, tells_what_is_withheld
from verilabel.statistics.judge import swap

Index = Mapping[str, SampleEntry]
"""Sample id to its entry, for one suite."""
Key = tuple[str, str, int]
"""Suite, sample and epoch of one answer."""


def matches(entry: SampleEntry, where: Mapping[str, tuple[str, ...]]) -> bool:
    """True if every tag of the filter has one of its values."""
    return all(entry.tags.get(tag) in values for tag, values in where.items())


class MeasureCounter:
    """Counts one measure, answer by answer, in the committed order."""

    def __init__(
        self,
        measure: MeasurePlan,
        stream: StreamPlan,
        order: Sequence[str],
        index: Index,
        card: DetectorCard,
        *,
        fixed: bool,
    ) -> None:
        self.measure = measure
        self.detector = measure.detector
        self._epochs = stream.epochs
        where = measure.where
        self._counted_ids = {i for i in index if matches(index[i], where)} if where else index.keys()
        planned = (
            [i for i in order[: stream.limit] if i in self._counted_ids] if where else order[: stream.limit]
        )
        answers_a_unit = stream.epochs if measure.unit == "trial" else 1
        self._n_planned = self.units_planned = len(planned) * answers_a_unit
        self._exact = card.exact
        self._errors = _errors_as_counted(card, measure)
        clustered = measure.unit == "family"
        if clustered:
            self._family_size = Counter(index[i].unit for i in order if i in self._counted_ids)
            started = Counter(index[i].unit for i in planned)
            whole = [size for unit, size in started.items() if size == self._family_size[unit]]
            self._n_planned, self.units_planned = sum(whole), len(whole)
        pooled = fixed and measure.population == "items_fixed" and measure.unit == "item"
        self._pool = len(self._counted_ids) if pooled else None
        self._epoch_findings: list[bool | None] = []
        self._open: dict[str, list[bool | None]] = {}
        self._clusters: Counter[tuple[int, int, int]] = Counter()
        self.n = self.events = self.missing = 0

    def counts(self, sample: str) -> bool:
        """True if the measure counts this sample."""
        return sample in self._counted_ids

    def add(self, entry: SampleEntry, value: bool | None) -> None:
        """Count one answer; `value` is the detector's finding, None where it is missing."""
        event = None if value is None else value is not self.measure.negate
        if self.measure.unit == "trial":
            self._count(event)
            return
        item = event
        if self._epochs > 1:
            self._epoch_findings.append(event)
            if len(self._epoch_findings) < self._epochs:
                return
            item = collapse_epochs(self._epoch_findings, self.measure.collapse)
            self._epoch_findings = []
        if self.measure.unit == "item":
            self._count(item)
            return
        members = self._open.setdefault(entry.unit, [])
        members.append(item)
        if len(members) == self._family_size[entry.unit]:
            del self._open[entry.unit]
            events, missing = members.count(True), members.count(None)
            self._clusters[events, missing, len(members)] += 1
            self.n += len(members)
            self.events += events
            self.missing += missing

    def _count(self, event: bool | None) -> None:
        self.n += 1
        if event is None:
            self.missing += 1
        elif event:
            self.events += 1

    def tally(self) -> Tally:
        """The counts so far."""
        return Tally(
            measure=self.measure.id,
            n=self.n,
            events=self.events,
            missing=self.missing,
            unit=self.measure.unit,
            population=self.measure.population,
            clusters=tuple(Clusters(*key, count) for key, count in sorted(self._clusters.items())),
            pool=self._pool,
            exact=self._exact,
            errors=self._errors,
            complement=self.measure.negate,
            n_planned=self._n_planned,
        )


def collapse_epochs(findings: Sequence[bool | None], how: str) -> bool | None:
    """One item's event from those of its repeated answers, in `any` or in `all`; None where a missing one decides."""
    decisive = how == "any"
    if decisive in findings:
        return decisive
    return None if None in findings else not decisive


def _errors_as_counted(card: DetectorCard, measure: MeasurePlan) -> ErrorCounts | None:
    errors = card.pooled(measure.language)
    if errors is None or not measure.negate:
        return errors
    return swap(errors)


class StreamCounter:
    """One stream's committed order, how far it has been consumed, and the measures that count it."""

    def __init__(self, plan: Plan, stream: StreamPlan, entries: Iterable[SampleEntry]) -> None:
        self.stream = stream
        self.events = {name: plan.detector(name).event for name in stream.detectors}
        """Detector `id@version` to the event that it finds."""
        self.index: dict[str, SampleEntry] = {entry.id: entry for entry in entries}
        self.order: list[str] = ordered_ids(plan.seed, stream.suite, self.index.values(), stream.strata)
        self.measures = [
            MeasureCounter(
                m, stream, self.order, self.index, plan.detector(m.detector), fixed=plan.fixed_outcomes
            )
            for m in plan.measures
            if m.suite == stream.suite
        ]
        self.consumed = 0
        self.length = min(stream.limit, len(self.order)) * stream.epochs
        """Answers the plan allows."""

    def expected(self) -> tuple[str, int] | None:
        """Sample id and epoch of the next answer in the committed order; None when the plan allows no more."""
        return self.at(self.consumed) if self.consumed < self.length else None

    def at(self, position: int) -> tuple[str, int]:
        """Sample id and epoch at a position of the committed order."""
        if self.stream.epochs == 1:
            return self.order[position], 1
        item, epoch = divmod(position, self.stream.epochs)
        return self.order[item], epoch + 1

    def consume(self, findings: Mapping[str, bool | None]) -> None:
        """Count the next answer; `findings` maps `id@version` of a detector to its finding."""
        sample, _ = self.at(self.consumed)
        self.consumed += 1
        for measure in self.measures:
            if measure.counts(sample):
                measure.add(self.index[sample], findings.get(measure.detector))


@dataclass
class Recount:
    """What a walk over evidence found."""

    streams: list[StreamCounter]
    exact: frozenset[str] = frozenset()
    """Detectors that compute their event, by the plan."""
    requests: int = 0
    judge_requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    served: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(served model, fingerprint) to answers."""
    set_aside: int = 0
    """Responses of status 200 that count as failures and were asked for again: empty, unreadable or cut short."""
    judged_again: int = 0
    """Questions to a judge after it had answered them; a run that was killed in between asks again, too."""
    commitments: list[str] = field(default_factory=list)
    """Commitments that stand for withheld attempts, in their order."""
    withheld: int = 0
    """Answers of which the attempts are withheld."""

    def tallies(self) -> dict[str, Tally]:
        """Measure id to its counts."""
        return {m.measure.id: m.tally() for stream in self.streams for m in stream.measures}

    def note_attempt(self, attempt: Attempt) -> None:
        """Add one attempt to the totals."""
        if attempt.judge is None:
            self.requests += 1
            if attempt.output is not None:
                self.served[attempt.served_model or "", attempt.fingerprint or ""] += 1
        else:
            self.judge_requests += 1
        if attempt.usage is not None:
            self.input_tokens += attempt.usage.input_tokens
            self.output_tokens += attempt.usage.output_tokens
        if attempt.failure is not None:
            self.failures[attempt.failure.kind] += 1


def open_recount(plan: Plan, indexes: Mapping[str, Sequence[SampleEntry]]) -> Recount:
    """A recount with nothing counted yet. `indexes` maps a suite's `id@version` to its entries."""
    exact = frozenset(card.name for card in plan.detectors if card.exact)
    return Recount([StreamCounter(plan, stream, indexes[stream.suite]) for stream in plan.streams], exact)


def recount(
    plan: Plan, indexes: Mapping[str, Sequence[SampleEntry]], lines: Iterable[EvidenceLine]
) -> Recount:
    """Walk evidence lines, check that they are the plan's committed prefix in order, and count them.

    Raises SealError naming the line where the evidence leaves the plan.
    """
    result = open_recount(plan, indexes)
    cursor = _Cursor(iter(lines), result.commitments)
    for stream in result.streams:
        while cursor.line is not None and cursor.line.suite == stream.stream.suite:
            _consume_answer(cursor, stream, result)
    if cursor.line is not None:
        raise SealError(
            f"a record of suite {cursor.line.suite!r} stands where the plan's order has none",
            where=cursor.where,
        )
    return result


class _Cursor:
    """One line of look-ahead over evidence lines, with the line's number for messages.

    A commitment is handed on as the attempt that it is counted as.
    """

    def __init__(self, lines: Iterator[EvidenceLine], commitments: list[str]) -> None:
        self._lines = lines
        self._commitments = commitments
        self.number = 0
        self.line: Attempt | Scored | Unscored | None = None
        self.is_withheld = False
        self.answer_is_withheld = False
        self.advance()

    def advance(self) -> None:
        line = next(self._lines, None)
        self.number += 1
        self.is_withheld = False
        self.line = self._take_commitment(line) if isinstance(line, SealedAttempt) else line

    def _take_commitment(self, line: SealedAttempt) -> Attempt:
        if line.contradiction is not None:
            raise SealError(f"a commitment contradicts itself: {line.contradiction}", where=self.where)
        self.is_withheld = True
        self._commitments.append(line.commitment)
        return line.as_counted()

    @property
    def where(self) -> str:
        return f"{EVIDENCE}:{self.number}"


def _consume_answer(cursor: _Cursor, stream: StreamCounter, result: Recount) -> None:
    expected = stream.expected()
    line = cursor.line
    if expected is None:
        raise SealError(f"more answers of {stream.stream.suite} than the plan allows", where=cursor.where)
    if line is None or (line.sample, line.epoch) != expected:
        raise SealError(
            f"the committed order has sample {expected[0]!r} epoch {expected[1]} here, the evidence has "
            f"{getattr(line, 'sample', None)!r}",
            where=cursor.where,
        )
    key = (stream.stream.suite, *expected)
    cursor.answer_is_withheld = cursor.is_withheld
    if cursor.is_withheld:
        result.withheld += 1
        if stream.consumed < OPEN_ANSWERS:
            raise SealError(
                f"sample {expected[0]!r} is withheld, one of the first {OPEN_ANSWERS} of its suite, which stay open",
                where=cursor.where,
            )
    last = _consume_attempts(cursor, key, None, result)
    if last is None:
        raise SealError(f"sample {expected[0]!r} has a score and no attempt", where=cursor.where)
    findings: dict[str, bool | None] = {}
    if last.output is not None:
        for detector in stream.stream.detectors:
            findings[detector] = _consume_score(cursor, key, (detector, stream.events[detector]), result)
    stream.consume(findings)


def _consume_attempts(cursor: _Cursor, key: Key, judge: str | None, result: Recount) -> Attempt | None:
    last: Attempt | None = None
    while (
        isinstance(line := cursor.line, Attempt)
        and (line.suite, line.sample, line.epoch) == key
        and line.judge == judge
    ):
        if line.attempt != (1 if last is None else last.attempt + 1):
            raise SealError(
                f"attempt {line.attempt} of sample {line.sample!r} is out of order", where=cursor.where
            )
        if last is not None and judge is None:
            _check_repetition(last, cursor.where)
        if last is not None:
            result.judged_again += last.output is not None
            result.set_aside += _was_set_aside(last)
        if (line.output is None) == (line.failure is None):
            raise SealError("an attempt has either an output or a failure", where=cursor.where)
        if cursor.is_withheld is not cursor.answer_is_withheld:
            raise SealError(f"the answer to sample {line.sample!r} is withheld in part", where=cursor.where)
        result.note_attempt(line)
        last = line
        cursor.advance()
    return last


def _was_set_aside(attempt: Attempt) -> bool:
    said = attempt.response or attempt.response_base64
    return attempt.failure is not None and attempt.status == 200 and bool(said)


def _check_repetition(last: Attempt, where: str) -> None:
    if last.output is not None:
        raise SealError(f"sample {last.sample!r} was asked again after it was answered", where=where)
    if last.failure is not None and last.failure.is_final:
        raise SealError(f"sample {last.sample!r} was asked again after a final failure", where=where)


def _consume_score(cursor: _Cursor, key: Key, finder: tuple[str, str], result: Recount) -> bool | None:
    asked = _consume_attempts(cursor, key, finder[0], result)
    if asked is not None and finder[0] in result.exact:
        raise SealError(f"{finder[0]} is called exact, and a judge was asked for it", where=cursor.where)
    line = cursor.line
    found = (line.suite, line.sample, line.epoch) if line is not None else None
    if not isinstance(line, Scored | Unscored) or found != key or (line.detector, line.event) != finder:
        raise SealError(
            f"sample {key[1]!r} has no score of {finder[0]} for {finder[1]} here", where=cursor.where
        )
    if cursor.answer_is_withheld and tells_what_is_withheld(line):
        raise SealError(f"a finding tells of the withheld answer to sample {key[1]!r}", where=cursor.where)
    cursor.advance()
    return line.value if isinstance(line, Scored) else None


def parse_index(data: bytes, where: str) -> list[SampleEntry]:
    """The entries of a suite index file. Raises MalformedInput for broken lines and duplicate ids."""
    try:
        entries: list[SampleEntry] = _index_decoder.decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedInput(f"not a suite index: {error}", where=where) from error
    if not entries or _index_encoder.encode_lines(entries) != data:
        raise MalformedInput("the index is empty, cut short, or not in canonical form", where=where)
    if len({entry.id for entry in entries}) != len(entries):
        twice = next(i for i, n in Counter(entry.id for entry in entries).items() if n > 1)
        raise MalformedInput(f"sample id {twice!r} stands twice", where=where)
    return entries


def encode_index(entries: Iterable[SampleEntry]) -> bytes:
    """A suite index as canonical lines."""
    return _index_encoder.encode_lines(list(entries))


_index_decoder = msgspec.json.Decoder(SampleEntry)
_index_encoder = msgspec.json.Encoder()
