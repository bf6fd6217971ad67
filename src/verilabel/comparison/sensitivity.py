"""How much of a label hangs on each number of its rubric: every threshold by itself, and the alpha of all.

A row's outcome as a function of its threshold is a step: not met, then undetermined, then met (or the other way round).
Both steps are found by bisection on the grid of 6 decimals that bounds have, by the very function that decides rows.
The outcome is monotone in the threshold but for rows of known pools asked in part in an anytime design
(docs/label-decision.md, section 11), where the step that is found is one of several.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from verilabel.comparison.lens import Reading
from verilabel.records.label import Branch, Label, Leaf, LevelResult, Status
from verilabel.rubric.allocation import LevelTest, PlannedRow, combine, plan_tests
from verilabel.rubric.decide import decide, place_on_scale
from verilabel.rubric.leaf import decide_row
from verilabel.rubric.structure import Rubric, TimesReference, plain

ALPHAS = tuple(Decimal(text) for text in ("0.001", "0.005", "0.01", "0.025", "0.05", "0.1"))
_GRID = 1_000_000
_LARGEST_FACTOR = 1000
"""Of a threshold relative to a reference; factors are tried in steps of a thousandth."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a row's outcome would be another one, and the label that would follow."""

    status: Status
    threshold: str
    """The threshold nearest to the rubric's at which the row has this outcome."""
    sentence: str
    flips: bool
    """True if the label's pair would be another one."""


