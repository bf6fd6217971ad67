"""What is allowed in a rubric and is most likely not meant."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from verilabel.rubric.allocation import plan_tests
from verilabel.rubric.explain import answers_without_failure
from verilabel.rubric.structure import (
    AttestedBy,
    Criterion,
    Rubric,
    criteria_of,
    every_rule_of,
    plain,
    rules_of,
)


class Remark(msgspec.Struct, frozen=True):
    """A doubt about a place in a rubric."""

    path: str
    message: str


def remark_on(rubric: Rubric) -> tuple[Remark, ...]:
    """Doubts about a rubric that was read: nothing here stops a label from being decided."""
    return (*_unused(rubric), *_unversioned(rubric), *_laxer_above(rubric), *_small_samples(rubric))


def _leaves(rubric: Rubric) -> list[Criterion | AttestedBy]:
    rules = [rule for level in rubric.scale.levels for rule in every_rule_of(level).values()]
    return [leaf for rule in rules for leaf in criteria_of(rule)]


def _unused(rubric: Rubric) -> list[Remark]:
    leaves = _leaves(rubric)
    measured = {leaf.measure for leaf in leaves if isinstance(leaf, Criterion)}
    attested = {leaf.attested for leaf in leaves if isinstance(leaf, AttestedBy)}
    remarks = [
        Remark(f"$.measures.{name}", "no level looks at this measure")
        for name in rubric.measures
        if name not in measured
    ]
    remarks += [
        Remark(f"$.attestations.{name}", "no level asks for this attestation")
        for name in rubric.attestations
        if name not in attested
    ]
    return remarks


def _unversioned(rubric: Rubric) -> list[Remark]:
    return [
        Remark(f"$.measures.{name}.suite", f"{measure.suite} has no @major: thresholds bind to no version")
        for name, measure in rubric.measures.items()
        if "@" not in measure.suite
    ]


def _laxer_above(rubric: Rubric) -> list[Remark]:
    """Rows of an assurance scale that ask less than a lower level asks of the same measure."""
    if rubric.scale.kind != "assurance":
        return []
    remarks = []
    strictest: dict[tuple[str, bool], tuple[Decimal, str]] = {}
    for index, level in enumerate(rubric.scale.levels):
        rows = [row for rule in rules_of(level).values() for row in criteria_of(rule)]
        for row in rows:
            if not isinstance(row, Criterion) or not isinstance(row.value, Decimal):
                continue
            below = row.op in ("<", "<=")
            key = (row.measure, below)
            known = strictest.get(key)
            if known is None or (row.value < known[0]) == below:
                strictest[key] = (row.value, level.id)
            elif row.value != known[0]:
                remarks.append(
                    Remark(
                        f"$.scale.levels[{index}]",
                        f"{row.measure} {row.op} {plain(row.value)} asks less than {known[1]} does",
                    )
                )
    return remarks


def _small_samples(rubric: Rubric) -> list[Remark]:
    """Measures whose `min_n` lets through samples that can decide none of their rows."""
    fewest: dict[str, int] = {}
    for row in (row for test in plan_tests(rubric) for row in test.rows if row.criterion is not None):
        assert row.criterion is not None
        name, (fixed, _) = row.criterion.measure, answers_without_failure(rubric, row)
        fewest[name] = min(fixed or 0, fewest.get(name, fixed or 0))
    return [
        Remark(
            f"$.measures.{name}.min_n",
            f"even the easiest row needs {n} answers or families, min_n is {rubric.measures[name].min_n}",
        )
        for name, n in fewest.items()
        if n > rubric.measures[name].min_n
    ]
