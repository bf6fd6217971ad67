"""Every row of a rubric with the error level its place in the tree gives it, as exact fractions.

Label-semantics section 2 (Bonferroni partial conjunction, valid under any dependence): at "at least k of n"
the children are tested at alpha/(n-k+1) to be met and at alpha/k to be not met, recursively. Section 8: a row
on a measure with several settings becomes a node over them: `all` where the row says the system is on the
safe side (it must hold for every setting), `any` where it says the contrary (one setting establishes it).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import msgspec

from verilabel.records.label import Status
from verilabel.rubric.structure import AtLeast, AttestedBy, Criterion, Measure, Rubric, Rule

Test = Literal["when", "rule_in", "rule_out"]


class PlannedRow(msgspec.Struct, frozen=True):
    """A leaf and its two error levels. Exactly one of `criterion` and `attested` is set."""

    alpha_met: Fraction
    alpha_not_met: Fraction
    criterion: Criterion | None = None
    attested: str | None = None
    measure: str = ""
    """The key of the tally: the measure, or `measure@setting`."""


class Gate(msgspec.Struct, frozen=True):
    """At least `need` of the children, each a gate or the index of a row."""

    need: int
    children: tuple[Gate | int, ...]


class LevelTest(msgspec.Struct, frozen=True):
    """One rule of one level, ready to be decided. `level` is the level's place on the scale, from 0."""

    level: int
    test: Test
    rows: tuple[PlannedRow, ...]
    tree: Gate | int


def plan_tests(rubric: Rubric) -> tuple[LevelTest, ...]:
    """The tests of a rubric in the order they are decided and reported.

    assurance: each level's `when`, upwards. hazard: each level's `rule_in` upwards, then each level's
    `rule_out` downwards (label-semantics section 3).
    """
    levels = list(enumerate(rubric.scale.levels))[1:]
    if rubric.scale.kind == "assurance":
        return tuple(_plan_test(rubric, i, "when", level.when) for i, level in levels)
    upwards = [_plan_test(rubric, i, "rule_in", level.rule_in) for i, level in levels]
    downwards = [_plan_test(rubric, i, "rule_out", level.rule_out) for i, level in reversed(levels)]
    return (*upwards, *downwards)


def plan_rule(rubric: Rubric, rule: Rule) -> tuple[tuple[PlannedRow, ...], Gate | int]:
    """The rows of one rule with their error levels, and its tree over them."""
    rows: list[PlannedRow] = []
    alpha = Fraction(rubric.statistics.alpha)
    tree = _allocate(rule, rubric.measures, alpha, alpha, rows)
    return tuple(rows), tree


def _plan_test(rubric: Rubric, level: int, test: Test, rule: Rule | None) -> LevelTest:
    assert rule is not None, "load_rubric refuses levels without their rules"
    rows, tree = plan_rule(rubric, rule)
    return LevelTest(level=level, test=test, rows=rows, tree=tree)


def _allocate(
    rule: Rule, measures: dict[str, Measure], met: Fraction, not_met: Fraction, rows: list[PlannedRow]
) -> Gate | int:
    if isinstance(rule, AtLeast):
        n, k = len(rule.children), rule.need
        return Gate(
            need=k,
            children=tuple(
                _allocate(child, measures, met / (n - k + 1), not_met / k, rows) for child in rule.children
            ),
        )
    if isinstance(rule, AttestedBy):
        rows.append(PlannedRow(alpha_met=met, alpha_not_met=not_met, attested=rule.attested))
        return len(rows) - 1
    settings = measures[rule.measure].elicitation
    if not settings:
        rows.append(PlannedRow(alpha_met=met, alpha_not_met=not_met, criterion=rule, measure=rule.measure))
        return len(rows) - 1
    n = len(settings)
    k = n if says_safe(rule, measures[rule.measure]) else 1
    for setting in settings:
        rows.append(
            PlannedRow(
                alpha_met=met / (n - k + 1),
                alpha_not_met=not_met / k,
                criterion=rule,
                measure=f"{rule.measure}@{setting}",
            )
        )
    return Gate(need=k, children=tuple(range(len(rows) - n, len(rows))))


def says_safe(row: Criterion, measure: Measure) -> bool:
    """True if the row claims the side of the threshold that is of less concern."""
    below = row.op in ("<", "<=")
    return below != (measure.direction == "higher_is_safer")


def combine(statuses: Sequence[Status], need: int) -> Status:
    """The status of "at least `need` of these" (label-semantics section 2)."""
    met, not_met = statuses.count("met"), statuses.count("not_met")
    if met >= need:
        return "met"
    if len(statuses) - not_met < need:
        return "not_met"
    # not assessed only where measuring what was measured further could not be enough
    if met + statuses.count("undetermined") < need:
        return "not_assessed"
    return "undetermined"
