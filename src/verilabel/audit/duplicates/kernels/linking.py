"""Which documents that share a key of a band are near duplicates, by their signatures, in linear work."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from verilabel.audit.duplicates.kernels.signatures import PERMUTATIONS
from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled, inlined

LEADERS = 32
"""Groups of at most so many documents are compared in all pairs; of longer ones so many lead, each unlike the others,
and every other document is compared with the leaders alone."""

COMPARED = 0
REJECTED = 1
UNLINKED = 2
_TALLIES = 3


@inlined
def _agreeing(one: Bytes, other: Bytes) -> int:
    agreeing = 0
    for k in range(PERMUTATIONS):
        agreeing += one[k] == other[k]
    return agreeing


class Leaders(NamedTuple):
    """The leaders of one long group, kept while its members come by; changed in place."""

    signatures: Bytes
    documents: Positions
    parts: Positions
    """Leaders that were found to be linked by some member have the same number."""
    filled: Positions
    """One value: how many there are."""


def no_leaders() -> Leaders:
    """The state before the first member of a group."""
    return Leaders(
        np.zeros((LEADERS, PERMUTATIONS), np.uint8),
        np.zeros(LEADERS, np.int64),
        np.zeros(LEADERS, np.int64),
        np.zeros(1, np.int64),
    )


@compiled
def follow_leaders(
    signatures: Bytes,
    documents: Positions,
    members: Positions,
    needed: int,
    leading: Bytes,
    led_by: Positions,
    parts: Positions,
    count: Positions,
    edges: Positions,
    written: int,
    tallies: Positions,
) -> int:
    """Link members (rows of `signatures`, by rising document) to leaders; return how many edges are now written."""
    for member in members:
        signature = signatures[member]
        document = documents[member]
        mine = np.int64(-1)
        for leader in range(count[0]):
            if led_by[leader] == document:
                mine = parts[leader]
                continue
            if mine == parts[leader]:
                continue
            tallies[COMPARED] += 1
            if _agreeing(signature, leading[leader]) < needed:
                tallies[REJECTED] += 1
                continue
            edges[written, 0] = led_by[leader]
            edges[written, 1] = document
            written += 1
            other = parts[leader]
            if mine >= 0:
                for k in range(count[0]):
                    if parts[k] == other:
                        parts[k] = mine
            else:
                mine = other
        if mine >= 0:
            continue
        place = count[0]
        if place < len(led_by):
            leading[place] = signature
            led_by[place] = document
            parts[place] = place
            count[0] = place + 1
        else:
            tallies[UNLINKED] += 1
    return written


@compiled
def _link_pairs(
    signatures: Bytes,
    documents: Positions,
    members: Positions,
    needed: int,
    edges: Positions,
    written: int,
    tallies: Positions,
) -> int:
    size = len(members)
    parts = np.arange(size)
    for i in range(1, size):
        for j in range(i):
            if parts[i] == parts[j] or members[i] == members[j]:
                continue
            tallies[COMPARED] += 1
            if _agreeing(signatures[members[i]], signatures[members[j]]) < needed:
                tallies[REJECTED] += 1
                continue
            edges[written, 0] = documents[members[j]]
            edges[written, 1] = documents[members[i]]
            written += 1
            other = parts[i]
            for k in range(i + 1):
                if parts[k] == other:
                    parts[k] = parts[j]
    return written


@compiled
def _link_groups(
    signatures: Bytes,
    documents: Positions,
    members: Positions,
    bounds: Positions,
    needed: int,
    most_leaders: int,
    edges: Positions,
    tallies: Positions,
) -> int:
    written = 0
    leading = np.zeros((most_leaders, PERMUTATIONS), np.uint8)
    led_by = np.zeros(most_leaders, np.int64)
    parts = np.zeros(most_leaders, np.int64)
    count = np.zeros(1, np.int64)
    for group in range(len(bounds) - 1):
        inside = members[bounds[group] : bounds[group + 1]]
        if len(inside) <= most_leaders:
            written = _link_pairs(signatures, documents, inside, needed, edges, written, tallies)
        else:
            count[0] = 0
            written = follow_leaders(
                signatures,
                documents,
                inside,
                needed,
                leading,
                led_by,
                parts,
                count,
                edges,
                written,
                tallies,
            )
    return written


class Linked(NamedTuple):
    """Edges between documents, and what was done to find them."""

    edges: Positions
    """Rows of two documents, the earlier first."""
    tallies: Positions
    """How many pairs were compared and rejected, and how many members had no place to be compared at."""


def link_groups(
    signatures: Bytes, documents: Positions, members: Positions, bounds: Positions, needed: int
) -> Linked:
    """Link what is alike in each group.

    `members[bounds[g]:bounds[g + 1]]` are the rows in `signatures` (n, PERMUTATIONS) and `documents` (n) of group g,
    by rising document; `needed` is how many places of two signatures must agree. Edges never outnumber members.
    """
    edges = np.empty((len(members), 2), np.int64)
    tallies = np.zeros(_TALLIES, np.int64)
    written = _link_groups(signatures, documents, members, bounds, needed, LEADERS, edges, tallies)
    return Linked(edges[:written], tallies)


def link_more(signatures: Bytes, documents: Positions, needed: int, leaders: Leaders) -> Linked:
    """Link the next members of one long group, which comes in pieces, by rising document."""
    edges = np.empty((len(documents) + LEADERS, 2), np.int64)
    tallies = np.zeros(_TALLIES, np.int64)
    members = np.arange(len(documents))
    written = follow_leaders(signatures, documents, members, needed, *leaders, edges, 0, tallies)
    return Linked(edges[:written], tallies)