class RowSensitivity(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of the label and what its threshold decides."""

    level: str
    test: Literal["when", "rule_in", "rule_out"]
    row: str
    status: Status
    steps: tuple[Step, ...] = ()
    why: str | None = None
    """Why no threshold would change its outcome, where none does."""

    @property
    def is_deciding(self) -> bool:
        """True if some other threshold of this row alone would give another label."""
        return any(step.flips for step in self.steps)


class AlphaReading(msgspec.Struct, frozen=True):
    """The label at another one-sided error."""

    alpha: str
    sentence: str
    flips: bool
    own: bool
    """True for the rubric's own alpha."""


class Sensitivity(msgspec.Struct, frozen=True):
    """What a label hangs on."""

    rubric: str
    design: str
    sentence: str
    rows: tuple[RowSensitivity, ...]
    alphas: tuple[AlphaReading, ...]


class _Place(NamedTuple):
    """A row's place: its test among the label's tests, and its number there."""

    test: int
    row: int


def weigh_thresholds(reading: Reading) -> Sensitivity:
    """The sensitivity of a reading's label to each threshold and to the alpha.

    `reading` must have a label (`Reading.label`).
    """
    label = reading.label
    assert label is not None, "the caller looks whether there is a label"
    tests = plan_tests(reading.rubric)
    rows = tuple(
        _weigh_row(reading, tests, label, _Place(i, j))
        for i, test in enumerate(tests)
        for j, _ in enumerate(test.rows)
    )
    return Sensitivity(
        rubric=reading.rubric.name,
        design=reading.design,
        sentence=label.sentence,
        rows=rows,
        alphas=tuple(_read_at(reading, alpha) for alpha in _alphas(reading.rubric)),
    )


def _alphas(rubric: Rubric) -> list[Decimal]:
    return sorted({*ALPHAS, rubric.statistics.alpha})


def _read_at(reading: Reading, alpha: Decimal) -> AlphaReading:
    rubric, label = reading.rubric, reading.label
    assert label is not None, "the caller looks whether there is a label"
    changed = msgspec.structs.replace(
        rubric, statistics=msgspec.structs.replace(rubric.statistics, alpha=alpha)
    )
    attested = {row.attested for row in reading.rows if row.attested and row.status == "met"}
    at = decide(
        changed, reading.tallies, design=reading.design, attested=attested, references=reading.references
    )
    return AlphaReading(
        alpha=plain(alpha),
        sentence=at.sentence,
        flips=(at.lower, at.upper) != (label.lower, label.upper),
        own=alpha == rubric.statistics.alpha,
    )


# ---------------------------------------------------------------- one row


def _weigh_row(reading: Reading, tests: tuple[LevelTest, ...], label: Label, place: _Place) -> RowSensitivity:
    level, planned = label.levels[place.test], tests[place.test].rows[place.row]
    row = level.rows[place.row]
    criterion = planned.criterion
    words = f"attested {row.attested}" if criterion is None else f"{row.measure} {row.op} {row.threshold}"
    found = RowSensitivity(level=level.level, test=level.test, row=words, status=row.status)
    if criterion is None:
        return msgspec.structs.replace(found, why="it is attested or not, and has no threshold")
    if row.status == "not_assessed" or row.reason is not None:
        return msgspec.structs.replace(found, why=row.reason or "it was not assessed")
    others: list[Status] = [s for s in ("met", "undetermined", "not_met") if s != row.status]
    steps = []
    for status in others:
        threshold = _find_threshold(reading, planned, row.status, status)
        if threshold is not None:
            steps.append(_step(reading, tests, label, place, status, threshold))
    why = None if steps else "no threshold would change it"
    return msgspec.structs.replace(found, steps=tuple(steps), why=why)


def _step(
    reading: Reading,
    tests: tuple[LevelTest, ...],
    label: Label,
    place: _Place,
    status: Status,
    threshold: str,
) -> Step:
    statuses = [
        _status_with(level, place.row if i == place.test else None, status)
        for i, level in enumerate(label.levels)
    ]
    lower, upper, _ = place_on_scale(reading.rubric, tests, statuses)
    levels = reading.rubric.scale.levels
    changed = msgspec.structs.replace(
        label,
        lower=levels[lower].id,
        lower_name=levels[lower].name,
        upper=levels[upper].id,
        upper_name=levels[upper].name,
    )
    flips = (changed.lower, changed.upper) != (label.lower, label.upper)
    return Step(status=status, threshold=threshold, sentence=changed.sentence, flips=flips)


def _status_with(level: LevelResult, row: int | None, status: Status) -> Status:
    """A rule's status with one of its rows taken to have another outcome."""
    if row is None or level.tree is None:
        return level.status

    def walk(tree: Branch | Leaf) -> Status:
        if isinstance(tree, Leaf):
            return status if tree.row == row else level.rows[tree.row].status
        return combine([walk(child) for child in tree.children], tree.need)

    return walk(level.tree)


# ---------------------------------------------------------------- where the step is

_ORDER: dict[Status, int] = {"not_met": 0, "undetermined": 1, "met": 2, "not_assessed": 1}


def _find_threshold(reading: Reading, planned: PlannedRow, own: Status, wanted: Status) -> str | None:
    """The threshold nearest to the row's own at which its outcome is the wanted one; None where there is none."""
    criterion = planned.criterion
    assert criterion is not None, "attested rows have no threshold"
    relative = isinstance(criterion.value, TimesReference)
    places, last = (3, 1000 * _LARGEST_FACTOR) if relative else (6, _GRID - 1)
    easing = _ORDER[wanted] > _ORDER[own]
    # on `<=` a larger threshold is easier to meet, on `>=` a smaller one
    rising = (criterion.op in ("<", "<=")) == easing

    def value_at(step: int) -> Decimal:
        return Decimal(step if rising else last + 1 - step).scaleb(-places)

    def reaches(step: int) -> bool:
        found = _ORDER[_status_at(reading, planned, value_at(step))]
        return found >= _ORDER[wanted] if easing else found <= _ORDER[wanted]

    step = _first(reaches, last)
    if step is None or _status_at(reading, planned, value_at(step)) != wanted:
        return None
    return f"{criterion.op} {plain(value_at(step))}{' x reference' if relative else ''}"


def _first(holds: Callable[[int], bool], last: int) -> int | None:
    """The first of 1..last at which something holds that holds from there on; None where it never does."""
    if not holds(last):
        return None
    low, high = 1, last
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _status_at(reading: Reading, planned: PlannedRow, value: Decimal) -> Status:
    criterion = planned.criterion
    assert criterion is not None, "attested rows have no threshold"
    threshold = TimesReference(value) if isinstance(criterion.value, TimesReference) else value
    changed = msgspec.structs.replace(planned, criterion=msgspec.structs.replace(criterion, value=threshold))
    rubric = reading.rubric
    return decide_row(
        changed,
        rubric.measures[criterion.measure],
        rubric.statistics,
        reading.tallies.get(planned.measure),
        reading.references.get(planned.measure),
        reading.design,
    ).status
