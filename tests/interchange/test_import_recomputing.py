"""Recomputation: printed digits, reducers, bounds, and what a part of the records can still say."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from verilabel.interchange.importing.printed import PrintedNumber, exact_number, score_of
from verilabel.interchange.importing.recomputing import agrees_as_printed, bound_rate, recompute_metrics
from verilabel.interchange.importing.reducing import knows_reducer, reduce_scores
from verilabel.interchange.importing.run import (
    ClaimedMetric,
    Derivation,
    DerivationKind,
    ImportedRecord,
    ImportedRun,
)


def records_of(values: Sequence[object], group: str = "") -> tuple[ImportedRecord, ...]:
    return tuple(
        ImportedRecord(id=str(i), sha256="", group=group, scores={"s": score_of(value)})
        for i, value in enumerate(values)
    )


def verdict_of(printed: str, kind: DerivationKind, values: Sequence[object], of: int | None = None) -> str:
    metric = ClaimedMetric("m", printed, "s", derivation=Derivation(kind), of=of)
    (finding,) = recompute_metrics(ImportedRun("table", (), metrics=(metric,), records=records_of(values)))
    return finding.verdict


@pytest.mark.parametrize(
    ("printed", "exact", "agrees"),
    [
        ("0.3333", Fraction(1, 3), True),
        ("0.3334", Fraction(1, 3), False),
        ("0.33", Fraction(1, 3), True),
        ("33.33", Fraction(100, 3), True),
        ("0.3333333333333333", Fraction(1, 3), True),
        ("0.6667", Fraction(2, 3), True),
        ("0.6666", Fraction(2, 3), False),
        ("0.0", Fraction(2, 5000), False),  # a small rate must not pass for none
        ("1.0", Fraction(97, 100), False),
        ("1", Fraction(97, 100), False),
        ("0.5", Fraction(46, 100), False),
        ("0.5", Fraction(1, 2), True),
        ("0.125", Fraction(1, 8), True),
        ("0.12", Fraction(1, 8), True),  # a tie may go either way
        ("0.13", Fraction(1, 8), True),
        ("1e-05", Fraction(1, 100000), True),
        ("nan", Fraction(0), False),
    ],
)
def test_a_claim_agrees_when_rounding_to_its_digits_gives_it(
    printed: str, exact: Fraction, agrees: bool
) -> None:
    assert agrees == agrees_as_printed(printed, exact)


@given(st.fractions(0, 1, max_denominator=10_000), st.integers(2, 12))
def test_rounding_agrees_and_the_next_number_does_not(value: Fraction, places: int) -> None:
    unit = Decimal(1).scaleb(-places)
    rounded = round(value, places)
    printed = Decimal(rounded.numerator) / Decimal(rounded.denominator)
    assert agrees_as_printed(f"{printed.quantize(unit):f}", value)
    assert not agrees_as_printed(f"{(printed + 2 * unit).quantize(unit):f}", value)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_a_mean_that_was_added_in_doubles_agrees(values: list[float]) -> None:
    assert "agrees" == verdict_of(repr(sum(values) / len(values)), "mean", values)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=60))
def test_standard_errors_agree_with_the_textbook(values: list[float]) -> None:
    assert "agrees" == verdict_of(repr(statistics.stdev(values) / len(values) ** 0.5), "stderr", values)
    assert "agrees" == verdict_of(repr(statistics.stdev(values)), "std", values)


def test_counts_are_exact() -> None:
    values = [1, 1, 0, None, "word"]
    for kind, printed in (("ones", "2"), ("zeros", "1"), ("missing", "2"), ("values", "3")):
        assert "agrees" == verdict_of(printed, kind, values)  # type: ignore[arg-type]
        assert "contradicts" == verdict_of(str(int(printed) + 1), kind, values)  # type: ignore[arg-type]


def test_a_sum_over_words_is_not_made_and_over_numbers_is() -> None:
    assert "not_recomputable" == verdict_of("1", "sum", [1, "word"])
    assert "agrees" == verdict_of("1.75", "sum", [1, 0.75])


def test_a_part_of_the_records_is_no_evidence_and_can_still_contradict() -> None:
    assert "not_recomputable" == verdict_of("0.5", "mean", [1, 0], of=10)
    assert "contradicts" == verdict_of("0.99", "mean", [0, 0], of=10)
    assert "contradicts" == verdict_of("1", "ones", [1, 1], of=10)
    assert "not_recomputable" == verdict_of("0.5", "mean", [1, 0], of=1)


@given(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_at_k_is_the_share_of_choices_with_a_success(values: list[int], k: int) -> None:
    scores = [score_of(value) for value in values]
    if k > len(values):
        assert reduce_scores(f"pass_at_{k}", scores) is None
        return
    chosen = list(itertools.combinations(values, k))
    assert Fraction(sum(map(any, chosen)), len(chosen)) == reduce_scores(f"pass_at_{k}", scores)
    assert Fraction(sum(map(all, chosen)), len(chosen)) == reduce_scores(f"pass_k_{k}", scores)
    assert Fraction(int(sum(values) >= k)) == reduce_scores(f"at_least_{k}", scores)


@pytest.mark.parametrize("name", ["", "collect", "at_least", "at_least_0", "pass_at_-1", "pass_at_999999"])
def test_reducers_that_are_not_known_are_not_carried_out(name: str) -> None:
    assert not knows_reducer(name)


@given(st.integers(1, 40), st.data())
def test_bounds_are_those_of_clopper_and_pearson(n: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, n))
    bounds = bound_rate(records_of([1] * events + [0] * (n - events)), "s")
    assert bounds is not None
    lower = beta.ppf(0.025, events, n - events + 1) if events else 0.0
    upper = beta.ppf(0.975, events + 1, n - events) if events < n else 1.0
    assert pytest.approx(lower, abs=2e-6) == float(bounds.lower)
    assert pytest.approx(upper, abs=2e-6) == float(bounds.upper)


def test_missing_answers_widen_both_bounds() -> None:
    whole, holed = bound_rate(records_of([1, 1, 0, 0]), "s"), bound_rate(records_of([1, 1, 0, 0, None]), "s")
    assert whole is not None
    assert holed is not None
    assert (5, 1) == (holed.items, holed.missing)
    assert holed.lower < whole.lower
    assert holed.upper > whole.upper


def test_there_are_no_bounds_for_partial_credit_or_across_groups() -> None:
    assert bound_rate(records_of([1, 0.5]), "s") is None
    assert bound_rate(records_of([1], "a") + records_of([0], "b"), "s") is None
    assert bound_rate((), "s") is None


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), None, [], {}, "word", "", "1" * 100]
)
def test_what_is_no_number_has_a_reason(value: object) -> None:
    score = score_of(value)
    assert score.number is None
    assert score.reason.startswith("the score is")


@pytest.mark.parametrize(
    ("value", "number"), [(True, 1), (False, 0), ("Yes", 1), ("0.50", Fraction(1, 2)), (1.0, 1)]
)
def test_what_is_a_number_is_exact(value: object, number: Fraction) -> None:
    assert number == score_of(value).number


def test_one_and_true_and_one_point_nought_keep_their_own_text() -> None:
    assert ["1", "true", "1.0"] == [score_of(value).raw for value in (1, True, 1.0)]


def test_a_printed_number_keeps_its_text_and_is_bounded() -> None:
    assert "0.10" == PrintedNumber("0.10").text
    with pytest.raises(ValueError, match="beyond"):
        PrintedNumber("1e999")
    assert exact_number("1e999") is None
