"""Rows of CSV and TSV (RFC 4180): the fields of a few columns, with quotes taken off.

As Python's `csv` reads them when it is not strict: a quote opens a quoted field only at its beginning, two quotes
within one are one, what follows the closing quote belongs to the field, and LF, CR LF or CR end a row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled

TAKEN = 0
OTHER_WIDTH = 1
TOO_LONG = 2

NEEDS_MORE = 0
FULL = 1

# where in a row the reader is
START = 0
BARE = 1
QUOTED = 2
QUOTE = 3


class Rows(NamedTuple):
    """What one call found: arrays that are written from the front."""

    out: Bytes
    """The wanted fields, behind one another, without their quotes."""
    fields: npt.NDArray[np.int64]
    """Of shape (rows, wanted columns, 2): start and end in `out`."""
    rows: Positions
    missed: npt.NDArray[np.int64]
    """Of shape (rows, 2): row and why it gives no document."""


@compiled
def _read(
    window: Bytes,
    size: int,
    at: int,
    last: bool,
    row: int,
    limit: int,
    delimiter: int,
    width: int,
    slots: Positions,
    out: Bytes,
    fields: npt.NDArray[np.int64],
    rows: Positions,
    missed: npt.NDArray[np.int64],
) -> tuple[int, int, int, int, int, int]:
    taken = 0
    misses = 0
    used = 0
    while at < size:
        start = at
        if window[at] == 10 or window[at] == 13:
            at += 1  # an empty line is no row; the LF of a CR LF ends here too
            continue
        if taken >= len(rows) or misses >= len(missed):
            return at, row, taken, misses, used, FULL
        column = 0
        state = START
        begun = used
        slot = slots[0]
        if slot >= 0:
            fields[taken, slot, 0] = used
        ended = False
        room = True
        while at < size:
            byte = window[at]
            if state == QUOTED:
                if byte == 34:
                    state = QUOTE
                    at += 1
                    continue
            elif byte == 10 or byte == 13:
                ended = True
                at += 1
                break
            elif byte == delimiter:
                if slot >= 0:
                    fields[taken, slot, 1] = used
                column += 1
                slot = slots[column] if column < width else -1
                if slot >= 0:
                    fields[taken, slot, 0] = used
                state = START
                at += 1
                continue
            elif byte == 34:
                if state == START:
                    state = QUOTED
                    at += 1
                    continue
                if state == QUOTE:
                    state = QUOTED
            else:
                state = BARE
            if slot >= 0:
                if used >= len(out):
                    room = False
                    break
                out[used] = byte
                used += 1
            at += 1
        if not room:
            return start, row, taken, misses, begun, FULL
        if not ended and not last:
            return start, row, taken, misses, begun, NEEDS_MORE
        if slot >= 0:
            fields[taken, slot, 1] = used
        if at - start > limit or column + 1 != width:
            missed[misses, 0] = row
            missed[misses, 1] = TOO_LONG if at - start > limit else OTHER_WIDTH
            misses += 1
            used = begun
        else:
            rows[taken] = row
            taken += 1
        row += 1
    return at, row, taken, misses, used, NEEDS_MORE


@compiled
def _skip(window: Bytes, size: int, at: int, state: int, delimiter: int) -> tuple[int, int, bool]:
    while at < size:
        byte = window[at]
        at += 1
        if state == QUOTED:
            if byte == 34:
                state = QUOTE
        elif byte == 10 or byte == 13:
            return at, START, True
        elif byte == delimiter:
            state = START
        elif byte == 34:
            if state in (START, QUOTE):
                state = QUOTED
        else:
            state = BARE
    return at, state, False


class Found(NamedTuple):
    """Where a call stopped."""

    at: int
    """The first row in the window that was not read."""
    row: int
    taken: int
    misses: int
    used: int
    stopped: int


def read_rows(
    window: Bytes,
    size: int,
    at: int,
    last: bool,
    row: int,
    limit: int,
    delimiter: int,
    slots: Positions,
    found: Rows,
) -> Found:
    """Read rows of `window[at:size]`; `slots` says for each column of the table which wanted one it is, or -1."""
    return Found(
        *_read(
            window,
            size,
            at,
            last,
            row,
            limit,
            delimiter,
            len(slots),
            slots,
            found.out,
            found.fields,
            found.rows,
            found.missed,
        )
    )


def skip_row(window: Bytes, size: int, at: int, state: int, delimiter: int) -> tuple[int, int, bool]:
    """Go to the end of a row that is too long to be held: where, in which state, and whether the end was there."""
    at, state, ended = _skip(window, size, at, state, delimiter)
    return int(at), int(state), bool(ended)
