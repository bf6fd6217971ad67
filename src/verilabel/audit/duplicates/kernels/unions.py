"""Union-find over arrays: the root of a set is its smallest member, so that the order of edges does not matter."""

from __future__ import annotations

from verilabel.audit.interface import Positions
from verilabel.audit.kernels.compiling import compiled, inlined


@inlined
def _find_root(parents: Positions, place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


@compiled
def unite(parents: Positions, edges: Positions) -> bool:
    """Unite the two ends of every edge; False where an end is no document. `parents` begins as 0, 1, 2, ..."""
    for row in range(len(edges)):
        one = edges[row, 0]
        other = edges[row, 1]
        if not (0 <= one < len(parents) and 0 <= other < len(parents)):
            return False
        root = _find_root(parents, one)
        second = _find_root(parents, other)
        if root < second:
            parents[second] = root
        elif second < root:
            parents[root] = second
    return True


@compiled
def settle(parents: Positions, sizes: Positions) -> None:
    """Point every document at its root, and count each set at its root; `sizes` begins as zeros.

    Parents are never larger than what points at them, so that one pass upwards is enough.
    """
    for place in range(len(parents)):
        root = parents[parents[place]]
        parents[place] = root
        sizes[root] += 1
