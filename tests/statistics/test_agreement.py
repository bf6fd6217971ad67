"""Agreement of raters and drift of judges: known answers from papers, properties, SciPy's own tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput
from verilabel.statistics.agreement import (
    cohen_kappa,
    fleiss_kappa,
    judge_drift,
    krippendorff_alpha,
    mcnemar_exact,
    percent_agreement,
    unflagged_audit,
)

FLEISS_TEN = (
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
)
"""Ten items, fourteen raters, five labels: the worked example of the statistic's usual presentation."""


def test_krippendorffs_alpha_is_that_of_his_own_examples() -> None:
    # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", sections A, B and C
    binary = zip("0100000010", "1110010000", strict=True)
    nominal = zip("aabbdcccedda", "babbbccceddd", strict=True)
    table = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    missing = [[label for label in unit if label != "."] for unit in zip(*table, strict=True)]
    assert 0.095 == round(krippendorff_alpha(binary) or 0, 3)
    assert 0.692 == round(krippendorff_alpha(nominal) or 0, 3)
    assert 0.743 == round(krippendorff_alpha(missing) or 0, 3)


def test_fleiss_kappa_of_the_worked_example_is_0_210() -> None:
    units = [[label for label, count in enumerate(row) for _ in range(count)] for row in FLEISS_TEN]
    assert 0.210 == round(fleiss_kappa(units) or 0, 3)
    assert 0.378 == round(percent_agreement(units) or 0, 3)


def test_cohens_kappa_of_the_worked_example_is_0_4() -> None:
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(pairs) == pytest.approx(0.4)
    assert percent_agreement(pairs) == pytest.approx(0.7)


def test_agreement_that_is_not_defined_is_none_and_never_perfect() -> None:
    assert [None] * 3 == [cohen_kappa([]), fleiss_kappa([]), krippendorff_alpha([])]
    assert [None] * 2 == [cohen_kappa([("a", "a")] * 5), krippendorff_alpha([["a", "a"]] * 5)]
    assert percent_agreement([["a"], ["b"]]) is None


def test_fleiss_kappa_refuses_items_with_different_numbers_of_labels() -> None:
    with pytest.raises(MalformedInput, match="2 to 3"):
        fleiss_kappa([["a", "b"], ["a", "b", "b"]])


units = st.lists(st.lists(st.sampled_from("abc"), min_size=2, max_size=5), min_size=1, max_size=20)


@given(units)
def test_agreement_is_at_most_one_and_one_only_where_nobody_differs(items: list[list[str]]) -> None:
    alpha, percent = krippendorff_alpha(items), percent_agreement(items)
    same = all(len(set(item)) == 1 for item in items)
    assert percent is not None and 0 <= percent <= 1
    assert same == (percent == 1)
    if alpha is not None:
        assert same == (alpha == 1)


@given(units, st.permutations("abc"))
def test_renaming_labels_changes_no_agreement(items: list[list[str]], names: list[str]) -> None:
    renamed = [[dict(zip("abc", names, strict=True))[label] for label in item] for item in items]
    assert krippendorff_alpha(items) == krippendorff_alpha(renamed)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_is_scipys_binomial_test(gained: int, lost: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(gained, gained + lost, 0.5).pvalue if gained + lost else 1.0
    assert mcnemar_exact(gained, lost) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_a_judge_that_changed_nothing_is_stable_from_149_answers_on() -> None:
    # 1 - 0.05^(1/149) = 0.0199: the rule of three, exactly
    assert "stable" == judge_drift(0, 0, 0, 149).verdict
    short = judge_drift(0, 0, 0, 148)
    assert ("inconclusive", 149) == (short.verdict, short.deciding_n)


def test_grades_that_all_moved_one_way_are_drift_and_those_that_swapped_too() -> None:
    assert "drifted" == judge_drift(30, 0, 0, 300).verdict
    swapped = judge_drift(15, 15, 0, 300)
    assert ("drifted", 1.0) == (swapped.verdict, swapped.p_value)


def test_answers_that_were_graded_once_count_against_stability_and_not_as_drift() -> None:
    assert "stable" == judge_drift(0, 0, 0, 300).verdict
    assert "inconclusive" == judge_drift(0, 0, 60, 300).verdict


def test_at_exactly_the_margin_no_number_of_answers_decides() -> None:
    assert judge_drift(1, 1, 0, 100).deciding_n is None


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 10), st.integers(100, 2000))
def test_a_verdict_follows_from_the_bounds_it_comes_with(
    gained: int, lost: int, ungraded: int, n: int
) -> None:
    drift = judge_drift(gained, lost, ungraded, n)
    assert drift.lower <= (gained + lost) / n <= drift.upper
    assert (drift.verdict == "stable") == (drift.upper <= 0.02)
    if drift.verdict == "drifted":
        assert drift.lower > 0.02 or drift.p_value < 0.025
    if drift.deciding_n is not None:
        assert drift.deciding_n > n


@pytest.mark.parametrize("counts", [(1, 0, 0, 0), (2, 2, 0, 3), (-1, 0, 0, 5)])
def test_counts_that_cannot_be_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(MalformedInput):
        judge_drift(*counts)


def test_more_misses_than_the_measured_sensitivity_allows_are_an_alarm() -> None:
    quiet, alarm = unflagged_audit(1, 200, 1000, 50, 0.9), unflagged_audit(8, 200, 1000, 50, 0.9)
    assert (False, True) == (quiet[1], alarm[1])
    from scipy.stats import binom

    allowed = 50 * (1 / 0.9 - 1) / 1000
    assert alarm[0] == pytest.approx(binom.sf(7, 200, allowed), rel=1e-6)
