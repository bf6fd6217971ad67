"""Lists of findings: Holm's adjusted p-values and the e-BH procedure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import inf, isnan, log

from verilabel.errors import MalformedInput
from verilabel.statistics.arguments import Number, exact_level


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values in the order given: family-wise error under any dependence (Holm 1979).

    Raises MalformedInput for a p-value outside [0, 1].
    """
    for index, p in enumerate(p_values):
        if isnan(p) or not 0 <= p <= 1:
            raise MalformedInput(f"p-value {p} is not between 0 and 1", where=f"$[{index}]")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return adjusted


def holm_decimals(p_values: Sequence[Decimal]) -> list[Decimal]:
    """`holm` without rounding, for p-values that are written with six decimals and compared or signed as such."""
    adjusted = [Decimal(0)] * len(p_values)
    largest = Decimal(0)
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(Decimal(1), p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return adjusted


def e_bh(log_es: Sequence[float], alpha: Number = 0.05) -> list[int]:
    """Indices that e-BH rejects at false discovery rate alpha, ascending, under any dependence.

    `log_es` are natural logarithms of e-values. Wang and Ramdas (2022): reject the k largest for the largest
    k with e_(k) >= number / (alpha k). Raises MalformedInput for NaN.
    """
    for index, value in enumerate(log_es):
        if isnan(value):
            raise MalformedInput("evidence that is not a number", where=f"$[{index}]")
    level = exact_level(alpha)
    order = sorted(range(len(log_es)), key=lambda i: -log_es[i])
    rejected = 0
    for k, index in enumerate(order, start=1):
        if log_es[index] > -inf and log_es[index] >= log(len(log_es) / (level * k)):
            rejected = k
    return sorted(order[:rejected])
