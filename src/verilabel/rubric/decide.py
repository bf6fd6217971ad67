"""From counts to the label: rows, trees, and the pair that the scale gives. No file, no clock, no model.

What the specification leaves open, and what was decided, stands in docs/label-decision.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from verilabel.records.label import Branch, Label, Leaf, LevelResult, Row, Status
from verilabel.records.plan import Design
from verilabel.records.tally import Tally
from verilabel.rubric.admission import check_inputs
from verilabel.rubric.allocation import Gate, LevelTest, PlannedRow, combine, plan_tests
from verilabel.rubric.decider import Decider
from verilabel.rubric.leaf import decide_attested, decide_row
from verilabel.rubric.structure import Rubric

__all__ = ["Decider", "decide"]


class _Given(NamedTuple):
    tallies: Mapping[str, Tally]
    references: Mapping[str, Tally]
    design: Design
    attested: Collection[str]


def decide(
    rubric: Rubric,
    tallies: Mapping[str, Tally],
    *,
    design: Design,
    attested: Collection[str] = (),
    references: Mapping[str, Tally] | None = None,
) -> Label:
    """The label that a rubric gives to counts (label-semantics sections 1 to 9).

    `tallies` and `references` (the reference system's counts) are keyed by measure, or by `measure@setting`
    where the measure lists settings; `attested` names the attestations that are given and were checked.
    Raises UsageError for a design the rubric does not allow, MalformedInput for counts that cannot be or do
    not fit the rubric's measures.
    """
    known = references or {}
    check_inputs(rubric, tallies, design, attested)
    check_inputs(rubric, known, design, ())
    given = _Given(tallies, known, design, attested)
    tests = plan_tests(rubric)
    results = []
    for test in tests:
        rows = tuple(_decide_planned(rubric, row, given) for row in test.rows)
        level = rubric.scale.levels[test.level]
        tree = _decide_tree(test.tree, rows)
        status = rows[tree.row].status if isinstance(tree, Leaf) else tree.status
        results.append(
            LevelResult(level=level.id, name=level.name, test=test.test, status=status, rows=rows, tree=tree)
        )
    lower, upper, flags = place_on_scale(rubric, tests, [result.status for result in results])
    levels = rubric.scale.levels
    return Label(
        rubric=rubric.reference,
        kind=rubric.scale.kind,
        design=design,
        lower=levels[lower].id,
        lower_name=levels[lower].name,
        upper=levels[upper].id,
        upper_name=levels[upper].name,
        levels=tuple(results),
        scale=tuple(level.id for level in levels),
        flags=(*_label_flags(rubric, tallies, results), *flags),
    )


def _decide_planned(rubric: Rubric, row: PlannedRow, given: _Given) -> Row:
    criterion = row.criterion
    if criterion is None:
        name = row.attested or ""
        return decide_attested(name, given=name in given.attested)
    tally, reference = given.tallies.get(row.measure), given.references.get(row.measure)
    measure = rubric.measures[criterion.measure]
    return decide_row(row, measure, rubric.statistics, tally, reference, given.design)


def _decide_tree(tree: Gate | int, rows: tuple[Row, ...]) -> Branch | Leaf:
    if isinstance(tree, int):
        return Leaf(row=tree)
    children = tuple(_decide_tree(child, rows) for child in tree.children)
    statuses = [rows[c.row].status if isinstance(c, Leaf) else c.status for c in children]
    return Branch(status=combine(statuses, tree.need), need=tree.need, children=children)


def place_on_scale(
    rubric: Rubric, tests: tuple[LevelTest, ...], statuses: list[Status]
) -> tuple[int, int, tuple[str, ...]]:
    """The pair as places on the scale, and the flags of the scale (label-semantics section 3)."""
    by_test: dict[str, list[tuple[int, Status]]] = {}
    for test, status in zip(tests, statuses, strict=True):
        by_test.setdefault(test.test, []).append((test.level, status))
    if rubric.scale.kind == "assurance":
        granted = _climb(by_test["when"], lambda status: status == "met")
        return granted, _climb(by_test["when"], lambda status: status != "not_met"), ()
    established = _climb(by_test["rule_in"], lambda status: status == "met")
    not_ruled_out = next((level for level, status in by_test["rule_out"] if status != "met"), 0)
    if established > not_ruled_out:
        return established, established, ("contradictory_rows",)
    return established, not_ruled_out, ()


def _climb(levels: list[tuple[int, Status]], may_pass: Callable[[Status], bool]) -> int:
    reached = 0
    for level, status in levels:
        if not may_pass(status):
            break
        reached = level
    return reached


def _label_flags(rubric: Rubric, tallies: Mapping[str, Tally], results: list[LevelResult]) -> tuple[str, ...]:
    flags = []
    if any("judge_uncertified" in row.flags for result in results for row in result.rows):
        flags.append("judge_uncertified")
    if any(_is_unlisted(rubric, key) for key in tallies):
        flags.append("unlisted_settings")
    return tuple(flags)


def _is_unlisted(rubric: Rubric, key: str) -> bool:
    """True for counts of a setting that the measure does not list, or of none where it lists some."""
    measure, at, setting = key.partition("@")
    listed = rubric.measures[measure].elicitation
    return setting not in listed if at else bool(listed)
