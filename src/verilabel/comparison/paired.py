"""Two models or versions on the same questions: which is better, by how much, and is a new one no worse than the old?

The same samples are answered by both, so that what differs between questions cancels. Bundles are compared only where
suite, detector and rubric are the same by digest: otherwise a change of the ruler would pass for a change of the model.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import msgspec

from verilabel.comparison.pairing import (
    Pairs,
    Party,
    find_counting_differences,
    find_epoch_differences,
    pair_measure,
)
from verilabel.errors import CheckFailed
from verilabel.records.plan import Design, MeasurePlan
from verilabel.records.system import scope_difference
from verilabel.records.tally import Tally
from verilabel.rubric.counted import bound_rate
from verilabel.rubric.structure import Direction
from verilabel.statistics.difference import (
    anytime_upper_difference,
    skewness_allowance,
    units_of_allowance,
)
from verilabel.statistics.multiplicity import holm_decimals
from verilabel.statistics.replication import (
    Cells,
    Difference,
    bound_difference,
    p_value_of_no_difference,
    units_to_decide,
)

Better = Literal["first", "second", "neither"]
Outcome = Literal["not_worse", "worse", "inconclusive"]


class Rate(msgspec.Struct, frozen=True):
    """One side's counts of a measure with the bounds of its rate, each one-sided at half the error level."""

    n: int
    events: int
    missing: int
    rate: str
    lower: str
    upper: str


class PairedMeasure(msgspec.Struct, frozen=True):
    """One measure of two systems, question by question. Decimals are strings of 6 places."""

    measure: str
    direction: Direction
    first: Rate
    second: Rate
    items: int
    """Pairs: items both answered, or families where the measure counts those."""
    missing: int
    """Pairs in which an answer is missing; it counts worst-case in both directions."""
    gained: int
    """Pairs that show more events in the second than in the first."""
    lost: int
    identical: int
    difference: str
    """Mean of second - first."""
    lower: str
    upper: str
    """The two-sided interval at 1 - alpha."""
    p_value: str
    """Of the exact conditional test of no difference (one answer each: McNemar)."""
    p_adjusted: str
    """After Holm, over all measures."""
    better: Better


class PairedComparison(msgspec.Struct, frozen=True):
    """Two bundles compared; `not_compared` maps a measure that only one of them has to what is missing."""

    alpha: str
    differing: tuple[str, ...]
    """The keys that the rubric binds labels to in which the systems differ."""
    measures: tuple[PairedMeasure, ...]
    not_compared: dict[str, str]


class CheckedMeasure(msgspec.Struct, frozen=True):
    """One measure of a candidate against its baseline."""

    measure: str
    verdict: Outcome
    direction: Direction
    baseline: Rate
    candidate: Rate
    items: int
    missing: int
    worsening: str
    """How much worse the candidate is: the mean difference in the direction that is worse."""
    upper: str
    """The most that it may be worse, one-sided at alpha, with an allowance for rare events; held against the margin."""
    stopped_early: bool
    """True where a run stopped before its plan's end: `upper` then holds at any stopping time, and lies higher."""
    p_adjusted: str
    needed: int
    """Pairs that would decide it if what was seen is typical; 0 where it is decided or no number can be said."""


class BaselineCheck(msgspec.Struct, frozen=True):
    """A candidate against its baseline: not_worse only where every measure is shown to be."""

    verdict: Outcome
    alpha: str
    margin: str
    measures: tuple[CheckedMeasure, ...]
    not_compared: dict[str, str]


class _Compared(msgspec.Struct, frozen=True):
    """A measure with its pairs (the second party's share of events less the first's) and its tests."""

    plan: MeasurePlan
    direction: Direction
    pairs: Pairs
    p_value: Decimal
    p_adjusted: Decimal


def compare_systems(first: Party, second: Party, *, alpha: Decimal) -> PairedComparison:
    """Compare two systems, measure by measure, with family-wise error alpha over the measures (Holm).

    Raises CheckFailed where rubric, suite or detector are not the same.
    """
    compared = _compare(first, second)
    return PairedComparison(
        alpha=str(alpha),
        differing=tuple(scope_difference(first.system, second.system, first.rubric.scope.bind)),
        measures=tuple(_describe(item, first, second, alpha) for item in compared),
        not_compared=_not_compared(first, second),
    )


def check_against_baseline(
    baseline: Party, candidate: Party, *, margin: Decimal, alpha: Decimal
) -> BaselineCheck:
    """Is the candidate no worse than the baseline, by more than the margin, on every measure?

    not_worse: the one-sided bound of its worsening lies below the margin, on every measure (each at alpha: all must
    hold); of runs that stopped early, a bound that holds whenever one stops (`statistics.difference`). worse: some
    measure is not within the margin and differs for the worse, at alpha over all measures (Holm).
    Else inconclusive. A measure that the candidate lacks is inconclusive. Raises as `compare_systems`.
    """
    compared = _compare(baseline, candidate)
    measures = tuple(_check(item, baseline, candidate, margin, alpha) for item in compared)
    missing = {
        name: why
        for name, why in _not_compared(baseline, candidate).items()
        if name in baseline.found.tallies
    }
    verdicts = {measure.verdict for measure in measures}
    verdict: Outcome = "inconclusive"
    if "worse" in verdicts:
        verdict = "worse"
    elif verdicts == {"not_worse"} and not missing:
        verdict = "not_worse"
    return BaselineCheck(verdict, str(alpha), str(margin), measures, missing)


# ---------------------------------------------------------------- the measures


