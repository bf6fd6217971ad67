"""The three-bet e-process e3: evidence for or against `rate <= tau` that is valid at any stopping time.

With bets r_j (odds ratios) and weights w_j, after n answers with s events

    e = sum_j w_j r_j^s / (1 + tau (r_j - 1))^n,

which is the likelihood-ratio mixture of statistics.md section 1.1 with p1_j = odds(tau) r_j / (1 + odds(tau)
r_j) cancelled down. In this form it is plain that e rises with tau on the met side (all r_j < 1) and falls
with tau on the other (all r_j > 1), so that confidence bounds are found by bisection. For means y_i in [0, 1]
of clusters r_j^s becomes prod_i (1 + y_i (r_j - 1)). By Ville's inequality P(e >= 1/alpha at any time) <=
alpha while the null hypothesis holds. Evidence is returned as natural logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, exp, floor, fsum, inf, isnan, lgamma, log, log1p
from typing import Literal, get_args

from verilabel.errors import MalformedInput
from verilabel.statistics.arguments import (
    MAX_ANSWERS,
    Number,
    check_counts,
    check_pool,
    exact_fraction,
    exact_level,
    exact_rate,
)
from verilabel.statistics.beta import first_true, last_true

Side = Literal["met", "not_met"]
"""`met` is evidence against `rate >= tau`; `not_met` is evidence against `rate <= tau`."""
Cluster = tuple[float | Fraction, int]
"""The mean of a cluster's answers in [0, 1], and how many clusters have it."""
Triple = tuple[float, float, float]

ODDS_RATIOS: dict[Side, tuple[Fraction, Fraction, Fraction]] = {
    "met": (Fraction("0.02"), Fraction("0.2"), Fraction("0.5")),
    "not_met": (Fraction("1.7"), Fraction(4), Fraction(20)),
}
"""The bets: odds of the alternative over the odds of the threshold."""
WEIGHTS: Triple = (0.4, 0.3, 0.3)

_LOG_RATIOS: dict[Side, Triple] = {
    side: (log(float(a)), log(float(b)), log(float(c))) for side, (a, b, c) in ODDS_RATIOS.items()
}
_EXCESS: dict[Side, Triple] = {
    side: (float(a - 1), float(b - 1), float(c - 1)) for side, (a, b, c) in ODDS_RATIOS.items()
}


def _mixture(first: float, second: float, third: float) -> float:
    """ln of the weighted mean of three bets given as logarithms. Exactly 0 where all three are 0."""
    top = max(first, second, third)
    if top == -inf:
        return -inf
    return top + log(0.4 * exp(first - top) + 0.3 * exp(second - top) + 0.3 * exp(third - top))


# ---------------------------------------------------------------- decisions on decimals


def decimal_log(value: float, direction: Literal["down", "up"]) -> Decimal:
    """A logarithm rounded to 6 decimals, down (evidence) or up (what is needed); infinities stay.

    Raises MalformedInput for NaN.
    """
    if isnan(value):
        raise MalformedInput("a logarithm that is not a number cannot be rounded")
    if value in (inf, -inf):
        return Decimal(value)
    steps = exact_fraction(value) * 10**6
    return Decimal(floor(steps) if direction == "down" else ceil(steps)).scaleb(-6)


@lru_cache(maxsize=1024, typed=True)
def log_needed(alpha: Number) -> Decimal:
    """The evidence that decides at level alpha: ln(1/alpha) rounded up to 6 decimals.

    `decimal_log(log_e, "down") >= log_needed(alpha)` and `log_e >= float(log_needed(alpha))` are the same
    test: an engine may use the second one for each answer and never differ from the label.
    Raises MalformedInput unless 0 < alpha < 1.
    """
    level = exact_level(alpha)
    return decimal_log(log(level.denominator) - log(level.numerator), "up")


# ---------------------------------------------------------------- counts and clusters


