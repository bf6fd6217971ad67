"""Where two rubrics disagree about the same evidence, and why.

Rubrics with other levels cannot be held against each other as wholes, so that rows are: for what both measure (a suite,
an event, and whether it should be rare or common), how far each follows its own scale before a row of it is not met.
Where that differs, the cause is found by trying: a row of one rubric is decided again with one thing taken from the
other (its threshold, its error level, its other statistics, its counts, its reference), and each thing that alone turns
the outcome into the other's is a cause. Where rows agree and the rubrics still show more or less of their scale, the
cause is what else they ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import msgspec

from verilabel.comparison.lens import Reading
from verilabel.records.label import Row, Status
from verilabel.records.tally import Tally
from verilabel.rubric.allocation import PlannedRow, plan_tests, says_safe
from verilabel.rubric.leaf import decide_row
from verilabel.rubric.structure import Criterion, Measure, StatisticsRule, plain
from verilabel.statistics.judge import swap

Cause = Literal[
    "threshold", "alpha", "statistics", "counting", "reference", "together", "structure", "missing_measure"
]


class Subject(NamedTuple):
    """What rubrics that measure alike have in common: whether an event on a suite should be rare or common."""

    suite: str
    event: str
    should_be: Literal["rare", "common"]

    @property
    def words(self) -> str:
        """For example `refused rarely on xstest@2.0.0`."""
        return f"{self.event} {'rarely' if self.should_be == 'rare' else 'often'} on {self.suite}"


class Side(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one rubric finds: the row that holds it up, or the strictest row where all are met."""

    rubric: str
    status: Status | None = None
    level: str | None = None
    row: str | None = None
    """For example `overrefusal <= 0.1`."""
    n: int = 0
    events: int = 0
    standing: str = ""
    """How much of its scale is shown: all, some, none."""


class Disagreement(msgspec.Struct, frozen=True):
    """Two rubrics that measure the same thing and find differently.

    `about` says what: suite, event and side. Where whole rubrics differ and not their rows, `left` shows less.
    """

    about: str
    left: Side
    right: Side
    causes: tuple[Cause, ...]
    why: str


MAX_VALUES = 4
"""Values of a filter that are printed; of more their number is."""
_STANDINGS = ("none", "some", "all")


class _Held(NamedTuple):
    """A decided row of a reading with all that it was decided on."""

    level: str
    planned: PlannedRow
    measure: Measure
    rule: StatisticsRule
    tally: Tally
    reference: Tally | None
    row: Row

    @property
    def words(self) -> str:
        return f"{self.row.measure} {self.row.op} {self.row.threshold}"


def find_disagreements(readings: Sequence[Reading]) -> tuple[Disagreement, ...]:
    """Every disagreement between two of the readings, by what they both measure and then by rubric."""
    decided = [reading for reading in readings if reading.label is not None and reading.subjects]
    held = {reading.rubric.name: _rows_by_subject(reading) for reading in decided}
    found = [
        disagreement
        for left, right in combinations(decided, 2)
        for disagreement in _compare(left, right, held[left.rubric.name], held[right.rubric.name])
    ]
    return tuple(sorted(found, key=lambda d: (d.about, d.left.rubric, d.right.rubric)))


def _rows_by_subject(reading: Reading) -> dict[Subject, list[_Held]]:
    """For each subject, the rows that say the system is on the safe side, from the lowest level up."""
    rows: dict[Subject, list[_Held]] = {}
    rubric, label = reading.rubric, reading.label
    assert label is not None, "only decided readings are compared"
    decided = sorted(
        zip(plan_tests(rubric), label.levels, strict=True), key=lambda pair: pair[0].level
    )  # rule_out tests stand downwards in the label
    for test, result in decided:
        if test.test == "rule_in":
            continue
        for planned, row in zip(test.rows, result.rows, strict=True):
            held = _hold(reading, result.level, planned, row)
            if held is not None:
                rows.setdefault(_subject_of(reading, held), []).append(held)
    return rows


def _subject_of(reading: Reading, held: _Held) -> Subject:
    suite, event = reading.subjects[held.planned.measure]
    is_rare = (held.row.op in ("<", "<=")) != held.measure.negate
    return Subject(suite, event, "rare" if is_rare else "common")


def _hold(reading: Reading, level: str, planned: PlannedRow, row: Row) -> _Held | None:
    criterion, tally = planned.criterion, reading.tallies.get(planned.measure)
    if criterion is None or tally is None or row.status == "not_assessed":
        return None
    measure = reading.rubric.measures[criterion.measure]
    if not says_safe(criterion, measure):
        return None
    reference = reading.references.get(planned.measure)
    return _Held(level, planned, measure, reading.rubric.statistics, tally, reference, row)


