"""Small compiled functions that read bytes, numbers in groups, and tables."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.tables import DIGIT, Rows

_FNV_START = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
MAX_GROUPS = 8
_MAX_RUN = 24
NO_BREAK = 1
"""Stands for a space that does not break (two or three bytes), as a separator of groups."""
NO_BREAK_HYPHEN = 2


@compiled
def byte_at(data: Bytes, at: int, low: int, high: int) -> int:
    """The byte at a place of the document, or 0 outside of it."""
    return int(data[at]) if low <= at < high else 0


@compiled
def byte_before(data: Bytes, at: int, low: int) -> int:
    """The byte before a place of the document, or 0; a backslash for both bytes of an escape such as `\\n`."""
    if at <= low:
        return 0
    byte = int(data[at - 1])
    if (byte == 110 or byte == 116 or byte == 114) and at - 2 >= low and data[at - 2] == 92:
        return 92
    return byte


@compiled
def lower(byte: int) -> int:
    """An ASCII letter in lower case."""
    return byte + 32 if 65 <= byte <= 90 else byte


@compiled
def hash_three(a: int, b: int, c: int) -> int:
    """A place of 2**13 for three bytes."""
    return ((a * 0x9E5 + b * 0x1F3 + c * 0x3B) ^ (b << 6)) & 8191


@compiled
def hash_lower(data: Bytes, start: int, end: int) -> np.uint64:
    """FNV-1a of the bytes in ASCII lower case."""
    hashed = _FNV_START
    for at in range(start, end):
        hashed = (hashed ^ np.uint64(lower(int(data[at])))) * _FNV_PRIME
    return hashed


@compiled
def find_hash(keys: Hashes, wanted: np.uint64) -> int:
    """Where a hash stands in rising ones, or -1."""
    low = 0
    high = len(keys)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    if low < len(keys) and keys[low] == wanted:
        return low
    return -1


@compiled
def read_separator(data: Bytes, at: int, high: int) -> tuple[int, int]:
    """The separator of groups of digits at a place and its bytes; (0, 0) where there is none."""
    byte = data[at]
    if byte == 32 or byte == 45 or byte == 46 or byte == 47:
        return int(byte), 1
    if byte == 0xC2 and at + 1 < high and data[at + 1] == 0xA0:
        return NO_BREAK, 2
    if byte == 0xE2 and at + 2 < high and data[at + 1] == 0x80:
        if data[at + 2] == 0xAF:
            return NO_BREAK, 3
        if data[at + 2] == 0x91 or data[at + 2] == 0x93:
            return NO_BREAK_HYPHEN, 3
    return 0, 0


@compiled
def read_groups(data: Bytes, start: int, high: int, flags: Bytes, lengths: Positions, ends: Positions) -> int:
    """Groups of digits with one and the same separator between them, as `separator * 16 + count`.

    `lengths` and `ends` get room for MAX_GROUPS + 1; a count of MAX_GROUPS + 1 means that there are more. A group of
    more than 24 digits makes the count 0.
    """
    at = start
    count = 0
    separator = 0
    while True:
        begin = at
        while at < high and flags[data[at]] & DIGIT:
            at += 1
            if at - begin > _MAX_RUN:
                return 0
        lengths[count] = at - begin
        ends[count] = at
        count += 1
        if count > MAX_GROUPS or at >= high:
            return separator * 16 + count
        found, width = read_separator(data, at, high)
        if found == 0 or at + width >= high or not flags[data[at + width]] & DIGIT:
            return separator * 16 + count
        if separator == 0:
            separator = found
        elif separator != found:
            return separator * 16 + count
        at += width


@compiled
def read_number(data: Bytes, start: int, end: int) -> int:
    """The digits between two places, as one number (at most 19 of them)."""
    number = 0
    for at in range(start, end):
        if 48 <= data[at] <= 57:
            number = number * 10 + int(data[at]) - 48
    return number


@compiled
def emit(out: Rows, count: int, document: int, rule: int, note: int, start: int, end: int) -> int:
    """Keep a candidate; gives the new count, also where there was no room."""
    if count < len(out):
        out[count, 0] = document
        out[count, 1] = rule
        out[count, 2] = note
        out[count, 3] = start
        out[count, 4] = end
    return count + 1
