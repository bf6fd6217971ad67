"""Upper bounds of a mean paired difference for a gate: where events are rare, and where a run stopped early.

Where only one of two systems shows an event and that one rarely, the interval of Bonett and Price calls a system that
is worse by the margin no worse with a probability of up to 10 % in place of 5 %: at few events the count is skewed.
A run that stops because of what it saw has seen too few of the events that would have kept it going; a bet against "the
mean difference is m or more" cannot win at any moment but with probability alpha (Ville 1939; bets on bounded means as
in Waudby-Smith and Ramdas 2024).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil, exp, fsum, log, log1p

from verilabel.errors import MalformedInput
from verilabel.statistics.arguments import Number, exact_level
from verilabel.statistics.exact import GRID, PLACES
from verilabel.statistics.replication import exact_margin, normal_quantile

STAKES = (0.49, 0.34, 0.24, 0.17, 0.12, 0.085, 0.06, 0.042, 0.03, 0.02)
"""Shares of the wealth that are staked on each unit of difference; below 1/2, so that no pair can ruin a bet."""


def skewness_allowance(units: int, alpha: Number) -> Decimal:
    """What to add to the upper bound of `bound_difference` for skewed differences; 6 decimals, rounded up.

    The second-order term of a one-sided studentized interval, (2 z^2 + 1) / 6 times the third moment over the variance
    (Hall 1983), which is at most 1 for differences up to 1, over the units and the two pseudo-units.
    """
    z = normal_quantile(alpha)
    steps = (2 * z * z + 1) / 6 / (units + 2) * GRID
    return Decimal(ceil(steps)).scaleb(-PLACES)


def units_of_allowance(margin: Number, alpha: Number) -> int:
    """How many more units it takes to decide within a margin for the allowance, to first order."""
    z = normal_quantile(alpha)
    return ceil((2 * z * z + 1) / 3 / exact_margin(margin))


def anytime_upper_difference(differences: Mapping[Fraction, int], alpha: Number) -> Decimal:
    """Upper bound of the mean difference, one-sided at alpha, valid at any stopping time; 6 decimals, rounded up.

    `differences` maps a pair's difference, from -1 to 1, to how many pairs have it. It is the least m at which the mean
    over `STAKES` of prod(1 + stake (m - difference)) reaches 1/alpha; 1 where none does. Raises MalformedInput for a
    difference or level that cannot be.
    """
    needed = -log(float(exact_level(alpha)))
    found = [(float(value), count) for value, count in differences.items()]
    if not all(-1 <= value <= 1 and count >= 0 for value, count in found):
        raise MalformedInput("a difference that is not between -1 and 1")
    low, high = -GRID, GRID
    while low < high:  # the wealth grows with m, so that the bound is found by halving
        middle = (low + high) // 2
        if _log_wealth(found, middle / GRID) >= needed:
            high = middle
        else:
            low = middle + 1
    return Decimal(low).scaleb(-PLACES)


def _log_wealth(differences: Iterable[tuple[float, int]], mean: float) -> float:
    listed = list(differences)
    logs = [fsum(count * log1p(stake * (mean - value)) for value, count in listed) for stake in STAKES]
    top = max(logs)
    return top + log(fsum(exp(one - top) for one in logs) / len(logs))
