"""The e-process e3: an e-value that agrees with its definition, and bounds that agree with its decisions."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from verilabel.errors import MalformedInput
from verilabel.statistics.eprocess import (
    ODDS_RATIOS,
    WEIGHTS,
    Bets,
    PoolBets,
    Side,
    anytime_lower,
    anytime_lower_clusters,
    anytime_lower_pool,
    anytime_upper,
    anytime_upper_clusters,
    anytime_upper_pool,
    decimal_log,
    log_e_clusters,
    log_e_counts,
    log_e_pool,
    log_needed,
    place_bets,
)
from verilabel.statistics.exact import cp_lower, cp_upper, round_down, round_up

SIDES: list[Side] = ["met", "not_met"]
TAUS = [0.001, 0.01, 0.05, 0.2, 0.5, 0.97]
COUNTS = st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
GRID_TAUS = st.integers(1, 999_999).map(lambda step: Decimal(step).scaleb(-6))


def log_e_by_definition(events: int, n: int, tau: float, side: Side) -> float:
    """statistics.md section 1.1, letter by letter."""
    odds = tau / (1 - tau)
    terms = []
    for ratio, weight in zip(ODDS_RATIOS[side], WEIGHTS, strict=True):
        p1 = odds * float(ratio) / (1 + odds * float(ratio))
        terms.append(
            math.log(weight) + events * math.log(p1 / tau) + (n - events) * math.log((1 - p1) / (1 - tau))
        )
    return float(special.logsumexp(terms))


def log_e_pool_by_definition(events: int, n: int, pool: int, tau: Fraction, side: Side) -> float:
    """statistics.md section 1.1 in exact fractions."""
    null = math.ceil(pool * tau) if side == "met" else math.floor(pool * tau)
    if events > null or (side == "met" and events == null):
        return -math.inf if side == "met" else math.inf
    if null - events > pool - n:
        return math.inf if side == "met" else -math.inf

    def draws(inside: int) -> Fraction:
        if inside < events or inside - events > pool - n:
            return Fraction(0)
        return Fraction(math.comb(pool - n, inside - events), math.comb(pool, inside))

    total = Fraction(0)
    for ratio, weight in zip(
        ODDS_RATIOS[side], (Fraction(2, 5), Fraction(3, 10), Fraction(3, 10)), strict=True
    ):
        nearest = round(pool * tau * ratio / (1 - tau + tau * ratio))
        other = max(0, min(nearest, null - 1)) if side == "met" else min(pool, max(nearest, null + 1))
        total += weight * draws(other) / draws(null)
    return -math.inf if total == 0 else math.log(total.numerator) - math.log(total.denominator)


# ---------------------------------------------------------------- counts


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("tau", TAUS)
def test_the_evidence_of_counts_is_the_definition_letter_by_letter(tau: float, side: Side) -> None:
    for n in (0, 1, 10, 355, 4578, 200_000):
        for events in {0, min(n, 1), min(n, 7), n // 50, n // 3, n}:
            expected = log_e_by_definition(events, n, tau, side)
            assert expected == pytest.approx(log_e_counts(events, n, tau, side), rel=1e-11, abs=1e-10)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("tau", [0.01, 0.2, 0.5])
@pytest.mark.parametrize("n", [1, 50, 400])
def test_the_mean_e_value_at_the_threshold_is_exactly_one(tau: float, side: Side, n: int) -> None:
    events = np.arange(n + 1)
    log_e = np.array([log_e_counts(int(s), n, tau, side) for s in events])
    assert pytest.approx(1, abs=1e-9) == float(np.exp(log_e + stats.binom.logpmf(events, n, tau)).sum())


@pytest.mark.parametrize("side", SIDES)
def test_the_mean_e_value_under_the_rest_of_the_null_is_at_most_one(side: Side) -> None:
    events = np.arange(201)
    log_e = np.array([log_e_counts(int(s), 200, 0.1, side) for s in events])
    for p in np.linspace(0.1, 1, 19) if side == "met" else np.linspace(0, 0.1, 19):
        assert float(np.exp(log_e + stats.binom.logpmf(events, 200, p)).sum()) <= 1 + 1e-9


@pytest.mark.parametrize("side", SIDES)
def test_no_answers_are_no_evidence_to_the_last_bit(side: Side) -> None:
    for tau in (0, 0.0001, 0.3, 1):
        assert "0.000000" == str(decimal_log(log_e_counts(0, 0, tau, side), "down"))
        assert 0.0 == log_e_clusters([], tau, side)
        assert 0.0 == log_e_pool(0, 0, 500, 0.3, side)


@given(counts=COUNTS, tau=st.floats(0.0005, 0.9995))
def test_an_event_speaks_against_met_and_for_not_met_and_a_plain_answer_the_other_way(
    counts: tuple[int, int], tau: float
) -> None:
    events, n = counts
    for side, sign in (("met", -1), ("not_met", 1)):
        bets = place_bets(tau, side)
        here = bets.log_e(events, n)
        assert sign * (bets.log_e(events + 1, n + 1) - here) > 0
        assert sign * (bets.log_e(events, n + 1) - here) < 0


@given(counts=COUNTS, tau=st.floats(0.0005, 0.9995))
def test_no_counts_are_ever_both_met_and_not_met(counts: tuple[int, int], tau: float) -> None:
    events, n = counts
    level = float(log_needed(Fraction(1, 5)))
    assert not (
        log_e_counts(events, n, tau, "met") >= level and log_e_counts(events, n, tau, "not_met") >= level
    )


def test_every_counts_up_to_150_answers_are_never_both_met_and_not_met() -> None:
    level = float(log_needed(Fraction(1, 2)))
    for tau in (0.01, 0.1, 0.5, 0.9):
        met, against = place_bets(tau, "met"), place_bets(tau, "not_met")
        both = [
            (events, n)
            for n in range(151)
            for events in range(n + 1)
            if met.log_e(events, n) >= level and against.log_e(events, n) >= level
        ]
        assert [] == both


def test_the_threshold_may_be_a_decimal_a_fraction_or_a_float() -> None:
    values = {log_e_counts(3, 500, tau, "met") for tau in (0.01, Decimal("0.01"), Fraction(1, 100))}
    assert {Bets(0.01, "met").log_e(3, 500)} == values


@pytest.mark.parametrize("counts", [(2, 1), (-1, 5), (0, -1)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int]) -> None:
    for attempt in (
        lambda: log_e_counts(*counts, 0.1, "met"),
        lambda: log_e_pool(*counts, 100, 0.1, "met"),
        lambda: anytime_upper(*counts, 0.05),
        lambda: anytime_lower_pool(*counts, 100, 0.05),
    ):
        with pytest.raises(MalformedInput):
            attempt()


@pytest.mark.parametrize("tau", [-0.1, 1.1, float("nan"), Decimal("Infinity"), "0.1"])
def test_a_threshold_that_is_no_rate_is_refused(tau: object) -> None:
    with pytest.raises(MalformedInput):
        log_e_counts(0, 1, tau, "met")  # type: ignore[arg-type]


def test_a_side_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(MalformedInput, match="passed"):
        Bets(0.1, "passed")  # type: ignore[arg-type]
    with pytest.raises(MalformedInput, match="passed"):
        PoolBets(10, Fraction(1, 10), "passed")  # type: ignore[arg-type]


# ---------------------------------------------------------------- boundaries


@pytest.mark.parametrize(
    ("tau", "met", "not_met"),
    [
        (0.001, [3556, 6536, 8750, 10658, 12474, 14228, 15920], [108, 289, 532, 964, 1439, 1918, 2400]),
        (0.01, [355, 652, 872, 1063, 1244, 1419, 1588], [11, 31, 55, 97, 145, 194, 243]),
        (0.05, [70, 129, 172, 210, 246, 280, 314], [3, 7, 13, 20, 30, 40, 51]),
        (0.1, [34, 63, 85, 103, 121, 138, 155], [1, 4, 8, 11, 16, 21, 27]),
    ],
)
def test_the_public_stopping_table_comes_out(tau: float, met: list[int], not_met: list[int]) -> None:
    level = float(log_needed(0.05))
    bets = place_bets(tau, "met")
    assert met == [bets.boundary(events, level) for events in range(7)]
    against = place_bets(tau, "not_met")
    for events, last in zip(range(2, 9), not_met, strict=True):
        # `events` still decide at n = last, and no longer one answer later
        at_last, after = against.boundary(last, level), against.boundary(last + 1, level)
        assert at_last is None if last < events else events == at_last
        assert events + 1 == after or after is None


@settings(max_examples=50)
@given(count=st.integers(0, 300), tau=st.floats(0.001, 0.999), level=st.floats(0.1, 8))
def test_a_boundary_is_the_first_that_reaches_the_level(count: int, tau: float, level: float) -> None:
    met = place_bets(tau, "met")
    n = met.boundary(count, level)
    assert n is not None
    assert met.log_e(count, n) >= level
    assert n == count or met.log_e(count, n - 1) < level
    against = place_bets(tau, "not_met")
    events = against.boundary(count, level)
    if events is None:
        assert against.log_e(count, count) < level
    else:
        assert against.log_e(events, count) >= level
        assert events == 0 or against.log_e(events - 1, count) < level


# ---------------------------------------------------------------- decisions on decimals


@given(value=st.floats(-50, 50), alpha=st.sampled_from([Fraction(1, 20), Fraction(1, 40), Fraction(1, 480)]))
def test_an_engine_that_compares_floats_never_differs_from_a_label_that_compares_decimals(
    value: float, alpha: Fraction
) -> None:
    needed = log_needed(alpha)
    for log_e in (value, float(needed), math.nextafter(float(needed), 0), math.nextafter(float(needed), 9)):
        assert (decimal_log(log_e, "down") >= needed) == (log_e >= float(needed))


@given(st.floats(-1e6, 1e6))
def test_logarithms_are_rounded_down_or_up_by_less_than_a_step(value: float) -> None:
    down, up = decimal_log(value, "down"), decimal_log(value, "up")
    assert down <= Decimal(repr(value)) <= up
    assert up - down <= Decimal("0.000001")
    assert -6 == down.as_tuple().exponent == up.as_tuple().exponent


def test_what_is_needed_at_the_usual_levels_is_ln_of_one_over_alpha_rounded_up() -> None:
    assert ["2.995733", "3.688880", "5.991465"] == [
        str(log_needed(alpha)) for alpha in (0.05, Fraction(1, 40), Decimal("0.0025"))
    ]


def test_infinite_evidence_stays_infinite_and_nan_is_refused() -> None:
    assert (Decimal("Infinity"), Decimal("-Infinity")) == (
        decimal_log(math.inf, "down"),
        decimal_log(-math.inf, "up"),
    )
    with pytest.raises(MalformedInput):
        decimal_log(math.nan, "down")


# ---------------------------------------------------------------- clusters


@pytest.mark.parametrize("side", SIDES)
def test_clusters_of_zeros_and_ones_are_counts(side: Side) -> None:
    for events, n in ((0, 40), (3, 500), (40, 40)):
        expected = log_e_counts(events, n, 0.02, side)
        assert expected == pytest.approx(
            log_e_clusters([(1, events), (0, n - events)], 0.02, side), rel=1e-12
        )


@pytest.mark.parametrize("side", SIDES)
def test_cluster_means_multiply_the_bets_of_the_definition(side: Side) -> None:
    tau, means = 0.07, [0.0, 0.25, 0.25, 1 / 3, 0.9, 0.0]
    odds, e = tau / (1 - tau), 0.0
    for ratio, weight in zip(ODDS_RATIOS[side], WEIGHTS, strict=True):
        p1 = odds * float(ratio) / (1 + odds * float(ratio))
        stake = (tau - p1) / (tau * (1 - tau))
        e += weight * math.prod(1 + stake * (tau - y) for y in means)
    assert math.log(e) == pytest.approx(log_e_clusters([(y, 1) for y in means], tau, side), rel=1e-12)


@given(
    st.lists(st.tuples(st.fractions(0, 1, max_denominator=12), st.integers(1, 5)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_clusters_count_the_same_in_any_order_and_grouping(
    clusters: list[tuple[Fraction, int]], source: random.Random
) -> None:
    spread = [(mean, 1) for mean, count in clusters for _ in range(count)]
    source.shuffle(spread)
    for side in SIDES:
        assert log_e_clusters(clusters, 0.05, side) == log_e_clusters(spread, 0.05, side)
    assert anytime_upper_clusters(clusters, 0.05) == anytime_upper_clusters(spread, 0.05)


@given(st.lists(st.fractions(0, 1, max_denominator=8), min_size=1, max_size=20))
def test_a_family_counts_at_most_as_one_answer(means: list[Fraction]) -> None:
    clusters = [(mean, 1) for mean in means]
    # a mean lies between an event and its absence, so the evidence does too
    best = log_e_counts(0, len(means), 0.1, "met")
    assert log_e_clusters(clusters, 0.1, "met") <= best + 1e-12


@pytest.mark.parametrize("side", SIDES)
def test_families_whose_mean_is_the_threshold_have_a_mean_e_value_of_one(side: Side) -> None:
    # means 0, 1/2, 1 with chances that average to tau
    tau, half, full = 0.3, 0.2, 0.2
    e = 0.0
    for zeros in range(13):
        for halves in range(13 - zeros):
            ones = 12 - zeros - halves
            chance = float(stats.multinomial.pmf([zeros, halves, ones], 12, [1 - half - full, half, full]))
            e += chance * math.exp(
                log_e_clusters([(0, zeros), (Fraction(1, 2), halves), (1, ones)], tau, side)
            )
    assert pytest.approx(1, abs=1e-9) == e


@given(st.lists(st.integers(1, 999).map(lambda k: Fraction(k, 1000)), min_size=1, max_size=30))
def test_a_whole_pass_over_unequal_prompts_is_worth_no_more_than_over_equal_ones(
    rates: list[Fraction],
) -> None:
    # each factor is linear in its outcome, so prod(1 + lam (tau - p_i)) is the mean e-value of one pass (AM-GM)
    mean_rate = sum(rates, Fraction(0)) / len(rates)
    for side in SIDES:
        assert log_e_clusters([(rate, 1) for rate in rates], mean_rate, side) <= 1e-9


def test_cluster_means_outside_0_and_1_are_refused() -> None:
    for mean in (-0.1, 1.5, float("nan")):
        with pytest.raises(MalformedInput):
            log_e_clusters([(mean, 1)], 0.1, "met")
    with pytest.raises(MalformedInput):
        log_e_clusters([(0.5, -1)], 0.1, "met")


# ---------------------------------------------------------------- anytime bounds


@settings(max_examples=60)
@given(counts=COUNTS, tau=GRID_TAUS, alpha=st.sampled_from([Fraction(1, 20), Fraction(1, 40)]))
def test_a_row_is_met_exactly_where_the_rounded_bound_is_within_the_threshold(
    counts: tuple[int, int], tau: Decimal, alpha: Fraction
) -> None:
    needed = log_needed(alpha)
    upper, lower = round_up(anytime_upper(*counts, alpha)), round_down(anytime_lower(*counts, alpha))
    for threshold in (tau, upper, lower, upper - Decimal("0.000001"), lower + Decimal("0.000001")):
        if 0 < threshold < 1:
            met = decimal_log(log_e_counts(*counts, threshold, "met"), "down") >= needed
            not_met = decimal_log(log_e_counts(*counts, threshold, "not_met"), "down") >= needed
            assert met == (upper <= threshold)
            assert not_met == (lower >= threshold)


@settings(max_examples=60)
@given(counts=COUNTS.filter(lambda c: c[1] > 0))
def test_anytime_bounds_hold_the_rate_and_are_wider_than_fixed_ones(counts: tuple[int, int]) -> None:
    events, n = counts
    lower, upper = anytime_lower(events, n, 0.025), anytime_upper(events, n, 0.025)
    assert 0 <= lower <= events / n <= upper <= 1
    assert lower <= cp_lower(events, n, 0.025)
    assert cp_upper(events, n, 0.025) <= upper


@settings(max_examples=40)
@given(counts=COUNTS)
def test_bounds_of_clusters_of_zeros_and_ones_are_bounds_of_counts(counts: tuple[int, int]) -> None:
    events, n = counts
    clusters = [(1, events), (0, n - events)]
    assert anytime_upper(events, n, 0.05) == pytest.approx(anytime_upper_clusters(clusters, 0.05), rel=1e-9)
    assert anytime_lower(events, n, 0.05) == pytest.approx(
        anytime_lower_clusters(clusters, 0.05), rel=1e-9, abs=1e-15
    )


def test_no_answers_bound_nothing() -> None:
    assert (0.0, 1.0) == (anytime_lower(0, 0, 0.05), anytime_upper(0, 0, 0.05))
    assert (0, 80) == (anytime_lower_pool(0, 0, 80, 0.05), anytime_upper_pool(0, 0, 80, 0.05))


def test_the_bound_ever_excludes_the_truth_in_at_most_alpha_of_runs() -> None:
    # exact over every path of 60 answers at a rate of 15 %
    rate, alpha, horizon = 0.15, 0.05, 60
    alive, excluded = {0: 1.0}, 0.0
    for n in range(1, horizon + 1):
        after: dict[int, float] = {}
        for events, mass in alive.items():
            after[events] = after.get(events, 0.0) + mass * (1 - rate)
            after[events + 1] = after.get(events + 1, 0.0) + mass * rate
        excluded += sum(mass for events, mass in after.items() if anytime_upper(events, n, alpha) < rate)
        alive = {events: mass for events, mass in after.items() if anytime_upper(events, n, alpha) >= rate}
    assert 0.005 < excluded <= alpha


# ---------------------------------------------------------------- finite pools


@settings(max_examples=150)
@given(data=st.data())
def test_the_evidence_of_a_pool_is_the_definition_in_exact_fractions(data: st.DataObject) -> None:
    pool = data.draw(st.integers(1, 300))
    n = data.draw(st.integers(0, pool))
    events = data.draw(st.integers(0, n))
    tau = data.draw(st.fractions(0, 1, max_denominator=200))
    for side in SIDES:
        expected = log_e_pool_by_definition(events, n, pool, tau, side)
        assert expected == pytest.approx(log_e_pool(events, n, pool, tau, side), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("pool", "n", "tau"), [(300, 120, 0.05), (300, 7, 0.05), (40, 39, 0.25), (40, 20, 0.111)]
)
def test_the_mean_e_value_of_a_pool_at_its_threshold_is_at_most_one(pool: int, n: int, tau: float) -> None:
    seen = np.arange(n + 1)
    for side in SIDES:
        bets = PoolBets(pool, Fraction(repr(tau)), side)
        mass = stats.hypergeom.pmf(seen, pool, bets.null, n)
        e = np.array(
            [math.exp(bets.log_e(int(s), n)) if m > 0 else 0.0 for s, m in zip(seen, mass, strict=True)]
        )
        mean = float((e * mass).sum())
        assert mean <= 1 + 1e-9
        if side == "met" and bets.null <= pool - n:
            assert pytest.approx(1, abs=1e-9) == mean


def test_a_pool_drawn_to_the_end_is_decided_unless_it_stands_exactly_at_the_threshold() -> None:
    for pool in (1, 7, 40):
        for tau in (Fraction(1, 10), Fraction(1, 3), Fraction(1, 2)):
            for events in range(pool + 1):
                met = log_e_pool(events, pool, pool, tau, "met")
                against = log_e_pool(events, pool, pool, tau, "not_met")
                assert (math.inf == met) == (events < pool * tau)
                assert (math.inf == against) == (events > pool * tau)


def test_evidence_rises_with_the_number_that_is_tested_in_every_pool_up_to_24() -> None:
    for pool in range(1, 25):
        for side in SIDES:
            bets = [PoolBets(pool, Fraction(inside, pool), side) for inside in range(pool + 1)]
            for n in range(pool + 1):
                for events in range(n + 1):
                    values = [b.log_e(events, n) for b in bets]
                    values = values if side == "met" else values[::-1]
                    for level in (1.0, 2.995733, 3.68888):
                        reached = [value >= level for value in values]
                        assert sorted(reached) == reached, (pool, side, n, events)


@settings(max_examples=40)
@given(data=st.data())
def test_pool_bounds_are_the_last_numbers_that_are_not_excluded(data: st.DataObject) -> None:
    pool = data.draw(st.integers(1, 600))
    n = data.draw(st.integers(0, pool))
    events = data.draw(st.integers(0, min(n, 40)))
    level = float(log_needed(0.05))
    possible = range(events, pool - (n - events) + 1)
    upper = [k for k in possible if log_e_pool(events, n, pool, Fraction(k, pool), "met") < level]
    lower = [k for k in possible if log_e_pool(events, n, pool, Fraction(k, pool), "not_met") < level]
    assert max(upper) == anytime_upper_pool(events, n, pool, 0.05)
    assert min(lower) == anytime_lower_pool(events, n, pool, 0.05)


def test_a_large_pool_is_like_independent_answers() -> None:
    for side in SIDES:
        expected = log_e_counts(3, 400, 0.01, side)
        assert expected == pytest.approx(log_e_pool(3, 400, 1_000_000, 0.01, side), abs=0.01)
