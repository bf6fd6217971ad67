"""The horizon h50: against other programs, against its own definition, and in simulations with a known truth."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import chi2

from verilabel.errors import MalformedInput
from verilabel.statistics.horizon import Horizon, fit_horizon

LENGTHS = range(4, 41)


def draw(truth: float, slope: float, count: int, seed: int) -> list[tuple[int, bool]]:
    chance = random.Random(seed)
    outcomes = []
    for number in range(count):
        length = LENGTHS[number % len(LENGTHS)]
        rate = 1 / (1 + math.exp(-slope * (math.log2(length) - math.log2(truth))))
        outcomes.append((length, chance.random() < rate))
    return outcomes


def negative_log_likelihood(outcomes: list[tuple[int, bool]], intercept: float, slope: float) -> float:
    at = np.log2([length for length, _ in outcomes])
    sign = np.where([solved for _, solved in outcomes], 1.0, -1.0)
    return float(np.logaddexp(0, -sign * (intercept + slope * at)).sum())


@pytest.mark.parametrize("seed", range(8))
def test_the_fit_is_that_of_a_general_optimiser(seed: int) -> None:
    outcomes = draw(15, -2.0, 111, seed)
    found = fit_horizon(outcomes)
    best = minimize(lambda p: negative_log_likelihood(outcomes, *p), (5.0, -1.0), method="BFGS")
    assert found.slope == pytest.approx(best.x[1], rel=1e-3)
    assert found.h50 == pytest.approx(2 ** (-best.x[0] / best.x[1]), rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_that_of_scikit_learn_without_a_penalty(seed: int) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    outcomes = draw(20, -1.5, 148, seed)
    at = np.log2([[length] for length, _ in outcomes])
    model = linear_model.LogisticRegression(C=1e9, tol=1e-10, max_iter=10_000)
    model.fit(at, [solved for _, solved in outcomes])
    found = fit_horizon(outcomes)
    assert found.slope == pytest.approx(model.coef_[0][0], rel=1e-3)
    assert found.h50 == pytest.approx(2 ** (-model.intercept_[0] / model.coef_[0][0]), rel=1e-3)


@pytest.mark.parametrize(("seed", "level"), [(1, 0.95), (2, 0.95), (3, 0.8), (4, 0.99)])
def test_the_bounds_are_where_the_profile_likelihood_falls_by_half_the_quantile(
    seed: int, level: float
) -> None:
    outcomes = draw(15, -2.0, 148, seed)
    found = fit_horizon(outcomes, level=level)

    def profile(length: float) -> float:
        x = math.log2(length)
        objective = lambda slope: negative_log_likelihood(outcomes, -slope * x, slope)  # noqa: E731
        return float(
            minimize_scalar(objective, bounds=(-50, 0), method="bounded", options={"xatol": 1e-10}).fun
        )

    assert found.h50 is not None
    for bound in (found.lower, found.upper):
        assert 2 * (profile(bound) - profile(found.h50)) == pytest.approx(chi2.ppf(level, 1), abs=1e-3)


@pytest.mark.parametrize(("truth", "slope"), [(15, -2.0), (8, -3.0), (30, -1.2)])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(truth: float, slope: float) -> None:
    runs = 80
    held = sum(
        found.lower <= truth <= found.upper
        for found in (fit_horizon(draw(truth, slope, 111, seed)) for seed in range(runs))
    )
    # 95 % of 80 with a binomial standard deviation of 1.9: three of them
    assert held >= 70


@pytest.mark.parametrize("truth", [60.0, 120.0])
def test_where_nearly_all_are_solved_the_lower_bound_still_holds(truth: float) -> None:
    runs = [fit_horizon(draw(truth, -4.0, 111, seed)) for seed in range(60)]
    assert {"all_solved"} <= {found.state for found in runs}
    assert 55 <= sum(found.lower <= truth for found in runs)
    assert all(math.isinf(found.upper) and found.h50 is None for found in runs if found.state == "all_solved")


def test_all_solved_bounds_below_and_none_solved_above() -> None:
    every = fit_horizon((length, True) for length in LENGTHS)
    none = fit_horizon((length, False) for length in LENGTHS)
    assert ("all_solved", None, math.inf) == (every.state, every.h50, every.upper)
    assert ("none_solved", None, 0.0) == (none.state, none.h50, none.lower)
    assert 20 < every.lower <= 40 and 4 <= none.upper < 12


def test_one_solved_task_of_one_length_bounds_nothing_to_speak_of() -> None:
    assert Horizon(None, 0.0, math.inf, None, "all_solved", False, 1, 1) == fit_horizon([(10, True)])


def test_an_exact_boundary_is_called_separated_and_has_bounds_around_it() -> None:
    found = fit_horizon((length, length < 20) for length in LENGTHS)
    assert ("separated", None) == (found.state, found.slope)
    assert found.h50 is not None and 19 < found.h50 < 20
    assert found.lower < 19 and 20 < found.upper < 30


def test_one_length_at_which_both_happen_is_the_horizon_where_all_else_is_split() -> None:
    found = fit_horizon([*((length, length < 20) for length in LENGTHS), (20, True)])
    assert "separated" == found.state and found.h50 == pytest.approx(20)
    assert found.lower < 20 < found.upper


def test_solving_more_of_the_longer_ones_is_no_horizon() -> None:
    found = fit_horizon((length, length > 20) for length in LENGTHS)
    assert ("no_decline", None, None) == (found.state, found.h50, found.slope)
    assert (0.0, math.inf) == (found.lower, found.upper)


def test_a_horizon_beyond_the_lengths_tried_says_so() -> None:
    found = fit_horizon(draw(60, -1.5, 370, 5))
    assert "fitted" == found.state and found.h50 is not None and found.h50 > 40
    assert found.extrapolated and not fit_horizon(draw(15, -2.0, 111, 1)).extrapolated


OUTCOMES = st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=120)
@given(OUTCOMES)
def test_any_outcomes_have_bounds_in_order_around_the_estimate(outcomes: list[tuple[int, bool]]) -> None:
    found = fit_horizon(outcomes)
    assert 0 <= found.lower < found.upper
    assert len(outcomes) == found.samples and sum(solved for _, solved in outcomes) == found.solved
    if found.h50 is not None and 1e-15 < found.h50 < 1e15:
        assert found.lower <= found.h50 * (1 + 1e-6) and found.h50 <= found.upper * (1 + 1e-6)


@settings(max_examples=40)
@given(OUTCOMES, st.randoms(use_true_random=False))
def test_the_order_of_outcomes_does_not_matter(
    outcomes: list[tuple[int, bool]], chance: random.Random
) -> None:
    mixed = list(outcomes)
    chance.shuffle(mixed)
    assert fit_horizon(outcomes) == fit_horizon(mixed)


@settings(max_examples=40)
@given(OUTCOMES)
def test_a_higher_level_is_a_wider_interval(outcomes: list[tuple[int, bool]]) -> None:
    narrow, wide = fit_horizon(outcomes, level=0.8), fit_horizon(outcomes, level=0.99)
    assert wide.lower <= narrow.lower * (1 + 1e-6) and narrow.upper <= wide.upper * (1 + 1e-6)


@pytest.mark.parametrize("length", [0, -1, 10**9 + 1, True, 2.5])
def test_a_length_that_is_none_is_refused(length: object) -> None:
    with pytest.raises(MalformedInput, match="is no length"):
        fit_horizon([(length, True)])  # type: ignore[list-item]


def test_nothing_and_impossible_levels_are_refused() -> None:
    with pytest.raises(MalformedInput, match="needs outcomes"):
        fit_horizon([])
    for level in (0, 1, -0.5, 2):
        with pytest.raises(MalformedInput, match="level"):
            fit_horizon([(3, True)], level=level)
