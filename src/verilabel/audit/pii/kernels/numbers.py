"""Numbers in groups of digits: addresses of machines, cards, social security and telephone numbers."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.phones import find_phone
from verilabel.audit.pii.kernels.reading import byte_at, emit, find_hash, read_groups, read_number
from verilabel.audit.pii.kernels.tables import (
    ALNUM,
    CARD,
    DENIED_BY_VERSION,
    DIGIT,
    IPV4,
    NEEDS_NEAR,
    NEEDS_WORDS,
    NUMBER,
    SAYS_CARD,
    SAYS_IP,
    SAYS_NUMBER,
    SAYS_SSN,
    SSN,
    UPPER,
    Rows,
)

_DASH, _DOT, _SLASH, _SPACE = 45, 46, 47, 32


@compiled
def holds_luhn(data: Bytes, start: int, end: int) -> bool:
    """The last digit checks the others, and not all are alike: `checks.holds_luhn` over bytes."""
    total = 0
    place = 0
    first = -1
    differ = False
    for at in range(end - 1, start - 1, -1):
        digit = int(data[at]) - 48
        if digit < 0 or digit > 9:
            continue
        if first < 0:
            first = digit
        elif digit != first:
            differ = True
        if place & 1:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
        place += 1
    return differ and total % 10 == 0


@compiled
def is_example(rule: int, number: int, examples: Hashes) -> bool:
    """True for numbers that everybody uses as examples (`wording`)."""
    return find_hash(examples, np.uint64(number) + (np.uint64(rule) << np.uint64(56))) >= 0


@compiled
def find_issuer(first_six: int, digits: int) -> int:
    """2 where an issuer's cards have that beginning and length, 1 where that alone says little, -1 for no issuer."""
    one, two, three, four = first_six // 100000, first_six // 10000, first_six // 1000, first_six // 100
    if digits == 16 and (one == 4 or 51 <= two <= 55 or 2221 <= four <= 2720 or four == 6011):
        return 2
    if digits == 16 and (two == 65 or 644 <= three <= 649 or 3528 <= four <= 3589 or two == 62):
        return 2
    if digits == 15 and (two == 34 or two == 37):
        return 2
    if digits == 14 and (300 <= three <= 305 or two == 36 or two == 38 or two == 39 or three == 309):
        return 2
    if digits == 15 and (four == 2131 or four == 1800):
        return 2
    if one == 4 and (digits == 13 or digits == 19):
        return 1
    if 12 <= digits <= 19 and (two == 50 or 56 <= two <= 69 or two == 35):
        return 1
    return 0 if digits < 12 else -1


@compiled
def is_number_edge(data: Bytes, at: int, low: int, high: int, flags: Bytes) -> bool:
    """True if no digits, decimals or longer names go on from a place to the right."""
    if at >= high:
        return True
    if flags[data[at]] & ALNUM or data[at] == 95:
        return False
    after = byte_at(data, at + 1, low, high)
    joins = data[at] == _DOT or data[at] == _DASH or data[at] == _SLASH
    return not (joins and 48 <= after <= 57)


@compiled
def find_ipv4(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes, examples: Hashes,
    lengths: Positions, ends: Positions, out: Rows, count: int,
) -> int:  # fmt: skip
    """Four groups with dots as the address of a machine that is somebody's; versions and paragraphs are left out."""
    address = 0
    begin = start
    is_small = True
    for group in range(4):
        size = int(lengths[group])
        value = read_number(data, begin, ends[group])
        if size > 3 or value > 255 or (size > 1 and data[begin] == 48):
            return count
        is_small = is_small and value < 32
        address = address << 8 | value
        begin = ends[group] + 1
    one, two = address >> 24, address >> 16 & 255
    # 1.3.6.1 and 2.5.4.3 are names of objects (ITU-T X.660) before they are addresses
    is_small = is_small or (one <= 2 and (two == 2 or two == 3 or two == 5 or two == 16 or two == 23))
    end = int(ends[3])
    after, second = byte_at(data, end, low, high), byte_at(data, end + 1, low, high)
    if flags[after] & ALNUM or after == 95 or ((after in (_DOT, _DASH)) and flags[second] & ALNUM):
        return count
    if after == _SLASH and 48 <= second <= 57:
        return count
    before, second = byte_at(data, start - 1, low, high), byte_at(data, start - 2, low, high)
    if (before in (_DASH, _SLASH, _DOT) or before == 95) and (flags[second] & ALNUM or second == _DOT):
        return count
    if before == 61 and (second == 61 or second == 62 or second == 60 or second == 126 or second == 33):
        return count
    is_compared = before == 62 or before == 60 or before == 126 or before == 94
    if is_compared and second != before and not flags[second] & ALNUM and second != 34 and second != 47:
        return count
    if is_reserved_ipv4(address) or is_example(IPV4, address, examples):
        return count
    note = NEEDS_WORDS | DENIED_BY_VERSION | (SAYS_IP if is_small else 0)
    return emit(out, count, document, IPV4, note, start, end)


