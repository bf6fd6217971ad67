"""Digits that people may have written as a telephone number."""

from __future__ import annotations

from verilabel.audit.interface import Bytes
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.reading import byte_at, byte_before, emit, read_number, read_separator
from verilabel.audit.pii.kernels.tables import (
    ALNUM,
    DIGIT,
    IS_GROUPED,
    IS_INSIDE,
    IS_INTERNATIONAL,
    IS_TYPICAL,
    LOWER,
    PHONE,
    UPPER,
    Rows,
)

_DASH, _DOT, _SLASH, _SPACE = 45, 46, 47, 32
_MAX_PHONE_DIGITS = 15
_MAX_PHONE_GROUPS = 7


@compiled
def read_phone(data: Bytes, start: int, high: int, flags: Bytes) -> tuple[int, int, int, int]:
    """(end, digits, groups, shape) of digits that people may have written as a telephone number.

    Separators are ` .-/()` and spaces and hyphens that do not break, at most two beside one another. Where groups are
    joined by dashes or dots, a space ends the number. The shape has four bits a group: its digits, the first lowest.
    """
    at = start
    digits = 0
    groups = 0
    shape = 0
    end = start
    is_joined = False
    has_space = False
    while groups < _MAX_PHONE_GROUPS:
        begin = at
        while at < high and flags[data[at]] & DIGIT and at - begin <= _MAX_PHONE_DIGITS:
            at += 1
        size = at - begin
        if size == 0 or digits + size > _MAX_PHONE_DIGITS:
            break
        if (
            groups > 0
            and digits >= 7
            and at < high
            and flags[data[at]] & (UPPER | LOWER)
            and data[at] | 32 != 120
        ):
            break
        shape |= size << (4 * groups)
        digits += size
        groups += 1
        end = at
        gap = 0
        while gap < 2 and at < high:
            byte = data[at]
            if byte == 40 or byte == 41:
                if digits >= 7:
                    return end, digits, groups, shape
                at += 1
            else:
                separator, width = read_separator(data, at, high)
                if separator == 0:
                    break
                if is_joined and not has_space and separator == _SPACE and digits >= 7:
                    return end, digits, groups, shape
                is_joined = is_joined or separator in (_DASH, _DOT)
                has_space = has_space or (separator == _SPACE and digits > 3)
                at += width
            gap += 1
        if gap == 2 and at < high and not flags[data[at]] & DIGIT:
            # ") (" and " - " are three
            separator, width = read_separator(data, at, high)
            if separator == 0 and data[at] != 40:
                break
            at += max(width, 1)
        if gap == 0:
            break
    return end, digits, groups, shape


@compiled
def is_date(data: Bytes, start: int, groups: int, shape: int) -> bool:
    """True if groups of digits are a day, such as 2024-01-31 or 31/01/2024, or a range of years."""
    one, two, three = shape & 15, shape >> 4 & 15, shape >> 8 & 15
    if (
        (groups == 1 and one == 8)
        or (one == 4 and two <= 2 and groups >= 2)
        or (one == 4 and two == 4 and groups == 2)
    ):
        year = read_number(data, start, start + 4)
        return 1800 <= year <= 2099
    if groups >= 3 and one <= 2 and two <= 2 and three == 4:
        return True
    return groups == 3 and one <= 2 and two <= 2 and three <= 2


@compiled
def is_typical_shape(
    data: Bytes, begin: int, start: int, groups: int, one: int, two: int, three: int, four: int, digits: int
) -> bool:
    """True for the groups in which numbers are written in North America, and with a leading 0 elsewhere."""
    if groups == 3 and one == 3 and two == 3 and three == 4:
        is_even = data[start + 3] == data[start + 7] or data[start + 3] == 41 or data[start + 3] >= 0xC2
        return bool(is_even and 50 <= data[start] <= 57)
    if groups == 4 and one == 1 and two == 3 and three == 3 and four == 4:
        return bool(data[start] == 49)
    is_bracketed = data[begin] == 40 and data[start + one] == 41
    if data[start] != 48 or digits < 9 or digits > 12 or groups > 5:
        return False
    return is_bracketed or (one >= 3 and two >= 3) or (groups == 5 and one == 2 and digits == 10)


@compiled
def find_phone(
    data: Bytes, low: int, start: int, high: int, document: int, flags: Bytes,
    out: Rows, count: int,
) -> int:  # fmt: skip
    """A telephone number's candidate, where its form, `+` or words before or behind it speak for one."""
    begin = start
    before = byte_before(data, start, low)
    note = 0
    if before == 40:
        begin -= 1
        before = byte_before(data, begin, low)
    if before == 43:
        note = IS_INTERNATIONAL
        begin -= 1
        before = byte_before(data, begin, low)
        if before == 40:
            begin -= 1
            before = byte_before(data, begin, low)
    end, digits, groups, shape = read_phone(data, start, high, flags)
    if digits < 7 or (end < high and (flags[data[end]] & DIGIT or data[end] == 95)):
        return count
    second = byte_at(data, begin - 1 - 1, low, high)
    if flags[before] & ALNUM or before == 95 or before == 36 or before == 35 or before == 37:
        return count
    is_part = before in (_DOT, _DASH, _SLASH) and bool(flags[second] & ALNUM)
    if is_part and not (before == _DASH and note):
        return count
    is_inside = before == _SPACE and 48 <= second <= 57 and note == 0 and data[begin] != 40
    after = byte_at(data, end, low, high)
    if flags[after] & (UPPER | LOWER) and after != 120 and after != 101:
        return count
    if (after == _DOT or after == 44) and 48 <= byte_at(data, end + 1, low, high) <= 57:
        return count
    if note == 0 and data[start] == 48 and data[start + 1] == 48 and digits >= 10 and data[begin] != 40:
        note = IS_INTERNATIONAL
    if note == 0 and is_date(data, start, groups, shape):
        return count
    if note == 0 and (digits < 2 * groups or (groups > 5 and data[start + (shape & 15)] == _DOT)):
        return count
    if groups > 1:
        note |= IS_GROUPED
    one, two, three, four = shape & 15, shape >> 4 & 15, shape >> 8 & 15, shape >> 12 & 15
    if (
        groups > 1
        and not is_inside
        and is_typical_shape(data, begin, start, groups, one, two, three, four, digits)
    ) and not (
        48 <= byte_at(data, end + 1, low, high) <= 57 and after == _SPACE and data[start + one] == _SPACE
    ):
        note |= IS_TYPICAL
    if is_inside:
        note |= IS_INSIDE
    return emit(out, count, document, PHONE, note, begin, end)
