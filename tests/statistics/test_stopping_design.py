"""Designs: the published tables by exact dynamic programming, and the programs against brute force."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from itertools import product
from statistics import stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.design import (
    boundaries,
    expected_calls,
    fixed_operating_characteristics,
    operating_characteristics,
    pool_boundaries,
    pool_operating_characteristics,
)
from verilabel.statistics.eprocess import log_e_counts, log_e_pool, log_needed
from verilabel.statistics.exact import cp_lower, cp_upper, round_down, round_up


def test_the_stopping_table_of_one_percent_comes_out_of_the_boundaries() -> None:
    lines = boundaries(0.01, 2000)
    assert [355, 652, 872, 1063, 1244, 1419, 1588] == [lines.met.index(events) for events in range(7)]
    last = {events: n for n, events in enumerate(lines.not_met)}
    assert [11, 31, 55, 97, 145, 194, 243] == [last[events] for events in range(2, 9)]


@pytest.mark.parametrize(
    ("p", "met", "not_met", "calls"),
    [
        (0, 1, 0, 355),
        (0.001, 1, 0, 482),
        (0.0025, 1, 0, 792),
        (0.005, 0.901, 0.002, 2067),
        (0.01, 0.048, 0.031, 4282),
        (0.015, 0.005, 0.710, 2700),
        (0.02, 0.001, 0.998, 985),
        (0.03, 0, 1, 312),
        (0.05, 0, 1, 104),
        (0.1, 0, 1, 32),
    ],
)
def test_the_anytime_row_of_the_published_table_comes_out(
    p: float, met: float, not_met: float, calls: int
) -> None:
    found = operating_characteristics(0.01, p, 4578)
    assert (met, not_met) == pytest.approx((found.met, found.not_met), abs=6e-4)
    assert calls == pytest.approx(found.calls, abs=0.51)


def test_the_characteristics_at_the_threshold_come_out_to_five_digits() -> None:
    found = operating_characteristics(0.01, 0.01, 4578)
    assert (0.04813, 0.03144) == pytest.approx((found.met, found.not_met), abs=5e-6)
    assert 4282.27 == pytest.approx(found.calls, abs=0.005)


@pytest.mark.parametrize(
    ("p", "met", "not_met"),
    [
        (0, 1, 0),
        (0.005, 0.905, 0),
        (0.01, 0.050, 0.041),
        (0.015, 0, 0.721),
        (0.02, 0, 0.993),
        (0.03, 0, 1),
    ],
)
def test_the_fixed_row_of_the_published_table_comes_out(p: float, met: float, not_met: float) -> None:
    found = fixed_operating_characteristics(0.01, p, 2546)
    assert (met, not_met) == pytest.approx((found.met, found.not_met), abs=6e-4)
    assert 2546 == found.calls


@pytest.mark.parametrize(("inside", "calls"), [(0, 301), (1, 356), (3, 492), (6, 747), (9, 1059)])
def test_the_published_calls_of_a_pool_of_1200_come_out(inside: int, calls: int) -> None:
    assert calls == pytest.approx(pool_operating_characteristics(0.01, inside, 1200).calls, abs=0.51)


def test_the_published_verdicts_of_finite_pools_come_out() -> None:
    assert 0.998 == pytest.approx(pool_operating_characteristics(0.01, 6, 1200).met, abs=5e-4)
    assert 0.049 == pytest.approx(pool_operating_characteristics(0.01, 12, 1200).met, abs=5e-4)
    small = pool_operating_characteristics(0.01, 0, 300)
    assert (1, 0, 0, 211) == pytest.approx(small)
    # as if answers were endless, 300 without an event could not decide it
    assert -1 == boundaries(0.01, 300).met[300]


def test_the_promised_costs_at_one_percent_are_kept() -> None:
    assert expected_calls(0.01, 0, 4578) <= 400
    assert expected_calls(0.01, 0.05, 4578) <= 120
    assert operating_characteristics(0.01, 0.01, 4578).met <= 0.05


@pytest.mark.parametrize("tau", [0.02, 0.1, 0.35, 0.5, 0.8])
@pytest.mark.parametrize("alpha", [Fraction(1, 20), Fraction(1, 5)])
def test_neither_verdict_is_wrong_more_often_than_its_level_however_long_one_looks(
    tau: float, alpha: Fraction
) -> None:
    found = operating_characteristics(tau, tau, 1500, alpha, alpha)
    assert 0.2 * alpha < found.met <= alpha
    assert 0.2 * alpha < found.not_met <= alpha
    assert 1 == pytest.approx(sum(found[:3]), abs=1e-12)


@pytest.mark.parametrize("pool", [1, 9, 40, 150])
def test_in_a_pool_neither_verdict_is_wrong_more_often_than_its_level(pool: int) -> None:
    tau = Fraction(1, 7)
    for inside in range(pool + 1):
        found = pool_operating_characteristics(tau, inside, pool, 0.1, 0.1)
        if inside > pool * tau:
            assert found.met <= 0.1
            assert 1 == pytest.approx(found.not_met + found.met, abs=1e-9)
        if inside < pool * tau:
            assert found.not_met <= 0.1
            assert 1 == pytest.approx(found.not_met + found.met, abs=1e-9)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.45, 1.0])
def test_the_dynamic_program_agrees_with_a_sum_over_every_sequence(p: float) -> None:
    tau, alpha, beta, n_max = 0.3, 0.3, 0.4, 12
    level, level_not = float(log_needed(alpha)), float(log_needed(beta))
    met = not_met = calls = 0.0
    for answers in product((0, 1), repeat=n_max):
        chance = p ** sum(answers) * (1 - p) ** (n_max - sum(answers))
        verdict, asked = "undetermined", n_max
        for n in range(1, n_max + 1):
            events = sum(answers[:n])
            if log_e_counts(events, n, tau, "met") >= level:
                verdict, asked = "met", n
                break
            if log_e_counts(events, n, tau, "not_met") >= level_not:
                verdict, asked = "not_met", n
                break
        met += chance * (verdict == "met")
        not_met += chance * (verdict == "not_met")
        calls += chance * asked
    found = operating_characteristics(tau, p, n_max, alpha, beta)
    assert (met, not_met, 1 - met - not_met, calls) == pytest.approx(tuple(found), abs=1e-12)


@pytest.mark.parametrize(("p", "n_max", "runs"), [(0.0, 4578, 3), (0.05, 4578, 3000), (0.01, 1500, 800)])
def test_the_dynamic_program_agrees_with_simulated_runs_at_one_percent(
    p: float, n_max: int, runs: int
) -> None:
    source, lines = random.Random(20260901), boundaries(0.01, n_max)
    exact = operating_characteristics(0.01, p, n_max)
    asked, met, not_met = [], 0, 0
    for _ in range(runs):
        events = n = 0
        while n < n_max:
            n += 1
            events += source.random() < p
            if events <= lines.met[n] or events >= lines.not_met[n]:
                break
        asked.append(n)
        met += events <= lines.met[n]
        not_met += events >= lines.not_met[n]
    error = stdev(asked) / runs**0.5
    assert abs(sum(asked) / runs - exact.calls) <= 4 * error + 1e-9
    for seen, chance in ((met, exact.met), (not_met, exact.not_met)):
        assert abs(seen / runs - chance) <= 4 * (chance * (1 - chance) / runs) ** 0.5 + 1e-9


@settings(max_examples=25)
@given(
    tau=st.integers(1, 99).map(lambda percent: Decimal(percent) / 100),
    n=st.integers(1, 60),
    p=st.integers(0, 1000).map(lambda permille: permille / 1000),
    alpha=st.sampled_from([Fraction(1, 20), Fraction(1, 40), Fraction(1, 3)]),
)
def test_the_fixed_characteristics_are_the_sum_over_the_decisions(
    tau: Decimal, n: int, p: float, alpha: Fraction
) -> None:
    met = [k for k in range(n + 1) if round_up(cp_upper(k, n, alpha)) <= tau]
    not_met = [k for k in range(n + 1) if round_down(cp_lower(k, n, alpha)) > tau]
    assert not set(met) & set(not_met)
    expected = [float(stats.binom.pmf(ks, n, p).sum()) if ks else 0.0 for ks in (met, not_met)]
    assert expected == pytest.approx(list(fixed_operating_characteristics(tau, p, n, alpha)[:2]), abs=1e-10)


@pytest.mark.parametrize(
    ("tau", "met", "not_met"), [("0.95", 1, 0), ("0.949999", 0, 0), ("0.05", 0, 0), ("0.049999", 0, 1)]
)
def test_the_fixed_characteristics_stand_on_the_same_grid_as_the_decisions(
    tau: str, met: int, not_met: int
) -> None:
    # one answer at alpha = 5 %: without the event the upper bound is 0.95, with it the lower bound is 0.05
    assert met == fixed_operating_characteristics(Decimal(tau), 0, 1).met
    assert not_met == fixed_operating_characteristics(Decimal(tau), 1, 1).not_met


@settings(max_examples=20)
@given(pool=st.integers(1, 120), percent=st.integers(1, 99))
def test_pool_boundaries_are_where_the_evidence_says(pool: int, percent: int) -> None:
    tau, level = Fraction(percent, 100), float(log_needed(0.05))
    lines = pool_boundaries(tau, pool)
    for n in range(1, pool + 1, max(1, pool // 15)):
        met = [s for s in range(n + 1) if log_e_pool(s, n, pool, tau, "met") >= level]
        against = [s for s in range(n + 1) if log_e_pool(s, n, pool, tau, "not_met") >= level]
        assert max(met, default=-1) == lines.met[n]
        assert min(against, default=n + 1) == lines.not_met[n]


def test_a_design_without_a_question_or_without_an_end_is_refused() -> None:
    for tau in (0, 1, 1.5):
        with pytest.raises(MalformedInput):
            boundaries(tau, 100)
    with pytest.raises(MalformedInput):
        pool_operating_characteristics(0.1, 11, 10)
    with pytest.raises(LimitExceeded):
        operating_characteristics(0.1, 0.1, 10**7)
