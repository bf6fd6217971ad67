"""A label that no verification derived, shown as a claim: it must at least be one that its rubric could give."""

from __future__ import annotations

import re

from verilabel.errors import MalformedInput
from verilabel.evidence.layout import LABEL
from verilabel.records.label import Label, LevelResult, Row
from verilabel.rubric.allocation import LevelTest, PlannedRow, plan_tests
from verilabel.rubric.structure import Rubric

MOST_ANSWERS = 2**53
_DECIMAL = re.compile(r"-?([0-9]{1,9}\.[0-9]{6}|Infinity)", re.ASCII)
_FIGURES = (
    "rate",
    "lower",
    "upper",
    "tested_met",
    "tested_not_met",
    "log_e_met",
    "log_e_not_met",
    "log_needed",
)


def check_claimed_label(label: Label, rubric: Rubric) -> None:
    """Check a label's form against its rubric: levels, rows and figures, not what they say.

    Raises MalformedInput where no counts could have given it.
    """
    scale = tuple(level.id for level in rubric.scale.levels)
    if (label.kind, label.scale) != (rubric.scale.kind, scale) or not {label.lower, label.upper} <= set(
        scale
    ):
        raise MalformedInput("the label's levels are not those of its rubric", where=LABEL)
    tests = plan_tests(rubric)
    if len(tests) != len(label.levels):
        raise MalformedInput("the label's rows are not those of its rubric", where=LABEL)
    for number, (result, test) in enumerate(zip(label.levels, tests, strict=True)):
        _check_level(result, test, scale[test.level], f"{LABEL} $.levels[{number}]")


def _check_level(result: LevelResult, test: LevelTest, level: str, where: str) -> None:
    if (result.level, result.test, len(result.rows)) != (level, test.test, len(test.rows)):
        raise MalformedInput("the label's rows are not those of its rubric", where=where)
    for number, (row, planned) in enumerate(zip(result.rows, test.rows, strict=True)):
        _check_row(row, planned, f"{where}.rows[{number}]")


def _check_row(row: Row, planned: PlannedRow, where: str) -> None:
    criterion = planned.criterion
    wanted = (
        (None, planned.attested, None, None)
        if criterion is None
        else (planned.measure, None, criterion.op, criterion.threshold)
    )
    if (row.measure, row.attested, row.op, row.threshold) != wanted:
        raise MalformedInput("the row is not the rubric's", where=where)
    if not all(0 <= count <= MOST_ANSWERS for count in (row.n, row.events, row.missing)):
        raise MalformedInput("a count that cannot be", where=where)
    for name in _FIGURES:
        figure = getattr(row, name)
        if figure is not None and not _DECIMAL.fullmatch(figure):
            raise MalformedInput(f"{name} is not a number to six places", where=where)
    if (row.lower is None) != (row.upper is None) or (row.log_e_met is None) != (row.log_needed is None):
        raise MalformedInput("half of a pair of figures", where=where)
