"""Exact bounds for a rate and for a finite pool, rounded outward to the six decimals that decide."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil, comb, exp, expm1, floor, lgamma, log, nextafter, sqrt
from statistics import NormalDist
from typing import NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.arguments import (
    Number,
    check_counts,
    check_pool,
    exact_fraction,
    exact_level,
    exact_rate,
)
from verilabel.statistics.beta import binomial_at_least, binomial_at_most, first_true, last_true

PLACES = 6
GRID = 1_000_000
"""Bounds and thresholds are compared as multiples of 1 / GRID (label-semantics section 1)."""

_NEAR_GRID = 1e-11
_MAX_EXACT_N = 100_000
_MAX_EXACT_EVENTS = 1_000
_MAX_DESIGN_N = 10_000_000


# ---------------------------------------------------------------- rounding outward


def round_down(value: Number) -> Decimal:
    """Largest multiple of 10^-6 not above the value, within [0, 1]; a float is what it prints as."""
    return _on_grid(floor(exact_fraction(value, "bound") * GRID))


def round_up(value: Number) -> Decimal:
    """Smallest multiple of 10^-6 not below the value, within [0, 1]; a float is what it prints as."""
    return _on_grid(ceil(exact_fraction(value, "bound") * GRID))


def _on_grid(steps: int) -> Decimal:
    return Decimal(min(GRID, max(0, steps))).scaleb(-PLACES)


# ---------------------------------------------------------------- one rate


def cp_lower(events: int, n: int, alpha: Number) -> float:
    """Exact one-sided lower bound: the largest p at which `events` or more of n have probability <= alpha.

    Clopper and Pearson (1934); label-semantics section 1. Within 3e-13 of SciPy. Where the bound lies next to
    a multiple of 10^-6, integer arithmetic settles on which side, so that `round_down` of it is exact for
    n <= 100,000 and (events or n - events) <= 1,000, and outward beyond.
    Raises MalformedInput for counts or levels that cannot be.
    """
    check_counts(events, n)
    level = exact_level(alpha)
    if events == 0:
        return 0.0
    target = float(level)
    if events == n:
        return _settle_lower(exp(log(target) / n), events, n, level)
    return _settle_lower(last_true(lambda p: binomial_at_least(events, n, p) <= target), events, n, level)


def cp_upper(events: int, n: int, alpha: Number) -> float:
    """Exact one-sided upper bound: the smallest p at which `events` or fewer of n have probability <= alpha.

    Clopper and Pearson (1934); label-semantics section 1. Accuracy and rounding as for `cp_lower`.
    Raises MalformedInput for counts or levels that cannot be.
    """
    check_counts(events, n)
    level = exact_level(alpha)
    if events == n:
        return 1.0
    target = float(level)
    if events == 0:
        return _settle_upper(-expm1(log(target) / n), events, n, level)
    return _settle_upper(first_true(lambda p: binomial_at_most(events, n, p) <= target), events, n, level)


def _settle_upper(bound: float, events: int, n: int, alpha: Fraction) -> float:
    """Move an upper bound that is within float error of a grid point to the side where it truly lies."""
    step = round(bound * GRID)
    if step in (0, GRID) or abs(bound - step / GRID) > _NEAR_GRID:
        return bound
    if _exact_is_affordable(events, n) and _tail_is_at_most(events, n, step, alpha):
        return step / GRID
    return nextafter(step / GRID, 2.0)


def _settle_lower(bound: float, events: int, n: int, alpha: Fraction) -> float:
    """Move a lower bound that is within float error of a grid point to the side where it truly lies."""
    step = round(bound * GRID)
    if step in (0, GRID) or abs(bound - step / GRID) > _NEAR_GRID:
        return bound
    # P(X >= k | p) is P(n - X <= n - k | 1 - p)
    if _exact_is_affordable(events, n) and _tail_is_at_most(n - events, n, GRID - step, alpha):
        return step / GRID
    return nextafter(step / GRID, -1.0)


def _exact_is_affordable(events: int, n: int) -> bool:
    return n <= _MAX_EXACT_N and min(events, n - events) <= _MAX_EXACT_EVENTS


def _tail_is_at_most(k: int, n: int, step: int, alpha: Fraction) -> bool:
    """Whether P(X <= k) <= alpha for X ~ Binomial(n, step / GRID), in whole numbers."""
    whole: int = GRID**n
    is_short = k <= n - k
    tail = _whole_tail(k, n, step) if is_short else whole - _whole_tail(n - k - 1, n, GRID - step)
    return tail * alpha.denominator <= alpha.numerator * whole


def _whole_tail(k: int, n: int, step: int) -> int:
    """GRID^n P(X <= k): the sum over i <= k of C(n, i) step^i (GRID - step)^(n - i), by Horner's rule."""
    if k < 0:
        return 0
    rest = GRID - step
    total, choices, power = 1, 1, 1
    for i in range(1, k + 1):
        choices = choices * (n - i + 1) // i
        power *= step
        total = total * rest + choices * power
    return int(total * rest ** (n - k))


