"""What a verified bundle's detectors found, read once and counted for any rubric's measures.

Counting follows `evidence.counting` (label-semantics sections 4 and 5) to the number, for measures that the bundle's
plan does not name. It reads the evidence in one pass and then groups: the samples by the tags that filters look at, so
that a measure costs as much as there are groups of samples, not as there are answers.

What keeps it honest: the file that is read here must have the digest that was verified; the answers must stand in the
committed order; a measure is counted only on the suite it names (with the digest it pins) and by a detector of its
event that was planned before the run.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.container import Container, open_container
from verilabel.evidence.counting import parse_index
from verilabel.evidence.layout import EVIDENCE, MANIFEST, suite_files
from verilabel.evidence.manifest import parse_manifest
from verilabel.evidence.others.given import objection_to_finding, read_given
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.plan_checks import suite_is_meant
from verilabel.evidence.reading import line_blocks, read_document
from verilabel.evidence.verification import Verification
from verilabel.records.canonical import digest
from verilabel.records.plan import Design, Plan, StreamPlan, ordered_ids
from verilabel.records.sample import SampleEntry
from verilabel.records.score import DetectorCard, ErrorCounts
from verilabel.records.system import SystemDescriptor
from verilabel.records.tally import Clusters, Tally
from verilabel.rubric.structure import DETECTOR_OF_EVENT, Measure, Rubric
from verilabel.statistics.judge import swap

FALSE, TRUE, MISSING = 0, 1, 2
"""The values of a column of findings."""
_ATTEMPTS = ("attempt", "sealed")
"""Lines that stand for an attempt; of a sealed one only the texts are withheld."""
_NEGATED = bytes.maketrans(bytes((FALSE, TRUE)), bytes((TRUE, FALSE)))


class NotCounted(msgspec.Struct, frozen=True):
    """Why a bundle's evidence says nothing of a measure."""

    why: str


class _Line(msgspec.Struct, gc=False):
    """The part of an evidence line that counting needs; exchanges are skipped, not copied."""

    kind: str
    suite: str
    sample: str
    epoch: int
    attempt: int = 0
    judge: str | None = None
    detector: str = ""
    value: bool | None = None


_decoder = msgspec.json.Decoder(_Line)


@dataclass
class StreamFindings:
    """One suite's answers in the committed order: for each detector one value (0, 1, or 2 for missing) an answer."""

    stream: StreamPlan
    order: list[str]
    index: Mapping[str, SampleEntry]
    columns: dict[str, bytearray]
    consumed: int = 0
    _groups: dict[tuple[str, ...], _Groups] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Answers the plan allows."""
        return min(self.stream.limit, len(self.order)) * self.stream.epochs

    def groups_by(self, tags: tuple[str, ...]) -> _Groups:
        """The stream's samples grouped by these tags; made once for each set of tags."""
        if tags not in self._groups:
            self._groups[tags] = _Groups(self, tags)
        return self._groups[tags]


