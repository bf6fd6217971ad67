"""The text of a page of HTML, by dropping its tags: bounded, linear, and no more than that.

Dropped: tags, comments, declarations, and what stands inside script, style, noscript, template and svg. Tags of
blocks become ends of lines. The named characters that markup needs and characters by number are decoded. Runs of
blanks become one, and of ends of lines at most two. It finds no main content and runs no program: menus and footers
are part of the text, as they are of what a crawler keeps.
"""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled

_LONGEST_NAME = 10
_LONGEST_ENTITY = 10


def _pack(names: list[str]) -> Bytes:
    table = np.zeros((len(names), _LONGEST_NAME), np.uint8)
    for place, name in enumerate(names):
        table[place, : len(name)] = np.frombuffer(name.encode(), np.uint8)
    return table


_HIDDEN = _pack(["script", "style", "noscript", "template", "svg"])
_BLOCK_NAMES = """
address article aside blockquote body br caption dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6
head header hr html legend li main nav ol option p pre section select table tbody td textarea tfoot th thead title tr ul
"""
_BLOCKS = _pack(_BLOCK_NAMES.split())
_ENTITIES: list[tuple[str, int]] = [
    ("amp", 38),
    ("lt", 60),
    ("gt", 62),
    ("quot", 34),
    ("apos", 39),
    ("nbsp", 32),
    ("copy", 0xA9),
    ("reg", 0xAE),
    ("mdash", 0x2014),
    ("ndash", 0x2013),
    ("hellip", 0x2026),
    ("lsquo", 0x2018),
    ("rsquo", 0x2019),
    ("ldquo", 0x201C),
    ("rdquo", 0x201D),
    ("bull", 0x2022),
    ("middot", 0xB7),
    ("laquo", 0xAB),
    ("raquo", 0xBB),
    ("euro", 0x20AC),
    ("pound", 0xA3),
    ("trade", 0x2122),
]
_ENTITY_NAMES = _pack([name for name, _ in _ENTITIES])
_ENTITY_POINTS: Positions = np.array([point for _, point in _ENTITIES], np.int64)


@compiled
def _place(name: Bytes, table: Bytes) -> int:
    for place in range(len(table)):
        same = True
        for letter in range(len(name)):
            if name[letter] != table[place, letter]:
                same = False
                break
        if same:
            return place
    return -1


@compiled
def _put(point: int, out: Bytes, used: int) -> int:
    if point < 0x80:
        out[used] = point
        return used + 1
    if point < 0x800:
        out[used] = 0xC0 | (point >> 6)
        out[used + 1] = 0x80 | (point & 63)
        return used + 2
    if point < 0x10000:
        out[used] = 0xE0 | (point >> 12)
        out[used + 1] = 0x80 | ((point >> 6) & 63)
        out[used + 2] = 0x80 | (point & 63)
        return used + 3
    out[used] = 0xF0 | (point >> 18)
    out[used + 1] = 0x80 | ((point >> 12) & 63)
    out[used + 2] = 0x80 | ((point >> 6) & 63)
    out[used + 3] = 0x80 | (point & 63)
    return used + 4


@compiled
def _entity(page: Bytes, at: int, end: int, name: Bytes, names: Bytes, points: Positions) -> tuple[int, int]:
    """From behind an ampersand: the character, and where to go on; -1 where it is none."""
    if at < end and page[at] == 35:
        at += 1
        ten = True
        if at < end and (page[at] == 120 or page[at] == 88):
            ten = False
            at += 1
        point = 0
        first = at
        while at < end and at - first < _LONGEST_ENTITY:
            byte = page[at]
            if 48 <= byte <= 57:
                point = point * (10 if ten else 16) + byte - 48
            elif not ten and 97 <= (byte | 32) <= 102:
                point = point * 16 + (byte | 32) - 87
            else:
                break
            at += 1
        if at == first:
            return -1, at
        if at < end and page[at] == 59:
            at += 1
        if point == 0 or point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            point = 0xFFFD
        if point == 0xA0:
            point = 32
        return point, at
    name[:] = 0
    size = 0
    while at < end and size < _LONGEST_NAME and 97 <= (page[at] | 32) <= 122:
        name[size] = page[at]
        size += 1
        at += 1
    if size == 0 or at >= end or page[at] != 59:
        return -1, at
    place = _place(name, names)
    return (points[place] if place >= 0 else -1), at + 1


