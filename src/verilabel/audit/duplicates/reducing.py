"""Candidates of one partition of the keys, compared: the step between the parts of the shards and the clusters.

Every group of documents that share a key lies in one partition whole, and is judged by itself, in the order of its
documents. So the edges of all partitions together do not depend on how many there are. Memory is bounded by
`MAX_ENTRIES`: a range of keys with more entries is cut, and one key with more is read part by part.
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
from verilabel.audit.settings import DuplicatesSettings
from verilabel.errors import UsageError

MAX_ENTRIES = 2**18
"""Entries that are in memory at a time; with their signatures some 60 MB at most."""
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
    settings: DuplicatesSettings,
    max_entries: int = MAX_ENTRIES,
) -> None:
    """Write the edges that one of `of` partitions of the keys gives to the file `out`.

    `parts` are folders of `write_map_part` in the order of the corpus, and `first` the index in the corpus of each
    one's first document. Atomic, and may be repeated. Raises MalformedInput for a part that is not whole.
    """
    if not 0 <= partition < of or len(parts) != len(first):
        raise UsageError(f"there is no partition {partition} of {of}, or not one first document a part")
    needed = needed_agreement(settings.min_similarity)
    max_entries = max(max_entries, LEADERS)  # a key with more is a long group, in memory or not
    sources = list(zip(parts, first, strict=True))
    with EdgeFile(out) as file:
        for name in ("exact", "words") if settings.near else ("exact",):
            low, high = _share(_KEY_SPACE, partition, of)
            for edges in _equal_keys(sources, name, low, high, max_entries):
                file.add(edges, Tally(exact=len(edges)) if name == "exact" else Tally(same_words=len(edges)))
        if not settings.near:
            return
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
    found = _gather_keys(sources, name, low, high, most)
    if not isinstance(found, int):
        yield _stars(*found)
    elif high - low == 1:
        yield from _one_key(sources, name, low, most)
    else:
        for start, end in _around(low, found, high):
            yield from _equal_keys(sources, name, start, end, most)


def _gather_keys(
    sources: Sequence[Source], name: str, low: int, high: int, most: int
) -> tuple[Hashes, Positions] | int:
    """Keys in [low, high) and their documents, in order; or a key from their middle where they are too many."""
    keys = [np.zeros((0, 2), np.uint64)]
    documents = [np.zeros(0, np.int64)]
    entries = 0
    for part, first in sources:
        more, rows = parted.map_keys(part, name, low, high)
        entries += len(more)
        if entries > most:
            return _middle_of([(_middle_key(some), len(some)) for some in (*keys, more) if len(some)])
        keys.append(more.astype(np.uint64))  # a copy lets go of the file
        documents.append(rows.astype(np.int64) + first)
    return np.concatenate(keys), np.concatenate(documents)


def _middle_key(keys: Hashes) -> int:
    upper, lower = keys[len(keys) // 2].tolist()
    return int(upper) << 64 | int(lower)


def _middle_of(middles: list[tuple[int, int]]) -> int:
    """The median of sorted runs' medians, by length: a quarter of all entries or more is on each side, or is it."""
    left = sum(length for _, length in middles) // 2
    for key, length in sorted(middles):
        left -= length
        if left <= 0:
            return key
    raise AssertionError("lengths add up to their sum")


def _around(low: int, key: int, high: int) -> list[tuple[int, int]]:
    """Three ranges that make up [low, high): before a key, that key alone, and after it."""
    return [(start, end) for start, end in ((low, key), (key, key + 1), (key + 1, high)) if start < end]


def _stars(keys: Hashes, documents: Positions) -> Positions:
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: documents of one key stay in their order
    keys, documents = keys[order], documents[order]
    begins = np.ones(len(keys), bool)
    begins[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    heads = documents[np.maximum.accumulate(np.where(begins, np.arange(len(keys)), 0))]
    return np.stack([heads, documents], axis=1)[~begins]


def _one_key(sources: Sequence[Source], name: str, key: int, most: int) -> Iterator[Positions]:
    head: int | None = None
    for part, first in sources:
        rows = parted.map_keys(part, name, key, key + 1)[1]
        if len(rows) and head is None:
            head, rows = int(rows[0]) + first, rows[1:]
        for start in range(0, len(rows), most):
            piece = rows[start : start + most].astype(np.int64) + first
            yield np.stack([np.full(len(piece), head, np.int64), piece], axis=1)


def _alike_in_bands(
    sources: Sequence[Source], low: int, high: int, needed: int, most: int
) -> Iterator[Linked]:
    found = _gather_bands(sources, low, high, most)
    if not isinstance(found, int):
        yield _link_entries(sources, found, needed)
    elif high - low == 1:
        yield from _one_band(sources, low, needed, most)
    else:
        for start, end in _around(low, found, high):
            yield from _alike_in_bands(sources, start, end, needed, most)


def _gather_bands(sources: Sequence[Source], low: int, high: int, most: int) -> list[Hashes] | int:
    found = [np.zeros(0, np.uint64)]
    entries = 0
    for part, _ in sources:
        more = parted.map_bands(part, low, high)
        entries += len(more)
        if entries > most:
            return _middle_of(
                [(int(some[len(some) // 2] >> _ROW_BITS), len(some)) for some in (*found, more) if len(some)]
            )
        found.append(more.astype(np.uint64))  # a copy lets go of the file
    return found[1:]


def _link_entries(sources: Sequence[Source], found: Sequence[Hashes], needed: int) -> Linked:
    together = np.concatenate([np.zeros(0, np.uint64), *found])
    lengths = np.array([len(entries) for entries in found], np.int64)
    firsts = np.repeat(np.array([first for _, first in sources], np.int64), lengths)
    documents = (together & _ROW_MASK).astype(np.int64) + firsts
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
        entries = parted.map_bands(part, key, key + 1)
        for start in range(0, len(entries), most):
            piece = (entries[start : start + most] & _ROW_MASK).astype(np.int64)
            yield link_more(parted.read_signatures(part, piece), piece + first, needed, leaders)
