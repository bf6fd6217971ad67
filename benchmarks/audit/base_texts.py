"""The documents a corpus is made of: cut from files, scrubbed, none a near copy of an earlier one, kept in Parquet."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.audit.sources import Piece, cut_documents, is_read, list_files
from benchmarks.settings import NotMeasured
from verilabel.audit.interface import Batch, Hashes, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.kernels.ngrams import hash_ngrams
from verilabel.audit.kernels.tokens import cut_words

NGRAM = 5
KEPT_OF = 16
"""One shingle of so many is remembered."""
MAX_SHARED = 0.15
"""Of a document's remembered shingles, for it to be no near copy."""
PROSE_SHARE = 0.6
"""Of the bytes, where there is so much prose."""
_BLOCK = 2_000


@dataclass
class Gathered:
    """What was gathered, and what was left out."""

    texts: list[bytes]
    code: list[bool]
    sources: list[str]
    near_copies: int = 0
    repeated: int = 0
    """Documents that are edited repetitions, since the machine had no more distinct text."""

    def megabytes(self) -> float:
        """Of text, in 10^6 bytes."""
        return sum(map(len, self.texts)) / 1e6


@compiled
def _admit(
    shingles: Hashes, bounds: Positions, table: Hashes, shared_most: float, admitted: npt.NDArray[np.bool_]
) -> int:
    mask = np.uint64(len(table) - 1)
    one = np.uint64(1)
    added = 0
    for document in range(len(bounds) - 1):
        start, end = bounds[document], bounds[document + 1]
        known = 0
        for t in range(start, end):
            key = shingles[t]
            at = key & mask
            while table[at] != 0 and table[at] != key:
                at = (at + one) & mask
            if table[at] == key:
                known += 1
        admitted[document] = end - start >= 2 and known <= shared_most * (end - start)
        if admitted[document]:
            for t in range(start, end):
                key = shingles[t]
                at = key & mask
                while table[at] != 0 and table[at] != key:
                    at = (at + one) & mask
                if table[at] == 0:
                    table[at] = key
                    added += 1
    return added


class NearCopies:
    """Remembers word 5-grams of what was admitted, and admits documents that share few with it."""

    def __init__(self, megabytes: float) -> None:
        slots = 1 << max(16, int(megabytes * 1e6 / 5 / KEPT_OF * 3).bit_length())
        self._table = np.zeros(slots, np.uint64)
        self._used = 0

    def admit(self, pieces: Sequence[Piece]) -> list[bool]:
        """Which of the documents are no near copies of earlier ones, those of the same call included."""
        data = np.frombuffer(b"".join(piece.text for piece in pieces), np.uint8)
        offsets = np.concatenate([[0], np.cumsum([len(piece.text) for piece in pieces])]).astype(np.int64)
        words = cut_words(Batch(data, offsets, np.arange(len(pieces), dtype=np.int64)))
        # an n-gram that crosses into the next document counts for the one that it begins in
        shingles = hash_ngrams(words.hashes, NGRAM)
        places = np.flatnonzero((shingles % np.uint64(KEPT_OF)) == 0)
        bounds = np.searchsorted(places, words.documents).astype(np.int64)
        keys = np.maximum(shingles[places] // np.uint64(KEPT_OF), np.uint64(1))
        if self._used + len(keys) > 0.8 * len(self._table):
            raise NotMeasured("more text was gathered than was asked for")
        admitted = np.zeros(len(pieces), np.bool_)
        self._used += _admit(keys, bounds, self._table, MAX_SHARED, admitted)
        return [bool(value) for value in admitted]


def gather(roots: Sequence[Path], megabytes: float, *, workers: int) -> Gathered:
    """Documents from the files below the roots, prose first, until there are so many megabytes, or no more."""
    gathered = Gathered([], [], [])
    near = NearCopies(megabytes)
    size = 0
    files = list(list_files(roots))
    for code, until in (
        (False, PROSE_SHARE * megabytes * 1e6),
        (True, megabytes * 1e6),
        (False, megabytes * 1e6),
    ):
        wanted = [path for path in files if is_read(path, code=code)]
        for pieces in _blocks(wanted, code, workers):
            for piece, admitted in zip(pieces, near.admit(pieces), strict=True):
                if not admitted:
                    gathered.near_copies += 1
                    continue
                gathered.texts.append(piece.text)
                gathered.code.append(piece.code)
                gathered.sources.append(piece.source)
                size += len(piece.text)
            if size > until:
                break
    return gathered


def _blocks(files: Sequence[Path], code: bool, workers: int) -> Iterator[list[Piece]]:
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        cut = pool.imap(partial(cut_documents, code=code), files, chunksize=32)
        pieces = (piece for found in cut for piece in found)
        while block := list(islice(pieces, _BLOCK)):
            yield block


def write_base(gathered: Gathered, path: Path) -> None:
    """Keep gathered documents, so that planting can be repeated without gathering."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # pieces of one file stand together as they were read: a corpus is mixed
    order = np.random.Generator(np.random.PCG64(7)).permutation(len(gathered.texts))
    columns: dict[str, Any] = {
        "text": pa.array([gathered.texts[i] for i in order], pa.large_binary()),
        "code": [gathered.code[i] for i in order],
        "source": [gathered.sources[i] for i in order],
    }
    torn = path.with_suffix(".tmp")
    pq.write_table(pa.table(columns), torn, compression="zstd", row_group_size=8_000)
    torn.replace(path)


def read_base(path: Path) -> Gathered:
    """The documents of `write_base`."""
    import pyarrow.parquet as pq

    table = pq.read_table(path).to_pydict()
    return Gathered(table["text"], table["code"], table["source"])