class _Groups:
    """Samples of one stream that no filter on `tags` can tell apart, with counts for each detector's column."""

    def __init__(self, findings: StreamFindings, tags: tuple[str, ...]) -> None:
        self._findings = findings
        stream = findings.stream
        numbers: dict[tuple[str | None, ...], int] = {}
        self._group_of: list[int] = []
        for sample in findings.order:
            values = findings.index[sample].tags
            signature = tuple(values.get(tag) for tag in tags)
            self._group_of.append(numbers.setdefault(signature, len(numbers)))
        self._signatures = [dict(zip(tags, signature, strict=True)) for signature in numbers]
        self.sizes = Counter(self._group_of)
        self.planned = Counter(self._group_of[: stream.limit])
        self._items: dict[tuple[str, bool, str], bytes] = {}
        self._counts: dict[tuple[str, bool, str], Counter[tuple[int, int]]] = {}
        self._families: dict[tuple[str, bool, str], Counter[_Composition]] = {}

    def matching(self, where: Mapping[str, tuple[str, ...]]) -> set[int]:
        """The groups whose samples a filter counts."""
        return {
            number
            for number, signature in enumerate(self._signatures)
            if all(signature[tag] in values for tag, values in where.items())
        }

    def answers(self, key: tuple[str, bool, str]) -> Counter[tuple[int, int]]:
        """(group, finding) to answers, each answer by itself."""
        detector, negated, _ = key
        key = (detector, negated, "trial")
        if key not in self._counts:
            column = self._events(detector, negated)
            epochs = self._findings.stream.epochs
            groups: Iterable[int] = self._group_of
            if epochs > 1:
                groups = (group for group in self._group_of for _ in range(epochs))
            self._counts[key] = Counter(zip(groups, column, strict=False))
        return self._counts[key]

    def items(self, key: tuple[str, bool, str]) -> Counter[tuple[int, int]]:
        """(group, finding) to items; repeated answers are collapsed first, and unfinished ones left out."""
        if key not in self._counts:
            self._counts[key] = Counter(zip(self._group_of, self._collapsed(key), strict=False))
        return self._counts[key]

    def families(self, key: tuple[str, bool, str]) -> Counter[_Composition]:
        """What a family is made of, to how many families are made so."""
        if key not in self._families:
            self._families[key] = self._compose(self._collapsed(key))
        return self._families[key]

    def _events(self, detector: str, negated: bool) -> bytes:
        column = bytes(self._findings.columns[detector][: self._findings.consumed])
        return column.translate(_NEGATED) if negated else column

    def _collapsed(self, key: tuple[str, bool, str]) -> bytes:
        detector, negated, how = key
        epochs = self._findings.stream.epochs
        if epochs == 1:
            return self._events(detector, negated)
        if key not in self._items:
            column = self._events(detector, negated)
            whole = len(column) // epochs * epochs
            decisive, other = (TRUE, FALSE) if how == "any" else (FALSE, TRUE)
            items = bytearray()
            for start in range(0, whole, epochs):
                part = column[start : start + epochs]
                items.append(decisive if decisive in part else MISSING if MISSING in part else other)
            self._items[key] = bytes(items)
        return self._items[key]

    def _compose(self, items: bytes) -> Counter[_Composition]:
        index, limit = self._findings.index, self._findings.stream.limit
        members: dict[str, list[tuple[int, int, bool]]] = defaultdict(list)
        for position, sample in enumerate(self._findings.order):
            found = items[position] if position < len(items) else -1
            members[index[sample].unit].append((self._group_of[position], found, position < limit))
        return Counter(tuple(sorted(family)) for family in members.values())


_Composition = tuple[tuple[int, int, bool], ...]
"""The members of a family: group, finding (-1: not answered), and whether the plan asks for it."""