def _compare(
    left: Reading, right: Reading, lefts: dict[Subject, list[_Held]], rights: dict[Subject, list[_Held]]
) -> Iterator[Disagreement]:
    pairs = {
        subject: pair
        for subject in sorted(set(lefts) & set(rights))
        if (pair := _deciding_pair(lefts[subject], rights[subject])) is not None
    }
    differing = {s: pair for s, pair in pairs.items() if pair[0].row.status != pair[1].row.status}
    for subject, (ours, theirs) in differing.items():
        causes, why = _find_causes(ours, theirs, left, right)
        yield Disagreement(
            about=subject.words, left=_side(left, ours), right=_side(right, theirs), causes=causes, why=why
        )
    if pairs and not differing and left.standing != right.standing:
        yield _compare_wholes(left, right, pairs)


def _deciding_pair(ours: Sequence[_Held], theirs: Sequence[_Held]) -> tuple[_Held, _Held] | None:
    """The row that decides each rubric, of rows that may count a sample in common; a pair that differs comes first.

    It is looked for from either side, so that it does not depend on which rubric is named first.
    """
    found = []
    for first, second, turned in ((ours, theirs, False), (theirs, ours, True)):
        mine = _deciding(_overlapping(first, second))
        other = mine and _deciding(_overlapping(second, [mine]))
        if mine and other:
            found.append((other, mine) if turned else (mine, other))
    differing = [pair for pair in found if pair[0].row.status != pair[1].row.status]
    return next(iter([*differing, *found]), None)


def _compare_wholes(left: Reading, right: Reading, pairs: dict[Subject, tuple[_Held, _Held]]) -> Disagreement:
    """Why one of two rubrics shows less of its scale although their rows have the same outcomes."""
    is_left_less = _STANDINGS.index(left.standing) < _STANDINGS.index(right.standing)
    less, more = (left, right) if is_left_less else (right, left)
    missing, other = _held_up_by(less, {(subject.suite, subject.event) for subject in pairs})
    causes: tuple[Cause, ...] = ("structure",)
    if missing:
        causes, why = ("missing_measure",), f"also asks for {', '.join(missing)}: not in the evidence"
    elif other:
        why = f"also asks for {', '.join(other)}"
    else:
        heights = [(a, b) if is_left_less else (b, a) for a, b in pairs.values()]
        stops = [(a, b) for a, b in heights if a.row.status != "met"] or heights
        if any(a.row.threshold != b.row.threshold for a, b in stops):
            causes = ("threshold",)
        why = "; ".join(f"stops at {a.level} {a.words}, the other at {b.level} {b.words}" for a, b in stops)
    return Disagreement(
        about=", ".join(subject.words for subject in pairs),
        left=Side(less.rubric.name, standing=less.standing),
        right=Side(more.rubric.name, standing=more.standing),
        causes=causes,
        why=why,
    )


def _overlapping(rows: Sequence[_Held], others: Sequence[_Held]) -> list[_Held]:
    """The rows that count some sample that one of the others counts, as far as filters tell."""
    return [held for held in rows if any(_may_share(held.measure, other.measure) for other in others)]


def _may_share(left: Measure, right: Measure) -> bool:
    return all(
        set(values) & set(right.filter[tag]) for tag, values in left.filter.items() if tag in right.filter
    )


def _deciding(rows: Sequence[_Held]) -> _Held | None:
    """The first row on the way up that is not met; the last one where all are; None of none."""
    if not rows:
        return None
    return next((held for held in rows if held.row.status != "met"), rows[-1])


def _side(reading: Reading, held: _Held) -> Side:
    return Side(
        rubric=reading.rubric.name,
        status=held.row.status,
        level=held.level,
        row=held.words,
        n=held.row.n,
        events=held.row.events,
        standing=reading.standing,
    )


# ---------------------------------------------------------------- why rows differ


def _find_causes(ours: _Held, theirs: _Held, left: Reading, right: Reading) -> tuple[tuple[Cause, ...], str]:
    """The single things that, taken from the other rubric, turn a row's outcome into the other's."""
    tried: dict[Cause, str] = {}
    for cause, words in _differences(ours, theirs):
        forwards = _decide_with(ours, theirs, cause, left.design) == theirs.row.status
        backwards = _decide_with(theirs, ours, cause, right.design) == ours.row.status
        if forwards or backwards:
            tried[cause] = words
    if tried:
        return tuple(tried), "; ".join(tried.values())
    every = [words for _, words in _differences(ours, theirs)]
    return ("together",), "no one thing alone: " + ("; ".join(every) or "the two rows are alike")


def _differences(ours: _Held, theirs: _Held) -> Iterator[tuple[Cause, str]]:
    """What differs between two rows, in words."""
    if (ours.row.op, ours.row.threshold) != (theirs.row.op, theirs.row.threshold):
        yield (
            "threshold",
            f"{ours.row.op} {ours.row.threshold} against {theirs.row.op} {theirs.row.threshold}",
        )
    if _alphas(ours) != _alphas(theirs):
        mine, other = ours.row.alpha_met, theirs.row.alpha_met
        yield "alpha", f"tested at an error of {mine} against {other}"
    statistics = list(_differing_statistics(ours, theirs))
    if statistics:
        yield "statistics", ", ".join(statistics)
    if _same_side(theirs.tally, ours.tally) != msgspec.structs.replace(ours.tally, measure=""):
        yield "counting", f"{_say_counts(ours)} against {_say_counts(theirs)}"
    if ours.reference != theirs.reference and ours.reference is not None and theirs.reference is not None:
        yield "reference", "other counts of the reference system"


