"""JSON objects, one a line: the texts of a few top-level keys, found and unescaped without building the objects.

Every line is checked against the whole grammar of RFC 8259, so that a line is taken here only where it is JSON. What is
rare (lone surrogates, keys with escapes, deep nesting) is left to a parser that builds objects.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.reading.kernels.json_values import (
    DIGITS,
    ESCAPES,
    FALSE,
    INCOMPLETE,
    INVALID,
    NULL_WORD,
    STOPS,
    TRUE,
    pass_number,
    pass_string,
    pass_word,
    unescape,
)

GROUPS = 3
"""What is read beside the text: url, date, licence."""
MAX_DEPTH = 64
MAX_KEYS = 32

# what a line is
TAKEN = 0
NO_TEXT = 1
NOT_TEXT = 2
NOT_OBJECT = 3
TOO_LONG = 4
ODD = 5

# what a key has
ABSENT = 0
PLAIN = 1
ESCAPED = 2
NULL = 3
NUMBER = 4
OTHER = 5

# why reading stopped
NEEDS_MORE = 0
FULL = 1
LEFT_OVER = 2


class Lines(NamedTuple):
    """What one call found: arrays that are written from the front."""

    out: Bytes
    """The texts, behind one another."""
    offsets: Positions
    rows: Positions
    spans: npt.NDArray[np.int64]
    """Of shape (documents, GROUPS, 3): start and end in the window, and what it is (ABSENT, PLAIN, ESCAPED, NUMBER)."""
    missed: npt.NDArray[np.int64]
    """Of shape (lines, 2): row and what the line is, of lines that give no document."""


@compiled
def _which_key(window: Bytes, start: int, end: int, names: Bytes, name_ends: Positions) -> int:
    begin = 0
    for name in range(len(name_ends)):
        size = name_ends[name] - begin
        if size == end - start:
            same = True
            for letter in range(size):
                if window[start + letter] != names[begin + letter]:
                    same = False
                    break
            if same:
                return name
        begin = name_ends[name]
    return -1


@compiled
def _object(
    window: Bytes,
    at: int,
    size: int,
    names: Bytes,
    name_ends: Positions,
    places: Positions,
    stack: Bytes,
    stops: Bytes,
    escapes: Bytes,
    digit: npt.NDArray[np.int16],
    true: Bytes,
    false: Bytes,
    null: Bytes,
) -> tuple[int, bool]:
    """From an opening brace: behind the closing one (or INCOMPLETE, INVALID), and whether it is odd.

    `places` gets start, end and what it is for each of the names.
    """
    for place in range(len(name_ends)):
        places[3 * place + 2] = ABSENT
    odd = False
    depth = 1
    stack[0] = 123
    at += 1
    name = -1
    wants = 0  # 0 key or close, 1 key, 2 value or close, 3 value, 4 comma or close
    while True:
        while at < size and (window[at] == 32 or window[at] == 9 or window[at] == 13):
            at += 1
        if at >= size:
            return INCOMPLETE, odd
        byte = window[at]
        if wants <= 1:
            if byte == 125 and wants == 0:
                wants = 5
            elif byte != 34:
                return INVALID, odd
            else:
                end, escaped, lone = pass_string(window, at + 1, size, stops, escapes, digit)
                if end < 0:
                    return end, odd
                odd = odd or lone
                if depth == 1:
                    odd = odd or escaped
                    name = _which_key(window, at + 1, end, names, name_ends)
                at = end + 1
                while at < size and (window[at] == 32 or window[at] == 9 or window[at] == 13):
                    at += 1
                if at >= size:
                    return INCOMPLETE, odd
                if window[at] != 58:
                    return INVALID, odd
                at += 1
                wants = 3
                continue
        elif wants == 4:
            if byte == 44:
                at += 1
                wants = 1 if stack[depth - 1] == 123 else 3
                continue
            if byte != stack[depth - 1] + 2:  # } is { + 2, ] is [ + 2
                return INVALID, odd
            wants = 5
        elif wants == 2 and byte == 93:
            wants = 5
        if wants == 5:
            at += 1
            depth -= 1
            if depth == 0:
                return at, odd
            wants = 4
            continue
        what = OTHER
        start = at
        if byte == 34:
            end, escaped, lone = pass_string(window, at + 1, size, stops, escapes, digit)
            if end < 0:
                return end, odd
            odd = odd or lone
            what = ESCAPED if escaped else PLAIN
            start = at + 1
            at = end
        elif byte == 123 or byte == 91:
            end = at
        elif byte == 116:
            end = pass_word(window, at, size, true)
        elif byte == 102:
            end = pass_word(window, at, size, false)
        elif byte == 110:
            end = pass_word(window, at, size, null)
            what = NULL
        else:
            end = pass_number(window, at, size)
            what = NUMBER
        if end < 0:
            return end, odd
        if depth == 1 and name >= 0:
            places[3 * name] = start
            places[3 * name + 1] = end
            places[3 * name + 2] = what
        if byte == 123 or byte == 91:
            if depth >= MAX_DEPTH:
                # too deep to follow here: the end of the line decides, and another parser
                while at < size and window[at] != 10:
                    at += 1
                return at, True
            stack[depth] = byte
            depth += 1
            at += 1
            wants = 0 if byte == 123 else 2
        else:
            at = end + 1 if byte == 34 else end
            wants = 4


@compiled
def _read(
    window: Bytes,
    size: int,
    at: int,
    last: bool,
    row: int,
    limit: int,
    names: Bytes,
    name_ends: Positions,
    texts: int,
    groups: Positions,
    stops: Bytes,
    escapes: Bytes,
    digit: npt.NDArray[np.int16],
    true: Bytes,
    false: Bytes,
    null: Bytes,
    out: Bytes,
    offsets: Positions,
    rows: Positions,
    spans: npt.NDArray[np.int64],
    missed: npt.NDArray[np.int64],
) -> tuple[int, int, int, int, int, int, int]:
    stack = np.empty(MAX_DEPTH + 1, np.uint8)
    places = np.zeros(3 * MAX_KEYS, np.int64)
    documents = 0
    misses = 0
    used = 0
    while True:
        start = at
        while at < size and (window[at] == 32 or window[at] == 9 or window[at] == 13):
            at += 1
        if at >= size and (not last or at - start <= limit):
            # nothing but blanks: no line, unless more is to come
            return (size if last else start), row, documents, misses, used, NEEDS_MORE, 0
        if at < size and window[at] == 10 and at - start <= limit:
            at += 1
            continue
        if documents >= len(rows) or misses >= len(missed):
            return start, row, documents, misses, used, FULL, 0
        what = NOT_OBJECT
        end = at
        odd = False
        if at < size and window[at] == 123:
            end, odd = _object(
                window,
                at,
                size,
                names,
                name_ends,
                places,
                stack,
                stops,
                escapes,
                digit,
                true,
                false,
                null,
            )
            if end == INCOMPLETE and not last:
                return start, row, documents, misses, used, NEEDS_MORE, 0
            if end >= 0:
                what = TAKEN
                while end < size and (window[end] == 32 or window[end] == 9 or window[end] == 13):
                    end += 1
                if end < size and window[end] != 10:
                    what = NOT_OBJECT
        close = end if what == TAKEN else at
        while close < size and window[close] != 10:
            close += 1
        if close >= size and not last:
            return start, row, documents, misses, used, NEEDS_MORE, 0
        if close - start > limit:
            what = TOO_LONG
        elif what == TAKEN and odd:
            # left to the caller, who goes on behind it
            return start, row, documents, misses, used, LEFT_OVER, close
        elif what == TAKEN:
            what = NO_TEXT
            for name in range(texts):
                have = places[3 * name + 2]
                if have == ABSENT:
                    continue
                if have == NULL:
                    break
                if have != PLAIN and have != ESCAPED:
                    what = NOT_TEXT
                    break
                what = TAKEN
                first = places[3 * name]
                behind = places[3 * name + 1]
                if used + behind - first > len(out):
                    return start, row, documents, misses, used, FULL, 0
                if have == PLAIN:
                    out[used : used + behind - first] = window[first:behind]
                    used += behind - first
                else:
                    used = unescape(window, first, behind, out, used, escapes, digit)
                break
        if what == TAKEN:
            for group in range(GROUPS):
                spans[documents, group, 2] = ABSENT
            for name in range(texts, len(name_ends)):
                group = groups[name]
                have = places[3 * name + 2]
                if spans[documents, group, 2] == ABSENT and (have in (PLAIN, ESCAPED, NUMBER)):
                    spans[documents, group, 0] = places[3 * name]
                    spans[documents, group, 1] = places[3 * name + 1]
                    spans[documents, group, 2] = have
            rows[documents] = row
            documents += 1
            offsets[documents] = used
        else:
            missed[misses, 0] = row
            missed[misses, 1] = what
            misses += 1
        row += 1
        at = close + 1 if close < size else close


class Found(NamedTuple):
    """Where a call stopped."""

    at: int
    """The first line in the window that was not read."""
    row: int
    documents: int
    misses: int
    used: int
    """Bytes of text."""
    stopped: int
    """NEEDS_MORE, FULL, or LEFT_OVER: the line from `at` to `close` is for another parser."""
    close: int


class Keys(NamedTuple):
    """The top-level keys that are looked for: `texts` of them hold the text, the first that is there counts."""

    names: Bytes
    ends: Positions
    texts: int
    groups: Positions


def make_keys(texts: list[str], about: list[tuple[str, int]]) -> Keys:
    """Keys for the text in the order of preference, and for what is read beside it with the number of its group."""
    encoded = [name.encode() for name in [*texts, *(name for name, _ in about)]]
    assert len(encoded) <= MAX_KEYS
    return Keys(
        np.frombuffer(b"".join(encoded) or b"\0", np.uint8).copy(),
        np.cumsum([len(name) for name in encoded]).astype(np.int64),
        len(texts),
        np.array([0] * len(texts) + [group for _, group in about], np.int64),
    )


def read_objects(
    window: Bytes, size: int, at: int, last: bool, row: int, limit: int, keys: Keys, lines: Lines
) -> Found:
    """Read lines of `window[at:size]` until it ends, `lines` is full, or a line is too odd.

    `last` says that nothing comes behind the window; otherwise an unfinished line is left in place. Lines of blanks
    alone are no rows.
    """
    return Found(
        *_read(
            window,
            size,
            at,
            last,
            row,
            limit,
            keys.names,
            keys.ends,
            keys.texts,
            keys.groups,
            STOPS,
            ESCAPES,
            DIGITS,
            TRUE,
            FALSE,
            NULL_WORD,
            lines.out,
            lines.offsets,
            lines.rows,
            lines.spans,
            lines.missed,
        )
    )