@dataclass(frozen=True)
class BundleEvidence:
    """A verified bundle's evidence, ready to be counted for any measure."""

    name: str
    plan: Plan
    system: SystemDescriptor
    streams: Mapping[str, StreamFindings]
    given: Mapping[str, Signed] = field(default_factory=dict)
    """Name to the signed finding in the bundle; only of a bundle whose label was derived again from them."""

    def is_given(self, name: str, rubric: Rubric, moment: datetime) -> bool:
        """True if a finding in the bundle is the attestation of this name that a rubric asks for, at a moment."""
        signed = self.given.get(name)
        return signed is not None and objection_to_finding(signed, rubric, self.system.digest, moment) is None

    @property
    def design(self) -> Design:
        """How rows may be decided on it.

        `fixed` only where a fixed plan was carried out to its end. All else may have been stopped because of what was
        seen; the bets of the anytime design hold at any such moment, for every measure of the committed order.
        """
        whole = all(findings.consumed == findings.length for findings in self.streams.values())
        return "fixed" if self.plan.design == "fixed" and whole else "anytime"

    def count_measure(
        self, name: str, measure: Measure, tags: Mapping[str, tuple[str, ...]]
    ) -> Tally | NotCounted:
        """The counts of a rubric's measure, or why there are none.

        `tags` maps a suite to the tags its samples are grouped by; it must hold the tags of the measure's filter.
        """
        found = self.find_findings(measure)
        if isinstance(found, NotCounted):
            return found
        findings, card = found
        groups = findings.groups_by(tags.get(findings.stream.suite, tuple(sorted(measure.filter))))
        matching = groups.matching(measure.filter)
        if not any(groups.sizes[group] for group in matching):
            return NotCounted(f"no sample of {findings.stream.suite} has {_say_filter(measure.filter)}")
        return self._tally(name, measure, findings, card, groups, matching)

    def find_findings(self, measure: Measure) -> tuple[StreamFindings, DetectorCard] | NotCounted:
        """The stream and the detector that a measure is counted by, or why there is none."""
        findings = next(
            (f for f in self.streams.values() if suite_is_meant(measure.suite, f.stream.suite)), None
        )
        if findings is None:
            return NotCounted(f"suite {measure.suite} was not asked")
        stream, pinned = findings.stream, measure.suite_sha256
        if pinned and pinned.removeprefix("sha256:") != stream.suite_sha256.removeprefix("sha256:"):
            return NotCounted(f"{stream.suite} in the bundle is not the version that the rubric pins")
        if measure.elicitation:
            return NotCounted(f"it is counted once for each of {', '.join(measure.elicitation)}")
        if measure.k is not None and measure.k != stream.epochs:
            return NotCounted(f"it counts the best of {measure.k} answers, {stream.epochs} were asked for")
        card = _choose_card(measure, [self.plan.detector(name) for name in stream.detectors])
        return card if isinstance(card, NotCounted) else (findings, card)

    def _tally(
        self,
        name: str,
        measure: Measure,
        findings: StreamFindings,
        card: DetectorCard,
        groups: _Groups,
        matching: set[int],
    ) -> Tally:
        key = (card.name, measure.negate, measure.collapse)
        planned = sum(groups.planned[group] for group in matching)
        clusters: Counter[tuple[int, int, int]] = Counter()
        if measure.unit == "family":
            clusters, planned = _count_families(groups.families(key), matching)
            n = sum(size * count for (_, _, size), count in clusters.items())
            events = sum(of * count for (of, _, _), count in clusters.items())
            missing = sum(of * count for (_, of, _), count in clusters.items())
        else:
            counts = groups.answers(key) if measure.unit == "trial" else groups.items(key)
            by_value = [sum(counts[group, value] for group in matching) for value in (FALSE, TRUE, MISSING)]
            n, events, missing = sum(by_value), by_value[TRUE], by_value[MISSING]
            planned *= findings.stream.epochs if measure.unit == "trial" else 1
        pooled = self.plan.fixed_outcomes and measure.population == "items_fixed" and measure.unit == "item"
        return Tally(
            measure=name,
            n=n,
            events=events,
            missing=missing,
            unit=measure.unit,
            population=measure.population,
            clusters=tuple(Clusters(*kind, count) for kind, count in sorted(clusters.items())),
            pool=sum(groups.sizes[group] for group in matching) if pooled else None,
            exact=card.exact,
            errors=_errors_of(card, self._language_of(findings.stream.suite), negated=measure.negate),
            complement=measure.negate,
            n_planned=planned,
        )

    def _language_of(self, suite: str) -> str:
        """The suite's language, as the verified plan has it; none, and so no errors, where no measure says it."""
        return next((m.language for m in self.plan.measures if m.suite == suite), "")


