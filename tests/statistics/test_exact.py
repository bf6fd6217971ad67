"""Exact bounds: published tables, SciPy, exhaustive coverage, and rounding that never leans inward."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.exact import (
    answers_needed,
    clopper_pearson,
    cp_lower,
    cp_upper,
    fixed_n,
    pool_lower,
    pool_upper,
    round_down,
    round_up,
    wilson,
)

COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LEVELS = st.sampled_from(
    [Fraction(1, 40), Fraction(1, 20), Fraction(1, 50), Fraction(1, 480), Fraction(1, 5)]
)


@pytest.mark.parametrize(
    ("events", "n", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0, 0.1611), (0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_the_examples_of_newcombe_1998_come_out(
    events: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    assert score == pytest.approx(wilson(events, n), abs=6e-5)
    assert exact == pytest.approx(clopper_pearson(events, n), abs=6e-5)


def test_the_intervals_printed_by_rsurveillance_come_out() -> None:
    assert (0.1048785, 0.2456000) == pytest.approx(clopper_pearson(20, 120), abs=1e-6)
    assert (0.1105600, 0.2434528) == pytest.approx(wilson(20, 120), abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 7, 29, 100, 263, 2546, 10_000, 100_000, 1_000_000])
def test_bounds_agree_with_scipy_to_3e_13_up_to_a_million_answers(n: int) -> None:
    for k in sorted({0, 1, 2, min(n, 17), n // 100, n // 3, n - 1, n}):
        if k > n:
            continue
        for alpha in (0.2, 0.05, 0.025, 0.001, 1e-6):
            lower = 0.0 if k == 0 else stats.beta.ppf(alpha, k, n - k + 1)
            upper = 1.0 if k == n else stats.beta.isf(alpha, k + 1, n - k)
            assert lower == pytest.approx(cp_lower(k, n, alpha), rel=0, abs=3e-13)
            assert upper == pytest.approx(cp_upper(k, n, alpha), rel=0, abs=3e-13)


@pytest.mark.parametrize("n", [1, 2, 5, 12, 33, 60])
@pytest.mark.parametrize("alpha", [Fraction(1, 20), Fraction(1, 40), Fraction(1, 5)])
def test_the_rounded_bounds_are_wrong_no_more_often_than_alpha_at_any_rate(n: int, alpha: Fraction) -> None:
    counts = np.arange(n + 1)
    upper = np.array([float(round_up(cp_upper(int(k), n, alpha))) for k in counts])
    lower = np.array([float(round_down(cp_lower(int(k), n, alpha))) for k in counts])
    # just beyond a bound is where coverage is worst
    grid = np.concatenate([np.linspace(0, 1, 401), upper + 1e-9, lower - 1e-9])
    for p in grid[(grid >= 0) & (grid <= 1)]:
        mass = stats.binom.pmf(counts, n, p)
        assert mass[upper < p].sum() <= float(alpha) * (1 + 1e-9)
        assert mass[lower > p].sum() <= float(alpha) * (1 + 1e-9)


@settings(max_examples=60)
@given(counts=COUNTS, alpha=LEVELS)
def test_the_rounded_upper_bound_is_the_first_grid_point_that_is_excluded(
    counts: tuple[int, int], alpha: Fraction
) -> None:
    events, n = counts
    if events == n:
        assert Decimal(1) == round_up(cp_upper(events, n, alpha))
        return
    bound = round_up(cp_upper(events, n, alpha))
    assert stats.binom.cdf(events, n, float(bound)) <= float(alpha) * (1 + 1e-9)
    inside = float(bound) - 1e-6
    assert stats.binom.cdf(events, n, inside) > float(alpha) * (1 - 1e-9)


@settings(max_examples=60)
@given(counts=COUNTS, alpha=LEVELS)
def test_more_events_never_lower_a_bound_and_the_sides_mirror(
    counts: tuple[int, int], alpha: Fraction
) -> None:
    events, n = counts
    lower, upper = cp_lower(events, n, alpha), cp_upper(events, n, alpha)
    assert 0 <= lower <= events / n <= upper <= 1
    if events < n:
        assert lower < cp_lower(events + 1, n, alpha)
        assert upper < cp_upper(events + 1, n, alpha) or events + 1 == n
    assert 1 - lower == pytest.approx(cp_upper(n - events, n, alpha), abs=1e-12)


@pytest.mark.parametrize(
    ("events", "n", "alpha", "lower", "upper"),
    [
        # 1 - alpha^(1/n) and its mirror fall on grid points here, where a float may land on either side
        (0, 1, Fraction(1, 40), "0.000000", "0.975000"),
        (1, 1, Fraction(1, 40), "0.025000", "1.000000"),
        (0, 2, Fraction(1, 100), "0.000000", "0.900000"),
        (2, 2, Fraction(1, 100), "0.100000", "1.000000"),
        (0, 3, Fraction(1, 1000), "0.000000", "0.900000"),
        # P(X <= 1 | n = 2, p) = 1 - p^2 = 0.19 at p = 0.9; P(X >= 1 | n = 2, p) = 0.19 at p = 0.1
        (1, 2, Fraction(19, 100), "0.100000", "0.900000"),
        # P(X <= 1 | n = 3, 1/2) = 1/2
        (1, 3, Fraction(1, 2), "0.206299", "0.500000"),
    ],
)
def test_a_bound_on_a_grid_point_is_not_pushed_off_it_by_a_float(
    events: int, n: int, alpha: Fraction, lower: str, upper: str
) -> None:
    assert lower == str(round_down(cp_lower(events, n, alpha)))
    assert upper == str(round_up(cp_upper(events, n, alpha)))


@settings(max_examples=60)
@given(n=st.integers(1, 60), share=st.floats(0, 1), stretch=st.floats(0.6, 1.6))
def test_at_the_exact_level_of_a_grid_point_both_roundings_give_that_point(
    n: int, share: float, stretch: float
) -> None:
    events = min(int(share * n), n - 1)
    step = min(999_999, max(1, round(1e6 * stretch * (events + 1) / (n + 1))))
    p = Fraction(step, 10**6)
    tail = Fraction(0)
    chance = 1
    for i in range(events + 1):
        tail += chance * p**i * (1 - p) ** (n - i)
        chance = chance * (n - i) // (i + 1)
    if 1e-6 < tail < 0.9:
        assert Decimal(step).scaleb(-6) == round_up(cp_upper(events, n, tail))
        # the mirror: n - events or more non-events
        assert 1 - Decimal(step).scaleb(-6) == round_down(cp_lower(n - events, n, tail))


@given(st.floats(0, 1))
def test_rounding_leans_outward_by_less_than_one_step(value: float) -> None:
    down, up = round_down(value), round_up(value)
    assert down <= Decimal(repr(value)) <= up
    assert up - down in (Decimal(0), Decimal("0.000001"))
    assert len(str(up)) == len(str(down)) == 8


def test_rounding_reads_floats_as_they_print_and_stays_within_0_and_1() -> None:
    assert "0.300000" == str(round_up(0.3)) == str(round_down(0.3))
    assert "0.333334" == str(round_up(Fraction(1, 3)))
    assert "1.000000" == str(round_up(1.0000001))
    assert "0.000000" == str(round_down(-1e-12))
    with pytest.raises(MalformedInput):
        round_up(float("nan"))


def test_no_answers_bound_nothing() -> None:
    assert (0.0, 1.0) == clopper_pearson(0, 0) == wilson(0, 0)


@pytest.mark.parametrize("method", [clopper_pearson, wilson])
@pytest.mark.parametrize("counts", [(3, 2), (-1, 5), (0, -1), (1.0, 5), (True, 5)])
def test_counts_that_cannot_be_are_refused_with_their_values(method: object, counts: tuple[int, int]) -> None:
    with pytest.raises(MalformedInput) as caught:
        method(*counts)  # type: ignore[operator]
    assert str(counts[0]) in str(caught.value) or str(counts[1]) in str(caught.value)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, float("nan"), Decimal("NaN"), "0.05"])
def test_levels_that_are_no_levels_are_refused(alpha: object) -> None:
    with pytest.raises(MalformedInput):
        cp_upper(1, 10, alpha)  # type: ignore[arg-type]


def test_a_thousand_million_answers_are_the_limit() -> None:
    with pytest.raises(LimitExceeded):
        cp_upper(0, 10**9 + 1, 0.05)


# ---------------------------------------------------------------- finite pools


def test_the_known_pool_bounds_come_out() -> None:
    assert (11, 12) == (pool_upper(0, 264, 1200, 0.05), pool_upper(0, 263, 1200, 0.05))


@settings(max_examples=60)
@given(data=st.data())
def test_pool_bounds_agree_with_a_search_over_every_pool(data: st.DataObject) -> None:
    pool = data.draw(st.integers(1, 400))
    n = data.draw(st.integers(0, pool))
    events = data.draw(st.integers(0, n))
    alpha = data.draw(st.sampled_from([0.2, 0.05, 0.025, 0.001]))
    inside = np.arange(events, pool - (n - events) + 1)
    upper = inside[stats.hypergeom.cdf(events, pool, inside, n) > alpha].max()
    lower = inside[stats.hypergeom.sf(events - 1, pool, inside, n) > alpha].min()
    assert upper == pool_upper(events, n, pool, alpha)
    assert lower == pool_lower(events, n, pool, alpha)


@pytest.mark.parametrize(("pool", "n"), [(10, 4), (25, 25), (40, 11)])
def test_pool_bounds_are_wrong_no_more_often_than_alpha_for_any_pool(pool: int, n: int) -> None:
    seen = np.arange(n + 1)
    upper = np.array([pool_upper(int(k), n, pool, Fraction(1, 20)) for k in seen])
    lower = np.array([pool_lower(int(k), n, pool, Fraction(1, 20)) for k in seen])
    for truth in range(pool + 1):
        mass = stats.hypergeom.pmf(seen, pool, truth, n)
        assert mass[upper < truth].sum() <= 0.05 + 1e-12
        assert mass[lower > truth].sum() <= 0.05 + 1e-12


def test_a_pool_tail_equal_to_alpha_is_excluded_exactly() -> None:
    # drawing 1 of 20: P(no event | 19 of 20) = 1/20 exactly, which is not more than alpha
    assert 18 == pool_upper(0, 1, 20, Fraction(1, 20))
    assert 18 == pool_upper(0, 1, 20, 0.05)
    assert 19 == pool_upper(0, 1, 20, Fraction(1, 21))


@settings(max_examples=60)
@given(pool=st.integers(2, 90), share=st.floats(0, 1), drawn=st.floats(0, 1), seen=st.floats(0, 1))
def test_the_exact_tail_of_any_pool_is_the_level_at_which_it_is_excluded(
    pool: int, share: float, drawn: float, seen: float
) -> None:
    inside, n = round(share * pool), round(drawn * pool)
    events = round(seen * min(inside, n))
    ways = sum(comb(inside, i) * comb(pool - inside, n - i) for i in range(events + 1))
    tail = Fraction(ways, comb(pool, n))
    if 0 < tail < 0.9:
        assert inside - 1 == pool_upper(events, n, pool, tail)
        assert inside <= pool_upper(events, n, pool, tail * (1 - Fraction(1, 10**30)))


def test_a_whole_pool_is_known_exactly_and_an_undrawn_one_not_at_all() -> None:
    assert (7, 7) == (pool_lower(7, 50, 50, 0.05), pool_upper(7, 50, 50, 0.05))
    assert (0, 50) == (pool_lower(0, 0, 50, 0.05), pool_upper(0, 0, 50, 0.05))


def test_a_large_pool_is_bounded_like_an_endless_one() -> None:
    share = pool_upper(40, 10_000, 1_000_000, 0.05) / 1_000_000
    assert stats.hypergeom.cdf(40, 1_000_000, round(share * 1e6), 10_000) > 0.05
    assert stats.hypergeom.cdf(40, 1_000_000, round(share * 1e6) + 1, 10_000) <= 0.05
    assert share < cp_upper(40, 10_000, 0.05)


def test_more_draws_than_the_pool_holds_are_refused() -> None:
    with pytest.raises(MalformedInput):
        pool_upper(0, 11, 10, 0.05)
    with pytest.raises(LimitExceeded):
        pool_upper(0, 11, 10**6 + 1, 0.05)


# ---------------------------------------------------------------- how many answers


def test_the_rule_of_three_and_the_known_designs_come_out() -> None:
    assert [29, 59, 299, 2995] == [fixed_n(tau, 0) for tau in (0.1, 0.05, 0.01, 0.001)]
    assert 913 == fixed_n(0.01, 0.0025)
    assert 2546 == fixed_n(0.01, 0.005)


@pytest.mark.parametrize(("tau", "p", "power"), [(0.01, 0.0025, 0.9), (0.2, 0.1, 0.8), (0.05, 0.01, 0.9)])
def test_a_design_has_the_power_and_one_answer_fewer_has_not(tau: float, p: float, power: float) -> None:
    def achieved(n: int) -> float:
        allowed = int((stats.binom.cdf(np.arange(n + 1), n, tau) <= 0.05).sum()) - 1
        return float(stats.binom.cdf(allowed, n, p))

    n = fixed_n(tau, p, 0.05, power)
    assert achieved(n) >= power
    assert all(achieved(smaller) < power for smaller in range(max(1, n - 60), n))


def test_the_table_of_answers_needed_is_within_half_a_percent_of_the_published_one() -> None:
    published = [
        (3688, 10_253, 24_776),
        (368, 1026, 2478),
        (72, 173, 466),
        (36, 85, 231),
        (17, 41, 107),
    ]
    rows = answers_needed()
    assert [row[0] for row in published] == [row.zero_events for row in rows]
    for (_, fifth, half), row in zip(published, rows, strict=True):
        # the published search was coarse and could only be too high
        assert fifth / 1.005 <= row.fifth <= fifth
        assert half / 1.005 <= row.half <= half


def test_a_rate_at_the_threshold_has_no_design() -> None:
    with pytest.raises(MalformedInput):
        fixed_n(0.01, 0.01)
    with pytest.raises(LimitExceeded):
        fixed_n(1e-8, 0)
