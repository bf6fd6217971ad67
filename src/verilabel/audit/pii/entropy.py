"""Shannon's entropy in whole numbers, so that every machine gives the same answer."""

from __future__ import annotations

import math
from collections import Counter

_SCALE = 1 << 20
_MAX = 256
_N_LOG_N = tuple(0 if n == 0 else round(n * math.log2(n) * _SCALE) for n in range(_MAX + 1))
"""n log2 n in 2**-20; no value stands so near a half that a library's last bit could round it the other way."""


def is_above(value: bytes, bits: float) -> bool:
    """True if the bytes of a value (256 at most) have more than so many bits each: log2 N - sum n log2 n / N."""
    value = value[:_MAX]
    size = len(value)
    if size == 0:
        return False
    total = _N_LOG_N[size] - sum(_N_LOG_N[count] for count in Counter(value).values())
    return total > round(bits * _SCALE) * size
