"""The replication test: known answers, SciPy's exact tests, bounds on its errors by simulation, and what cannot be."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.replication import (
    Cell,
    bound_difference,
    compare_families_of_rates,
    compare_rates,
    p_value_of_no_difference,
    units_for_equivalence,
    units_to_decide,
)

MICRO = Decimal("0.000001")


def single(both: int, only_a: int, only_b: int, neither: int) -> Counter[Cell]:
    """Pairs of one answer each."""
    return Counter(
        {
            Cell(1, 0, 1, 1, 0, 1): both,
            Cell(1, 0, 1, 0, 0, 1): only_a,
            Cell(0, 0, 1, 1, 0, 1): only_b,
            Cell(0, 0, 1, 0, 0, 1): neither,
        }
    )


# -- the exact test --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("b", "c"), [(150, 86), (86, 150), (1, 0), (5, 0), (7, 7), (12, 3), (0, 0), (400, 310)]
)
def test_with_one_answer_each_it_is_the_exact_test_of_mcnemar(b: int, c: int) -> None:
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    p = p_value_of_no_difference(single(17, b, c, 500))
    assert 0 <= p - Decimal(expected) <= MICRO


def test_the_known_answer_of_150_against_86() -> None:
    assert Decimal("0.000038") == p_value_of_no_difference(single(0, 150, 86, 0))


def exact_p(cells: Counter[Cell]) -> float:
    """The definition, by SciPy's hypergeometric and convolution one unit at a time."""
    import numpy as np

    mass, observed = np.array([1.0]), 0
    for cell, count in cells.items():
        ka, kb, t = cell.a_trials, cell.b_trials, cell.a_events + cell.b_events
        observed += cell.a_events * count
        for _ in range(count):
            mass = np.convolve(mass, stats.hypergeom.pmf(range(min(t, ka) + 1), ka + kb, ka, t))
    return float(min(1.0, mass[mass <= mass[observed] * (1 + 1e-9)].sum()))


def test_with_several_answers_each_it_is_the_convolution_of_hypergeometrics() -> None:
    rng = random.Random(5)
    for ka, kb in ((3, 3), (2, 5), (10, 1), (4, 7)):
        for shift in (0.0, 0.08):
            cells: Counter[Cell] = Counter()
            for _ in range(120):
                rate = rng.betavariate(1, 4)
                a = sum(rng.random() < rate for _ in range(ka))
                b = sum(rng.random() < min(1, rate + shift) for _ in range(kb))
                cells[Cell(a, 0, ka, b, 0, kb)] += 1
            p = float(p_value_of_no_difference(cells))
            assert -1e-9 <= p - exact_p(cells) <= 1.1e-6, (ka, kb, shift)


@given(
    st.dictionaries(
        st.integers(1, 4).flatmap(
            lambda ka: st.integers(1, 4).flatmap(
                lambda kb: st.tuples(
                    st.integers(0, ka), st.just(0), st.just(ka), st.integers(0, kb), st.just(0), st.just(kb)
                ).map(lambda t: Cell(*t))
            )
        ),
        st.integers(1, 6),
        max_size=5,
    )
)
def test_the_p_value_is_that_of_the_definition_for_any_cells(cells: dict[Cell, int]) -> None:
    counted = Counter(cells)
    p = p_value_of_no_difference(counted)
    assert MICRO <= p <= 1
    total = sum((cell.lowest * count for cell, count in counted.items()), Fraction(0))
    if total:
        assert -1e-8 <= float(p) - exact_p(counted) <= 1.1e-6
    else:
        assert p == 1


def test_a_hundred_thousand_items_are_compared_exactly() -> None:
    p = p_value_of_no_difference(single(20_000, 10_300, 10_000, 59_700))
    assert 0 <= p - Decimal(stats.binomtest(10_300, 20_300, 0.5).pvalue) <= MICRO
    cells = Counter(
        {Cell(2, 0, 3, 1, 0, 3): 30_300, Cell(1, 0, 3, 2, 0, 3): 30_000, Cell(0, 0, 3, 0, 0, 3): 40_000}
    )
    spread = sqrt(60_300 * 9 / 20)  # of a hypergeometric (6, 3, 3)
    normal = 2 * stats.norm.sf((300 / 2 - 0.5) / spread)
    assert float(p_value_of_no_difference(cells)) == pytest.approx(normal, rel=0.01)


def test_what_lies_far_beyond_every_chance_has_the_smallest_p_value_that_is_written() -> None:
    assert MICRO == p_value_of_no_difference(single(0, 5_000, 0, 0))


# -- families --------------------------------------------------------------------------------------------------