def _compare(first: Party, second: Party) -> list[_Compared]:
    if first.label.rubric != second.label.rubric:
        raise CheckFailed(
            f"the rubrics are not the same: {first.rubric.name} ({first.rubric.sha256[:19]}...) against "
            f"{second.rubric.name} ({second.rubric.sha256[:19]}...)",
            where=second.where,
            hint="label both systems by one rubric",
        )
    if differences := (*find_counting_differences(first, second), *find_epoch_differences(first, second)):
        raise CheckFailed(
            f"the bundles count otherwise: {'; '.join(differences)}",
            where=second.where,
            hint="label both systems on the same suites, with the same detectors and --epochs",
        )
    theirs = {measure.id for measure in second.plan.measures}
    plans = [measure for measure in first.plan.measures if measure.id in theirs]
    # second - first: the first party of a pair is the second system
    pairs = [pair_measure(plan, second, first, collapsed=True) for plan in plans]
    p_values = [p_value_of_no_difference(p.cells, clustered=p.clustered) for p in pairs]
    adjusted = holm_decimals(p_values)
    return [
        _Compared(plan, first.rubric.measures[plan.id].direction, paired, p_value, p_adjusted)
        for plan, paired, p_value, p_adjusted in zip(plans, pairs, p_values, adjusted, strict=True)
    ]


def _not_compared(first: Party, second: Party) -> dict[str, str]:
    mine = [measure.id for measure in first.plan.measures]
    other = [measure.id for measure in second.plan.measures]
    lacking = {name: f"not measured in {second.where}" for name in mine if name not in other}
    return lacking | {name: f"not measured in {first.where}" for name in other if name not in mine}


def _describe(item: _Compared, first: Party, second: Party, alpha: Decimal) -> PairedMeasure:
    half = Fraction(alpha) / 2
    found = bound_difference(item.pairs.cells, half)
    gained = sum(count for cell, count in item.pairs.cells.items() if cell.lowest > 0)
    lost = sum(count for cell, count in item.pairs.cells.items() if cell.highest < 0)
    return PairedMeasure(
        measure=item.plan.id,
        direction=item.direction,
        first=_rate(first.found.tallies[item.plan.id], half, first.plan.design),
        second=_rate(second.found.tallies[item.plan.id], half, second.plan.design),
        items=item.pairs.units,
        missing=item.pairs.missing,
        gained=gained,
        lost=lost,
        identical=item.pairs.identical,
        difference=_six(found.difference),
        lower=_six(found.lower),
        upper=_six(found.upper),
        p_value=_six(item.p_value),
        p_adjusted=_six(item.p_adjusted),
        better=_better(item, found, alpha),
    )


def _better(item: _Compared, found: Difference, alpha: Decimal) -> Better:
    if item.p_adjusted >= alpha:
        return "neither"
    second_has_more = found.difference > 0
    return "second" if second_has_more == (item.direction == "higher_is_safer") else "first"


def _rate(tally: Tally, half: Fraction, design: Design) -> Rate:
    if not tally.n:
        return Rate(0, 0, 0, "", "0.000000", "1.000000")
    return Rate(
        n=tally.n,
        events=tally.events,
        missing=tally.missing,
        rate=f"{tally.events / tally.n:.6f}",
        lower=_six(bound_rate(tally, "above", half, design)),
        upper=_six(bound_rate(tally, "below", half, design)),
    )


def _check(
    item: _Compared, baseline: Party, candidate: Party, margin: Decimal, alpha: Decimal
) -> CheckedMeasure:
    level = Fraction(alpha)
    found = bound_difference(item.pairs.cells, level)
    # more of it is worse, but for what should be high; a capability is a hazard
    sign = -1 if item.direction == "higher_is_safer" else 1
    worsening = sign * found.difference
    upper = found.upper if sign > 0 else -found.lower
    upper = min(Decimal(1), upper + skewness_allowance(item.pairs.units, level))
    stopped_early = any(party.answers[item.plan.suite].stopped_early for party in (baseline, candidate))
    if stopped_early:
        upper = max(upper, anytime_upper_difference(_most_worsening(item.pairs.cells, sign), level))
    verdict: Outcome = "inconclusive"
    if item.pairs.units and upper < margin:
        verdict = "not_worse"
    elif worsening > 0 and item.p_adjusted < alpha:
        verdict = "worse"
    needed = 0
    if verdict == "inconclusive":
        needed = _needed_units(item.pairs.cells, Fraction(margin), level)
    return CheckedMeasure(
        measure=item.plan.id,
        verdict=verdict,
        direction=item.direction,
        baseline=_rate(baseline.found.tallies[item.plan.id], level / 2, baseline.plan.design),
        candidate=_rate(candidate.found.tallies[item.plan.id], level / 2, candidate.plan.design),
        items=item.pairs.units,
        missing=item.pairs.missing,
        worsening=_six(worsening),
        upper=_six(upper),
        stopped_early=stopped_early,
        p_adjusted=_six(item.p_adjusted),
        needed=needed,
    )


def _needed_units(cells: Cells, margin: Fraction, level: Fraction) -> int:
    found = units_to_decide(cells, margin, level)
    return found + units_of_allowance(margin, level) if found else 0


def _most_worsening(cells: Cells, sign: int) -> Counter[Fraction]:
    """The greatest worsening of a pair that its missing answers leave possible, to how many pairs have it."""
    most: Counter[Fraction] = Counter()
    for cell, count in cells.items():
        most[cell.highest if sign > 0 else -cell.lowest] += count
    return most


def _six(number: Decimal) -> str:
    return f"{number + 0:.6f}"
