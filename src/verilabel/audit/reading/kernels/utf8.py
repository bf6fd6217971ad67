"""Where bytes stop being UTF-8."""

from __future__ import annotations

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled


@compiled
def find_invalid(data: Bytes, at: int, end: int) -> int:
    """The first byte from `at` on that begins no character of UTF-8 (RFC 3629), or `end`."""
    while at < end:
        byte = data[at]
        if byte < 0x80:
            at += 1
            continue
        low = 0x80
        high = 0xBF
        if 0xC2 <= byte <= 0xDF:
            more = 1
        elif 0xE0 <= byte <= 0xEF:
            more = 2
            if byte == 0xE0:
                low = 0xA0
            elif byte == 0xED:
                high = 0x9F
        elif 0xF0 <= byte <= 0xF4:
            more = 3
            if byte == 0xF0:
                low = 0x90
            elif byte == 0xF4:
                high = 0x8F
        else:
            return at
        if at + more >= end:
            return at
        if data[at + 1] < low or data[at + 1] > high:
            return at
        for place in range(at + 2, at + more + 1):
            if data[place] < 0x80 or data[place] > 0xBF:
                return at
        at += more + 1
    return end


@compiled
def _wrong(data: Bytes, at: int, end: int) -> int:
    """How many bytes at a place that begins no character belong together: the longest beginning of one, or one byte."""
    byte = data[at]
    low = 0x80
    high = 0xBF
    if 0xE0 <= byte <= 0xEF:
        more = 2
        if byte == 0xE0:
            low = 0xA0
        elif byte == 0xED:
            high = 0x9F
    elif 0xF0 <= byte <= 0xF4:
        more = 3
        if byte == 0xF0:
            low = 0x90
        elif byte == 0xF4:
            high = 0x8F
    else:
        return 1
    count = 1
    while count <= more and at + count < end and low <= data[at + count] <= high:
        low = 0x80
        high = 0xBF
        count += 1
    return count


@compiled
def count_wrong(data: Bytes, offsets: Positions, lengths: Positions) -> int:
    """Write how long each text is when repaired; how many have to be."""
    damaged = 0
    for document in range(len(offsets) - 1):
        at = offsets[document]
        end = offsets[document + 1]
        length = end - at
        wrong = False
        while True:
            at = find_invalid(data, at, end)
            if at >= end:
                break
            wrong = True
            size = _wrong(data, at, end)
            length += 3 - size
            at += size
        lengths[document] = length
        if wrong:
            damaged += 1
    return damaged


@compiled
def copy_repaired(data: Bytes, start: int, end: int, out: Bytes, used: int) -> int:
    """Copy a text with U+FFFD for what is wrong (as Python's `replace` does); the end of the copy."""
    at = start
    while at < end:
        wrong = find_invalid(data, at, end)
        out[used : used + wrong - at] = data[at:wrong]
        used += wrong - at
        at = wrong
        if at < end:
            at += _wrong(data, at, end)
            out[used] = 0xEF
            out[used + 1] = 0xBF
            out[used + 2] = 0xBD
            used += 3
    return used
