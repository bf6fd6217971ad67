"""Axes: where a rate lies on a drawing, and which ticks a reader can name."""

from __future__ import annotations

from math import ceil, floor, log10, sqrt
from typing import NamedTuple

SQRT_BELOW = 0.35
"""Axes that end below this rate are drawn by the square root, so that 0.1 % and 1 % can be told apart."""
_STEPS = (1, 2, 2.5, 5, 10)
_SMALL_TICKS = (
    *(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
)


class Axis(NamedTuple):
    """Values from `low` to `high` drawn from pixel `start` to pixel `end`."""

    low: float
    high: float
    start: float
    end: float
    is_sqrt: bool = False

    def place(self, value: float) -> float:
        """The pixel of a value; values outside lie on the edge."""
        value = min(self.high, max(self.low, value))
        share = sqrt(value) / sqrt(self.high) if self.is_sqrt else (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def extend(self, value: float) -> float:
        """The pixel of a value on a straight axis, beyond its edges too."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """True if the value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, most: int = 5) -> list[float]:
        """Round values that are far enough apart to be labelled, the end of the axis not among them by force."""
        if self.is_sqrt:
            return self._small_ticks(most)
        step = _round_step((self.high - self.low) / most)
        first = ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, floor(self.high / step + 1e-9) + 1)]

    def _small_ticks(self, most: int) -> list[float]:
        gap = abs(self.end - self.start) / (most + 1)
        chosen = [0.0]
        for value in _SMALL_TICKS:
            if value <= self.high and abs(self.place(value) - self.place(chosen[-1])) >= gap:
                chosen.append(value)
        return chosen


def _round_step(rough: float) -> float:
    scale = 10.0 ** floor(log10(rough))
    return next(step * scale for step in _STEPS if step * scale >= rough * (1 - 1e-9))


def rate_axis(values: list[float], start: float, end: float, *, upwards: bool) -> Axis:
    """An axis on which all these rates can be seen: from 0 where low is wanted, up to 1 where high is."""
    if upwards:
        low = max(0.0, floor((min(values, default=0.0) - 0.04) * 10) / 10)
        return Axis(low if low < 1 else 0.9, 1.0, start, end)
    top = min(1.0, max([*values, 0.005]) * 1.12)
    return Axis(0.0, top, start, end, is_sqrt=top < SQRT_BELOW)


def say_tick(value: float) -> str:
    """A tick's label."""
    return f"{value * 100:.3f}".rstrip("0").rstrip(".") + "\u202f%"
