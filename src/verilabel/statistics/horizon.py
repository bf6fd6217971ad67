"""The horizon h50: the length of a task at which a system solves half of them, with a profile-likelihood interval.

The model is logistic regression of `solved` on the binary logarithm of the length:

    P(solved | length) = 1 / (1 + exp(-b (log2 length - x))),   b <= 0,   h50 = 2^x

as in the 50 % time horizon of Kwa, West et al. 2025, "Measuring AI Ability to Complete Long Tasks" (arXiv:2503.14499).
What differs: the length here is the fewest actions of a generated task and not the time that people need; samples are
independent by construction, so there are no weights by task family; the slope may not be positive; and the interval is
{x : 2 (l_max - l(x)) <= chi2_1(level)} with l(x) the log-likelihood maximised over b (Venzon and Moolgavkar 1988, A
Method for Computing Profile-Likelihood-Based Confidence Intervals) instead of a hierarchical bootstrap. Because the
log-likelihood is concave, that set is an interval; it is unbounded on a side where the data bound nothing, as when
every task was solved. Where all, none, or exactly the shorter ones were solved the maximum lies at an infinite slope,
and the interval is the wider one of `_allowance`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput

MAX_LENGTH = 10**9
MAX_LENGTHS = 10_000
"""Different lengths in one fit."""
BEYOND = 60.0
"""Doublings beyond the shortest and longest task at which a bound counts as none."""
_STEEPEST = -500.0
_SMALLEST_SLOPE = 1e-9
_STEPS = 200
_PRECISION = 1e-9

State = Literal["fitted", "all_solved", "none_solved", "separated", "no_decline"]
"""How the data lie: no fit is needed to say that all were solved; `separated` is every shorter one solved and every
longer one not; `no_decline` is no fewer solved among longer ones."""


class Horizon(NamedTuple):
    """The horizon in the unit of the lengths. A bound of 0 or infinity is no bound."""

    h50: float | None
    """None where the data do not have one: all or none solved, or no decline."""
    lower: float
    upper: float
    slope: float | None
    """Change of the log-odds with each doubling of the length; None where it is not finite or not negative."""
    state: State
    extrapolated: bool
    """True if h50 lies outside of the lengths that were tried."""
    samples: int
    solved: int


class _Group(NamedTuple):
    """All tasks of one length."""

    at: float
    tasks: int
    solved: int


def fit_horizon(outcomes: Iterable[tuple[int, bool]], *, level: float = 0.95) -> Horizon:
    """The horizon of (length, solved) outcomes, with a two-sided interval of the level.

    Raises MalformedInput for no outcomes, lengths that are not 1 to 10^9, or a level out of (0, 1).
    """
    if not 0 < level < 1:
        raise MalformedInput(f"a level of {level} is not between 0 and 1")
    groups = _group(outcomes)
    count, solved = sum(g.tasks for g in groups), sum(g.solved for g in groups)
    state, x, slope, best = _locate(groups, count, solved)
    cut = best - _allowance(state, level)
    first, last = groups[0].at - BEYOND, groups[-1].at + BEYOND
    inside = {"all_solved": last, "none_solved": first, "no_decline": last if 2 * solved >= count else first}
    start = inside.get(state, x)
    lower = 0.0 if _profile(groups, first) >= cut else 2 ** _find_edge(groups, cut, start, first)
    upper = math.inf if _profile(groups, last) >= cut else 2 ** _find_edge(groups, cut, start, last)
    h50 = 2**x if state in ("fitted", "separated") else None
    extrapolated = h50 is not None and not groups[0].at <= x <= groups[-1].at
    return Horizon(h50, lower, upper, slope, state, extrapolated, count, solved)


def _allowance(state: State, level: float) -> float:
    """How far below the largest log-likelihood a horizon may be and still not be excluded.

    Where the likelihood grows without end the chi-square limit does not hold; there a horizon is excluded only where
    the outcomes themselves have a probability of less than (1 - level) / 2 under every slope.
    """
    if state in ("fitted", "no_decline"):
        return float(NormalDist().inv_cdf((1 + level) / 2) ** 2 / 2)
    return -math.log((1 - level) / 2)


def _group(outcomes: Iterable[tuple[int, bool]]) -> list[_Group]:
    counts: Counter[int] = Counter()
    solved: Counter[int] = Counter()
    for length, was_solved in outcomes:
        if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= MAX_LENGTH:
            raise MalformedInput(f"{length!r} is no length", hint=f"a whole number from 1 to {MAX_LENGTH}")
        counts[length] += 1
        solved[length] += was_solved
    if not counts:
        raise MalformedInput("a horizon needs outcomes")
    if len(counts) > MAX_LENGTHS:
        raise LimitExceeded(f"{len(counts)} different lengths, the limit is {MAX_LENGTHS}")
    return [_Group(math.log2(length), counts[length], solved[length]) for length in sorted(counts)]


def _locate(groups: Sequence[_Group], count: int, solved: int) -> tuple[State, float, float | None, float]:
    """How the data lie, log2 of h50 where they have one, the slope, and the largest log-likelihood for b <= 0."""
    if solved == count:
        return "all_solved", 0.0, None, 0.0
    if solved == 0:
        return "none_solved", 0.0, None, 0.0
    longest_solved = max(g.at for g in groups if g.solved)
    shortest_failed = min(g.at for g in groups if g.solved < g.tasks)
    if longest_solved <= shortest_failed:
        # at one length both may happen: there the likelihood comes as near as one likes to that of its own share
        best = sum(_likelihood_of_share(g) for g in groups if g.at == longest_solved == shortest_failed)
        return "separated", (longest_solved + shortest_failed) / 2, None, best
    intercept, slope = _fit_logistic(groups)
    if slope >= -_SMALLEST_SLOPE:
        return "no_decline", 0.0, None, _likelihood_of_share(_Group(0.0, count, solved))
    return "fitted", -intercept / slope, slope, _log_likelihood(groups, intercept, slope)


def _likelihood_of_share(group: _Group) -> float:
    """The log-likelihood where the probability is the share that was solved."""
    share = group.solved / group.tasks
    return sum(
        number * math.log(rate)
        for number, rate in ((group.solved, share), (group.tasks - group.solved, 1 - share))
        if number
    )


def _log_likelihood(groups: Sequence[_Group], intercept: float, slope: float) -> float:
    total = 0.0
    for at, count, solved in groups:
        odds = intercept + slope * at
        total += solved * _log_sigmoid(odds) + (count - solved) * _log_sigmoid(-odds)
    return total


def _log_sigmoid(odds: float) -> float:
    return -math.log1p(math.exp(-odds)) if odds >= 0 else odds - math.log1p(math.exp(odds))


def _sigmoid(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


def _fit_logistic(groups: Sequence[_Group]) -> tuple[float, float]:
    """Intercept and slope by Newton's method, with steps halved until the likelihood grows. No separation here."""
    centre = sum(g.at * g.tasks for g in groups) / sum(g.tasks for g in groups)
    shifted = [g._replace(at=g.at - centre) for g in groups]
    a = b = 0.0
    now = _log_likelihood(shifted, a, b)
    for _ in range(_STEPS):
        step_a, step_b = _newton_step(shifted, a, b)
        scale = 1.0
        while (
            after := _log_likelihood(shifted, a + scale * step_a, b + scale * step_b)
        ) < now and scale > 1e-10:
            scale /= 2
        a, b = a + scale * step_a, b + scale * step_b
        if after - now < 1e-13 and abs(scale * step_a) + abs(scale * step_b) < _PRECISION:
            break
        now = after
    return a - b * centre, b