@compiled
def is_reserved_ipv4(address: int) -> bool:
    """True for addresses that no machine on the Internet has, or many have (RFC 6890, 5737, 5771)."""
    one, two = address >> 24, address >> 16 & 255
    if one == 0 or one == 10 or one == 127 or one >= 224:
        return True
    if (one == 100 and 64 <= two <= 127) or (one == 169 and two == 254) or (one == 172 and 16 <= two <= 31):
        return True
    three = address >> 8
    # 2.5.4, 2.5.29 and 1.3.6 name attributes and enterprises far more often than machines
    if three == 0x020504 or three == 0x02051D or address >> 8 == 0x010306:
        return True
    if (one == 192 and two == 168) or three == 0xC00002 or three == 0xC00000:
        return True
    return (one == 198 and (two == 18 or two == 19)) or three == 0xC63364 or three == 0xCB0071


@compiled
def find_card(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes, examples: Hashes,
    groups: int, separator: int, lengths: Positions, ends: Positions, out: Rows, count: int,
) -> int:  # fmt: skip
    """A payment card's number: an issuer's beginning and length, usual groups, and the check digit."""
    used = 0
    digits = int(lengths[0])
    if 12 <= digits <= 19:
        used = 1
    elif separator in (_DASH, _SPACE):
        if groups >= 4 and digits == 4 and lengths[1] == 4 and lengths[2] == 4 and lengths[3] == 4:
            used, digits = 4, 16
            if (
                groups >= 5
                and lengths[4] == 3
                and find_issuer(read_number(data, start, ends[1]) // 100, 19) > 0
            ) and holds_luhn(data, start, int(ends[4])):
                used, digits = 5, 19
        elif groups >= 3 and digits == 4 and lengths[1] == 6 and 4 <= lengths[2] <= 5:
            used, digits = 3, 10 + int(lengths[2])
    if used == 0:
        return count
    end = int(ends[used - 1])
    number = read_number(data, start, end)
    first = number
    for _ in range(digits - 6):
        first //= 10
    issuer = find_issuer(first, digits)
    if issuer == 0 or not holds_luhn(data, start, end):
        return count
    # what is written in groups may be followed by a date; a run of digits must stand alone
    if used == 1 and not is_number_edge(data, end, low, high, flags):
        return count
    if end < high and (flags[data[end]] & ALNUM or data[end] == 95):
        return count
    before, second = byte_at(data, start - 1, low, high), byte_at(data, start - 2, low, high)
    if before in (_DOT, _SLASH) or before == 95:
        return count
    if before == _DASH and flags[second] & ALNUM:
        return count
    if used > 1 and before == separator and 48 <= second <= 57 and separator != _SPACE:
        return count
    if is_example(CARD, number, examples):
        return count
    note = NEEDS_WORDS | SAYS_CARD if issuer < 2 or (used == 1 and before == 36) else 0
    if issuer < 0:
        note |= NEEDS_NEAR
    return emit(out, count, document, CARD, note, start, end)


@compiled
def find_ssn(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes, examples: Hashes,
    groups: int, separator: int, lengths: Positions, ends: Positions, out: Rows, count: int,
) -> int:  # fmt: skip
    """A social security number that can have been issued; without dashes only where words announce it."""
    used = 0
    if groups >= 3 and lengths[0] == 3 and lengths[1] == 2 and lengths[2] == 4:
        if (separator == _DASH and groups == 3) or separator == _SPACE:
            used = 3
    elif lengths[0] == 9:
        used = 1
    if used == 0:
        return count
    end = int(ends[used - 1])
    if not is_number_edge(data, end, low, high, flags):
        return count
    before, second = byte_at(data, start - 1, low, high), byte_at(data, start - 2, low, high)
    if (before in (_DASH, _DOT, _SLASH) or before == 95) and flags[second] & ALNUM:
        return count
    number = read_number(data, start, end)
    area, group, serial = number // 1000000, number // 10000 % 100, number % 10000
    if area == 0 or area == 666 or area >= 900 or group == 0 or serial == 0:
        return count
    if is_example(SSN, number, examples):
        return count
    note = NEEDS_WORDS | SAYS_SSN if used == 1 or separator == _SPACE else 0
    return emit(out, count, document, SSN, note, start, end)


@compiled
def find_numbers(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes, examples: Hashes,
    lengths: Positions, ends: Positions, out: Rows, count: int,
) -> int:  # fmt: skip
    """Everything that may begin with the digit at a place, which no letter or digit precedes."""
    before, second = byte_at(data, start - 1, low, high), byte_at(data, start - 2, low, high)
    packed = read_groups(data, start, high, flags, lengths, ends)
    groups, separator = packed & 15, packed >> 4
    if groups == 0:
        return count
    is_later = (before in (_DOT, _DASH, _SLASH)) and 48 <= second <= 57
    if separator == _DOT and groups == 4 and not is_later and before != 43 and lengths[1] < 4:
        return find_ipv4(data, low, start, high, document, flags, examples, lengths, ends, out, count)
    total = 0
    for group in range(min(groups, 8)):
        total += int(lengths[group])
    if not is_later:
        if total >= 12:
            count = find_card(
                data,
                low,
                start,
                high,
                document,
                flags,
                examples,
                groups,
                separator,
                lengths,
                ends,
                out,
                count,
            )
        if total >= 9:
            count = find_ssn(
                data,
                low,
                start,
                high,
                document,
                flags,
                examples,
                groups,
                separator,
                lengths,
                ends,
                out,
                count,
            )
        if total >= 7:
            count = find_national(
                data, low, start, high, document, flags, groups, separator, lengths, ends, out, count
            )
    if not is_later and (total >= 5 or before == 40 or before == 43):
        count = find_phone(data, low, start, high, document, flags, out, count)
    return count


@compiled
def find_national(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes,
    groups: int, separator: int, lengths: Positions, ends: Positions, out: Rows, count: int,
) -> int:  # fmt: skip
    """Numbers of persons in other countries: in a form that is no other number's, or announced by words."""
    total = 0
    used = 0
    is_formed = False
    while used < min(groups, 8):
        total += int(lengths[used])
        used += 1
    if used == 4 and separator == _DOT and lengths[0] == 3:
        is_formed = total == 13  # a Swiss number
    end = int(ends[used - 1])
    is_brazilian = used == 3 and separator == _DOT and total == 9 and lengths[0] == 3 and lengths[1] == 3
    if is_brazilian and end + 2 < high and data[end] == _DASH:
        tail = end + 1
        while tail < high and flags[data[tail]] & DIGIT and tail - end < 4:
            tail += 1
        if tail - end == 3:
            is_formed, end, total = True, tail, 11
    begin = start
    if total == 7 and used == 1 and byte_at(data, start - 1, low, high) == _DASH:
        # a Spanish number of a foreigner is X-1234567-L
        letter = byte_at(data, start - 2, low, high)
        if 88 <= letter <= 90 and not flags[byte_at(data, start - 3, low, high)] & ALNUM:
            begin = start - 2
    if total > 23 or (total < 8 and begin == start):
        return count
    if used > 1 and end < high and flags[data[end]] & ALNUM and not (flags[data[end]] & UPPER and used == 1):
        end = int(ends[used - 2])  # the last group is the beginning of something else
    is_lettered = end < high and bool(flags[data[end]] & UPPER)
    if is_lettered:
        end += 1
    elif end + 1 < high and data[end] == _DASH and flags[data[end + 1]] & UPPER and total <= 8:
        end += 2
    if not is_number_edge(data, end, low, high, flags):
        return count
    return emit(out, count, document, NUMBER, 0 if is_formed else NEEDS_WORDS | SAYS_NUMBER, begin, end)


@compiled
def look_at_numbers(
    data: Bytes,
    offsets: Positions,
    anchors: Positions,
    documents: Positions,
    flags: Bytes,
    examples: Hashes,
    out: Rows,
) -> int:
    """Candidates at places where digits begin; gives their number, also where there was no room."""
    lengths = np.zeros(16, np.int64)
    ends = np.zeros(16, np.int64)
    count = int(np.int64(0))  # a literal would be a type of its own, and compile everything twice
    for index in range(len(anchors)):
        document = documents[index]
        low, high = offsets[document], offsets[document + 1]
        count = find_numbers(
            data, low, anchors[index], high, document, flags, examples, lengths, ends, out, count
        )
    return count