@dataclass(frozen=True, slots=True)
class Bets:
    """The three bets placed at one threshold on one side, with what they cost an answer.

    tau is a rate in [0, 1]; at 0 and 1 the formula keeps its limit, which is still an e-value.
    Raises MalformedInput for another tau or side.
    """

    tau: float
    side: Side
    _ratios: Triple = field(init=False, repr=False, compare=False)
    _costs: Triple = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.side not in get_args(Side):
            raise MalformedInput(f"side {self.side!r} is neither 'met' nor 'not_met'")
        tau = float(exact_rate(self.tau, "threshold"))
        a, b, c = _EXCESS[self.side]
        object.__setattr__(self, "tau", tau)
        object.__setattr__(self, "_ratios", _LOG_RATIOS[self.side])
        object.__setattr__(self, "_costs", (log1p(tau * a), log1p(tau * b), log1p(tau * c)))

    def log_e(self, events: int, n: int) -> float:
        """ln e after n answers with `events` events. Raises MalformedInput unless 0 <= events <= n."""
        if not 0 <= events <= n:
            check_counts(events, n)
        a, b, c = self._ratios
        x, y, z = self._costs
        # _mixture written out: this runs for every answer of every row
        first, second, third = events * a - n * x, events * b - n * y, events * c - n * z
        top = first if first > second else second
        if third > top:  # noqa: PLR1730 - a call of max costs more
            top = third
        return top + log(0.4 * exp(first - top) + 0.3 * exp(second - top) + 0.3 * exp(third - top))

    def log_e_clusters(self, clusters: Iterable[Cluster]) -> float:
        """ln e of cluster means; the same to the last bit in whatever order or grouping they come."""
        sums, n = _cluster_sums(clusters, self.side)
        (a, b, c), (x, y, z) = sums, self._costs
        return _mixture(a - n * x, b - n * y, c - n * z)

    def boundary(self, count: int, level: float) -> int | None:
        """Where the evidence first reaches `level` (a natural logarithm, such as float(log_needed(alpha))).

        met side: the smallest n that reaches it with `count` events, None where no n up to 10^9 does.
        not_met side: the fewest events that reach it among `count` answers, None where not even all do.
        """
        check_counts(0, count)
        if self.side == "met":
            return _first_whole(count, MAX_ANSWERS, lambda n: self.log_e(count, n) >= level)
        return _first_whole(0, count, lambda events: self.log_e(events, count) >= level)


