"""Counts, levels and rates as the statistics take them: checked once, and exact where it matters."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isfinite

from verilabel.errors import LimitExceeded, MalformedInput

Number = float | Fraction | Decimal
"""A rate or an error level. A float is read as the decimal it prints as: 0.025 is 1/40."""

MAX_ANSWERS = 10**9
MAX_POOL = 10**6
"""Differences of log-factorials lose their sixth decimal beyond some ten million."""


def exact_fraction(value: Number, name: str = "number") -> Fraction:
    """The value as an exact fraction. Raises MalformedInput for NaN, infinity and what is no number."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise MalformedInput(f"{name} {value!r} is not a number")
    if isinstance(value, float):
        if not isfinite(value):
            raise MalformedInput(f"{name} {value} is not a finite number")
        return Fraction(repr(float(value)))
    if isinstance(value, Decimal) and not value.is_finite():
        raise MalformedInput(f"{name} {value} is not a finite number")
    return Fraction(value)


def exact_level(alpha: Number, name: str = "error level") -> Fraction:
    """A one-sided error level as an exact fraction. Raises MalformedInput unless 0 < alpha < 1."""
    level = exact_fraction(alpha, name)
    if not 0 < level < 1:
        raise MalformedInput(f"{name} {alpha} is not between 0 and 1", hint="use a value such as 0.025")
    return level


def exact_rate(rate: Number, name: str = "rate") -> Fraction:
    """A rate as an exact fraction. Raises MalformedInput unless 0 <= rate <= 1."""
    exact = exact_fraction(rate, name)
    if not 0 <= exact <= 1:
        raise MalformedInput(f"{name} {rate} is not a fraction between 0 and 1", hint="write 3 % as 0.03")
    return exact


def check_counts(events: int, n: int) -> None:
    """Refuse counts that cannot be: MalformedInput unless 0 <= events <= n, LimitExceeded for n > 10^9."""
    for value, name in ((events, "events"), (n, "n")):
        if isinstance(value, bool) or not isinstance(value, int):
            raise MalformedInput(f"{name} {value!r} is not a whole number")
    if not 0 <= events <= n:
        raise MalformedInput(f"{events} events of {n} answers cannot be", hint="events must be from 0 to n")
    if n > MAX_ANSWERS:
        raise LimitExceeded(f"{n} answers, the limit is {MAX_ANSWERS}")


def check_pool(events: int, n: int, pool: int) -> None:
    """Refuse a draw that cannot come from a pool.

    Raises MalformedInput unless 0 <= events <= n <= pool, LimitExceeded for a pool beyond 10^6.
    """
    check_counts(events, n)
    check_counts(0, pool)
    if pool > MAX_POOL:
        raise LimitExceeded(
            f"a pool of {pool} outcomes, the limit is {MAX_POOL}",
            hint="count its answers as independent: that is conservative",
        )
    if n > pool:
        raise MalformedInput(f"{n} answers drawn without replacement from a pool of {pool} cannot be")
