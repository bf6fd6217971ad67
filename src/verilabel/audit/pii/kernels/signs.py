"""What stands around a sign: addresses with `@`, addresses of machines with colons and dashes."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.reading import byte_at, byte_before, emit, find_hash, hash_lower, lower
from verilabel.audit.pii.kernels.tables import (
    ALNUM,
    DIGIT,
    DOMAIN,
    EMAIL,
    HEX,
    IPV6,
    LOCAL,
    LOWER,
    MAC,
    NEEDS_WORDS,
    SAYS_MAC,
    UPPER,
    Rows,
)

_AT, _COLON, _DOT, _DASH, _SLASH = 64, 58, 46, 45, 47
_MAX_LOCAL = 64
_MAX_DOMAIN = 253


@compiled
def read_domain(data: Bytes, start: int, high: int, flags: Bytes, tlds: Hashes) -> int:
    """The end of the longest name of two labels or more whose last is a top-level domain, or -1."""
    at = start
    label = start
    labels = 0
    found = -1
    while at <= high and at - start <= _MAX_DOMAIN:
        byte = int(data[at]) if at < high else 0
        if flags[byte] & DOMAIN and byte != _DOT:
            at += 1
            continue
        size = at - label
        if size == 0 or size > 63 or data[label] == _DASH:
            break
        stop = at
        while stop > label and data[stop - 1] == _DASH:
            stop -= 1
        labels += 1
        if labels >= 2 and stop - label >= 2 and find_hash(tlds, hash_lower(data, label, stop)) >= 0:
            found = stop
        if byte != _DOT or stop != at:
            break
        at += 1
        label = at
    return found


@compiled
def is_documentation_domain(data: Bytes, start: int, end: int) -> bool:
    """True for example.com, example.net, example.org and names below them (RFC 2606)."""
    if end - start < 11:
        return False
    name = (101, 120, 97, 109, 112, 108, 101)
    begin = end - 11
    if begin > start and data[begin - 1] != _DOT:
        return False
    for place in range(7):
        if lower(int(data[begin + place])) != name[place]:
            return False
    one, two, three = lower(int(data[end - 3])), lower(int(data[end - 2])), lower(int(data[end - 1]))
    if data[end - 4] != _DOT:
        return False
    if one == 99:
        return two == 111 and three == 109
    if one == 110:
        return two == 101 and three == 116
    return one == 111 and two == 114 and three == 103


@compiled
def is_userinfo(data: Bytes, low: int, colon: int, flags: Bytes) -> bool:
    """True if a colon parts a user from a password in a URL."""
    at = colon
    while at > low and flags[data[at - 1]] & LOCAL and colon - at <= _MAX_LOCAL:
        at -= 1
    return at - 3 >= low and data[at - 1] == _SLASH and data[at - 2] == _SLASH and data[at - 3] == _COLON


@compiled
def find_email(
    data: Bytes,
    low: int,
    at: int,
    high: int,
    document: int,
    flags: Bytes,
    tlds: Hashes,
    out: Rows,
    count: int,
) -> int:
    """An e-mail address around an `@`."""
    start = at
    while start > low and flags[data[start - 1]] & LOCAL and at - start <= _MAX_LOCAL:
        if data[start - 1] == _DOT and data[start] == _DOT:
            break
        start -= 1
    if at - start > _MAX_LOCAL or data[at - 1] == _DOT:
        return count
    while start < at and (
        data[start] == _DOT or data[start] == _DASH or data[start] == 43 or data[start] == 37
    ):
        # %3C before an address is a bracket of a URL
        is_escape = (
            data[start] == 37
            and start + 3 < at
            and flags[data[start + 1]] & HEX
            and flags[data[start + 2]] & HEX
        )
        start += 3 if is_escape else 1
    before = byte_at(data, start - 1, low, high)
    if before == 92 and start + 1 < at and (data[start] == 110 or data[start] == 114 or data[start] == 116):
        start += 1
    if start >= at or before == _AT:
        return count
    if before == _SLASH and byte_at(data, start - 2, low, high) == _SLASH:
        return count
    if before == _COLON and is_userinfo(data, low, start - 1, flags):
        return count
    end = read_domain(data, at + 1, high, flags, tlds)
    if end < 0 or is_documentation_domain(data, at + 1, end):
        return count
    after = byte_at(data, end, low, high)
    if after == 40 or after == _AT or after == 95:
        return count
    if (
        after == _COLON
        and at - start == 3
        and data[start] == 103
        and data[start + 1] == 105
        and data[start + 2] == 116
    ):
        return count
    return emit(out, count, document, EMAIL, 0, start, end)


@compiled
def is_label(data: Bytes, low: int, colon: int, flags: Bytes) -> bool:
    """True if what stands before a colon is a word such as `BSSID`, and no group of an address."""
    at = colon
    while at > low and flags[data[at - 1]] & ALNUM and colon - at <= 4:
        at -= 1
        if not flags[data[at]] & HEX:
            return True
    return colon - at > 4 or (colon > low and at == colon and data[colon - 1] != _COLON)


@compiled
def find_colons(
    data: Bytes, low: int, at: int, high: int, document: int, flags: Bytes,
    out: Rows, count: int,
) -> tuple[int, int]:  # fmt: skip
    """An IPv6 or hardware address around its first colon; gives the count and where it was read to."""
    start = at
    while start > low and flags[data[start - 1]] & HEX and at - start <= 4:
        start -= 1
    first = at - start
    before = byte_before(data, start, low)
    if first > 4 or flags[before] & ALNUM or before == 95 or before == _DOT:
        return count, at + 1
    if before == _COLON and not is_label(data, low, start - 1, flags):
        return count, at + 1
    if first == 0:
        return count, at + 1  # an address that begins with :: is nobody's
    groups = 1
    letters = 0
    doubles = 0
    shortest = first
    longest = first
    for place in range(start, at):
        letters += 0 if flags[data[place]] & DIGIT else 1
    stop = at
    end = at
    while stop < high and data[stop] == _COLON and groups <= 16:
        stop += 1
        if stop < high and data[stop] == _COLON:
            doubles += 1
            stop += 1
            end = stop
        begin = stop
        while stop < high and flags[data[stop]] & HEX and stop - begin <= 4:
            letters += 0 if flags[data[stop]] & DIGIT else 1
            stop += 1
        if stop == begin:
            break
        groups += 1
        end = stop
        shortest = min(shortest, stop - begin)
        longest = max(longest, stop - begin)
    after = byte_at(data, end, low, high)
    if flags[after] & ALNUM or after == 95 or longest > 4:
        return count, stop
    if doubles == 0 and groups == 6 and shortest == 2 and longest == 2 and after != _COLON:
        return find_mac(data, start, end, letters, document, flags, out, count), stop
    if after == _COLON and byte_at(data, end + 1, low, high) == _COLON:
        return count, stop
    is_full = doubles == 0 and groups == 8 and not (shortest == 2 and longest == 2)
    # among short forms those of global unicast addresses with two groups more: others are names and times
    is_short = doubles == 1 and 3 <= groups <= 7 and first == 4 and 50 <= data[start] <= 51
    if not (is_full or is_short) or (after == _DOT and 48 <= byte_at(data, end + 1, low, high) <= 57):
        return count, stop
    if after == _SLASH and 48 <= byte_at(data, end + 1, low, high) <= 57:
        return count, stop
    if is_reserved_ipv6(data, start, first, at, high, flags):
        return count, stop
    return emit(out, count, document, IPV6, 0, start, end), stop


@compiled
def read_hex(data: Bytes, start: int, end: int) -> int:
    """Hexadecimal digits as a number."""
    number = 0
    for at in range(start, end):
        byte = int(data[at])
        number = number << 4 | (byte - 48 if byte < 58 else (byte | 32) - 87)
    return number


@compiled
def is_reserved_ipv6(data: Bytes, start: int, first: int, at: int, high: int, flags: Bytes) -> bool:
    """True for addresses of loopback, links, sites, groups and documentation (RFC 6890, 3849, 9637)."""
    one = read_hex(data, start, start + first)
    stop = at + 1
    while stop < high and flags[data[stop]] & HEX and stop - at <= 4:
        stop += 1
    two = read_hex(data, at + 1, stop)
    if one == 0 or one >= 0xFC00 or (one == 0x3FFF and two < 0x1000):
        return True
    return (one == 0x2001 and (two == 0xDB8 or two == 0)) or one == 0x64 or one == 0x100


@compiled
def find_mac(
    data: Bytes, start: int, end: int, letters: int, document: int, flags: Bytes,
    out: Rows, count: int,
) -> int:  # fmt: skip
    """A hardware address of one machine, in any of its three forms."""
    address = 0
    rising = True
    differ = 0
    last = -1
    digits = 0
    for at in range(start, end):
        if flags[data[at]] & HEX:
            digit = read_hex(data, at, at + 1)
            digits += 1 if digit < 10 else 0
            rising = rising and (last < 0 or digit == last or digit == last + 1)
            differ += 1 if last >= 0 and digit != last else 0
            last = digit
            address = address << 4 | digit
    # groups have the lowest bit of the first byte; 00:00:5e:00:53 is for documentation (RFC 7042)
    if address >> 40 & 1 or address >> 8 == 0x00005E0053 or differ <= 1 or rising:
        return count
    if address >> 16 == 0xDEADBEEF or address == 0x123456789ABC or address >> 24 == 0:
        return count
    note = NEEDS_WORDS | SAYS_MAC if letters == 0 or digits == 0 else 0
    return emit(out, count, document, MAC, note, start, end)


@compiled
def find_dashed_mac(
    data: Bytes, low: int, at: int, high: int, document: int, flags: Bytes,
    out: Rows, count: int,
) -> int:  # fmt: skip
    """A hardware address around its first dash, which is at a place with another one three bytes on."""
    start = at - 2
    if start < low or at + 15 > high:
        return count
    before = byte_before(data, start, low)
    after = byte_at(data, at + 15, low, high)
    if (
        flags[before] & ALNUM
        or before == _DASH
        or before == 95
        or flags[after] & ALNUM
        or after == _DASH
        or after == 95
    ):
        return count
    letters = 0
    for place in range(17):
        byte = data[start + place]
        if place % 3 == 2:
            if byte != _DASH:
                return count
        elif not flags[byte] & HEX:
            return count
        elif not flags[byte] & DIGIT:
            letters += 1
    return find_mac(data, start, start + 17, letters, document, flags, out, count)


@compiled
def find_dotted_mac(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes,
    out: Rows, count: int,
) -> int:  # fmt: skip
    """A hardware address in three groups of four with dots."""
    end = start + 14
    if end > high:
        return count
    before, after = byte_at(data, start - 1, low, high), byte_at(data, end, low, high)
    if before in (_DOT, _DASH) or before == 95 or flags[after] & ALNUM or after == 95 or after == _DASH:
        return count
    if after == _DOT and flags[byte_at(data, end + 1, low, high)] & ALNUM:
        return count
    letters = 0
    cases = 0
    for place in range(14):
        byte = data[start + place]
        if place == 4 or place == 9:
            if byte != _DOT:
                return count
        elif not flags[byte] & HEX:
            return count
        else:
            letters += 0 if flags[byte] & DIGIT else 1
            cases |= int(flags[byte]) & (UPPER | LOWER)
    if cases == UPPER | LOWER:
        return count
    return find_mac(data, start, end, letters, document, flags, out, count)


@compiled
def look_at_emails(
    data: Bytes,
    offsets: Positions,
    anchors: Positions,
    documents: Positions,
    flags: Bytes,
    tlds: Hashes,
    out: Rows,
) -> int:
    """Candidates at signs `@`; gives their number, also where there was no room."""
    count = int(np.int64(0))  # a literal would be a type of its own, and compile everything twice
    for index in range(len(anchors)):
        document = documents[index]
        count = find_email(
            data, offsets[document], anchors[index], offsets[document + 1], document, flags, tlds, out, count
        )
    return count


@compiled
def look_at_machines(
    data: Bytes, offsets: Positions, anchors: Positions, documents: Positions, flags: Bytes, out: Rows
) -> int:
    """Candidates at colons and dashes between hexadecimal digits, and where such digits before a dot begin."""
    count = int(np.int64(0))  # a literal would be a type of its own, and compile everything twice
    done = int(np.int64(0))
    for index in range(len(anchors)):
        document = documents[index]
        at = anchors[index]
        low, high = offsets[document], offsets[document + 1]
        if data[at] == _DASH:
            count = find_dashed_mac(data, low, at, high, document, flags, out, count)
        elif data[at] != _COLON:
            count = find_dotted_mac(data, low, at, high, document, flags, out, count)
        elif at >= done:
            count, done = find_colons(data, low, at, high, document, flags, out, count)
    return count
