"""What a design costs and how often it errs, by exact dynamic programming and not by simulation."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.arguments import Number, check_counts, exact_level, exact_rate
from verilabel.statistics.beta import binomial_at_least, binomial_at_most
from verilabel.statistics.eprocess import log_needed, place_bets, place_pool_bets
from verilabel.statistics.exact import cp_lower, cp_upper, round_down, round_up

MAX_DESIGN_ANSWERS = 200_000
"""Dynamic programs take about n_max^1.5 steps; beyond this they would not end while a person waits."""


class Boundaries(NamedTuple):
    """Where an anytime design stops, by the number n of answers (index 0 is before the first)."""

    met: tuple[int, ...]
    """Most events at which the row is met at n; -1 where none is few enough."""
    not_met: tuple[int, ...]
    """Fewest events at which the row is not met at n; n + 1 where none is enough."""


class OperatingCharacteristics(NamedTuple):
    """Probabilities of the three verdicts at one true rate, and the mean number of answers asked."""

    met: float
    not_met: float
    undetermined: float
    calls: float


def boundaries(tau: Number, n_max: int, alpha: Number = 0.05, beta: Number = 0.05) -> Boundaries:
    """The stopping boundaries of e3 for `rate <= tau`: met at level alpha, not met at level beta.

    The tables of statistics.md section 1.1. Raises MalformedInput for levels or rates that cannot be,
    LimitExceeded for n_max beyond 200,000.
    """
    _check_n_max(n_max)
    for_met, against = place_bets(_open_rate(tau), "met"), place_bets(_open_rate(tau), "not_met")
    return _boundaries(for_met.log_e, against.log_e, n_max, alpha, beta)


def pool_boundaries(tau: Number, pool: int, alpha: Number = 0.05, beta: Number = 0.05) -> Boundaries:
    """As `boundaries`, for draws without replacement from a pool of fixed outcomes, up to the whole pool."""
    _check_n_max(pool)
    for_met, against = (
        place_pool_bets(pool, _open_rate(tau), "met"),
        place_pool_bets(pool, _open_rate(tau), "not_met"),
    )
    return _boundaries(for_met.log_e, against.log_e, pool, alpha, beta)


def _check_n_max(n_max: int) -> None:
    check_counts(0, n_max)
    if n_max > MAX_DESIGN_ANSWERS:
        raise LimitExceeded(f"a design of {n_max} answers, the limit is {MAX_DESIGN_ANSWERS}")


def _open_rate(tau: Number) -> Fraction:
    rate = exact_rate(tau, "threshold")
    if rate in (0, 1):
        raise MalformedInput(f"a threshold of {tau} has no design: nothing or everything is within it")
    return rate


def _boundaries(
    met: Callable[[int, int], float],
    not_met: Callable[[int, int], float],
    n_max: int,
    alpha: Number,
    beta: Number,
) -> Boundaries:
    level_met, level_not = float(log_needed(alpha)), float(log_needed(beta))
    most, fewest = [-1], [1]
    # both lines only rise with n, so each is followed upwards
    allowed, needed = -1, 0
    for n in range(1, n_max + 1):
        while allowed < n and met(allowed + 1, n) >= level_met:
            allowed += 1
        while needed <= n and not_met(needed, n) < level_not:
            needed += 1
        most.append(allowed)
        fewest.append(needed)
    return Boundaries(tuple(most), tuple(fewest))


def operating_characteristics(
    tau: Number, p: Number, n_max: int, alpha: Number = 0.05, beta: Number = 0.05
) -> OperatingCharacteristics:
    """Exact characteristics of the anytime design with at most n_max independent answers at true rate p.

    statistics.md section 1.2. About 0.1 s for n_max 4,578 at tau = 1 %. Errors as for `boundaries`.
    """
    rate = float(exact_rate(p))
    return _walk(boundaries(tau, n_max, alpha, beta), lambda _events, _n: rate)


def pool_operating_characteristics(
    tau: Number, events: int, pool: int, alpha: Number = 0.05, beta: Number = 0.05
) -> OperatingCharacteristics:
    """Exact characteristics when `events` of a pool of fixed outcomes show the event and all may be drawn.

    statistics.md section 1.3. Raises MalformedInput unless 0 <= events <= pool; other errors as for
    `boundaries`.
    """
    check_counts(events, pool)
    return _walk(
        pool_boundaries(tau, pool, alpha, beta),
        # impossible states carry no probability, but are still asked for
        lambda seen, n: min(1.0, max(0.0, (events - seen) / (pool - n))),
    )


def _walk(lines: Boundaries, next_rate: Callable[[int, int], float]) -> OperatingCharacteristics:
    """Carry the distribution of (events so far, still open) from answer to answer."""
    first, open_states = 0, [1.0]  # probability of `first`, `first + 1`, ... events
    met = not_met = calls = 0.0
    for n in range(1, len(lines.met)):
        calls += sum(open_states)
        rates = [next_rate(first + i, n - 1) for i in range(len(open_states))]
        hits = [mass * rate for mass, rate in zip(open_states, rates, strict=True)]
        misses = [mass - hit for mass, hit in zip(open_states, hits, strict=True)]
        open_states = [stay + come for stay, come in zip([*misses, 0.0], [0.0, *hits], strict=True)]
        passed = max(0, lines.met[n] - first + 1)
        if passed:
            met += sum(open_states[:passed])
            del open_states[:passed]
            first += passed
        kept = max(0, lines.not_met[n] - first)
        if kept < len(open_states):
            not_met += sum(open_states[kept:])
            del open_states[kept:]
        if not open_states:
            break
    return OperatingCharacteristics(met, not_met, sum(open_states), calls)


def expected_calls(tau: Number, p: Number, n_max: int, alpha: Number = 0.05, beta: Number = 0.05) -> float:
    """Mean number of answers the anytime design asks for at true rate p (exact)."""
    return operating_characteristics(tau, p, n_max, alpha, beta).calls


def fixed_operating_characteristics(
    tau: Number, p: Number, n: int, alpha: Number = 0.05, beta: Number | None = None
) -> OperatingCharacteristics:
    """Exact characteristics of a fixed design of n answers decided by Clopper-Pearson bounds at true rate p.

    Met where the upper bound, rounded up, is <= tau; not met where the lower bound, rounded down, is > tau
    (label-semantics section 1). `beta` is the level for not met, by default alpha.
    Raises MalformedInput for counts, levels or rates that cannot be.
    """
    check_counts(0, n)
    threshold, rate = _open_rate(tau), float(exact_rate(p))
    level = exact_level(alpha)
    level_not = level if beta is None else exact_level(beta)
    allowed = _count_true(n, lambda k: round_up(cp_upper(k, n, level)) <= threshold)
    needed = _count_true(n, lambda k: round_down(cp_lower(k, n, level_not)) <= threshold)
    met = binomial_at_most(allowed - 1, n, rate)
    not_met = binomial_at_least(needed, n, rate)
    return OperatingCharacteristics(met, not_met, max(0.0, 1 - met - not_met), float(n))


def _count_true(n: int, holds: Callable[[int], bool]) -> int:
    """How many of k = 0, ..., n satisfy a condition that stays false once false."""
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            low = middle + 1
        else:
            high = middle
    return low
