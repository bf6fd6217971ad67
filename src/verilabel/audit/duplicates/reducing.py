"""Candidates of one partition of the keys, compared: the step between the parts of the shards and the clusters.

Every group of documents that share a key lies in one partition whole, and is judged by itself, in the order of its
documents. So the edges of all partitions together do not depend on how many there are. Memory is bounded by
`MAX_ENTRIES`: a range of keys with more entries is halved, and one key with more is read part by part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from verilabel.audit.duplicates import parts as parted
from verilabel.audit.duplicates.edges import EdgeFile, Tally
from verilabel.audit.duplicates.kernels.linking import LEADERS, Linked, link_groups, link_more, no_leaders
from verilabel.audit.duplicates.kernels.signatures import PERMUTATIONS
from verilabel.audit.interface import Bytes, Hashes, Positions
from verilabel.errors import UsageError

MAX_ENTRIES = 2**19
"""Entries that are in memory at a time; with their signatures about 100 MB at most."""
_DOCUMENTS_A_PARTITION = 250_000
_MOST_PARTITIONS = 4096
_KEY_SPACE = 2**128
_BAND_SPACE = 2**parted.KEY_BITS
_ROW_MASK = np.uint64(parted.MAX_DOCUMENTS - 1)
_ROW_BITS = np.uint64(parted.ROW_BITS)


def partitions_for(documents: int) -> int:
    """How many partitions a corpus of so many documents is worth."""
    return min(_MOST_PARTITIONS, max(1, -(-documents // _DOCUMENTS_A_PARTITION)))


def needed_agreement(min_similarity: float) -> int:
    """How many of PERMUTATIONS bytes of two signatures agree where their estimated similarity is at least this.

    A byte agrees with probability J + (1 - J) / 256 (Li and Koenig, 2010).
    """
    if not 0 < min_similarity <= 1:
        raise UsageError(
            "the similarity of near duplicates lies between 0 and 1", where="$.duplicates.min_similarity"
        )
    share = min_similarity + (1 - min_similarity) / 256
    return min(PERMUTATIONS, int(np.ceil(PERMUTATIONS * share - 1e-9)))


def reduce_partition(
    parts: Sequence[Path],
    first: Sequence[int],
    partition: int,
    of: int,
    out: Path,
    min_similarity: float,
    max_entries: int = MAX_ENTRIES,
) -> None:
    """Write the edges that one of `of` partitions of the keys gives to the file `out`.

    `parts` are folders of `write_map_part` in the order of the corpus, and `first` the index in the corpus of each
    one's first document. Atomic, and may be repeated. Raises MalformedInput for a part that is not whole.
    """
    if not 0 <= partition < of or len(parts) != len(first):
        raise UsageError(f"there is no partition {partition} of {of}, or not one first document a part")
    needed = needed_agreement(min_similarity)
    max_entries = max(max_entries, LEADERS)  # a key with more is a long group, in memory or not
    sources = list(zip(parts, first, strict=True))
    with EdgeFile(out) as file:
        for name in ("exact", "words"):
            low, high = _share(_KEY_SPACE, partition, of)
            for edges in _equal_keys(sources, name, low, high, max_entries):
                file.add(edges, Tally(exact=len(edges)) if name == "exact" else Tally(same_words=len(edges)))
        low, high = _share(_BAND_SPACE, partition, of)
        for linked in _alike_in_bands(sources, low, high, needed, max_entries):
            compared, rejected, unlinked = linked.tallies.tolist()
            file.add(
                linked.edges,
                Tally(near=len(linked.edges), compared=compared, rejected=rejected, unlinked=unlinked),
            )


Source = tuple[Path, int]


def _share(space: int, partition: int, of: int) -> tuple[int, int]:
    return space * partition // of, space * (partition + 1) // of


def _equal_keys(sources: Sequence[Source], name: str, low: int, high: int, most: int) -> Iterator[Positions]:
    """Edges from the first document of each key to every other."""
    found: list[tuple[Hashes, Positions]] = []
    entries = 0
    for part, first in sources:
        keys, rows = parted.read_keys(part, name, low, high)
        found.append((keys, rows.astype(np.int64) + first))
        entries += len(keys)
        if entries > most and high - low > 1:
            middle = (low + high) // 2
            yield from _equal_keys(sources, name, low, middle, most)
            yield from _equal_keys(sources, name, middle, high, most)
            return
        if entries > most:
            yield from _one_key(sources, name, low)
            return
    if entries:
        yield _stars(np.concatenate([keys for keys, _ in found]), np.concatenate([docs for _, docs in found]))


def _stars(keys: Hashes, documents: Positions) -> Positions:
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: documents of one key stay in their order
    keys, documents = keys[order], documents[order]
    begins = np.ones(len(keys), bool)
    begins[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    heads = documents[np.maximum.accumulate(np.where(begins, np.arange(len(keys)), 0))]
    return np.stack([heads, documents], axis=1)[~begins]


def _one_key(sources: Sequence[Source], name: str, key: int) -> Iterator[Positions]:
    head: int | None = None
    for part, first in sources:
        rows = parted.read_keys(part, name, key, key + 1)[1].astype(np.int64) + first
        if len(rows) and head is None:
            head, rows = int(rows[0]), rows[1:]
        if len(rows):
            yield np.stack([np.full(len(rows), head, np.int64), rows], axis=1)


def _alike_in_bands(
    sources: Sequence[Source], low: int, high: int, needed: int, most: int
) -> Iterator[Linked]:
    found: list[Hashes] = []
    entries = 0
    for part, _ in sources:
        found.append(parted.read_bands(part, low, high))
        entries += len(found[-1])
        if entries > most and high - low > 1:
            middle = (low + high) // 2
            yield from _alike_in_bands(sources, low, middle, needed, most)
            yield from _alike_in_bands(sources, middle, high, needed, most)
            return
        if entries > most:
            yield from _one_band(sources, low, needed, most)
            return
    if entries:
        yield _link_entries(sources, found, needed)


def _link_entries(sources: Sequence[Source], found: Sequence[Hashes], needed: int) -> Linked:
    together = np.concatenate(found)
    documents = np.concatenate(
        [
            (entries & _ROW_MASK).astype(np.int64) + first
            for entries, (_, first) in zip(found, sources, strict=True)
        ]
    )
    together &= ~_ROW_MASK
    together |= np.arange(len(together), dtype=np.uint64)  # ties stay in the order of documents
    together.sort()
    keys = together >> _ROW_BITS
    alike = keys[1:] == keys[:-1]
    shared = np.zeros(len(keys), bool)
    shared[1:] |= alike
    shared[:-1] |= alike
    inside = np.flatnonzero(shared)
    begins = np.ones(len(inside), bool)
    begins[1:] = keys[inside][1:] != keys[inside][:-1]
    bounds = np.append(np.flatnonzero(begins), len(inside)).astype(np.int64)
    places = (together[inside] & _ROW_MASK).astype(np.int64)
    wanted, members = np.unique(documents[places], return_inverse=True)
    return link_groups(_signatures_of(sources, wanted), wanted, members.astype(np.int64), bounds, needed)


def _signatures_of(sources: Sequence[Source], wanted: Positions) -> Bytes:
    """The signatures of documents, by rising index."""
    firsts = np.array([first for _, first in sources], np.int64)
    owners = np.searchsorted(firsts, wanted, "right") - 1
    signatures = np.empty((len(wanted), PERMUTATIONS), np.uint8)
    cuts: npt.NDArray[np.int64] = np.searchsorted(owners, np.arange(len(sources) + 1))
    for owner, (part, first) in enumerate(sources):
        start, end = int(cuts[owner]), int(cuts[owner + 1])
        if end > start:
            signatures[start:end] = parted.read_signatures(part, wanted[start:end] - first)
    return signatures


def _one_band(sources: Sequence[Source], key: int, needed: int, most: int) -> Iterator[Linked]:
    leaders = no_leaders()
    for part, first in sources:
        rows = (parted.read_bands(part, key, key + 1) & _ROW_MASK).astype(np.int64)
        for start in range(0, len(rows), most):
            piece = rows[start : start + most]
            yield link_more(parted.read_signatures(part, piece), piece + first, needed, leaders)
