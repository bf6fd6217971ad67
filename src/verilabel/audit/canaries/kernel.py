"""The compiled search for places in texts where values can be planted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled

_BLANK, _BEFORE, _AFTER = 1, 2, 4
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FLAGS = np.array(
    [
        (byte in b" \t\r\n\x0b\x0c") * _BLANK
        | (byte in _LETTERS + b".,;:!?)\"'>") * _BEFORE
        | (byte in _LETTERS + b"(\"'<") * _AFTER
        for byte in range(256)
    ],
    np.uint8,
)
_WWW = np.frombuffer(b"www.", np.uint8).copy()
_SCHEME = np.frombuffer(b"://", np.uint8).copy()
_MAIL = np.frombuffer(b"mailto:", np.uint8).copy()


@compiled
def _stands(data: Bytes, at: int, end: int, mark: Bytes) -> bool:
    if at + len(mark) > end:
        return False
    for k in range(len(mark)):  # noqa: SIM110 - the compiler knows no generators
        if data[at + k] != mark[k]:
            return False
    return True


@compiled
def _find_quiet(
    data: Bytes,
    offsets: Positions,
    flags: Bytes,
    www: Bytes,
    scheme: Bytes,
    mail: Bytes,
    places: Positions,
    first: Positions,
) -> int:
    count = 0
    for document in range(len(offsets) - 1):
        first[document] = count
        low = offsets[document]
        end = offsets[document + 1]
        at = low
        gap = np.int64(-1)
        while at < end:
            blank = at
            while at < end and flags[data[at]] & _BLANK:
                at += 1
            if at >= end:
                break
            start = at
            is_address = False
            while at < end and not flags[data[at]] & _BLANK:
                byte = data[at]
                if (
                    byte == 64
                    or (byte == 58 and _stands(data, at, end, scheme))
                    or (byte == 119 and _stands(data, at, end, www))
                    or (byte == 109 and _stands(data, at, end, mail))
                ):
                    is_address = True
                at += 1
            if gap >= 0 and not is_address and flags[data[start]] & _AFTER:
                places[count] = blank - low
                count += 1
            gap = blank if flags[data[at - 1]] & _BEFORE and not is_address else np.int64(-1)
    first[len(offsets) - 1] = count
    return count


def find_quiet_places(texts: Sequence[bytes]) -> list[list[int]]:
    """Of each text the places of blanks between two words where nothing stands that a value could grow by.

    The word before ends with a letter or a mark that ends sentences, the one behind begins with a letter, a bracket or
    a quote, and neither is a URL or an address.
    """
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    data = np.frombuffer(bytearray(b"".join(texts)), np.uint8)
    places = np.empty(len(data) // 2 + 1, np.int64)
    first = np.empty(len(offsets), np.int64)
    count = _find_quiet(data, offsets, _FLAGS, _WWW, _SCHEME, _MAIL, places, first)
    found, bounds = places[:count].tolist(), first.tolist()
    return [found[bounds[text] : bounds[text + 1]] for text in range(len(texts))]
