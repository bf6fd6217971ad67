"""Clusters of duplicates in the whole corpus: edges of all partitions united, and what each document's record says."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from verilabel.audit.duplicates.edges import Tally, read_edges, read_tally
from verilabel.audit.duplicates.kernels.unions import settle, unite
from verilabel.audit.duplicates.parts import put_in_place
from verilabel.audit.interface import Column, Values
from verilabel.errors import MalformedInput

COLUMNS = (
    Column(
        "duplicates_exact",
        "u8",
        "first document of the corpus with the same text; its own index if there is none",
    ),
    Column("duplicates_exact_size", "u4", "how many documents have the same text"),
    Column(
        "duplicates_near", "u8", "first document of the cluster of near duplicates; its own index if alone"
    ),
    Column("duplicates_near_size", "u4", "how many documents that cluster has"),
)
"""What the records say when all shards are joined. Indexes count the documents of the corpus from 0."""
_PIECE = 2**20
_LISTED = 20
_MOST_ALARMS = 1_000
_KINDS = ("exact", "near")


class Joined(NamedTuple):
    """The clusters of a corpus, on disk."""

    folder: Path
    documents: int


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
    near: Clusters
    """Including exact ones."""
    alarms: int
    """Near clusters of more documents than were set as alarming."""
    alarming: tuple[Cluster, ...]
    """The largest of these."""
    compared: int
    """Pairs of signatures that were compared."""
    rejected: int
    """Of those, pairs that share a band and are not alike enough."""
    unlinked: int
    """Times that a document in a crowded band was compared with the leaders alone, and is like none of them."""


def join_edges(edge_files: Iterable[Path], documents: int, out: Path) -> Joined:
    """Unite the edges of all partitions, given in any order, into clusters of a corpus; kept in the folder `out`.

    A cluster is named after its smallest document. Atomic; what is there already is returned. Raises MalformedInput
    for an edge to a document that there is not, or a file that is not whole.
    """
    if out.exists():
        return Joined(out, documents)
    out.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        tally = _unite_files(edge_files, documents, written)
        (written / "tally.json").write_bytes(msgspec.json.encode(tally._asdict()))
        put_in_place(written, out)
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return Joined(out, documents)


def _unite_files(edge_files: Iterable[Path], documents: int, folder: Path) -> Tally:
    parents = {kind: _fresh(folder / f"{kind}.npy", documents) for kind in _KINDS}
    sizes = {kind: _fresh(folder / f"{kind}_size.npy", documents, rising=False) for kind in _KINDS}
    tally = Tally()
    for path in edge_files:
        tally = tally.plus(read_tally(path))
        for exact, edges in read_edges(path):
            known = unite(np.asarray(parents["near"]), edges)
            if exact:
                known = known and unite(np.asarray(parents["exact"]), edges)
            if not known:
                raise MalformedInput("an edge to a document that is not in the corpus", where=str(path))
    for kind in _KINDS:
        settle(np.asarray(parents[kind]), np.asarray(sizes[kind]))
        parents[kind].flush()
        sizes[kind].flush()
    return tally


def _fresh(path: Path, documents: int, rising: bool = True) -> np.memmap[tuple[int], np.dtype[np.int64]]:
    # a file on disk, not memory: a corpus may have more documents than a machine has bytes to spare
    array: np.memmap[tuple[int], np.dtype[np.int64]] = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.int64, shape=(documents,)
    )
    if hasattr(os, "posix_fallocate"):  # a full disk is told now, by an error, and not later, by a signal
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    for start in range(0, documents if rising else 0, _PIECE):
        end = min(documents, start + _PIECE)
        array[start:end] = np.arange(start, end)
    return array


def _load(joined: Joined, name: str) -> npt.NDArray[np.int64]:
    path = joined.folder / f"{name}.npy"
    try:
        array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise MalformedInput("clusters of duplicates cannot be read", where=str(path)) from error
    if array.shape != (joined.documents,):
        raise MalformedInput("clusters of another corpus", where=str(path))
    return array


def columns_of(joined: Joined, low: int, high: int) -> dict[str, Values]:
    """The COLUMNS of the documents [low, high) of the corpus, such as those of one shard."""
    columns: dict[str, Values] = {}
    for kind in _KINDS:
        roots = _load(joined, kind)[low:high]
        # a cluster's size stands at its first document
        sizes = np.minimum(_load(joined, f"{kind}_size")[roots], 2**32 - 1)
        columns[f"duplicates_{kind}"] = roots.astype(np.uint64)
        columns[f"duplicates_{kind}_size"] = sizes.astype(np.uint32)
    return columns


def summary(joined: Joined, alarm_documents: int) -> Summary:
    """Counts over the corpus, its largest clusters, and the near clusters of more than `alarm_documents`."""
    tally = Tally(**msgspec.json.decode((joined.folder / "tally.json").read_bytes(), type=dict[str, int]))
    alarms, alarming = count_larger(_load(joined, "near_size"), alarm_documents + 1, _MOST_ALARMS)
    return Summary(
        documents=joined.documents,
        exact=describe_sizes(_load(joined, "exact_size")),
        near=describe_sizes(_load(joined, "near_size")),
        alarms=alarms,
        alarming=alarming,
        compared=tally.compared,
        rejected=tally.rejected,
        unlinked=tally.unlinked,
    )


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
    for start, piece in zip(range(0, len(sizes), _PIECE), _pieces(sizes), strict=True):
        places = np.flatnonzero(piece >= max(smallest, 2))
        count += len(places)
        best = places[np.argsort(-piece[places], kind="stable")[:listed]]
        kept += [(-int(piece[place]), start + int(place)) for place in best]
        kept = sorted(kept)[:listed]
    return count, tuple(Cluster(first=first, documents=-size) for size, first in kept)


def _pieces(sizes: npt.NDArray[np.int64]) -> Sequence[npt.NDArray[np.int64]]:
    return [sizes[start : start + _PIECE] for start in range(0, len(sizes), _PIECE)]
