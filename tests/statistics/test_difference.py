"""Bounds of a mean difference for a gate, at rare events and for runs that stop when they like: how often they err."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verilabel.errors import MalformedInput
from verilabel.statistics.difference import (
    anytime_upper_difference,
    skewness_allowance,
    units_of_allowance,
)
from verilabel.statistics.replication import Cell, bound_difference, units_for_equivalence

ALPHA = Fraction(1, 20)


def stop_where_it_looks_best(rng: random.Random, margin: float) -> tuple[bool, bool]:
    """Whether each bound calls a system that is worse by the margin no worse, at the best of six looks."""
    seen: Counter[Fraction] = Counter()
    always, fixed = False, False
    for _ in range(6):
        for _ in range(100):
            seen[Fraction((rng.random() < 0.1 + margin) - (rng.random() < 0.1))] += 1
        always |= anytime_upper_difference(seen, ALPHA) < margin
        cells = {Cell(int(d > 0), 0, 1, int(d < 0), 0, 1): n for d, n in seen.items()}
        fixed |= bound_difference(cells, ALPHA).upper < margin
    return always, fixed


@pytest.mark.parametrize(("margin", "units"), [("0.02", 191), ("0.05", 104), ("0.01", 383)])
def test_a_system_that_is_worse_by_the_margin_rarely_passes_where_the_baseline_shows_nothing(
    margin: str, units: int
) -> None:
    """At the numbers of units where the interval alone does worst, by the exact binomial."""
    wrong = alone = 0.0
    for events in range(40):
        cells = {Cell(1, 0, 1, 0, 0, 1): events, Cell(0, 0, 1, 0, 0, 1): units - events}
        upper = bound_difference(cells, ALPHA).upper
        chance = stats.binom.pmf(events, units, float(margin))
        alone += chance * (upper < Decimal(margin))
        wrong += chance * (upper + skewness_allowance(units, ALPHA) < Decimal(margin))
    assert alone > 0.09  # what the allowance is for
    assert wrong <= 0.056


def test_equal_systems_still_pass_with_the_number_of_units_that_is_named() -> None:
    units = units_for_equivalence(Fraction("0.02"), 0.02, ALPHA) + units_of_allowance(0.02, ALPHA)
    rng, passed = random.Random(4), 0
    for _ in range(200):
        b, c = (sum(rng.random() < 0.01 for _ in range(units)) for _ in range(2))
        cells = {
            Cell(1, 0, 1, 0, 0, 1): b,
            Cell(0, 0, 1, 1, 0, 1): c,
            Cell(0, 0, 1, 0, 0, 1): units - b - c,
        }
        passed += bound_difference(cells, ALPHA).upper + skewness_allowance(units, ALPHA) < Decimal("0.02")
    assert passed / 200 >= 0.85


def test_who_stops_where_it_looks_best_is_not_called_no_worse() -> None:
    rng = random.Random(8)
    runs = [stop_where_it_looks_best(rng, 0.05) for _ in range(300)]
    assert sum(always for always, _ in runs) / 300 <= 0.05
    assert sum(fixed for _, fixed in runs) / 300 > 0.08  # why the bound for a fixed number does not do


def test_many_equal_pairs_are_shown_to_be_no_worse() -> None:
    assert anytime_upper_difference({Fraction(0): 2_000}, ALPHA) < Decimal("0.02")
    found = anytime_upper_difference({Fraction(1): 95, Fraction(-1): 95, Fraction(0): 1_810}, ALPHA)
    assert Decimal("0.015") < found < Decimal("0.04")


def test_nothing_and_the_worst_exclude_nothing() -> None:
    assert 1 == anytime_upper_difference({}, ALPHA)
    assert 1 == anytime_upper_difference({Fraction(1): 10_000}, ALPHA)


@given(st.dictionaries(st.fractions(-1, 1), st.integers(0, 500), max_size=6))
def test_the_bound_never_lies_below_the_mean_and_one_more_bad_pair_never_lowers_it(
    differences: dict[Fraction, int],
) -> None:
    found = anytime_upper_difference(differences, ALPHA)
    assert -1 <= found <= 1
    if size := sum(differences.values()):
        assert found >= sum(value * count for value, count in differences.items()) / size
    worse = Counter(differences) + Counter({Fraction(1): 1})
    assert anytime_upper_difference(worse, ALPHA) >= found


def test_a_difference_that_cannot_be_is_refused() -> None:
    with pytest.raises(MalformedInput, match="between -1 and 1"):
        anytime_upper_difference({Fraction(3, 2): 1}, ALPHA)