def clopper_pearson(events: int, n: int, alpha: Number = 0.05) -> tuple[float, float]:
    """Two-sided exact interval at confidence 1 - alpha, each tail alpha / 2. (0, 1) where n is 0."""
    half = exact_level(alpha) / 2
    return cp_lower(events, n, half), cp_upper(events, n, half)


def wilson(events: int, n: int, alpha: Number = 0.05) -> tuple[float, float]:
    """Two-sided Wilson score interval at confidence 1 - alpha: a report, never a decision.

    (0, 1) where n is 0. Wilson (1927); Newcombe (1998), method 3.
    """
    check_counts(events, n)
    z = -NormalDist().inv_cdf(float(exact_level(alpha) / 2))
    if n == 0:
        return 0.0, 1.0
    rate, scale = events / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z / scale * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if events == 0 else max(0.0, centre - half)
    return low, 1.0 if events == n else min(1.0, centre + half)


# ---------------------------------------------------------------- a finite pool


def pool_upper(events: int, n: int, pool: int, alpha: Number) -> int:
    """Largest number of events in the pool that n draws without replacement do not reject at alpha.

    The largest K with P(X <= events) > alpha for X hypergeometric (pool, K, n), decided in whole numbers
    where floats are close. Raises MalformedInput unless 0 <= events <= n <= pool.
    """
    check_pool(events, n, pool)
    level = exact_level(alpha)
    low, high = events, pool - (n - events)
    while low < high:
        middle = (low + high + 1) // 2
        if _pool_tail_exceeds(events, n, pool, middle, level):
            low = middle
        else:
            high = middle - 1
    return low


def pool_lower(events: int, n: int, pool: int, alpha: Number) -> int:
    """Smallest number of events in the pool that n draws without replacement do not reject at alpha.

    The mirror of `pool_upper`: non-events are counted instead.
    """
    check_pool(events, n, pool)
    return pool - pool_upper(n - events, n, pool, alpha)


def _pool_tail_exceeds(events: int, n: int, pool: int, inside: int, alpha: Fraction) -> bool:
    """Whether P(X <= events) > alpha when `inside` of the pool show the event."""
    estimate, target = _pool_tail(events, n, pool, inside), float(alpha)
    # nine log-factorials of size N ln N, each right to the last bit
    if abs(estimate - target) > (1e-11 + 1e-13 * pool) * target:
        return estimate > target
    low = max(0, n - (pool - inside))
    if pool > _MAX_EXACT_N or events - low > _MAX_EXACT_EVENTS:
        return True  # outward
    ways = _whole_pool_tail(low, min(events, inside, n), n, pool, inside)
    return ways * alpha.denominator > alpha.numerator * comb(pool, n)


def _whole_pool_tail(low: int, top: int, n: int, pool: int, inside: int) -> int:
    """The ways of drawing n with `low` to `top` events: the sum of C(K, i) C(N - K, n - i)."""
    outside = pool - inside
    total = ways = comb(inside, low) * comb(outside, n - low)
    for i in range(low, top):
        ways = ways * (inside - i) * (n - i) // ((i + 1) * (outside - n + i + 1))
        total += ways
    return total


