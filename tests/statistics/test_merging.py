"""Merging evidence: products, means, and a quorum that liars cannot move."""

from __future__ import annotations

from math import exp, inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.eprocess import log_e_counts, log_needed
from verilabel.statistics.merging import merge_mean, merge_product, quorum_counts

REPORTS = st.lists(
    st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=7
)


def test_e_values_multiply_or_average() -> None:
    assert log(24) == pytest.approx(merge_product([log(2), log(3), log(4)]))
    assert log(3) == pytest.approx(merge_mean([log(2), log(3), log(4)]))
    assert log(3.5) == pytest.approx(merge_mean([log(2), log(4)], [1, 3]))
    assert 0 == merge_product([])


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=10))
def test_a_mean_lies_within_its_values_even_where_they_overflow(log_es: list[float]) -> None:
    assert min(log_es) - 1e-9 <= merge_mean(log_es) <= max(log_es) + 1e-9


def test_the_mean_of_dependent_e_values_keeps_a_mean_of_one_where_the_product_does_not() -> None:
    # the same answers counted twice: wholly dependent
    n, tau = 60, 0.1
    mass = stats.binom.pmf(range(n + 1), n, tau)
    evidence = [log_e_counts(s, n, tau, "not_met") for s in range(n + 1)]
    mean = sum(m * exp(merge_mean([e, e])) for m, e in zip(mass, evidence, strict=True))
    double = sum(m * exp(merge_product([e, e])) for m, e in zip(mass, evidence, strict=True))
    assert 1 == pytest.approx(mean, abs=1e-9)
    assert double > 2


def test_certainty_against_certainty_is_no_evidence() -> None:
    assert -inf == merge_product([inf, -inf, 3.0])
    assert inf == merge_product([inf, 3.0])
    assert inf == merge_mean([inf, -inf])
    assert -inf == merge_mean([-inf, -inf])
    assert 1.0 == merge_mean([1.0, inf], [1, 0])


@given(REPORTS, st.integers(0, 3))
def test_a_quorum_is_never_above_the_pool_of_the_honest(reports: list[tuple[int, int]], liars: int) -> None:
    events, ns = [r[0] for r in reports], [r[1] for r in reports]
    value = quorum_counts(events, ns, liars, 0.05, "met")
    if liars >= len(reports):
        assert 0.0 == value
        return
    for first in range(len(reports) - liars + 1):
        honest = [i for i in range(len(reports)) if not first <= i < first + liars]
        pooled = log_e_counts(sum(events[i] for i in honest), sum(ns[i] for i in honest), 0.05, "met")
        assert value <= pooled


def test_two_liars_with_a_million_clean_answers_cannot_make_a_label() -> None:
    level = float(log_needed(0.05))
    honest = [3, 3, 4, 2, 3]
    assert quorum_counts([*honest, 0, 0], [300] * 5 + [10**6] * 2, 2, 0.01, "met") < level
    assert log_e_counts(sum(honest), 1500 + 2 * 10**6, 0.01, "met") > level
    assert quorum_counts([0, 3, 3, 3, 3], [10**6] + [300] * 4, 1, 0.01, "met") <= log_e_counts(
        12, 1200, 0.01, "met"
    )


def test_without_liars_a_quorum_is_the_pooled_counts() -> None:
    assert log_e_counts(6, 900, 0.02, "not_met") == quorum_counts([1, 2, 3], [300] * 3, 0, 0.02, "not_met")


def test_what_cannot_be_merged_is_refused() -> None:
    for attempt in (
        lambda: merge_product([nan]),
        lambda: merge_mean([]),
        lambda: merge_mean([1.0], [0.0]),
        lambda: merge_mean([1.0, 2.0], [1.0]),
        lambda: merge_mean([1.0, 2.0], [2.0, -1.0]),
        lambda: merge_mean([1.0], [inf]),
        lambda: quorum_counts([1], [1, 2], 0, 0.1, "met"),
        lambda: quorum_counts([3], [1], 0, 0.1, "met"),
        lambda: quorum_counts([1], [1], -1, 0.1, "met"),
    ):
        with pytest.raises(MalformedInput):
            attempt()
    with pytest.raises(LimitExceeded):
        quorum_counts([0] * 40, [10] * 40, 13, 0.1, "met")
