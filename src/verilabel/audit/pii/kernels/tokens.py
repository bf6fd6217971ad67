"""What begins with the letter or digit at a place: keys by their prefixes, accounts, wallets, documents."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.reading import byte_at, emit, hash_three, lower
from verilabel.audit.pii.kernels.tables import (
    ALNUM,
    DIGIT,
    DOCUMENT,
    FISCAL,
    IBAN,
    JWT,
    NEEDS_NEAR,
    NEEDS_WORDS,
    NINO,
    NUMBER,
    PEM,
    PREFIX,
    SAYS_NIF,
    SAYS_PASSPORT,
    UPPER,
    WALLET,
    Rows,
)

_MAX_SEGMENT = 8_192


@compiled
def read_token(data: Bytes, start: int, high: int, flags: Bytes, most: int) -> int:
    """The end of the letters and digits from a place on, not further than `most` bytes."""
    at = start
    stop = min(high, start + most)
    while at < stop and flags[data[at]] & ALNUM:
        at += 1
    return at


@compiled
def find_prefix(
    data: Bytes, start: int, high: int, document: int, prefixes: Bytes, prefix_offsets: Positions,
    out: Rows, count: int,
) -> int:  # fmt: skip
    """Keys and tokens that begin as their makers' do. The note is the prefix's number."""
    for prefix in range(len(prefix_offsets) - 1):
        begin = prefix_offsets[prefix]
        size = prefix_offsets[prefix + 1] - begin
        if start + size > high:
            continue
        place = 0
        while place < size and data[start + place] == prefixes[begin + place]:
            place += 1
        if place == size:
            return emit(out, count, document, PREFIX, prefix, start, start + size)
    return count


@compiled
def is_base64url(byte: int, flags: Bytes) -> bool:
    """True for letters, digits, `-` and `_`."""
    return bool(flags[byte] & ALNUM) or byte == 45 or byte == 95


@compiled
def find_jwt(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes, out: Rows, count: int
) -> int:
    """Three segments of base64url with dots between them, the first two beginning as JSON objects do. The note is
    the length of the first."""
    if is_base64url(byte_at(data, start - 1, low, high), flags):
        return count
    at = start
    first = 0
    for segment in range(3):
        begin = at
        while at < high and at - begin <= _MAX_SEGMENT and is_base64url(int(data[at]), flags):
            at += 1
        size = at - begin
        if size < 12 or size > _MAX_SEGMENT:
            return count
        if segment < 2:
            if not (data[begin] == 101 and data[begin + 1] == 121 and data[begin + 2] == 74):
                return count
            if at >= high or data[at] != 46:
                return count
            at += 1
        if segment == 0:
            first = size
    return emit(out, count, document, JWT, first, start, at)


@compiled
def find_iban(
    data: Bytes,
    low: int,
    start: int,
    high: int,
    document: int,
    flags: Bytes,
    iban_lengths: Bytes,
    out: Rows,
    count: int,
) -> int:
    """As many letters and digits as an IBAN of the country has, compact or in groups of four."""
    one, two = lower(int(data[start])) - 97, lower(int(data[start + 1])) - 97
    wanted = int(iban_lengths[one * 26 + two])
    if wanted == 0 or byte_at(data, start - 1, low, high) == 95:
        return count
    at = start
    seen = 0
    spaces = 0
    while at < high and seen < wanted:
        if flags[data[at]] & ALNUM:
            seen += 1
            at += 1
        elif data[at] == 32 and seen % 4 == 0 and spaces == seen // 4 - 1:
            spaces += 1
            at += 1
        else:
            return count
    after = byte_at(data, at, low, high)
    if seen < wanted or flags[after] & ALNUM or after == 95:
        return count
    return emit(out, count, document, IBAN, 0, start, at)


@compiled
def find_nino(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes, out: Rows, count: int
) -> int:
    """Two letters, six digits and a letter from A to D, compact or in pairs."""
    at = start + 2
    digits = 0
    spaces = 0
    while at < high and digits < 6:
        if flags[data[at]] & DIGIT:
            digits += 1
            at += 1
        elif data[at] == 32 and digits % 2 == 0 and spaces == digits // 2:
            spaces += 1
            at += 1
        else:
            return count
    if spaces == 3 and at < high and data[at] == 32:
        at += 1
    if at >= high or not 65 <= data[at] <= 68 or not (spaces == 0 or spaces == 3):
        return count
    before, after = byte_at(data, start - 1, low, high), byte_at(data, at + 1, low, high)
    if flags[after] & ALNUM or after == 95 or after == 45 or before == 95 or before == 45 or before == 46:
        return count
    return emit(out, count, document, NINO, 1 if spaces else 0, start, at + 1)


@compiled
def find_lettered(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes,
    out: Rows, count: int,
) -> int:  # fmt: skip
    """Numbers of persons and documents that begin with a capital and have digits among their letters."""
    if not (
        flags[data[start + 2]] & DIGIT or flags[data[start + 1]] & DIGIT or flags[data[start + 4]] & ALNUM
    ):
        return count
    end = read_token(data, start, high, flags, 18)
    size = end - start
    after = byte_at(data, end, low, high)
    if after == 95 or byte_at(data, start - 1, low, high) == 95:
        return count
    if size == 16 and not flags[data[start + 5]] & DIGIT and not flags[data[start + 15]] & DIGIT:
        return emit(out, count, document, FISCAL, 0, start, end)
    if not flags[data[start + 1]] & DIGIT and not flags[data[start + 2]] & DIGIT:
        return count
    if size == 9 and 88 <= data[start] <= 90:
        count = emit(out, count, document, NUMBER, NEEDS_WORDS | SAYS_NIF, start, end)
    if 6 <= size <= 9:
        return emit(out, count, document, DOCUMENT, NEEDS_WORDS | NEEDS_NEAR | SAYS_PASSPORT, start, end)
    return count


@compiled
def find_wallet(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes, out: Rows, count: int
) -> int:
    """A token as long as an address of Bitcoin, to be checked by its checksum."""
    end = read_token(data, start, high, flags, 91)
    size = end - start
    after, before = byte_at(data, end, low, high), byte_at(data, start - 1, low, high)
    if size > 90 or after == 95 or before == 95:
        return count
    is_segwit = data[start] | 32 == 98
    if (is_segwit and size >= 14) or (not is_segwit and 26 <= size <= 35):
        return emit(out, count, document, WALLET, 0, start, end)
    return count


@compiled
def find_passport(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes,
    out: Rows, count: int,
) -> int:  # fmt: skip
    """A passport's number that begins with a digit."""
    end = read_token(data, start, high, flags, 11)
    after = byte_at(data, end, low, high)
    if not 6 <= end - start <= 9 or after == 95 or after == 45:
        return count
    return emit(out, count, document, DOCUMENT, NEEDS_WORDS | NEEDS_NEAR | SAYS_PASSPORT, start, end)


