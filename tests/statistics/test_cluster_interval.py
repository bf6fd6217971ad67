"""The Korn-Graubard interval against its formula in SciPy, and its honest end at zero variance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from verilabel.errors import MalformedInput
from verilabel.statistics.clusters import korn_graubard
from verilabel.statistics.exact import clopper_pearson


def test_the_interval_is_clopper_pearson_at_the_effective_size() -> None:
    means = np.array([0, 0, 0.2, 0, 1, 0.4, 0, 0, 0.2, 0, 0, 0.6])
    p, variance = means.mean(), means.var(ddof=1) / len(means)
    size = p * (1 - p) / variance
    events = p * size
    expected = (
        p,
        stats.beta.ppf(0.025, events, size - events + 1),
        stats.beta.ppf(0.975, events + 1, size - events),
        size,
    )
    assert expected == pytest.approx(tuple(korn_graubard([(float(y), 1) for y in means])), rel=1e-9)


def test_clusters_that_all_agree_are_worth_one_answer_each_and_no_more() -> None:
    for mean, events in ((0, 0), (1, 200)):
        found = korn_graubard([(mean, 200)])
        assert 200 == found.effective_n
        assert clopper_pearson(events, 200) == pytest.approx((found.lower, found.upper), abs=1e-12)
    assert 1 == korn_graubard([(Fraction(1, 2), 1)]).effective_n


@given(
    st.lists(st.tuples(st.fractions(0, 1, max_denominator=6), st.integers(1, 40)), min_size=1, max_size=12)
)
def test_the_interval_holds_the_rate_and_does_not_depend_on_order(
    clusters: list[tuple[Fraction, int]],
) -> None:
    found = korn_graubard(clusters)
    assert 0 <= found.lower <= found.rate <= found.upper <= 1
    assert found == korn_graubard(clusters[::-1])
    mirrored = korn_graubard([(1 - mean, count) for mean, count in clusters])
    assert 1 - found.upper == pytest.approx(mirrored.lower, abs=1e-9)


def test_no_clusters_and_impossible_means_are_refused() -> None:
    for clusters in ([], [(0.5, 0)], [(1.5, 1)], [(-0.1, 1)], [(float("nan"), 1)], [(0.5, -1)]):
        with pytest.raises(MalformedInput):
            korn_graubard(clusters)