def test_a_family_counts_once_for_the_party_that_shows_more_events() -> None:
    cells = Counter({Cell(5, 0, 5, 0, 0, 5): 9, Cell(1, 0, 5, 2, 0, 5): 2, Cell(3, 0, 5, 3, 0, 5): 40})
    expected = stats.binomtest(9, 11, 0.5).pvalue
    assert 0 <= p_value_of_no_difference(cells, clustered=True) - Decimal(expected) <= MICRO


def test_answers_that_agree_inside_families_do_not_pass_for_evidence() -> None:
    """Two deterministic systems of equal rate whose paraphrases always agree: 5 % of runs may reject, not 30 %."""
    rng = random.Random(11)
    wrong = {True: 0, False: 0}
    runs = 300
    for _ in range(runs):
        cells: Counter[Cell] = Counter()
        for _ in range(60):
            a, b = 5 * (rng.random() < 0.3), 5 * (rng.random() < 0.3)
            cells[Cell(a, 0, 5, b, 0, 5)] += 1
        for clustered in wrong:
            wrong[clustered] += p_value_of_no_difference(cells, clustered=clustered) < Decimal("0.05")
    assert wrong[True] / runs <= 0.08
    assert wrong[False] / runs >= 0.2


# -- the interval and the verdict ------------------------------------------------------------------------------


def test_the_interval_is_that_of_bonett_and_price_rounded_outward() -> None:
    both, b, c, neither = 40, 12, 7, 241
    n = both + b + c + neither + 2
    mean = (b - c) / n
    se = sqrt(((b + c + 2) / n - mean**2) / n)
    z = stats.norm.isf(0.05)
    found = bound_difference(single(both, b, c, neither), 0.05)
    assert abs(float(found.difference) - mean) <= 5.1e-7
    assert 0 <= mean - z * se - float(found.lower) <= 1.1e-6
    assert 0 <= float(found.upper) - (mean + z * se) <= 1.1e-6


def test_items_that_all_agree_do_not_give_an_interval_of_no_width() -> None:
    found = bound_difference(single(10, 0, 0, 90), 0.05)
    assert found.upper == -found.lower > Decimal("0.02")
    assert "underpowered" == compare_rates(single(10, 0, 0, 90), 0.02).verdict
    assert "replicated" == compare_rates(single(10, 0, 0, 590), 0.02).verdict


def test_no_items_at_all_decide_nothing() -> None:
    test = compare_rates(Counter(), 0.02)
    assert ("underpowered", 0, Decimal(1), 0) == (test.verdict, test.units, test.p_value, test.needed)
    assert (Decimal(-1), Decimal(1)) == (test.difference.lower, test.difference.upper)


def test_a_difference_inside_the_margin_is_replicated_even_where_it_is_certain() -> None:
    test = compare_rates(single(0, 1_500, 1_000, 97_500), 0.02)
    assert test.p_value < Decimal("0.05")
    assert "replicated" == test.verdict


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300), st.integers(0, 300))
def test_exchanging_the_parties_turns_the_finding_round(b: int, c: int, both: int, neither: int) -> None:
    one, other = (
        compare_rates(single(both, b, c, neither), 0.03),
        compare_rates(single(both, c, b, neither), 0.03),
    )
    assert (one.verdict, one.p_value, one.needed) == (other.verdict, other.p_value, other.needed)
    assert one.difference.lower == -other.difference.upper
    assert one.difference.lower <= one.difference.difference <= one.difference.upper


# -- missing answers -------------------------------------------------------------------------------------------


def test_missing_answers_widen_the_interval_and_raise_the_p_value_in_both_directions() -> None:
    whole = single(20, 30, 10, 940)
    missing = Counter(whole)
    missing[Cell(0, 0, 1, 0, 0, 1)] -= 15
    missing[Cell(0, 0, 1, 0, 1, 1)] = 15
    for verdict_margin in (0.05, 0.02):
        a, b = compare_rates(whole, verdict_margin), compare_rates(missing, verdict_margin)
        assert b.difference.lower < a.difference.lower
        assert b.difference.upper >= a.difference.upper
        assert b.p_value > a.p_value


def test_a_party_cannot_make_a_difference_vanish_by_not_answering() -> None:
    asked = single(0, 60, 10, 930)
    assert "not_replicated" == compare_rates(asked, 0.02).verdict
    silent = Counter(asked)
    silent[Cell(1, 0, 1, 0, 0, 1)] -= 55
    silent[Cell(1, 0, 1, 0, 1, 1)] = 55
    test = compare_rates(silent, 0.02)
    assert "underpowered" == test.verdict


def test_where_answers_are_missing_beyond_the_margin_no_number_of_items_is_named() -> None:
    cells = single(0, 5, 5, 900)
    cells[Cell(0, 1, 1, 0, 0, 1)] = 90
    assert 0 == compare_rates(cells, 0.02).needed