def _first_whole(low: int, high: int, is_reached: Callable[[int], bool]) -> int | None:
    """Smallest whole number in [low, high] at which a condition that stays true once true holds."""
    if not is_reached(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if is_reached(middle):
            high = middle
        else:
            low = middle + 1
    return low


@lru_cache(maxsize=4096, typed=True)
def place_bets(tau: Number, side: Side) -> Bets:
    """The bets at a threshold, made once. Raises MalformedInput unless 0 <= tau <= 1."""
    return Bets(float(exact_rate(tau, "threshold")), side)


def log_e_counts(events: int, n: int, tau: Number, side: Side) -> float:
    """ln e after n answers with `events` events, against `rate >= tau` (met) or `rate <= tau` (not_met).

    statistics.md section 1.1. Raises MalformedInput unless 0 <= events <= n and 0 <= tau <= 1.
    """
    return place_bets(tau, side).log_e(events, n)


def log_e_clusters(clusters: Iterable[Cluster], tau: Number, side: Side) -> float:
    """ln e of cluster means (prompt families): a cluster counts at most as one answer (statistics.md 1.1,
    1.3).

    `clusters` are pairs (mean, how many clusters have it), means best as exact fractions. The value depends
    on the set of means only, never on their order. Raises MalformedInput for means outside [0, 1].
    """
    return place_bets(tau, side).log_e_clusters(clusters)


def _cluster_sums(clusters: Iterable[Cluster], side: Side) -> tuple[Triple, int]:
    """For each bet sum_i ln(1 + y_i (r - 1)), and the number of clusters."""
    counts: dict[float, int] = {}
    for mean, count in clusters:
        check_counts(0, count)
        y = float(mean)
        if not 0 <= y <= 1:
            raise MalformedInput(f"a cluster mean of {mean} is not between 0 and 1")
        counts[y] = counts.get(y, 0) + count
    a, b, c = (fsum(count * log1p(y * excess) for y, count in counts.items()) for excess in _EXCESS[side])
    return (a, b, c), sum(counts.values())


# ---------------------------------------------------------------- anytime bounds


def anytime_upper(events: int, n: int, alpha: Number) -> float:
    """Upper bound of the rate, one-sided at alpha, valid at any stopping time: the smallest tau that is met.

    Inverts `log_e_counts` at `log_needed(alpha)`, so that `rate <= tau` is met exactly where the bound is <=
    tau. 1.0 where nothing is excluded. Raises MalformedInput for counts or levels that cannot be.
    """
    check_counts(events, n)
    return _invert_met(_count_sums(events, "met"), n, alpha)


def anytime_lower(events: int, n: int, alpha: Number) -> float:
    """Lower bound of the rate, one-sided at alpha, valid at any stopping time: the largest tau that is not
    met.

    0.0 where nothing is excluded. Raises MalformedInput for counts or levels that cannot be.
    """
    check_counts(events, n)
    return _invert_not_met(_count_sums(events, "not_met"), n, alpha)


def anytime_upper_clusters(clusters: Iterable[Cluster], alpha: Number) -> float:
    """As `anytime_upper`, for the mean over clusters of their means."""
    return _invert_met(*_cluster_sums(clusters, "met"), alpha)


def anytime_lower_clusters(clusters: Iterable[Cluster], alpha: Number) -> float:
    """As `anytime_lower`, for the mean over clusters of their means."""
    return _invert_not_met(*_cluster_sums(clusters, "not_met"), alpha)


def _count_sums(events: int, side: Side) -> Triple:
    a, b, c = _LOG_RATIOS[side]
    return events * a, events * b, events * c


def _log_e_at(tau: float, sums: Triple, n: int, side: Side) -> float:
    a, b, c = _EXCESS[side]
    x, y, z = log1p(tau * a), log1p(tau * b), log1p(tau * c)
    return _mixture(sums[0] - n * x, sums[1] - n * y, sums[2] - n * z)


def _invert_met(sums: Triple, n: int, alpha: Number) -> float:
    level = float(log_needed(alpha))
    return first_true(lambda tau: _log_e_at(tau, sums, n, "met") >= level)


def _invert_not_met(sums: Triple, n: int, alpha: Number) -> float:
    level = float(log_needed(alpha))
    return last_true(lambda tau: _log_e_at(tau, sums, n, "not_met") >= level)


# ---------------------------------------------------------------- a finite pool


@dataclass(frozen=True, slots=True)
class PoolBets:
    """The three bets on how many of a finite pool of fixed outcomes show the event.

    The null is ceil(N tau) or more (met), floor(N tau) or fewer (not_met); the alternatives are N p1_j
    rounded to the nearest whole number on the other side of it. All are whole numbers found in exact
    arithmetic.
    """

    pool: int
    tau: Fraction
    side: Side
    null: int = field(init=False)
    alternatives: tuple[int, int, int] = field(init=False)
    _ways: tuple[float, float, float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.side not in get_args(Side):
            raise MalformedInput(f"side {self.side!r} is neither 'met' nor 'not_met'")
        check_counts(0, self.pool)
        tau, pool = exact_rate(self.tau, "threshold"), self.pool
        nearest = [round(pool * tau * r / (1 + tau * (r - 1))) for r in ODDS_RATIOS[self.side]]
        if self.side == "met":
            null = ceil(pool * tau)
            first, second, third = (max(0, min(k, null - 1)) for k in nearest)
        else:
            null = floor(pool * tau)
            first, second, third = (min(pool, max(k, null + 1)) for k in nearest)
        object.__setattr__(self, "null", null)
        object.__setattr__(self, "alternatives", (first, second, third))
        ways = tuple(lgamma(k + 1) + lgamma(pool - k + 1) for k in (null, first, second, third))
        object.__setattr__(self, "_ways", ways)

    def log_e(self, events: int, n: int) -> float:
        """ln e after n draws without replacement; +inf or -inf where the draws settle it (statistics.md 1.1).

        Raises MalformedInput unless 0 <= events <= n <= pool.
        """
        if not 0 <= events <= n <= self.pool:
            check_pool(events, n, self.pool)
        settled = self._settled(events, n)
        if settled is not None:
            return settled
        base = self._log_draws(self.null, self._ways[0], events, n)
        a, b, c = self.alternatives
        return _mixture(
            self._log_draws(a, self._ways[1], events, n) - base,
            self._log_draws(b, self._ways[2], events, n) - base,
            self._log_draws(c, self._ways[3], events, n) - base,
        )

    def _settled(self, events: int, n: int) -> float | None:
        """The evidence where the draws so far leave nothing open, and at the start."""
        if self.side == "met" and events >= self.null:
            return -inf
        if self.side == "not_met" and events > self.null:
            return inf
        if self.null - events > self.pool - n:
            return inf if self.side == "met" else -inf
        return 0.0 if n == 0 else None

    def _log_draws(self, inside: int, ways: float, events: int, n: int) -> float:
        """ln of C(N - n, K - s) / C(N, K), less the part that does not depend on K."""
        hits, rest = inside - events, self.pool - inside - (n - events)
        if hits < 0 or rest < 0:
            return -inf
        return ways - lgamma(hits + 1) - lgamma(rest + 1)


@lru_cache(maxsize=4096, typed=True)
def place_pool_bets(pool: int, tau: Number, side: Side) -> PoolBets:
    """The bets on a pool, made once. Raises MalformedInput unless 0 <= tau <= 1."""
    return PoolBets(pool, exact_rate(tau, "threshold"), side)


def log_e_pool(events: int, n: int, pool: int, tau: Number, side: Side) -> float:
    """ln e after n draws without replacement from `pool` fixed outcomes.

    statistics.md section 1.1. Drawing all decides it, except where events / pool is exactly tau: there
    both nulls are true, and neither side may win.
    Raises MalformedInput unless 0 <= events <= n <= pool and 0 <= tau <= 1.
    """
    return place_pool_bets(pool, tau, side).log_e(events, n)


def anytime_upper_pool(events: int, n: int, pool: int, alpha: Number) -> int:
    """Largest number of events in the pool that the draws do not exclude, valid at any stopping time.

    Over `pool` it is the upper bound of the rate.

    Inverts `log_e_pool` at tau = K / pool. That the evidence rises with K is tested, exhaustively for pools
    up to 60 and by sample beyond. Raises MalformedInput unless 0 <= events <= n <= pool.
    """
    check_pool(events, n, pool)
    level = float(log_needed(alpha))
    excluded = _first_whole(
        events, pool, lambda k: PoolBets(pool, Fraction(k, pool), "met").log_e(events, n) >= level
    )
    return pool if excluded is None else excluded - 1


def anytime_lower_pool(events: int, n: int, pool: int, alpha: Number) -> int:
    """Smallest number of events in the pool that the draws do not exclude, valid at any stopping time.

    As `anytime_upper_pool`, on the other side.
    """
    check_pool(events, n, pool)
    level = float(log_needed(alpha))
    possible = _first_whole(
        0,
        pool - (n - events),
        lambda k: PoolBets(pool, Fraction(k, pool), "not_met").log_e(events, n) < level,
    )
    return pool - (n - events) if possible is None else possible
