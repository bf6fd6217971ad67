"""Rising numbers as the differences between them, each in few bits (Golomb 1966, Rice 1979)."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Positions
from verilabel.audit.kernels.compiling import compiled


@compiled
def encode_rising(values: Hashes, before: int, bits: int, at: int, out: Bytes) -> int:
    """Write rising numbers from bit `at` on; the bit behind them.

    `before` is the number before, or -1. A number is what lies between it and the one before, less `bits` low bits,
    as that many ones and a zero, then the low bits, lowest first. `out` is zero from `at` on and has the room.
    """
    previous = np.int64(before)
    for number in range(len(values)):
        value = np.int64(values[number])
        apart = value - previous - 1
        previous = value
        for _ in range(apart >> bits):
            out[at >> 3] |= np.uint8(1 << (at & 7))
            at += 1
        at += 1
        for low in range(bits):
            if (apart >> low) & 1:
                out[at >> 3] |= np.uint8(1 << (at & 7))
            at += 1
    return at


@compiled
def decode_rising(data: Bytes, bits: int, most: int, state: Positions, out: Hashes) -> bool:
    """Read as many rising numbers as `out` has room for; false where the data ends, or a number is beyond `most`.

    `state` has the bit to begin at and the number before (-1 at first), and afterwards those of the next call.
    """
    at = state[0]
    previous = state[1]
    end = len(data) * 8
    for number in range(len(out)):
        high = 0
        while at < end and data[at >> 3] >> (at & 7) & 1:
            high += 1
            at += 1
        at += 1
        if at + bits > end or high > (most >> bits):
            return False
        low = np.int64(0)
        for bit in range(bits):
            low |= np.int64(data[at >> 3] >> (at & 7) & 1) << bit
            at += 1
        previous += (np.int64(high) << bits) + low + 1
        if previous > most:
            return False
        out[number] = previous
    state[0] = at
    state[1] = previous
    return True
