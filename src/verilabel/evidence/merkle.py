"""Merkle trees over SHA-256 (RFC 6962): roots, inclusion and consistency proofs, and their checks.

A node of the tree is addressed by `(level, position)`: it covers the leaves from `position * 2**level` up
to, not including, `(position + 1) * 2**level`. Whoever can look those up (a list in memory, a table on
disk) gives proofs in O(log n).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from verilabel.errors import SealError, UsageError

HASH_BYTES = 32
ALGORITHM: Literal["rfc6962-sha256"] = "rfc6962-sha256"
EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_LEAVES = 2**63 - 1
MAX_PROOF_HASHES = 64


def leaf_hash(line: bytes, salt: bytes = b"") -> bytes:
    """SHA-256(0x00 || salt || line): the leaf of one record's bytes without its newline (label-semantics 13).

    A sealed record has a 32-byte salt, a public one none.
    """
    return hashlib.sha256(b"\x00" + salt + line).digest()


def leaf_hashes(lines: Iterable[bytes]) -> list[bytes]:
    """The leaf hashes of many unsalted lines: `leaf_hash` without a call for each, for the verifier's hot path."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + line).digest() for line in lines]


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right): an inner node (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, 32 bytes each (RFC 6962 section 2.1), computed level by level in O(n).

    Carrying an odd node up unchanged gives the same tree as the RFC's split at the largest power of two.
    """
    level: Sequence[bytes] = leaf_hashes
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        level = _level_above(level, carry=True)
    return level[0]


def _level_above(level: Sequence[bytes], *, carry: bool) -> list[bytes]:
    # Written for the verifier's hot path: pairing one iterator with itself avoids two slices of the level.
    sha256 = hashlib.sha256
    nodes = iter(level)
    above = [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes, nodes, strict=False)]
    if carry and len(level) % 2:
        above.append(level[-1])
    return above


class Frontier:
    """The root of a growing list in O(log n) memory: one hash for each one-bit of the size."""

    __slots__ = ("_subtrees", "size")

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def add(self, leaf: bytes) -> list[bytes]:
        """Append a leaf hash; return the nodes it completed, from level 0 (the leaf itself) up."""
        completed = [leaf]
        carried = self.size
        while carried & 1:
            completed.append(node_hash(self._subtrees.pop(), completed[-1]))
            carried >>= 1
        self._subtrees.append(completed[-1])
        self.size += 1
        return completed

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes in order."""
        for leaf in leaves:
            self.add(leaf)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        root = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            root = node_hash(subtree, root)
        return root


class Nodes(Protocol):
    """Where the hashes of complete nodes are looked up."""

    def node(self, level: int, position: int) -> bytes:
        """The hash of the complete node at this address."""


class Tree:
    """All nodes of a tree in memory: built once in O(n), then every proof costs O(log n)."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self.size = len(leaf_hashes)
        self._levels: list[Sequence[bytes]] = [leaf_hashes]
        while len(self._levels[-1]) > 1:
            self._levels.append(_level_above(self._levels[-1], carry=False))

    def node(self, level: int, position: int) -> bytes:
        """The hash of the complete node at this address."""
        return self._levels[level][position]

    def root(self) -> bytes:
        """The root over all leaves."""
        return root_at(self, self.size)

    def inclusion(self, index: int) -> list[bytes]:
        """The inclusion proof of one leaf in the whole tree."""
        return inclusion_proof(self, index, self.size)

    def consistency(self, old_size: int) -> list[bytes]:
        """The consistency proof from the first `old_size` leaves to the whole tree."""
        return consistency_proof(self, old_size, self.size)


def root_at(nodes: Nodes, size: int) -> bytes:
    """The root over the first `size` leaves, from O(log n) complete nodes."""
    return EMPTY_ROOT if size == 0 else _root_of_range(nodes, 0, size)


def _root_of_range(nodes: Nodes, start: int, end: int) -> bytes:
    """The hash over leaves [start, end); a power of two that is at least end - start divides start."""
    subtrees = []
    while start < end:
        level = (end - start).bit_length() - 1
        subtrees.append(nodes.node(level, start >> level))
        start += 1 << level
    root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop(), root)
    return root


def _split(length: int) -> int:
    """The largest power of two smaller than a length of at least 2 (k of RFC 6962 section 2.1)."""
    return 1 << ((length - 1).bit_length() - 1)


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 section 2.1.1: sibling hashes from the leaf up to below the root.

    Raises UsageError where the tree of that size has no such leaf.
    """
    if not 0 <= index < size:
        raise UsageError(f"no entry {index} in a tree of {size}", hint="entries are counted from 0")
    siblings = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return [_root_of_range(nodes, *sibling) for sibling in reversed(siblings)]


def consistency_proof(nodes: Nodes, old_size: int, new_size: int) -> list[bytes]:
    """PROOF(old_size, D[new_size]) of RFC 6962 section 2.1.2; empty where one size is 0 or both are equal.

    Raises UsageError where the sizes are not in order.
    """
    if not 0 <= old_size <= new_size:
        raise UsageError(f"no consistency proof from size {old_size} to size {new_size}")
    if old_size in (0, new_size):
        return []
    ranges = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start != 0:  # at start 0 the verifier already has this hash: it is the old root
        ranges.append((start, end))
    return [_root_of_range(nodes, *part) for part in reversed(ranges)]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2).

    Raises SealError where the proof does not show that `leaf` is entry `index` of the tree of `size` with
    `root`.
    """
    _check_shape(size, proof, leaf, root)
    if not 0 <= index < size:
        raise SealError(f"the proof is for entry {index}, the tree has {size}")
    position, last = index, size - 1
    computed = leaf
    for sibling in proof:
        if last == 0:
            raise SealError("the inclusion proof has too many hashes")
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            position, last = _skip_to_left_sibling(position, last)
        else:
            computed = node_hash(computed, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise SealError("the inclusion proof has too few hashes")
    if computed != root:
        raise SealError("the inclusion proof leads to another root")


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check a consistency proof (RFC 9162 section 2.1.4.2).

    Raises SealError where the proof does not show that the new tree starts with all leaves of the old one.
    The empty tree is consistent with every tree, by an empty proof.
    """
    _check_shape(new_size, proof, old_root, new_root)
    if not 0 <= old_size <= new_size:
        raise SealError(f"the tree has shrunk from {old_size} to {new_size}")
    if old_size in (0, new_size):
        expected = EMPTY_ROOT if old_size == 0 else new_root
        if proof or old_root != expected or (new_size == 0 and new_root != EMPTY_ROOT):
            raise SealError("the trees are not consistent")
        return
    if _roots_by_consistency(old_size, new_size, proof, old_root) != (old_root, new_root):
        raise SealError("the trees are not consistent")


def _roots_by_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes
) -> tuple[bytes, bytes]:
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not proof:
        raise SealError("the consistency proof has too few hashes")
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise SealError("the consistency proof has too many hashes")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            position, last = _skip_to_left_sibling(position, last)
        else:
            new = node_hash(new, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise SealError("the consistency proof has too few hashes")
    return old, new


def _skip_to_left_sibling(position: int, last: int) -> tuple[int, int]:
    """Go up past the levels where the path is the carried node of an incomplete tree."""
    while position and not position & 1:
        position >>= 1
        last >>= 1
    return position, last


def _check_shape(size: int, proof: Sequence[bytes], *hashes: bytes) -> None:
    if not 0 <= size <= MAX_LEAVES:
        raise SealError(f"no tree has {size} leaves")
    if len(proof) > MAX_PROOF_HASHES:
        raise SealError(f"the proof has {len(proof)} hashes, no tree needs more than {MAX_PROOF_HASHES}")
    if any(len(item) != HASH_BYTES for item in (*proof, *hashes)):
        raise SealError(f"a hash is not {HASH_BYTES} bytes long")
