"""The incomplete beta function and its inverse against SciPy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from verilabel.errors import MalformedInput
from verilabel.statistics.beta import beta_quantile, beta_tails, binomial_at_least, binomial_at_most

SHAPES = [0.02, 0.5, 1, 2.5, 7, 16, 16.5, 100, 1234.5, 50_000, 999_999]


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", SHAPES)
def test_both_tails_agree_with_scipy_from_tiny_to_a_million(a: float, b: float) -> None:
    mean = a / (a + b)
    spread = (mean * (1 - mean) / (a + b + 1)) ** 0.5
    for x in (
        1e-9,
        0.01,
        0.5,
        0.99,
        mean - 3 * spread,
        mean - spread,
        mean,
        mean + spread,
        mean + 4 * spread,
    ):
        if 0 < x < 1:
            lower, upper = beta_tails(a, b, x)
            assert special.betainc(a, b, x) == pytest.approx(lower, rel=1e-10, abs=3e-13)
            assert special.betaincc(a, b, x) == pytest.approx(upper, rel=1e-10, abs=3e-13)


@pytest.mark.parametrize("probability", [1e-12, 0.001, 0.025, 0.5, 0.975, 0.999])
@pytest.mark.parametrize(
    "shape", [(0.3, 4.2), (1, 1), (3.7, 96.1), (81, 183), (12.25, 1e4), (1, 1e6), (5e5, 5e5)]
)
def test_quantiles_of_whole_and_broken_shapes_agree_with_scipy(
    probability: float, shape: tuple[float, float]
) -> None:
    assert stats.beta.ppf(probability, *shape) == pytest.approx(
        beta_quantile(probability, *shape), rel=1e-10, abs=3e-13
    )


@given(a=st.floats(0.05, 1e5), b=st.floats(0.05, 1e5), x=st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_the_tails_are_probabilities_and_mirror_each_other(a: float, b: float, x: float) -> None:
    lower, upper = beta_tails(a, b, x)
    assert 0 <= lower <= 1
    assert pytest.approx(1, abs=1e-12) == lower + upper
    mirrored = beta_tails(b, a, 1 - x)
    # 1 - x is rounded, which the steepest corner feels
    assert special.betainc(b, a, 1 - x) == pytest.approx(mirrored[0], rel=1e-9, abs=1e-12)


@given(a=st.floats(0.05, 1e4), b=st.floats(0.05, 1e4), p=st.floats(0.001, 0.999), q=st.floats(0.001, 0.999))
def test_a_quantile_rises_with_its_probability(a: float, b: float, p: float, q: float) -> None:
    low, high = sorted((p, q))
    assert beta_quantile(low, a, b) <= beta_quantile(high, a, b)


def test_binomial_tails_agree_with_scipy_and_add_up() -> None:
    for n in (1, 2, 30, 1000):
        for k in {0, 1, n // 3, n - 1, n}:
            for p in (0.001, 0.1, 0.5, 0.97):
                assert stats.binom.cdf(k, n, p) == pytest.approx(binomial_at_most(k, n, p), rel=1e-11)
                assert stats.binom.sf(k - 1, n, p) == pytest.approx(binomial_at_least(k, n, p), rel=1e-11)
    assert binomial_at_most(-1, 5, 0.5) == 0
    assert binomial_at_least(6, 5, 0.5) == 0


@pytest.mark.parametrize(
    "bad", [(0, 1, 0.5), (1, -1, 0.5), (1, 1, 1.5), (1, 1, float("nan")), (float("inf"), 1, 0.5)]
)
def test_arguments_outside_the_domain_are_refused(bad: tuple[float, float, float]) -> None:
    with pytest.raises(MalformedInput):
        beta_tails(*bad)


def test_the_ends_of_the_distribution_are_exact() -> None:
    assert (0.0, 1.0) == beta_tails(3, 4, 0)
    assert (1.0, 0.0) == beta_tails(3, 4, 1)
    assert (0.0, 1.0) == (beta_quantile(0, 3, 4), beta_quantile(1, 3, 4))
    with pytest.raises(MalformedInput):
        beta_quantile(1.1, 3, 4)