def _newton_step(groups: Sequence[_Group], a: float, b: float) -> tuple[float, float]:
    gradient_a = gradient_b = h_aa = h_ab = h_bb = 0.0
    for at, count, solved in groups:
        rate = _sigmoid(a + b * at)
        rest, weight = solved - count * rate, count * rate * (1 - rate)
        gradient_a, gradient_b = gradient_a + rest, gradient_b + rest * at
        h_aa, h_ab, h_bb = h_aa + weight, h_ab + weight * at, h_bb + weight * at * at
    determinant = h_aa * h_bb - h_ab * h_ab
    if determinant <= 0:
        return gradient_a, gradient_b
    return (
        (h_bb * gradient_a - h_ab * gradient_b) / determinant,
        (h_aa * gradient_b - h_ab * gradient_a) / determinant,
    )


def _profile(groups: Sequence[_Group], x: float) -> float:
    """The log-likelihood at a horizon of 2^x, maximised over slopes of at most 0."""
    shifted = [g._replace(at=g.at - x) for g in groups]
    slope = _best_slope(shifted)
    return _log_likelihood(shifted, 0.0, slope)


def _best_slope(groups: Sequence[_Group]) -> float:
    """The root of the derivative, which falls with the slope: Newton's method kept inside a shrinking bracket."""
    low, high = _STEEPEST, 0.0
    if _derivatives(groups, high)[0] >= 0:
        return high
    if _derivatives(groups, low)[0] <= 0:
        return low
    slope = -1.0
    for _ in range(_STEPS):
        first, second = _derivatives(groups, slope)
        low, high = (slope, high) if first > 0 else (low, slope)
        step = first / second if second > 0 else math.inf
        following = slope + step
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - slope) < _PRECISION:
            return following
        slope = following
    return slope


def _derivatives(groups: Sequence[_Group], slope: float) -> tuple[float, float]:
    """The first derivative of the log-likelihood by the slope, and the negative of the second."""
    first = second = 0.0
    for at, count, solved in groups:
        rate = _sigmoid(slope * at)
        first += at * (solved - count * rate)
        second += at * at * count * rate * (1 - rate)
    return first, second


def _find_edge(groups: Sequence[_Group], cut: float, inside: float, outside: float) -> float:
    """Where the profile falls below the cut, between a point inside of the interval and one outside."""
    while abs(inside - outside) > _PRECISION:
        middle = (inside + outside) / 2
        if _profile(groups, middle) >= cut:
            inside = middle
        else:
            outside = middle
    return outside
