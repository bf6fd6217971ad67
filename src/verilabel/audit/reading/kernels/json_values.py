"""Strings, numbers and words of JSON (RFC 8259), passed over or unescaped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes
from verilabel.audit.kernels.compiling import compiled

INCOMPLETE = -1
INVALID = -2

STOPS: npt.NDArray[np.uint8] = np.zeros(256, np.uint8)
STOPS[:0x20] = 1
STOPS[ord('"')] = 1
STOPS[ord("\\")] = 1
DIGITS: npt.NDArray[np.int16] = np.full(256, -1, np.int16)
for _value, _digits in enumerate("0123456789abcdef"):
    DIGITS[ord(_digits)] = _value
    DIGITS[ord(_digits.upper())] = _value
ESCAPES: npt.NDArray[np.uint8] = np.zeros(256, np.uint8)
for _letter, _byte in zip('"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    ESCAPES[ord(_letter)] = _byte


TRUE: Bytes = np.frombuffer(b"true", np.uint8).copy()
FALSE: Bytes = np.frombuffer(b"false", np.uint8).copy()
NULL_WORD: Bytes = np.frombuffer(b"null", np.uint8).copy()


@compiled
def _hex4(window: Bytes, at: int, digit: npt.NDArray[np.int16]) -> int:
    value = 0
    for place in range(at, at + 4):
        one = digit[window[place]]
        if one < 0:
            return -1
        value = value * 16 + one
    return value


@compiled
def pass_string(
    window: Bytes, at: int, size: int, stops: Bytes, escapes: Bytes, digit: npt.NDArray[np.int16]
) -> tuple[int, bool, bool]:
    """From behind an opening quote: the closing one, whether anything is escaped, whether a surrogate is alone."""
    escaped = False
    lone = False
    while True:
        while at < size and stops[window[at]] == 0:
            at += 1
        if at >= size:
            return INCOMPLETE, escaped, lone
        byte = window[at]
        if byte == 34:
            return at, escaped, lone
        if byte != 92:
            return INVALID, escaped, lone
        escaped = True
        if at + 1 >= size:
            return INCOMPLETE, escaped, lone
        letter = window[at + 1]
        if letter != 117:
            if escapes[letter] == 0:
                return INVALID, escaped, lone
            at += 2
            continue
        if at + 6 > size:
            for place in range(at + 2, size):
                if digit[window[place]] < 0:
                    return INVALID, escaped, lone
            return INCOMPLETE, escaped, lone
        value = _hex4(window, at + 2, digit)
        if value < 0:
            return INVALID, escaped, lone
        at += 6
        if value < 0xD800 or value > 0xDFFF:
            continue
        if value > 0xDBFF:
            lone = True
            continue
        if at + 6 > size:
            # the window ends within what may be the second half, or the string ends before it
            if at < size and window[at] != 92:
                lone = True
                continue
            if at + 1 < size and window[at + 1] != 117:
                lone = True
                continue
            for place in range(at + 2, size):
                if digit[window[place]] < 0:
                    return INVALID, escaped, lone
            return INCOMPLETE, escaped, lone
        if window[at] == 92 and window[at + 1] == 117:
            second = _hex4(window, at + 2, digit)
            if second < 0:
                return INVALID, escaped, lone
            if 0xDC00 <= second <= 0xDFFF:
                at += 6
                continue
        lone = True


@compiled
def unescape(
    window: Bytes, at: int, end: int, out: Bytes, used: int, escapes: Bytes, digit: npt.NDArray[np.int16]
) -> int:
    """Write what an escaped string means behind `out[:used]`; the end of it. The string is known to be one."""
    while at < end:
        byte = window[at]
        if byte != 92:
            out[used] = byte
            used += 1
            at += 1
            continue
        letter = window[at + 1]
        if letter != 117:
            out[used] = escapes[letter]
            used += 1
            at += 2
            continue
        value = _hex4(window, at + 2, digit)
        at += 6
        if 0xD800 <= value <= 0xDBFF:
            value = 0x10000 + ((value - 0xD800) << 10) + (_hex4(window, at + 2, digit) - 0xDC00)
            at += 6
        if value < 0x80:
            out[used] = value
            used += 1
        elif value < 0x800:
            out[used] = 0xC0 | (value >> 6)
            out[used + 1] = 0x80 | (value & 63)
            used += 2
        elif value < 0x10000:
            out[used] = 0xE0 | (value >> 12)
            out[used + 1] = 0x80 | ((value >> 6) & 63)
            out[used + 2] = 0x80 | (value & 63)
            used += 3
        else:
            out[used] = 0xF0 | (value >> 18)
            out[used + 1] = 0x80 | ((value >> 12) & 63)
            out[used + 2] = 0x80 | ((value >> 6) & 63)
            out[used + 3] = 0x80 | (value & 63)
            used += 4
    return used


@compiled
def pass_number(window: Bytes, at: int, size: int) -> int:
    """Where a number ends, or INVALID; at the end of the window its last byte counts as its end."""
    if window[at] == 45:
        at += 1
    if at >= size:
        return size
    if window[at] == 48:
        at += 1
    elif 49 <= window[at] <= 57:
        while at < size and 48 <= window[at] <= 57:
            at += 1
    else:
        return INVALID
    if at < size and window[at] == 46:
        at += 1
        first = at
        while at < size and 48 <= window[at] <= 57:
            at += 1
        if at == first and at < size:
            return INVALID
    if at < size and (window[at] == 101 or window[at] == 69):
        at += 1
        if at < size and (window[at] == 43 or window[at] == 45):
            at += 1
        first = at
        while at < size and 48 <= window[at] <= 57:
            at += 1
        if at == first and at < size:
            return INVALID
    return at


@compiled
def pass_word(window: Bytes, at: int, size: int, word: Bytes) -> int:
    """Behind a word that has to stand here, or INVALID, or INCOMPLETE where the window ends in it."""
    for letter in range(len(word)):
        if at + letter >= size:
            return INCOMPLETE
        if window[at + letter] != word[letter]:
            return INVALID
    return at + len(word)
