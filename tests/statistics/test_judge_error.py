"""Judge error: thresholds that keep the promise of the row, and reports that say what they are."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from verilabel.errors import MalformedInput
from verilabel.records.score import ErrorCounts
from verilabel.statistics.exact import clopper_pearson, cp_lower, cp_upper, wilson
from verilabel.statistics.judge import (
    false_positive_upper,
    is_certified,
    judge_interval,
    met_threshold,
    not_met_threshold,
    rogan_gladen,
    sensitivity_lower,
    swap,
)


def counts(tp: int, positives: int, tn: int, negatives: int) -> ErrorCounts:
    return ErrorCounts(
        true_positives=tp,
        positives=positives,
        true_negatives=tn,
        negatives=negatives,
        dataset="made in this test",
        dataset_sha256="sha256:" + "0" * 64,
    )


ERRORS = st.tuples(st.integers(0, 400), st.integers(0, 60), st.integers(0, 400), st.integers(0, 60)).map(
    lambda c: counts(c[0], c[0] + c[1], c[2], c[2] + c[3])
)
RATES = st.integers(0, 10**6).map(lambda step: Decimal(step).scaleb(-6))


def test_the_estimates_printed_by_rsurveillance_come_out() -> None:
    assert 0.17603 == pytest.approx(rogan_gladen(20 / 120, 0.9, 0.99), abs=1e-5)
    for interval, printed in (
        (clopper_pearson(20, 120), (0.1066051, 0.2647191)),
        (wilson(20, 120), (0.1129887, 0.2623065)),
    ):
        assert printed == pytest.approx(tuple(rogan_gladen(q, 0.9, 0.99) for q in interval), abs=1e-6)


def test_an_estimate_stays_a_rate_and_a_judge_of_no_skill_is_refused() -> None:
    assert (0.0, 1.0) == (rogan_gladen(0.005, 0.9, 0.99), rogan_gladen(0.95, 0.9, 0.99))
    for sensitivity, specificity in ((0.5, 0.5), (0.3, 0.6)):
        with pytest.raises(MalformedInput):
            rogan_gladen(0.1, sensitivity, specificity)
    with pytest.raises(MalformedInput):
        rogan_gladen(1.2, 0.9, 0.9)


def test_the_bounds_of_the_judge_are_those_of_scipy_rounded_outward() -> None:
    # 170 of 200 found, 3 of 300 invented, at 0.2 of 1/40
    alpha = Fraction(1, 200)
    lower, upper = stats.beta.ppf(0.005, 170, 31), stats.beta.isf(0.005, 4, 297)
    assert 0 <= lower - float(sensitivity_lower(170, 200, alpha)) < 1e-6
    assert 0 <= float(false_positive_upper(297, 300, alpha)) - upper < 1e-6


def test_the_thresholds_are_the_formulas_of_the_specification() -> None:
    errors = counts(170, 200, 297, 300)
    alpha, tau = Fraction(1, 200), Decimal("0.05")
    found, invented = sensitivity_lower(170, 200, alpha), false_positive_upper(297, 300, alpha)
    assert 0 <= tau * found - met_threshold(tau, errors, alpha) < Decimal("0.000001")
    assert (
        0 <= not_met_threshold(tau, errors, alpha) - (tau * (1 - invented) + invented) < Decimal("0.000001")
    )


@settings(max_examples=60)
@given(tau=RATES, errors=ERRORS)
def test_a_judge_only_ever_makes_both_thresholds_harder(tau: Decimal, errors: ErrorCounts) -> None:
    assert 0 <= met_threshold(tau, errors, 0.005) <= tau <= not_met_threshold(tau, errors, 0.005) <= 1


def test_a_judge_that_was_never_measured_decides_nothing() -> None:
    nothing = counts(0, 0, 0, 0)
    assert 0 == met_threshold(0.3, nothing, 0.005)
    assert 1 == not_met_threshold(0.3, nothing, 0.005)
    assert not is_certified(nothing)
    assert not is_certified(None)


def test_a_judge_is_certified_from_a_hundred_labelled_positives() -> None:
    assert [False, True] == [is_certified(counts(90, positives, 0, 0)) for positives in (99, 100)]


@given(ERRORS)
def test_the_absence_of_the_event_swaps_sensitivity_and_specificity(errors: ErrorCounts) -> None:
    swapped = swap(errors)
    assert (errors.true_negatives, errors.negatives) == (swapped.true_positives, swapped.positives)
    assert errors == swap(swapped)


@pytest.mark.parametrize(
    ("sensitivity", "false_positives"), [(0.5, 0.03), (0.85, 0.0), (0.85, 0.03), (1.0, 0.0)]
)
def test_a_row_with_a_judge_is_wrong_no_more_often_than_its_level(
    sensitivity: float, false_positives: float
) -> None:
    # exact over every outcome of measuring the judge (60 + 60) and of the run (250), at the threshold itself
    tau, alpha, labelled, n = 0.05, Fraction(1, 20), 60, 250
    part, rest = alpha / 5, alpha * 4 / 5
    flagged = tau * sensitivity + (1 - tau) * false_positives
    seen = np.arange(n + 1)
    mass = stats.binom.pmf(seen, n, flagged)
    upper = np.array([cp_upper(int(k), n, rest) for k in seen])
    lower = np.array([cp_lower(int(k), n, rest) for k in seen])
    wrong_met = wrong_not_met = 0.0
    for right in range(labelled + 1):
        cut = float(met_threshold(tau, counts(right, labelled, 0, 0), part))
        wrong_met += stats.binom.pmf(right, labelled, sensitivity) * mass[upper <= cut].sum()
        cut = float(not_met_threshold(tau, counts(0, 0, right, labelled), part))
        wrong_not_met += stats.binom.pmf(right, labelled, 1 - false_positives) * mass[lower > cut].sum()
    assert wrong_met <= float(alpha)
    assert wrong_not_met <= float(alpha)


def test_the_report_interval_is_that_of_the_counts_where_the_judge_is_nearly_perfect() -> None:
    interval = judge_interval(20, 120, counts(10**6, 10**6, 10**6, 10**6))
    assert clopper_pearson(20, 120) == pytest.approx(interval, abs=0.004)


def test_the_report_interval_is_the_same_for_the_same_seed_and_wider_for_a_worse_judge() -> None:
    good, poor = counts(190, 200, 295, 300), counts(38, 40, 59, 60)
    first = judge_interval(20, 400, good, draws=4000)
    assert first == judge_interval(20, 400, good, draws=4000)
    assert first != judge_interval(20, 400, good, draws=4000, seed=1)
    worse = judge_interval(20, 400, poor, draws=4000)
    assert worse[0] <= first[0] < first[1] <= worse[1]
    assert 0 <= first[0] < rogan_gladen(20 / 400, 0.95, 295 / 300) < first[1] <= 1


def test_a_judge_hardly_measured_leaves_the_report_wide_open() -> None:
    low, high = judge_interval(20, 40, counts(1, 3, 1, 3), draws=2000)
    assert low < 0.02
    assert high > 0.98
    assert (0.0, 1.0) == judge_interval(0, 0, counts(0, 0, 0, 0), draws=200)


def test_the_report_interval_agrees_with_an_independent_melding() -> None:
    generator, draws = np.random.default_rng(7), 200_000

    def ends(k: int, m: int) -> tuple[np.ndarray, np.ndarray]:
        return generator.beta(k, m - k + 1, draws), generator.beta(k + 1, m - k, draws)

    (q_low, q_high), (se_low, se_high), (sp_low, sp_high) = ends(30, 500), ends(180, 200), ends(290, 300)
    low = np.quantile(np.clip((q_low + sp_low - 1) / (se_high + sp_low - 1), 0, 1), 0.025)
    high = np.quantile(np.clip((q_high + sp_high - 1) / (se_low + sp_high - 1), 0, 1), 0.975)
    interval = judge_interval(30, 500, counts(180, 200, 290, 300), draws=20_000)
    assert (low, high) == pytest.approx(interval, abs=0.0025)


def test_counts_of_a_judge_that_cannot_be_are_refused() -> None:
    with pytest.raises(MalformedInput):
        met_threshold(0.1, counts(5, 4, 0, 0), 0.005)
    with pytest.raises(MalformedInput):
        not_met_threshold(0.1, counts(0, 0, 5, 4), 0.005)
    with pytest.raises(MalformedInput):
        judge_interval(1, 10, counts(5, 5, 5, 5), draws=10)
