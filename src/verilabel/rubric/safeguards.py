"""The safeguards that a hazard level asks for, checked against what was measured or attested.

A level's `safeguards` is a rule like any other and is decided like one: each claim at the rubric's alpha, spread over
the rule's tree. It stands beside the label and never changes it: a danger is not smaller because a control is in place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from verilabel.records.label import Row, Status
from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.rubric.allocation import Gate, PlannedRow, combine, plan_rule
from verilabel.rubric.leaf import decide_attested, decide_row
from verilabel.rubric.structure import Rubric


class SafeguardCheck(msgspec.Struct, frozen=True):
    """What was found of the safeguards of one level: `met` where they are shown to be in place."""

    level: str
    name: str
    status: Status
    rows: tuple[Row, ...]


def check_safeguards(
    rubric: Rubric,
    tallies: Mapping[str, Tally],
    *,
    design: Design,
    attested: Collection[str] = (),
    references: Mapping[str, Tally] | None = None,
) -> tuple[SafeguardCheck, ...]:
    """Decide the safeguards of every level that asks for some, lowest level first.

    The counts must be ones that `decide` accepts.
    """
    checks = []
    for level in rubric.scale.levels:
        if level.safeguards is None:
            continue
        planned, tree = plan_rule(rubric, level.safeguards)
        rows = tuple(_decide(rubric, row, tallies, references or {}, design, attested) for row in planned)
        checks.append(SafeguardCheck(level.id, level.name, _status_of(tree, rows), rows))
    return tuple(checks)


def _decide(
    rubric: Rubric,
    row: PlannedRow,
    tallies: Mapping[str, Tally],
    references: Mapping[str, Tally],
    design: Design,
    attested: Collection[str],
) -> Row:
    if row.criterion is None:
        name = row.attested or ""
        return decide_attested(name, given=name in attested)
    measure = rubric.measures[row.criterion.measure]
    key = row.measure
    return decide_row(row, measure, rubric.statistics, tallies.get(key), references.get(key), design)


def _status_of(tree: Gate | int, rows: tuple[Row, ...]) -> Status:
    if isinstance(tree, int):
        return rows[tree].status
    return combine([_status_of(child, rows) for child in tree.children], tree.need)
