"""Texts as UTF-8: looked at all at once, and one by one only where some are not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.reading.kernels.utf8 import copy_repaired, count_wrong, find_invalid


def texts_are_utf8(data: Bytes, offsets: Positions) -> bool:
    """Whether each of the texts is UTF-8 for itself."""
    import pyarrow

    if len(offsets) < 2:
        return True
    texts = pyarrow.Array.from_buffers(
        pyarrow.large_string(),
        len(offsets) - 1,
        [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(data)],
    )
    try:
        texts.validate(full=True)
    except pyarrow.ArrowInvalid:
        return False
    return True


def find_damage(data: Bytes, at: int, end: int) -> int:
    """The first byte of `data[at:end]` that is not UTF-8, or `end`. Fast where there is none."""
    if at >= end or texts_are_utf8(data[at:end], np.array([0, end - at], np.int64)):
        return end
    return int(find_invalid(data, at, end))


class Repaired(NamedTuple):
    """Texts that are UTF-8."""

    data: Bytes
    offsets: Positions
    damaged: int
    """How many had bytes that are not."""
    kept: npt.NDArray[np.bool_] | None
    """Which texts are still here, where some grew beyond the limit: three bytes stand for one."""


def repair_texts(data: Bytes, offsets: Positions, limit: int) -> Repaired:
    """The texts with U+FFFD where bytes are not UTF-8; without those that become longer than the limit by it."""
    if texts_are_utf8(data, offsets):
        return Repaired(data, offsets, 0, None)
    lengths = np.zeros(len(offsets) - 1, np.int64)
    damaged = int(count_wrong(data, offsets, lengths))
    kept = lengths <= np.maximum(limit, np.diff(offsets))
    ends = np.zeros(int(kept.sum()) + 1, np.int64)
    np.cumsum(lengths[kept], out=ends[1:])
    out = np.empty(int(ends[-1]), np.uint8)
    used = 0
    for document in np.flatnonzero(kept):
        used = copy_repaired(data, int(offsets[document]), int(offsets[document + 1]), out, used)
    grown = int((~kept).sum())
    return Repaired(out, ends, damaged - grown, None if grown == 0 else kept)