@compiled
def look_at_tokens(
    data: Bytes, offsets: Positions, anchors: Positions, documents: Positions, flags: Bytes, prefix_bits: Bytes,
    prefixes: Bytes, prefix_offsets: Positions, iban_lengths: Bytes, out: Rows,
) -> int:  # fmt: skip
    """Candidates at places where letters and digits begin; gives their number, also where there was no room."""
    count = int(np.int64(0))  # a literal would be a type of its own, and compile everything twice
    for index in range(len(anchors)):
        document = documents[index]
        start = anchors[index]
        low, high = offsets[document], offsets[document + 1]
        one, two, three, four = (
            int(data[start]),
            int(data[start + 1]),
            int(data[start + 2]),
            int(data[start + 3]),
        )
        if flags[one] & DIGIT:
            count = find_passport(data, low, start, high, document, flags, out, count)
            if one == 49 or one == 51:
                count = find_wallet(data, low, start, high, document, flags, out, count)
            continue
        if prefix_bits[hash_three(one, two, three)]:
            count = find_prefix(data, start, high, document, prefixes, prefix_offsets, out, count)
            if one == 101 and two == 121 and three == 74:
                count = find_jwt(data, low, start, high, document, flags, out, count)
        is_begin = one == 66 and two == 69 and three == 71 and four == 73
        if (
            is_begin
            and byte_at(data, start - 1, low, high) == 45
            and byte_at(data, start - 5, low, high) == 45
        ):
            count = emit(out, count, document, PEM, 0, start - 5, start)
        if flags[three] & DIGIT and flags[four] & DIGIT:
            count = find_iban(data, low, start, high, document, flags, iban_lengths, out, count)
        if one | 32 == 98 and two | 32 == 99 and three == 49:
            count = find_wallet(data, low, start, high, document, flags, out, count)
        if flags[one] & UPPER and flags[two] & UPPER and (flags[three] & DIGIT or three == 32):
            count = find_nino(data, low, start, high, document, flags, out, count)
        if flags[one] & UPPER:
            count = find_lettered(data, low, start, high, document, flags, out, count)
    return count
