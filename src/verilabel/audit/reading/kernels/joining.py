"""Pieces of text copied into documents: one piece a document, or several with a blank line between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled


@compiled
def _measure(
    starts: Positions, ends: Positions, owners: Positions, lengths: Positions, pieces: Positions
) -> None:
    for piece in range(len(owners)):
        owner = owners[piece]
        if pieces[owner] > 0:
            lengths[owner] += 2
        lengths[owner] += ends[piece] - starts[piece]
        pieces[owner] += 1


@compiled
def _copy(
    data: Bytes,
    starts: Positions,
    ends: Positions,
    owners: Positions,
    wanted: npt.NDArray[np.bool_],
    out: Bytes,
) -> None:
    used = 0
    before = -1
    for piece in range(len(owners)):
        owner = owners[piece]
        if not wanted[owner]:
            continue
        if owner == before:
            out[used] = 10
            out[used + 1] = 10
            used += 2
        before = owner
        size = ends[piece] - starts[piece]
        out[used : used + size] = data[starts[piece] : ends[piece]]
        used += size


def measure_documents(
    starts: Positions, ends: Positions, owners: Positions, documents: int
) -> tuple[Positions, Positions]:
    """How long documents will be when their pieces are joined, and of how many pieces each is made."""
    lengths = np.zeros(documents, np.int64)
    pieces = np.zeros(documents, np.int64)
    _measure(starts, ends, owners, lengths, pieces)
    return lengths, pieces


def join_documents(
    data: Bytes,
    starts: Positions,
    ends: Positions,
    owners: Positions,
    lengths: Positions,
    wanted: npt.NDArray[np.bool_],
) -> tuple[Bytes, Positions]:
    """The texts and offsets of the documents that are wanted; `owners` rises, and names a document for each piece."""
    kept = lengths[wanted]
    offsets = np.zeros(len(kept) + 1, np.int64)
    np.cumsum(kept, out=offsets[1:])
    out = np.empty(int(offsets[-1]), np.uint8)
    data = data.view()
    data.flags.writeable = False  # as Arrow's are: one signature to compile
    _copy(data, starts, ends, owners, wanted, out)
    return out, offsets
