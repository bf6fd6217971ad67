"""Of findings that overlap, those that stay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.pii.kernels.tables import MAX_CANDIDATES

Kept = npt.NDArray[np.bool_]


@compiled
def keep_longest(document: Positions, level: Positions, start: Positions, end: Positions, keep: Kept) -> None:
    """Of findings sorted by document, start and falling end, mark those that stay.

    From left to right, of two that overlap the one of the higher level stays, among equals the longer, among those the
    earlier. No finding that stays overlaps another.
    """
    held = -1
    for at in range(len(document)):
        keep[at] = False
        if held >= 0 and document[at] == document[held] and start[at] < end[held]:
            is_better = level[at] > level[held]
            if level[at] == level[held]:
                is_better = end[at] - start[at] > end[held] - start[held]
            if is_better:
                keep[held] = False
                keep[at] = True
                held = at
            continue
        keep[at] = True
        held = at


@compiled
def bound_kinds(
    document: Positions, kind: Positions, kinds: int, keep: Kept, beyond: npt.NDArray[np.uint32]
) -> None:
    """Mark at most MAX_CANDIDATES findings of a kind in a document, and count the others."""
    seen = np.zeros(kinds, np.int64)
    last = np.int64(-1)
    for at in range(len(document)):
        if document[at] != last:
            last = document[at]
            seen[:] = 0
        seen[kind[at]] += 1
        keep[at] = seen[kind[at]] <= MAX_CANDIDATES
        if not keep[at]:
            beyond[document[at]] += np.uint32(1)
