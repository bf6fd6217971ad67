"""Two verified bundles held side by side, question by question: what each party's detectors found on the same samples.

A pair is a sample that both bundles counted, with every answer that their plans ask of it. A measure's pairs are those
of its own samples; where it counts families, the samples of a family are one unit. An answer that is missing stays in
its pair as missing, for the tests to count worst-case; pairs are never left out for it. Two measures are paired only
where they count the same event, found by the same detector with the same measured errors, on the same suite.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.container import Container, open_container
from verilabel.evidence.counting import collapse_epochs, matches, parse_index
from verilabel.evidence.layout import EVIDENCE, MANIFEST, RUBRIC, suite_files
from verilabel.evidence.manifest import parse_manifest
from verilabel.evidence.reading import line_blocks, read_document
from verilabel.evidence.verification import Verification
from verilabel.records.canonical import digest
from verilabel.records.label import Label
from verilabel.records.plan import MeasurePlan, Plan, StreamPlan
from verilabel.records.sample import SampleEntry
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric
from verilabel.statistics.replication import Cell


class _Line(msgspec.Struct, gc=False):
    """The part of an evidence line that pairing needs; `sealed` lines stand for attempts whose text is withheld."""

    kind: str
    suite: str
    sample: str
    epoch: int
    judge: str | None = None
    output: str | None = None
    detector: str = ""
    value: bool | None = None


_decoder = msgspec.json.Decoder(_Line)
Findings = list[bool | None]
"""One detector's findings on one sample, an answer each; None where it is missing."""


@dataclass
class Answers:
    """One suite's counted answers in a bundle."""

    stream: StreamPlan
    index: Mapping[str, SampleEntry]
    outputs: dict[str, list[bytes | None]] = field(default_factory=dict)
    """Sample to the digests of its answers, one an epoch; None where there is none, or its text is withheld."""
    findings: dict[str, dict[str, Findings]] = field(default_factory=dict)
    """Detector to sample to its findings."""

    def whole_samples(self) -> Iterator[str]:
        """The samples of which every planned answer was counted, in the committed order."""
        return (sample for sample, outputs in self.outputs.items() if len(outputs) == self.stream.epochs)

    @property
    def stopped_early(self) -> bool:
        """True if fewer samples were asked than the plan allows: what was seen may be why it stopped."""
        return sum(1 for _ in self.whole_samples()) < min(self.stream.limit, len(self.index))


@dataclass(frozen=True)
class Party:
    """A verified bundle, with all that a comparison needs of it."""

    path: Path
    found: Verification
    plan: Plan
    system: SystemDescriptor
    label: Label
    rubric: Rubric
    answers: Mapping[str, Answers]
    """`id@version` of a suite to its answers."""

    @property
    def where(self) -> str:
        """The bundle, for messages."""
        return str(self.path)


class Pairs(msgspec.Struct, frozen=True):
    """One measure's answers of two parties, pair by pair."""

    cells: Counter[Cell]
    """What the parties found on a unit, to how many units are so."""
    agreeing: int
    """Units on which both found the same share of events, with no answer missing."""
    identical: int
    """Units on which all outputs are the same, byte for byte."""
    missing: int
    """Units in which an answer of either party is missing."""
    clustered: bool
    """True where the units are families."""

    @property
    def units(self) -> int:
        """How many pairs there are."""
        return self.cells.total()


def open_party(path: Path, found: Verification, *, in_force: bool = True) -> Party:
    """Read what a comparison needs of a bundle that was just verified; `found` is what its verification found.

    With `in_force` false a label may have expired: its answers are still what they were. Raises what the verification
    found to be wrong; SealError where the bundle is not the one that was verified, or is not signed and logged.
    """
    past = not in_force and _has_only_expired(found)
    if found.failure is not None and not past:
        raise found.failure
    if (
        (found.level == "V0" and not past)
        or found.plan is None
        or found.system is None
        or found.label is None
    ):
        raise SealError(
            f"only bundles of V1 and above are compared, this is {found.level_name}: {found.reason}",
            where=str(path),
        )
    with open_container(path) as container:
        manifest = parse_manifest(read_document(container, MANIFEST))
        if manifest.digest != found.manifest_sha256:
            raise SealError("the bundle was changed while it was read", where=str(path))
        answers = {stream.suite: _open_answers(container, stream) for stream in found.plan.streams}
        listed = next(entry.sha256 for entry in manifest.entries if entry.path == EVIDENCE)
        if _read_lines(container, answers) != listed:
            raise SealError("the evidence was changed while it was read", where=EVIDENCE)
        rubric = load_rubric(read_document(container, RUBRIC), RUBRIC)
    if rubric.reference != found.label.rubric:
        raise SealError("the rubric was changed while it was read", where=RUBRIC)
    return Party(path, found, found.plan, found.system, found.label, rubric, answers)


def _has_only_expired(found: Verification) -> bool:
    """True if a label that was signed and logged follows from its evidence, and nothing but its time is over."""
    outcomes = {step.name: step.outcome for step in found.steps}
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    sealed = outcomes["signature"] == outcomes["log"] == "passed"
    over = {"revoked", "superseded"} & set(found.flags)
    return sealed and failed == ["validity"] and "expired" in found.flags and not over


def _open_answers(container: Container, stream: StreamPlan) -> Answers:
    _, path = suite_files(stream.suite)
    data = read_document(container, path)
    if digest(data) != stream.index_sha256:
        raise SealError(f"the index of {stream.suite} is not the planned one", where=path)
    answers = Answers(stream, {entry.id: entry for entry in parse_index(data, path)})
    answers.findings = {detector: {} for detector in stream.detectors}
    return answers


