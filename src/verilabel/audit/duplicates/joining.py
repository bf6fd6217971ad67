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

from verilabel.audit.duplicates.clusters import (
    MOST_ALARMS,
    PIECE,
    Summary,
    count_larger,
    describe_sizes,
    kinds_for,
)
from verilabel.audit.duplicates.edges import Tally, read_edges, read_tally
from verilabel.audit.duplicates.kernels.unions import settle, unite
from verilabel.audit.duplicates.parts import put_in_place
from verilabel.audit.interface import Values
from verilabel.errors import MalformedInput


class Joined(NamedTuple):
    """The clusters of a corpus, on disk."""

    folder: Path
    documents: int
    near: bool = True
    """Whether near duplicates were looked for."""


def join_edges(edge_files: Iterable[Path], documents: int, out: Path, *, near: bool = True) -> Joined:
    """Unite the edges of all partitions, given in any order, into clusters of a corpus; kept in the folder `out`.

    `near` is False where the edges are exact ones alone.

    A cluster is named after its smallest document. Atomic; what is there already is returned. Raises MalformedInput
    for an edge to a document that there is not, or a file that is not whole.
    """
    joined = Joined(out, documents, near)
    if out.exists():
        return joined
    out.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        tally = _unite_files(edge_files, documents, written, kinds_for(near))
        (written / "tally.json").write_bytes(msgspec.json.encode(tally._asdict()))
        put_in_place(written, out)
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return joined


def _unite_files(edge_files: Iterable[Path], documents: int, folder: Path, kinds: Sequence[str]) -> Tally:
    parents = {kind: _fresh(folder / f"{kind}.npy", documents) for kind in kinds}
    sizes = {kind: _fresh(folder / f"{kind}_size.npy", documents, rising=False) for kind in kinds}
    tally = Tally()
    for path in edge_files:
        tally = tally.plus(read_tally(path))
        for exact, edges in read_edges(path):
            for kind, united in parents.items():
                if (exact or kind == "near") and not unite(np.asarray(united), edges):
                    raise MalformedInput("an edge to a document that is not in the corpus", where=str(path))
    for kind in kinds:
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
    for start in range(0, documents if rising else 0, PIECE):
        end = min(documents, start + PIECE)
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
    """The columns of the documents [low, high) of the corpus, such as those of one shard."""
    columns: dict[str, Values] = {}
    for kind in kinds_for(joined.near):
        roots = _load(joined, kind)[low:high]
        # a cluster's size stands at its first document
        sizes = np.minimum(_load(joined, f"{kind}_size")[roots], 2**32 - 1)
        columns[f"duplicates_{kind}"] = roots.astype(np.uint64)
        columns[f"duplicates_{kind}_size"] = sizes.astype(np.uint32)
    return columns


def summary(joined: Joined, alarm_documents: int) -> Summary:
    """Counts over the corpus, its largest clusters, and the widest clusters of more than `alarm_documents`."""
    tally = Tally(**msgspec.json.decode((joined.folder / "tally.json").read_bytes(), type=dict[str, int]))
    sizes = {kind: _load(joined, f"{kind}_size") for kind in kinds_for(joined.near)}
    alarms, alarming = count_larger(sizes[kinds_for(joined.near)[-1]], alarm_documents + 1, MOST_ALARMS)
    return Summary(
        documents=joined.documents,
        exact=describe_sizes(sizes["exact"]),
        near=describe_sizes(sizes["near"]) if joined.near else None,
        alarms=alarms,
        alarming=alarming,
        compared=tally.compared,
        rejected=tally.rejected,
        unlinked=tally.unlinked,
    )