@compiled
def _tag_end(page: Bytes, at: int, end: int) -> int:
    """From inside a tag: behind its `>`, which may stand quoted in a value before it."""
    quote = 0
    begin = at
    while at < end:
        byte = page[at]
        if quote:
            if byte == quote:
                quote = 0
        elif byte == 62:
            return at + 1
        elif (byte == 34 or byte == 39) and at > begin and page[at - 1] == 61:
            quote = byte
        at += 1
    return end


@compiled
def _strip(page: Bytes, hidden: Bytes, blocks: Bytes, entities: Bytes, points: Positions, out: Bytes) -> int:
    end = len(page)
    name = np.zeros(_LONGEST_NAME, np.uint8)
    inside = -1  # which hidden element
    used = 0
    lines = 2  # ends of lines that the text ends with; two at its start, so that it begins with none
    blank = False
    at = 0
    while at < end:
        byte = page[at]
        breaks = 0
        if byte == 60 and at + 1 < end:
            after = page[at + 1]
            if after == 33 and at + 3 < end and page[at + 2] == 45 and page[at + 3] == 45:
                at += 4
                while at < end and not (page[at] == 62 and page[at - 1] == 45 and page[at - 2] == 45):
                    at += 1
                at += 1
                continue
            closing = after == 47
            begin = at + 2 if closing else at + 1
            if begin < end and 97 <= (page[begin] | 32) <= 122:
                name[:] = 0
                size = 0
                at = begin
                while (
                    at < end
                    and size < _LONGEST_NAME
                    and (97 <= (page[at] | 32) <= 122 or 48 <= page[at] <= 57)
                ):
                    name[size] = page[at] | 32 if page[at] >= 65 else page[at]
                    size += 1
                    at += 1
                if inside >= 0:
                    if closing and _place(name, hidden) == inside:
                        inside = -1
                        at = _tag_end(page, at, end)
                    continue
                behind = _tag_end(page, at, end)
                place = _place(name, hidden)
                if place >= 0 and not closing and not (page[behind - 1] == 62 and page[behind - 2] == 47):
                    inside = place
                at = behind
                if _place(name, blocks) < 0:
                    continue
                breaks = 1
            elif inside < 0 and (after == 33 or after == 63 or closing):
                while at < end and page[at] != 62:
                    at += 1
                at += 1
                continue
        if inside >= 0 and breaks == 0:
            at += 1
            continue
        if breaks:
            if lines < 2:
                out[used] = 10
                used += 1
                lines += 1
            blank = False
            continue
        if byte == 32 or byte == 9 or byte == 10 or byte == 13 or byte == 12:
            blank = True
            at += 1
            continue
        point = -1
        behind = at + 1
        if byte == 38:
            point, behind = _entity(page, at + 1, end, name, entities, points)
            if point < 0:
                behind = at + 1
        if point == 32:
            blank = True
            at = behind
            continue
        if blank and lines == 0:
            out[used] = 32
            used += 1
        blank = False
        lines = 0
        if point >= 0:
            used = _put(point, out, used)
        else:
            out[used] = byte
            used += 1
        at = behind
    while used > 0 and out[used - 1] == 10:
        used -= 1
    return used


def strip_tags(page: Bytes) -> Bytes:
    """The text of a page in UTF-8. Never longer than the page, and one more byte."""
    out = np.empty(len(page) + 8, np.uint8)
    used = _strip(page, _HIDDEN, _BLOCKS, _ENTITY_NAMES, _ENTITY_POINTS, out)
    return out[:used]
