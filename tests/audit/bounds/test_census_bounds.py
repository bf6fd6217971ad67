"""Bounds after every document was searched: exact, outward, and never nought for want of finds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import comb, log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.bounds.corrected import most_documents, pooled_recall, weakest_recall
from verilabel.audit.bounds.statements import Audited, describe_statement, state_census
from verilabel.errors import MalformedInput
from verilabel.statistics.exact import cp_lower, round_down


@dataclass(frozen=True)
class Counts:
    format: str
    planted: int
    found: int


PERFECT = [Counts("plain", 300, 300), Counts("dotted", 300, 300)]


def exact_tail(k: int, n: int, p: Fraction) -> Fraction:
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)), Fraction(0))


@pytest.mark.parametrize(("found", "recall"), [(60, "0.951297"), (300, "0.990063"), (3000, "0.999001")])
def test_the_recall_that_canaries_show_is_that_of_the_specification(found: int, recall: str) -> None:
    counts = [Counts("plain", found, found)]
    assert Decimal(recall) == weakest_recall(counts, Fraction(1, 20)).recall


def test_nothing_found_with_weak_recall_does_not_say_that_nothing_is_there() -> None:
    # (1 - 1/2)^T > 1/40 up to T = 5
    assert most_documents(0, 1_000, Fraction(1, 2), Fraction(1, 40)) == 5
    assert int(log(1 / 40) / log(1 / 2)) == 5


CASES = [(0, Fraction(9, 10)), (3, Fraction(1, 2)), (7, Fraction(4, 5)), (1, Fraction(1, 10))]


@pytest.mark.parametrize(("found", "recall"), CASES)
def test_the_bound_is_the_last_number_that_exact_sums_do_not_reject(found: int, recall: Fraction) -> None:
    alpha = Fraction(1, 40)
    bound = most_documents(found, 10_000, recall, alpha)
    assert exact_tail(found, bound, recall) > alpha
    assert exact_tail(found, bound + 1, recall) <= alpha


def test_without_canaries_there_is_no_bound() -> None:
    statement = state_census("pii.email", read=1_000, unread=0, found=3, recalls=[])
    assert statement.upper == 1_000
    assert describe_statement(statement) == (
        "how many documents contain pii.email is not bounded: "
        "no canaries were planted, so the share that is found is not known"
    )


def test_a_format_of_which_nothing_was_found_takes_the_bound_away_and_is_named() -> None:
    recalls = [Counts("plain", 300, 300), Counts("odd", 300, 0)]
    statement = state_census("pii.phone", read=1_000, unread=0, found=3, recalls=recalls)
    assert statement.upper == 1_000
    assert statement.weakest_format == "odd"
    assert "no canary of the format odd was found" in describe_statement(statement)
    assert statement.upper_as_planted is not None
    assert statement.upper_as_planted < 30


def test_the_weakest_format_decides_and_pooling_is_told_beside_it() -> None:
    recalls = [Counts("plain", 300, 300), Counts("odd", 300, 150)]
    statement = state_census("pii.phone", read=100_000, unread=0, found=1_000, recalls=recalls)
    assert statement.weakest_format == "odd"
    assert statement.recall_lower == str(round_down(cp_lower(150, 300, Fraction(1, 40))))
    assert statement.upper_as_planted is not None
    assert 1_000 < statement.upper_as_planted < statement.upper


def test_documents_that_were_not_read_lower_the_coverage_and_are_never_counted_as_clean() -> None:
    statement = state_census("pii.email", read=999_800, unread=200, found=0, recalls=PERFECT)
    assert statement.upper_with_unread_per_million == statement.upper + 200
    assert describe_statement(statement).endswith("of those read (99.98 %)")


def test_almost_everything_read_is_not_called_everything() -> None:
    statement = state_census("pii.email", read=10**7, unread=1, found=0, recalls=PERFECT)
    assert "(99.99 %)" in describe_statement(statement)


def test_an_unknown_number_unread_gives_no_worst_case() -> None:
    statement = state_census("pii.email", read=100, unread=None, found=0, recalls=PERFECT)
    assert statement.upper_with_unread_per_million is None
    assert "an unknown share of all" in describe_statement(statement)


def test_an_audit_of_nothing_is_not_bounded() -> None:
    statement = state_census("pii.email", read=0, unread=4, found=0, recalls=PERFECT)
    assert statement.upper_per_million == 1_000_000
    assert "no document was read" in describe_statement(statement)


def test_found_documents_bound_from_below_only_when_people_looked_at_some() -> None:
    bare = state_census("pii.email", read=10_000, unread=0, found=100, recalls=PERFECT)
    looked = state_census(
        "pii.email", read=10_000, unread=0, found=100, recalls=PERFECT, audited=Audited(50, 50)
    )
    assert bare.lower == 0
    assert 90 <= looked.lower <= 100
    assert "no fewer than" in describe_statement(looked)


def test_finds_that_people_call_wrong_lower_the_upper_bound() -> None:
    half = Audited(checked=200, correct=20)
    bare = state_census("pii.phone", read=100_000, unread=0, found=5_000, recalls=PERFECT)
    looked = state_census("pii.phone", read=100_000, unread=0, found=5_000, recalls=PERFECT, audited=half)
    assert looked.upper < bare.upper / 4
    assert looked.lower > 200


def test_the_words_round_outward() -> None:
    statement = state_census("pii.email", read=3_000_000, unread=0, found=100, recalls=PERFECT)
    assert statement.upper_per_million * 3 >= statement.upper > (statement.upper_per_million - 1) * 3
    assert describe_statement(statement, "an e-mail address").startswith(
        f"no more than {statement.upper_per_million} per million documents contain an e-mail address (95 %)"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"read": -1, "found": 0},
        {"read": 5, "found": 6},
        {"read": 5, "found": 1, "confidence": "1"},
        {"read": 5, "found": 1, "confidence": "0"},
        {"read": 5, "found": 1, "confidence": "ninety"},
        {"read": 5, "found": 1, "confidence": "NaN"},
        {"read": 5, "found": 1, "unread": -1},
        {"read": 5, "found": 1, "recalls": [Counts("plain", 3, 4)]},
        {"read": 5, "found": 1, "audited": Audited(2, 1)},
    ],
)
def test_counts_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    whole: dict[str, object] = {"unread": 0, "recalls": PERFECT, **wrong}
    with pytest.raises(MalformedInput):
        state_census("pii.email", **whole)  # type: ignore[arg-type]


# ---------------------------------------------------------------- properties

counts_of = st.tuples(st.integers(0, 400), st.integers(1, 5_000)).map(lambda pair: (min(pair), max(pair)))


@settings(max_examples=60, deadline=None)
@given(counts_of, st.integers(0, 300), st.integers(0, 300))
def test_the_bound_rises_with_finds_and_falls_with_recall(
    counts: tuple[int, int], one: int, other: int
) -> None:
    found, read = counts
    worse, better = sorted((one, other))

    def upper(found: int, hits: int) -> int:
        recalls = [Counts("plain", 300, hits)]
        return state_census("k", read=read, unread=0, found=found, recalls=recalls).upper

    assert upper(found, better) <= upper(found, worse)
    assert upper(max(0, found - 1), worse) <= upper(found, worse)
    assert found <= upper(found, better) <= read


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(1, 2_000), st.integers(1, 100_000))
def test_more_documents_read_never_lower_the_bound_on_their_number(hits: int, read: int, more: int) -> None:
    recalls = [Counts("plain", 300, hits)]
    small = state_census("k", read=read, unread=0, found=1, recalls=recalls)
    large = state_census("k", read=read + more, unread=0, found=1, recalls=recalls)
    assert small.upper <= large.upper


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 300)), min_size=1, max_size=6))
def test_no_format_is_stronger_than_the_weakest(pairs: list[tuple[int, int]]) -> None:
    counts = [Counts(str(at), max(pair), min(pair)) for at, pair in enumerate(pairs)]
    alpha = Fraction(1, 40)
    least = weakest_recall(counts, alpha).recall
    assert all(least <= weakest_recall([one], alpha).recall for one in counts)
    assert least <= max(pooled_recall(counts, alpha).recall, Decimal(0)) or len(counts) == 1


# ---------------------------------------------------------------- coverage


def test_bounds_hold_as_often_as_they_say_by_exact_enumeration() -> None:
    """For one format: the probability, over canaries and documents, that the truth lies above the bound."""
    planted, truth, read = 30, 12, 50
    for recall in (Fraction(1, 2), Fraction(4, 5), Fraction(19, 20)):
        chance_of = [comb(truth, c) * recall**c * (1 - recall) ** (truth - c) for c in range(truth + 1)]
        wrong = Fraction(0)
        for hits in range(planted + 1):
            chance = comb(planted, hits) * recall**hits * (1 - recall) ** (planted - hits)
            recalls = [Counts("plain", planted, hits)]
            for found, of_found in enumerate(chance_of):
                upper = state_census("k", read=read, unread=0, found=found, recalls=recalls).upper
                wrong += chance * of_found * (upper < truth)
        assert float(wrong) <= 0.05


def test_bounds_hold_for_mixes_of_formats_that_were_not_planted() -> None:
    """Two formats of recall .9 and .6, planted alike; the corpus holds the weaker one alone."""
    source = Random(5)
    wrong = 0
    for _ in range(300):
        hits = [sum(source.random() < recall for _ in range(100)) for recall in (0.9, 0.6)]
        found = sum(source.random() < 0.6 for _ in range(200))
        recalls = [Counts("strong", 100, hits[0]), Counts("weak", 100, hits[1])]
        wrong += state_census("k", read=5_000, unread=0, found=found, recalls=recalls).upper < 200
    assert wrong <= 0.05 * 300
