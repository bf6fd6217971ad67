"""What stands around `://`, `=` and `:`: passwords in URLs, and values given to names that announce a secret."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.reading import byte_at, emit, lower
from verilabel.audit.pii.kernels.tables import ALNUM, ASSIGNED, DIGIT, DOMAIN, LOWER, UPPER, URL, VALUE, Rows

_AT, _COLON, _DOT, _DASH, _SLASH = 64, 58, 46, 45, 47
_MAX_DOMAIN = 253
_MAX_USERINFO = 200


@compiled
def find_url(
    data: Bytes, low: int, at: int, high: int, document: int, flags: Bytes, out: Rows, count: int
) -> int:
    """A password in a URL, from the colon of `://`. The note is where the user's name begins."""
    scheme = at
    while scheme > low and at - scheme < 24:
        byte = data[scheme - 1]
        if not (flags[byte] & ALNUM or byte == 43 or byte in (_DOT, _DASH)):
            break
        scheme -= 1
    if at - scheme < 2:
        return count
    begin = at + 3
    stop = begin
    colon = -1
    while stop < high and stop - begin <= _MAX_USERINFO:
        byte = data[stop]
        if byte == _AT:
            break
        if (
            byte <= 32
            or byte >= 127
            or byte == _SLASH
            or byte == 34
            or byte == 39
            or byte == 60
            or byte == 62
            or byte == 92
        ):
            return count
        if byte == _COLON and colon < 0:
            colon = stop
        stop += 1
    if stop >= high or data[stop] != _AT or colon < 0 or stop - colon < 4:
        return count
    end = stop + 1
    while end < high and flags[data[end]] & DOMAIN and end - stop <= _MAX_DOMAIN:
        end += 1
    if end == stop + 1 and byte_at(data, end, low, high) != 91:
        return count
    return emit(out, count, document, URL, begin, colon + 1, stop)


@compiled
def is_sign(byte: int) -> bool:
    """True for signs that passwords have beside letters and digits: `! # $ % & * ? @ ^`."""
    return 35 <= byte <= 38 or byte == 33 or byte == 42 or byte == 63 or byte == 64 or byte == 94


@compiled
def find_assigned(
    data: Bytes, low: int, at: int, high: int, document: int, flags: Bytes, out: Rows, count: int
) -> int:
    """A value that is given to a name which ends like `key`, `secret`, `token` or `password`, from `=` or `:`."""
    begin = at + 1
    if begin < high and (data[begin] == 61 or data[begin] == 62):
        begin += 1
    spaces = 0
    while begin < high and data[begin] == 32 and spaces < 3:
        begin += 1
        spaces += 1
    if begin >= high:
        return count
    quote = int(data[begin])
    is_quoted = quote == 34 or quote == 39 or quote == 96
    if is_quoted:
        begin += 1
    stop = begin
    digits = 0
    letters = 0
    while (
        stop < high
        and stop - begin <= 200
        and (flags[data[stop]] & VALUE or (is_quoted and is_sign(data[stop])))
    ):
        digits += 1 if flags[data[stop]] & DIGIT else 0
        letters += 1 if flags[data[stop]] & (UPPER | LOWER) else 0
        stop += 1
    size = stop - begin
    if digits < 1 or letters < 2 or size < 10 or size > 200:
        return count
    after = byte_at(data, stop, low, high)
    if is_quoted:
        if after != quote:
            return count
    elif size < 16 or not (after <= 32 or after == 44 or after == 59 or after == 125 or after == 38):
        return count
    name = at
    spaces = 0
    while name > low and (data[name - 1] == 32 or data[name - 1] == _COLON) and spaces < 4:
        name -= 1
        spaces += 1
    if name > low and (data[name - 1] == 34 or data[name - 1] == 39 or data[name - 1] == 93):
        name -= 1
        if name > low and (data[name - 1] == 34 or data[name - 1] == 39):
            name -= 1
    if name - low < 3:
        return count
    one, two, three = lower(int(data[name - 3])), lower(int(data[name - 2])), lower(int(data[name - 1]))
    tail = one << 16 | two << 8 | three
    # key, ret, ken, ord, swd, pwd, ase
    if not (
        tail == 0x6B6579 or tail == 0x726574 or tail == 0x6B656E or tail == 0x6F7264
        or tail == 0x737764 or tail == 0x707764 or tail == 0x617365
    ):  # fmt: skip
        return count
    return emit(out, count, document, ASSIGNED, name, begin, stop)


@compiled
def look_at_assignments(
    data: Bytes, offsets: Positions, anchors: Positions, documents: Positions, flags: Bytes, out: Rows
) -> int:
    """Candidates at `://`, `=` and `:`; gives their number, also where there was no room."""
    count = int(np.int64(0))  # a literal would be a type of its own, and compile everything twice
    for index in range(len(anchors)):
        document = documents[index]
        at = anchors[index]
        low, high = offsets[document], offsets[document + 1]
        if data[at] == _COLON and data[at + 1] == _SLASH:
            count = find_url(data, low, at, high, document, flags, out, count)
        else:
            count = find_assigned(data, low, at, high, document, flags, out, count)
    return count
