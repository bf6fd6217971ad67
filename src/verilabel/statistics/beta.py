"""The regularised incomplete beta function, its inverse, and binomial tails, to 13 digits without SciPy."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, isfinite, lgamma, log, pi, sqrt

from verilabel.errors import MalformedInput

_TINY = 1e-300
_CLOSE = 2e-16
_MAX_STEPS = 1_000_000
_HALF_LOG_TWO_PI = 0.5 * log(2 * pi)


def beta_tails(a: float, b: float, x: float) -> tuple[float, float]:
    """Lower and upper tail of the Beta(a, b) distribution at x: (I_x(a, b), 1 - I_x(a, b)).

    The tail on the nearer side of the mean is summed directly, so that it keeps its relative accuracy.
    Continued fraction: Lentz's method, Press et al., Numerical Recipes, section 6.4.
    Raises MalformedInput unless a > 0, b > 0 and 0 <= x <= 1.
    """
    if not (a > 0 and b > 0 and isfinite(a) and isfinite(b) and 0 <= x <= 1):
        raise MalformedInput(f"no Beta({a}, {b}) tail at {x}: a and b must be positive, x between 0 and 1")
    if x == 0:
        return 0.0, 1.0
    if x == 1:
        return 1.0, 0.0
    if x <= (a + 1) / (a + b + 2):
        tail = min(1.0, _weight(a, b, x, 1 - x) / a * _continued_fraction(a, b, x))
        return tail, 1 - tail
    tail = min(1.0, _weight(b, a, 1 - x, x) / b * _continued_fraction(b, a, 1 - x))
    return 1 - tail, tail


def _continued_fraction(a: float, b: float, x: float) -> float:
    numerator = 1.0
    denominator = 1 - (a + b) * x / (a + 1)
    denominator = 1 / (denominator if abs(denominator) > _TINY else _TINY)
    total = denominator
    for m in range(1, _MAX_STEPS):
        twice = a + 2 * m
        for step in (
            m * (b - m) * x / ((twice - 1) * twice),
            -(a + m) * (a + b + m) * x / (twice * (twice + 1)),
        ):
            denominator = 1 + step * denominator
            denominator = 1 / (denominator if abs(denominator) > _TINY else _TINY)
            numerator = 1 + step / numerator
            if abs(numerator) < _TINY:
                numerator = _TINY
            change = numerator * denominator
            total *= change
        if abs(change - 1) <= _CLOSE:
            return total
    raise ArithmeticError(f"continued fraction of I_{x}({a}, {b}) did not converge")


def _weight(a: float, b: float, x: float, y: float) -> float:
    """x^a y^b / B(a, b) for y = 1 - x, in Loader's saddle-point form.

    Differences of lgamma lose 9 digits at a + b = 10^6; deviances and Stirling remainders do not.
    Loader (2000), Fast and accurate computation of binomial probabilities.
    """
    n = a + b
    exponent = _stirling_remainder(n) - _stirling_remainder(a) - _stirling_remainder(b)
    exponent -= _deviance(a, n * x) + _deviance(b, n * y)
    return sqrt(a * b / (2 * pi * n)) * exp(exponent)


def _stirling_remainder(n: float) -> float:
    """ln n! minus Stirling's formula, for real n > 0."""
    if n <= 16:
        return lgamma(n + 1) - (n + 0.5) * log(n) + n - _HALF_LOG_TWO_PI
    square = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n


def _deviance(count: float, mean: float) -> float:
    """count ln(count / mean) + mean - count, without cancellation where the two are near."""
    difference = count - mean
    if mean == 0:
        return inf
    if abs(difference) >= 0.1 * (count + mean):
        return count * log(count / mean) - difference
    ratio = difference / (count + mean)
    total, term = difference * ratio, 2 * count * ratio
    for k in range(3, 1000, 2):
        term *= ratio * ratio
        larger = total + term / k
        if larger == total:
            break
        total = larger
    return total


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x at which I_x(a, b) = probability, by bisection to neighbouring floats; a and b need not be whole.

    Raises MalformedInput unless 0 <= probability <= 1, a > 0 and b > 0.
    """
    if not 0 <= probability <= 1:
        raise MalformedInput(f"probability {probability} is not between 0 and 1")
    beta_tails(a, b, 0.5)
    if probability in (0, 1):
        return float(probability)
    # the small tail is the accurate one: compare with it on its own side
    if probability <= 0.5:
        return first_true(lambda x: beta_tails(a, b, x)[0] >= probability)
    return first_true(lambda x: beta_tails(a, b, x)[1] <= 1 - probability)


def first_true(is_reached: Callable[[float], bool]) -> float:
    """Smallest float in (0, 1] at which a condition holds that stays true once true; 1.0 if none."""
    low, high = 0.0, 1.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return high
        if is_reached(middle):
            high = middle
        else:
            low = middle


def last_true(is_reached: Callable[[float], bool]) -> float:
    """Largest float in [0, 1) at which a condition holds that stays false once false; 0.0 if none."""
    low, high = 0.0, 1.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return low
        if is_reached(middle):
            low = middle
        else:
            high = middle


def binomial_at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p), as an incomplete beta function."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else beta_tails(k + 1, n - k, p)[1]


def binomial_at_least(k: int, n: int, p: float) -> float:
    """P(X >= k) for X ~ Binomial(n, p), as an incomplete beta function."""
    if k <= 0:
        return 1.0
    return 0.0 if k > n else beta_tails(k, n - k + 1, p)[0]
