"""Holding a log's checkpoints against each other: did it only grow?"""

from __future__ import annotations

from verilabel.errors import SealError
from verilabel.evidence.consistency import consistency_bytes
from verilabel.evidence.merkle import Nodes, consistency_proof, root_at, verify_consistency
from verilabel.evidence.note import Checkpoint
from verilabel.transparency.memory import Finding, FindingKind, Memory


def split_view(memory: Memory, size: int, note: bytes, other_note: bytes) -> Finding:
    """The finding that a log signed two trees of one size."""
    return memory.accuse(
        "forked",
        f"two signed checkpoints over {size} entries have different roots",
        {"one.checkpoint": note, "other.checkpoint": other_note},
    )


def compare_growth(
    memory: Memory,
    nodes: Nodes,
    old: tuple[Checkpoint, bytes],
    new: tuple[Checkpoint, bytes],
    *,
    kind: FindingKind = "rewritten",
    entry: int | None = None,
) -> Finding | None:
    """Check that the tree of `new` begins with that of `old`, by nodes of the newer tree; None where it does.

    In order: 1 the nodes are those of the signed root, 2 sizes are in order, 3 the consistency proof (RFC 9162
    section 2.1.4.2) leads from the old root to the new one. Raises SealError where nodes are missing.
    """
    (earlier, earlier_note), (later, later_note) = old, new
    if earlier.size == later.size:
        if earlier.root == later.root:
            return None
        return split_view(memory, earlier.size, earlier_note, later_note)
    if root_at(nodes, later.size) != later.root:
        return memory.accuse(
            "another_tree",
            f"the signed root over {later.size} entries is not that of the tiles that are served",
            {"signed.checkpoint": later_note},
        )
    proof = consistency_proof(nodes, earlier.size, later.size)
    try:
        verify_consistency(earlier.size, later.size, proof, earlier.root, later.root)
    except SealError:
        place = "" if entry is None else f"; entry {entry} is the first that differs"
        return memory.accuse(
            kind,
            f"the {later.size} entries signed later do not begin with the {earlier.size} signed earlier{place}",
            {
                "earlier.checkpoint": earlier_note,
                "later.checkpoint": later_note,
                "consistency.json": consistency_bytes(earlier.size, later.size, proof),
            },
            entry=entry,
        )
    return None


def shrunken(
    memory: Memory, earlier: tuple[Checkpoint, bytes], now: tuple[Checkpoint, bytes], who: str
) -> Finding:
    """The finding that a log shows fewer entries than it signed before."""
    return memory.accuse(
        "shrunk",
        f"it shows {now[0].size} entries; {who} has its signature over {earlier[0].size}",
        {"earlier.checkpoint": earlier[1], "now.checkpoint": now[1]},
    )