# -- how many items --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "margin", "icc", "expected"),
    [
        ("0.01", "0.01", "0.5", 1246),
        ("0.05", "0.02", "0.5", 1326),
        ("0.0005", "0.01", "0.5", 494),
        ("0.2", "0.05", "0.7", 436),
    ],
)
def test_the_numbers_of_items_are_those_of_the_specification(
    p: str, margin: str, icc: str, expected: int
) -> None:
    rate = Fraction(p)
    variance = 2 * rate * (1 - rate) * (1 - Fraction(icc))
    assert expected == units_for_equivalence(variance, Fraction(margin))


def test_the_number_that_is_named_decides_it_nine_times_in_ten() -> None:
    rng = random.Random(3)
    pilot = single(2, 6, 5, 187)
    needed = compare_rates(pilot, 0.02).needed
    assert 1_000 < needed < 2_500
    rate = 11 / 400  # as often discordant in each direction as in the pilot, and no difference
    decided = 0
    for _ in range(200):
        b = sum(rng.random() < rate for _ in range(needed))
        c = sum(rng.random() < rate for _ in range(needed))
        decided += compare_rates(single(0, b, c, needed - b - c), 0.02).verdict == "replicated"
    assert 0.82 <= decided / 200 <= 0.97


def test_enough_items_for_equality_still_open_are_decided_by_the_difference_that_was_seen() -> None:
    cells = single(0, 150, 102, 3_000)
    test = compare_rates(cells, 0.02, 0.0005)
    assert "underpowered" == test.verdict
    assert test.needed > 3_252
    assert units_to_decide(cells, Fraction("0.02"), Fraction("0.0005")) == test.needed


# -- how often it errs -----------------------------------------------------------------------------------------


def simulate(rng: random.Random, items: int, rate: float, difference: float) -> Counter[Cell]:
    """Items of varying rates, asked once by each party."""
    cells: Counter[Cell] = Counter()
    for _ in range(items):
        p = rng.betavariate(rate, 1 - rate)
        q = min(1.0, p + difference) if difference else p
        cells[Cell(int(rng.random() < p), 0, 1, int(rng.random() < q), 0, 1)] += 1
    return cells


def test_a_difference_at_the_margin_is_rarely_called_replicated() -> None:
    rng = random.Random(1)
    runs = 400
    wrong = sum(
        compare_rates(simulate(rng, 300, 0.05, 0.055), 0.05).verdict == "replicated" for _ in range(runs)
    )
    assert wrong / runs <= 0.085  # statistics.md: 3.5 to 6.7 % at |difference| = margin


def test_equal_systems_are_rarely_called_different_and_different_ones_mostly_are() -> None:
    rng = random.Random(2)
    runs = 300
    equal = [compare_rates(simulate(rng, 250, 0.1, 0), 0.02).verdict for _ in range(runs)]
    assert equal.count("not_replicated") / runs <= 0.07
    far = [compare_rates(simulate(rng, 400, 0.05, 0.1), 0.02).verdict for _ in range(60)]
    assert far.count("not_replicated") / 60 >= 0.9


def test_many_measures_of_equal_systems_are_together_rarely_called_different() -> None:
    """Ten tests at 5 % each would call a third of all honest replications different."""
    rng = random.Random(5)
    runs = wrong = alone = 0
    for _ in range(120):
        measured = [(simulate(rng, 150, 0.3, 0), False) for _ in range(10)]
        wrong += any(t.verdict == "not_replicated" for t in compare_families_of_rates(measured, 0.02))
        alone += any(compare_rates(cells, 0.02).verdict == "not_replicated" for cells, _ in measured)
        runs += 1
    assert wrong / runs <= 0.09
    assert alone / runs >= 0.15


def test_a_difference_that_is_plain_is_found_among_many_measures() -> None:
    same, far = single(20, 25, 25, 300), single(20, 60, 5, 300)
    found = compare_families_of_rates([(same, False)] * 9 + [(far, False)], 0.02)
    assert [*["underpowered"] * 9, "not_replicated"] == [test.verdict for test in found]
    assert compare_rates(far, 0.02) == found[9]


# -- what cannot be --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [Cell(2, 0, 1, 0, 0, 1), Cell(0, 2, 1, 0, 0, 1), Cell(0, 0, 0, 0, 0, 1), Cell(1, -1, 1, 0, 0, 1)],
)
def test_counts_that_cannot_be_are_refused(cell: Cell) -> None:
    with pytest.raises(MalformedInput):
        compare_rates({cell: 1}, 0.02)


@pytest.mark.parametrize("margin", [0, 1, -0.02, 2])
def test_margins_that_cannot_be_are_refused(margin: float) -> None:
    with pytest.raises(MalformedInput, match="margin"):
        compare_rates(single(1, 1, 1, 1), margin)


def test_more_answers_to_one_question_than_are_compared_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        p_value_of_no_difference({Cell(1, 0, 10_001, 0, 0, 1): 1})