def _say_filter(where: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{tag} {' or '.join(values)}" for tag, values in where.items())


def _errors_of(card: DetectorCard, language: str, *, negated: bool) -> ErrorCounts | None:
    errors = card.pooled(language)
    return swap(errors) if errors is not None and negated else errors


def _choose_card(measure: Measure, cards: Sequence[DetectorCard]) -> DetectorCard | NotCounted:
    """The detector that counts a measure, chosen without a look at what it found.

    Where the rubric names a scorer, that one alone; else the usual one of the event, then one that computes it, then
    the one with the most labelled answers, then by name.
    """
    event = measure.detected_event
    found = [card for card in cards if card.event == event]
    if measure.scorer is not None:
        found = [card for card in found if measure.scorer in (card.id, card.reference, card.name)]
    if not found:
        wanted = f"{measure.scorer} for " if measure.scorer else ""
        used = ", ".join(f"{card.name} for {card.event}" for card in cards)
        return NotCounted(f"not scored by {wanted}{event}: the bundle has {used or 'no detector'}")
    usual = DETECTOR_OF_EVENT.get(event)

    def rank(card: DetectorCard) -> tuple[bool, bool, int, str]:
        labelled = sum(errors.positives + errors.negatives for errors in card.errors)
        return (card.id != usual, not card.exact, -labelled, card.name)

    return min(found, key=rank)


def _count_families(
    compositions: Mapping[_Composition, int], matching: set[int]
) -> tuple[Counter[tuple[int, int, int]], int]:
    """Whole families as (events, missing, size) to their number, and the answers of those the plan asks for."""
    clusters: Counter[tuple[int, int, int]] = Counter()
    planned = 0
    for composition, count in compositions.items():
        inside = [member for member in composition if member[0] in matching]
        if not inside:
            continue
        if all(is_planned for _, _, is_planned in inside):
            planned += len(inside) * count
        found = [value for _, value, _ in inside]
        if -1 not in found:
            clusters[found.count(TRUE), found.count(MISSING), len(found)] += count
    return clusters, planned


# ---------------------------------------------------------------- reading


def read_evidence(path: Path, found: Verification) -> BundleEvidence:
    """Read the evidence of a bundle that was just verified; `found` is what its verification found.

    Raises SealError where the bundle is not the one that was verified, or where its evidence leaves the plan's order.
    """
    if found.plan is None or found.system is None:
        raise SealError(f"there is nothing to count: {found.reason}", where=str(path))
    with open_container(path) as container:
        manifest = parse_manifest(read_document(container, MANIFEST))
        if manifest.digest != found.manifest_sha256:
            raise SealError("the bundle was changed while it was read", where=str(path))
        streams = {stream.suite: _open_stream(container, found.plan, stream) for stream in found.plan.streams}
        listed = next(entry.sha256 for entry in manifest.entries if entry.path == EVIDENCE)
        if _read_lines(container, streams) != listed:
            raise SealError("the evidence was changed while it was read", where=EVIDENCE)
        # the verifier's step 9 looks at whose keys signed them, so they count from V2 on
        given = read_given(container).findings if found.level >= "V2" else {}
    return BundleEvidence(path.name, found.plan, found.system, streams, given)


def _open_stream(container: Container, plan: Plan, stream: StreamPlan) -> StreamFindings:
    _, path = suite_files(stream.suite)
    data = read_document(container, path)
    if digest(data) != stream.index_sha256:
        raise SealError(f"the index of {stream.suite} is not the planned one", where=path)
    index = {entry.id: entry for entry in parse_index(data, path)}
    order = ordered_ids(plan.seed, stream.suite, index.values(), stream.strata)
    length = min(stream.limit, len(order)) * stream.epochs
    columns = {detector: bytearray([MISSING]) * length for detector in stream.detectors}
    return StreamFindings(stream, order, index, columns)


def _read_lines(container: Container, streams: Mapping[str, StreamFindings]) -> str:
    """Fill the streams from the evidence; the digest of what was read."""
    hasher = hashlib.sha256()
    number = 1
    walk = _Walk(streams)
    for block in line_blocks(container, EVIDENCE):
        hasher.update(block)
        try:
            lines = _decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedInput(f"not evidence: {error}", where=f"{EVIDENCE}:{number}") from error
        for line in lines:
            walk.take(line, number)
            number += 1
    return f"sha256:{hasher.hexdigest()}"


class _Walk:
    """Puts each finding in its place; the first attempt at an answer begins it."""

    def __init__(self, streams: Mapping[str, StreamFindings]) -> None:
        self._streams = streams
        self._here: StreamFindings | None = None
        self._answer = ("", "", 0)

    def take(self, line: _Line, number: int) -> None:
        """Take one line in. Raises SealError where it does not stand where the plan has it."""
        answer = (line.suite, line.sample, line.epoch)
        if line.kind in _ATTEMPTS:
            if answer != self._answer:
                self._begin(answer, number)
            return
        here = self._here
        if line.kind not in ("score", "unscored") or answer != self._answer or here is None:
            raise SealError("a record stands where the plan's order has none", where=f"{EVIDENCE}:{number}")
        column = here.columns.get(line.detector)
        if column is None:
            raise SealError("a score of a detector that was not planned", where=f"{EVIDENCE}:{number}")
        if line.kind == "score":
            column[here.consumed - 1] = TRUE if line.value else FALSE

    def _begin(self, answer: tuple[str, str, int], number: int) -> None:
        here = self._streams.get(answer[0])
        if here is None or here.consumed >= here.length:
            raise SealError("more answers than the plan allows", where=f"{EVIDENCE}:{number}")
        item, epoch = divmod(here.consumed, here.stream.epochs)
        if answer[1:] != (here.order[item], epoch + 1):
            raise SealError("the evidence leaves the committed order", where=f"{EVIDENCE}:{number}")
        here.consumed += 1
        self._here, self._answer = here, answer
