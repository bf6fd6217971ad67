"""Bounds after a random sample of documents: exact for finite numbers, adjusted for detectors that err."""

from __future__ import annotations

import doctest
import sys
from decimal import Decimal
from fractions import Fraction
from math import comb
from pathlib import Path
from random import Random
from subprocess import run

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.bounds.corrected import bound_pool, needed_sample
from verilabel.audit.bounds.statements import describe_statement, state_sample
from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.score import ErrorCounts

GOOD = ErrorCounts(
    true_positives=95, positives=100, true_negatives=990, negatives=1_000, dataset="set", dataset_sha256="0"
)


@pytest.mark.parametrize(("per_million", "n"), [(1_000, 2_995), (100, 29_956), (10, 299_572), (1, 2_995_731)])
def test_the_sample_that_is_needed_is_that_of_the_specification(per_million: int, n: int) -> None:
    assert needed_sample(per_million) == n


@pytest.mark.parametrize(("per_million", "n"), [(1_000, 2_995), (100, 29_956)])
def test_the_needed_sample_with_no_finds_gives_its_bound_and_one_less_does_not(
    per_million: int, n: int
) -> None:
    statement = state_sample("k", read=10**9, unread=0, drawn=n, found=0)
    fewer = state_sample("k", read=10**9, unread=0, drawn=n - 1, found=0)
    assert statement.upper_per_million == per_million
    assert fewer.upper_per_million > per_million


def test_few_documents_need_a_smaller_sample() -> None:
    n = needed_sample(1_000, documents=10_000)
    assert n < 2_995
    assert bound_pool(0, n, 10_000, Fraction(1, 20))[1] <= 10
    assert bound_pool(0, n - 1, 10_000, Fraction(1, 20))[1] > 10


@pytest.mark.parametrize("wrong", [0, 10**6, -1])
def test_a_rate_that_no_sample_can_show_is_refused(wrong: int) -> None:
    with pytest.raises(MalformedInput):
        needed_sample(wrong)


def test_a_sample_beyond_ten_million_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        needed_sample(Fraction(1, 100))


def test_a_whole_corpus_looked_at_leaves_nothing_open() -> None:
    statement = state_sample("k", read=500, unread=0, drawn=500, found=7)
    assert (statement.lower, statement.upper) == (7, 7)


def test_a_failure_to_answer_is_no_answer() -> None:
    clear = state_sample("k", read=10**5, unread=0, drawn=1_000, found=0)
    failed = state_sample("k", read=10**5, unread=0, drawn=1_000, found=0, failed=20)
    flagged = state_sample("k", read=10**5, unread=0, drawn=1_000, found=20)
    assert failed.upper == flagged.upper > clear.upper
    assert failed.lower == clear.lower


def test_a_detector_that_misses_gives_a_wider_bound_above_and_one_that_invents_a_lower_one_below() -> None:
    bare = state_sample("k", read=10**5, unread=0, drawn=2_000, found=100)
    adjusted = state_sample("k", read=10**5, unread=0, drawn=2_000, found=100, errors=GOOD)
    assert adjusted.upper > bare.upper
    assert adjusted.lower < bare.lower
    assert adjusted.method == "sample_with_errors"


def test_a_detector_of_unknown_errors_bounds_nothing() -> None:
    unknown = ErrorCounts(
        true_positives=0, positives=0, true_negatives=0, negatives=0, dataset="none", dataset_sha256="0"
    )
    statement = state_sample("k", read=10**5, unread=0, drawn=2_000, found=100, errors=unknown)
    assert (statement.lower, statement.upper) == (0, 10**5)
    assert "not bounded" in describe_statement(statement)


def test_nothing_drawn_bounds_nothing() -> None:
    statement = state_sample("k", read=10, unread=0, drawn=0, found=0)
    assert (statement.lower, statement.upper) == (0, 10)
    assert "no document was drawn" in describe_statement(statement)


@pytest.mark.parametrize(
    "wrong", [(10, 11, 0, 0), (10, 5, 6, 0), (10, 5, 3, 3), (10, 5, -1, 0), (10, -5, 0, 0)]
)
def test_counts_that_cannot_be_are_refused(wrong: tuple[int, int, int, int]) -> None:
    read, drawn, found, failed = wrong
    with pytest.raises(MalformedInput):
        state_sample("k", read=read, unread=0, drawn=drawn, found=found, failed=failed)


def test_exact_bounds_of_a_small_pool_hold_as_often_as_they_say() -> None:
    pool, n = 40, 12
    for inside in range(pool + 1):
        wrong = Fraction(0)
        for found in range(max(0, n - (pool - inside)), min(n, inside) + 1):
            chance = Fraction(comb(inside, found) * comb(pool - inside, n - found), comb(pool, n))
            statement = state_sample("k", read=pool, unread=0, drawn=n, found=found)
            wrong += chance * (statement.upper < inside)
        assert wrong <= Fraction(1, 20)


def test_bounds_behind_an_erring_detector_hold_as_often_as_they_say() -> None:
    source = Random(11)
    pool, truth, n, sensitivity, invented = 4_000, 200, 800, 0.85, 0.02
    above = below = 0
    rounds = 250
    for _ in range(rounds):
        drawn_true = sum(place < truth for place in source.sample(range(pool), n))
        found = sum(source.random() < sensitivity for _ in range(drawn_true))
        found += sum(source.random() < invented for _ in range(n - drawn_true))
        errors = ErrorCounts(
            true_positives=sum(source.random() < sensitivity for _ in range(200)),
            positives=200,
            true_negatives=sum(source.random() >= invented for _ in range(400)),
            negatives=400,
            dataset="set",
            dataset_sha256="0",
        )
        statement = state_sample("k", read=pool, unread=0, drawn=n, found=found, errors=errors)
        above += truth > statement.upper
        below += truth < statement.lower
    assert above <= 0.05 * rounds
    assert below <= 0.05 * rounds


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3_000), st.data())
def test_bounds_enclose_what_was_seen_and_widen_with_confidence(read: int, data: st.DataObject) -> None:
    drawn = data.draw(st.integers(0, read))
    found = data.draw(st.integers(0, drawn))
    usual = state_sample("k", read=read, unread=0, drawn=drawn, found=found)
    surer = state_sample("k", read=read, unread=0, drawn=drawn, found=found, confidence="0.999")
    assert surer.lower <= usual.lower <= usual.upper <= surer.upper
    assert usual.upper >= found
    assert Decimal(usual.upper_per_million) * read >= Decimal(usual.upper) * 10**6


def test_large_pools_are_counted_as_independent_draws_which_is_wider() -> None:
    exact = bound_pool(30, 1_000, 10**6, Fraction(1, 20))
    beyond = bound_pool(300, 10_000, 10**6 + 1, Fraction(1, 20))
    widened = state_sample("k", read=10**7, unread=0, drawn=1_000, found=30)
    assert exact[0] * 10 >= widened.lower
    assert exact[1] * 10 <= widened.upper + 10
    assert beyond[0] >= 300


def test_statements_need_no_numpy() -> None:
    code = "import sys, verilabel.audit.bounds.statements; sys.exit('numpy' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_examples_of_the_page_give_what_it_shows() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "audit-bounds.md"
    told = doctest.testfile(str(page), module_relative=False)
    assert (3, 0) == (told.attempted - 1, told.failed)