def _read_lines(container: Container, answers: Mapping[str, Answers]) -> str:
    """Put every finding and output of the evidence in its place; the digest of what was read."""
    hasher = hashlib.sha256()
    number = 1
    for block in line_blocks(container, EVIDENCE):
        hasher.update(block)
        try:
            lines = _decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedInput(f"not evidence: {error}", where=f"{EVIDENCE}:{number}") from error
        for line in lines:
            _take(line, answers, number)
            number += 1
    return f"sha256:{hasher.hexdigest()}"


def _take(line: _Line, answers: Mapping[str, Answers], number: int) -> None:
    here = answers.get(line.suite)
    if here is None or line.sample not in here.index or not 1 <= line.epoch <= here.stream.epochs:
        raise SealError("a record stands where the plan's order has none", where=f"{EVIDENCE}:{number}")
    if line.kind in ("attempt", "sealed"):
        if line.judge is None:
            outputs = here.outputs.setdefault(line.sample, [])
            if len(outputs) < line.epoch:
                outputs.append(None)
            if line.output is not None:
                outputs[-1] = hashlib.sha256(line.output.encode()).digest()
        return
    if line.kind == "score":
        found = here.findings[line.detector].setdefault(line.sample, [None] * here.stream.epochs)
        found[line.epoch - 1] = line.value


# ---------------------------------------------------------------- pairs


def find_counting_differences(a: Party, b: Party) -> tuple[str, ...]:
    """In words, where two bundles count a measure of theirs otherwise: suite, detector, event, unit or filter."""
    theirs = {measure.id: measure for measure in b.plan.measures}
    found = (
        (measure.id, _difference(measure, theirs[measure.id], a, b))
        for measure in a.plan.measures
        if measure.id in theirs
    )
    return tuple(f"{name}: {what}" for name, what in found if what is not None)


def _difference(ours: MeasurePlan, theirs: MeasurePlan, a: Party, b: Party) -> str | None:
    left, right = a.answers[ours.suite].stream, b.answers[theirs.suite].stream
    if (left.suite_sha256, left.index_sha256) != (right.suite_sha256, right.index_sha256):
        return (
            f"suite {left.suite} ({left.suite_sha256[:19]}...) against "
            f"{right.suite} ({right.suite_sha256[:19]}...)"
        )
    mine, other = a.plan.detector(ours.detector), b.plan.detector(theirs.detector)
    if mine.digest != other.digest:
        return f"detector {mine.name} ({mine.digest[:19]}...) against {other.name} ({other.digest[:19]}...)"
    if ours != theirs:
        fields = [name for name in ours.__struct_fields__ if getattr(ours, name) != getattr(theirs, name)]
        return f"it is counted by another {', '.join(fields)}"
    return None


def find_epoch_differences(a: Party, b: Party) -> tuple[str, ...]:
    """In words, which items of measures that both have are counted over another number of repeated answers."""
    theirs = {measure.id for measure in b.plan.measures}
    epochs = {
        m.id: (a.answers[m.suite].stream.epochs, b.answers[m.suite].stream.epochs)
        for m in a.plan.measures
        if m.id in theirs and m.unit != "trial"
    }
    return tuple(
        f"{name}: {one} answers to a question against {other}"
        for name, (one, other) in epochs.items()
        if one != other
    )


def pair_measure(measure: MeasurePlan, a: Party, b: Party, *, collapsed: bool = False) -> Pairs:
    """The pairs of a measure that both bundles count alike (`find_counting_differences` says so).

    With `collapsed` repeated answers are one item each, as the measure counts them; without, an item has the share of
    its answers that show the event, which tells more of whether two parties were answered alike.
    """
    ours, theirs = a.answers[measure.suite], b.answers[measure.suite]
    shared = set(theirs.whole_samples())
    samples = [
        sample
        for sample in ours.whole_samples()
        if sample in shared and matches(ours.index[sample], measure.where)
    ]
    clustered = measure.unit == "family"
    units: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        units[ours.index[sample].unit if clustered else sample].append(sample)
    cells: Counter[Cell] = Counter()
    agreeing = identical = missing = 0
    for members in units.values():
        cell = Cell(
            *_count(ours, measure, members, collapsed=collapsed),
            *_count(theirs, measure, members, collapsed=collapsed),
        )
        cells[cell] += 1
        missing += bool(cell.a_missing or cell.b_missing)
        agreeing += not (cell.a_missing or cell.b_missing) and cell.lowest == 0
        identical += all(_same_outputs(ours.outputs[m], theirs.outputs[m]) for m in members)
    return Pairs(cells, agreeing, identical, missing, clustered)


def _count(
    answers: Answers, measure: MeasurePlan, samples: Sequence[str], *, collapsed: bool
) -> tuple[int, int, int]:
    """Events, missing answers and answers (or items) of one party on the samples of a unit."""
    found = answers.findings[measure.detector]
    nothing: Findings = [None] * answers.stream.epochs
    events: Findings = []
    for sample in samples:
        values = found.get(sample, nothing)
        own = [None if value is None else value is not measure.negate for value in values]
        is_item = collapsed and measure.unit != "trial" and len(own) > 1
        events += [collapse_epochs(own, measure.collapse)] if is_item else own
    return events.count(True), events.count(None), len(events)


def _same_outputs(ours: Sequence[bytes | None], theirs: Sequence[bytes | None]) -> bool:
    return ours == theirs and None not in ours