def _alphas(held: _Held) -> tuple[object, object]:
    return held.planned.alpha_met, held.planned.alpha_not_met


def _differing_statistics(ours: _Held, theirs: _Held) -> Iterator[str]:
    """What two rubrics say of rows beside thresholds and alpha; their least numbers where one decided something."""

    def said(held: _Held) -> dict[str, str]:
        return {
            "margin": plain(held.rule.margin),
            "missing answers up to": plain(held.rule.max_missing),
            "judge's error": held.rule.judge.adjust,
            "answers at least": str(held.measure.min_n if ours.row.reason or theirs.row.reason else ""),
        }

    for (name, mine), other in zip(said(ours).items(), said(theirs).values(), strict=True):
        if mine != other:
            yield f"{name} {mine} against {other}"


def _same_side(tally: Tally, like: Tally) -> Tally:
    """A tally without its measure's name, counting the event or its absence as the other tally does."""
    tally = msgspec.structs.replace(tally, measure="")
    if tally.complement == like.complement:
        return tally
    return msgspec.structs.replace(
        tally,
        complement=like.complement,
        events=tally.n - tally.events - tally.missing,
        clusters=tuple(
            sorted(
                (
                    msgspec.structs.replace(kind, events=kind.size - kind.events - kind.missing)
                    for kind in tally.clusters
                ),
                key=lambda kind: (kind.events, kind.missing, kind.size),
            )
        ),
        errors=None if tally.errors is None else swap(tally.errors),
    )


def _say_counts(held: _Held) -> str:
    where = ", ".join(
        f"{tag} {' or '.join(values) if len(values) <= MAX_VALUES else f'in {len(values)} values'}"
        for tag, values in held.measure.filter.items()
    )
    what = {"item": "answers", "family": "answers in families", "trial": "single answers"}[held.tally.unit]
    return f"{held.tally.events} of {held.tally.n} {what}" + (f" ({where})" if where else "")


def _decide_with(held: _Held, other: _Held, cause: Cause, design: Literal["fixed", "anytime"]) -> Status:
    """The row's outcome with one thing taken from the other row."""
    planned, measure, rule = held.planned, held.measure, held.rule
    tally, reference = held.tally, held.reference
    criterion, theirs = planned.criterion, other.planned.criterion
    assert criterion is not None and theirs is not None, "only measured rows are compared"
    if cause == "threshold":
        reference = reference or other.reference
        criterion = _with_threshold(held, other)
        planned = msgspec.structs.replace(planned, criterion=criterion)
    elif cause == "alpha":
        planned = msgspec.structs.replace(
            planned, alpha_met=other.planned.alpha_met, alpha_not_met=other.planned.alpha_not_met
        )
    elif cause == "statistics":
        rule = msgspec.structs.replace(
            rule, margin=other.rule.margin, max_missing=other.rule.max_missing, judge=other.rule.judge
        )
        if held.row.reason or other.row.reason:
            measure = msgspec.structs.replace(measure, min_n=other.measure.min_n)
    elif cause == "counting":
        # min_n counts in the row's own unit
        tally = _same_side(other.tally, tally)
        measure = msgspec.structs.replace(measure, unit=other.measure.unit, min_n=other.measure.min_n)
    elif cause == "reference":
        reference = other.reference
    return decide_row(planned, measure, rule, tally, reference, design).status


def _with_threshold(held: _Held, other: _Held) -> Criterion:
    """A row's criterion with the other's threshold; turned round where the one counts what the other counts not."""
    mine, theirs = held.planned.criterion, other.planned.criterion
    assert mine is not None and theirs is not None, "only measured rows are compared"
    if held.tally.complement == other.tally.complement or not hasattr(theirs.value, "quantize"):
        return msgspec.structs.replace(mine, op=theirs.op, value=theirs.value)
    turned: dict[str, Literal["<=", "<", ">=", ">"]] = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}
    return msgspec.structs.replace(mine, op=turned[theirs.op], value=1 - theirs.value)  # type: ignore[operator]


# ---------------------------------------------------------------- why wholes differ


def _held_up_by(reading: Reading, shared: set[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The rows of the first level that is not shown and that the other rubric does not share: missing, and measured."""
    label = reading.label
    assert label is not None, "only decided readings are compared"
    levels = [level for level in label.levels if level.test != "rule_in"]
    if label.kind == "hazard":
        levels.reverse()
    first = next((level for level in levels if level.status != "met"), None)
    if first is None:
        return [], []
    missing, other = [], []
    for row in first.rows:
        if row.status == "met":
            continue
        if row.status == "not_assessed":
            missing.append(row.attested or row.measure or "")
        elif reading.subjects.get(row.measure or "") not in shared:
            other.append(f"{row.measure} {row.op} {row.threshold} ({row.status.replace('_', ' ')})")
    return list(dict.fromkeys(missing)), list(dict.fromkeys(other))