def _pool_tail(events: int, n: int, pool: int, inside: int) -> float:
    """P(X <= events) for X hypergeometric, summed from the largest term downwards in floats."""
    outside = pool - inside
    low, top = max(0, n - outside), min(events, n, inside)
    if top < low:
        return 0.0
    # ratios fall on both sides of the mode, so the sum starts at the largest term in range
    mode = min(top, max(low, (n + 1) * (inside + 1) // (pool + 2)))
    logarithm = _log_choose(inside, mode) + _log_choose(outside, n - mode) - _log_choose(pool, n)
    total = term = 1.0
    for i in range(mode, low, -1):
        term *= i * (outside - n + i) / ((inside - i + 1) * (n - i + 1))
        total += term
        if term < 1e-18 * total:
            break
    term = 1.0
    for i in range(mode, top):
        term *= (inside - i) * (n - i) / ((i + 1) * (outside - n + i + 1))
        total += term
        if term < 1e-18 * total:
            break
    return min(1.0, exp(logarithm) * total)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


# ---------------------------------------------------------------- how many answers are needed


def fixed_n(tau: Number, p: Number = 0.0, alpha: Number = 0.05, power: Number = 0.9) -> int:
    """Smallest fixed n at which `rate <= tau` is met with at least `power` when the true rate is p < tau.

    Met means cp_upper <= tau. For each number c of events that may be seen, power is highest at the first n
    that still allows c; the first c whose n has the power is therefore the exact answer. With p = 0: the n
    that is met with zero events. Raises MalformedInput unless 0 <= p < tau < 1, LimitExceeded beyond n =
    10^7.
    """
    threshold, truth = float(exact_rate(tau, "threshold")), float(exact_rate(p))
    target, wanted = float(exact_level(alpha)), float(exact_level(power, "power"))
    if not truth < threshold < 1:
        raise MalformedInput(f"rate {p} is not below the threshold {tau}", hint="no n can show it")
    n, allowed = 0, 0
    while True:
        n = _first_n_allowing(allowed, max(n, allowed) + 1, threshold, target)
        if binomial_at_most(allowed, n, truth) >= wanted:
            return n
        allowed += 1


def _first_n_allowing(events: int, start: int, tau: float, alpha: float) -> int:
    """Smallest n >= start at which `events` events still meet `rate <= tau`, by doubling and bisection."""

    def is_reached(n: int) -> bool:
        return binomial_at_most(events, n, tau) <= alpha

    low, step = start - 1, 1
    while not is_reached(low + step):
        low, step = low + step, 2 * step
        if low > _MAX_DESIGN_N:
            raise LimitExceeded(
                f"more than {_MAX_DESIGN_N} answers are needed",
                hint="the true rate is too close to the threshold",
            )
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        if is_reached(middle):
            high = middle
        else:
            low = middle
    return high


class AnswersNeeded(NamedTuple):
    """One row of the table in label-semantics section 10: fixed n for one threshold."""

    threshold: Decimal
    zero_events: int
    """n with zero events."""
    fifth: int
    """n with 90 % power when the true rate is a fifth of the threshold."""
    half: int
    """n with 80 % power when the true rate is half the threshold."""


TABLE_THRESHOLDS = (Decimal("0.001"), Decimal("0.01"), Decimal("0.05"), Decimal("0.1"), Decimal("0.2"))


def answers_needed(
    alpha: Number = Decimal("0.025"), thresholds: Sequence[Decimal] = TABLE_THRESHOLDS
) -> list[AnswersNeeded]:
    """How many answers a fixed design needs, a row a threshold (label-semantics section 10)."""
    return [
        AnswersNeeded(
            threshold=tau,
            zero_events=fixed_n(tau, 0, alpha),
            fifth=fixed_n(tau, Fraction(tau) / 5, alpha, 0.9),
            half=fixed_n(tau, Fraction(tau) / 2, alpha, 0.8),
        )
        for tau in thresholds
    ]
