"""What is said of clusters of duplicates: the columns of a document's record, and the sums over a corpus."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Column

_EXACT_COLUMNS = (
    Column(
        "duplicates_exact",
        "u8",
        "first document of the corpus with the same text; its own index if there is none",
    ),
    Column("duplicates_exact_size", "u4", "how many documents have the same text"),
)
_NEAR_COLUMNS = (
    Column(
        "duplicates_near", "u8", "first document of the cluster of near duplicates; its own index if alone"
    ),
    Column("duplicates_near_size", "u4", "how many documents that cluster has"),
)
PIECE = 2**20
"""Documents that are looked at together."""
MOST_ALARMS = 1_000
_LISTED = 20


def columns_for(near: bool) -> tuple[Column, ...]:
    """What the records say when all shards are joined. Indexes count the documents of the corpus from 0."""
    return (*_EXACT_COLUMNS, *_NEAR_COLUMNS) if near else _EXACT_COLUMNS


def kinds_for(near: bool) -> tuple[str, ...]:
    """The kinds of clusters that there are."""
    return ("exact", "near") if near else ("exact",)


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some documents that are duplicates of one another."""

    first: int
    """Index of its first document."""
    documents: int


class Clusters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All clusters of a kind."""

    clusters: int
    """Of two documents or more."""
    documents: int
    """In them."""
    copies: int
    """Documents beyond the first of each cluster."""
    largest: tuple[Cluster, ...]
    """The largest first; of equal size, the earliest."""


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Duplicates in a corpus. A cluster names documents; it does not say that any should go."""

    documents: int
    exact: Clusters
    near: Clusters | None
    """Including exact ones; None where they were not looked for."""
    alarms: int
    """Clusters of more documents than were set as alarming: near ones, or exact ones where these are all."""
    alarming: tuple[Cluster, ...]
    """The largest of these."""
    compared: int
    """Pairs of signatures that were compared."""
    rejected: int
    """Of those, pairs that share a band and are not alike enough."""
    unlinked: int
    """Times that a document in a crowded band was compared with the leaders alone, and is like none of them."""


def describe_sizes(sizes: npt.NDArray[np.int64]) -> Clusters:
    """All clusters of a kind, from the size of each at its first document and 0 or 1 elsewhere."""
    clusters, largest = count_larger(sizes, 2, _LISTED)
    documents = 0
    for piece in _pieces(sizes):
        documents += int(piece[piece > 1].sum())
    return Clusters(clusters=clusters, documents=documents, copies=documents - clusters, largest=largest)


def count_larger(sizes: npt.NDArray[np.int64], smallest: int, listed: int) -> tuple[int, tuple[Cluster, ...]]:
    """How many clusters have `smallest` documents or more, and the largest of them."""
    count = 0
    kept: list[tuple[int, int]] = []
    for start, piece in zip(range(0, len(sizes), PIECE), _pieces(sizes), strict=True):
        places = np.flatnonzero(piece >= max(smallest, 2))
        count += len(places)
        best = places[np.argsort(-piece[places], kind="stable")[:listed]]
        kept += [(-int(piece[place]), start + int(place)) for place in best]
        kept = sorted(kept)[:listed]
    return count, tuple(Cluster(first=first, documents=-size) for size, first in kept)


def _pieces(sizes: npt.NDArray[np.int64]) -> Sequence[npt.NDArray[np.int64]]:
    return [sizes[start : start + PIECE] for start in range(0, len(sizes), PIECE)]
