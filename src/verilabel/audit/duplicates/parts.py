"""What is kept on disk of the documents of a shard, or of a part of one, until duplicates are looked for.

A part is a folder of arrays, sorted by key, so that a range of keys is read without the rest. 280 bytes a document.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from verilabel.audit.duplicates.kernels.signatures import PERMUTATIONS
from verilabel.audit.interface import Bytes, Hashes, Values
from verilabel.audit.kernels.digests import Digests, exact_keys
from verilabel.errors import LimitExceeded, MalformedInput

Rows = npt.NDArray[np.uint32]

BANDS = 16
ROWS = 7
KEY_BITS = 40
ROW_BITS = 24
MAX_DOCUMENTS = 2**ROW_BITS
"""In one part; more documents make more parts."""
_LOW_ROW = np.uint64(MAX_DOCUMENTS - 1)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(33)


def write_map_part(spill: Mapping[str, Values], digests: Digests, folder: Path) -> None:
    """Keep what `examine` spilled of some documents, in order, and their SHA-256, as the part `folder`.

    Shards are parts; a shard of very many documents may be written as several. Atomic; does nothing where the part is
    there already. A part of which nothing was spilled has the texts' keys alone. Raises LimitExceeded for more than
    MAX_DOCUMENTS documents, MalformedInput for arrays of unequal lengths.
    """
    if len({len(digests), *map(len, spill.values())}) != 1:
        raise MalformedInput("the arrays of a part have unequal lengths", where=str(folder))
    if len(digests) > MAX_DOCUMENTS:
        raise LimitExceeded(f"{len(digests)} documents in one part", hint=f"write parts of {MAX_DOCUMENTS}")
    if folder.exists():
        return
    exact, exact_rows = _sorted_keys(exact_keys(digests), np.arange(len(digests), dtype=np.uint32))
    arrays: dict[str, npt.NDArray[Any]] = {"exact": exact, "exact_rows": exact_rows}
    if spill:
        signatures, words = spill["signatures"], spill["words"]
        some = np.flatnonzero(words.any(axis=1)).astype(np.uint32)
        arrays["words"], arrays["words_rows"] = _sorted_keys(words[some], some)
        arrays["signatures"] = np.ascontiguousarray(signatures, np.uint8)
        arrays["bands"] = band_entries(signatures, spill["shingles"])
    _write_arrays(folder, arrays)


def band_entries(signatures: Bytes, shingles: Values) -> Hashes:
    """The sorted entries `key << 24 | row` of the bands of all documents that have shingles.

    A band is ROWS bytes of a signature; its key the upper 40 bits of a mix of these and of the band's number. Two
    documents that share one are candidates, no more.
    """
    rows = np.flatnonzero(shingles).astype(np.uint64)
    found = np.empty((BANDS, len(rows)), np.uint64)
    for band in range(BANDS):
        key = np.full(len(rows), band, np.uint64)
        for place in range(ROWS):
            key = (key << np.uint64(8)) | signatures[rows, band * ROWS + place]
        key ^= key >> _HALF
        key *= _MIX_1
        key ^= key >> _HALF
        key *= _MIX_2
        key ^= key >> _HALF
        found[band] = key & ~_LOW_ROW | rows
    entries = found.ravel()
    entries.sort()
    return entries


def _sorted_keys(keys: Hashes, rows: Rows) -> tuple[Hashes, Rows]:
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    return np.ascontiguousarray(keys[order]), rows[order]


def _write_arrays(folder: Path, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, array in arrays.items():
            with (written / f"{name}.npy").open("wb") as stream:
                np.save(stream, array, allow_pickle=False)
                stream.flush()
                os.fsync(stream.fileno())
        put_in_place(written, folder)
    finally:
        shutil.rmtree(written, ignore_errors=True)


def put_in_place(written: Path, folder: Path) -> None:
    """Give a finished folder its name, unless another worker has done the same work first."""
    try:
        written.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _map(part: Path, name: str) -> npt.NDArray[Any]:
    path = part / f"{name}.npy"
    try:
        # mapped, so that only the pages of the wanted keys are read
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise MalformedInput(
            "a part of the search for duplicates cannot be read",
            where=str(path),
            hint="audit its shard again",
        ) from error


def map_bands(part: Path, low: int, high: int) -> Hashes:
    """Entries of bands whose keys are in [low, high), sorted by key, then row; in a file that stays open with them."""
    entries = _map(part, "bands")
    start = np.searchsorted(entries, np.uint64(low << ROW_BITS)) if low < 2**KEY_BITS else len(entries)
    end = np.searchsorted(entries, np.uint64(high << ROW_BITS)) if high < 2**KEY_BITS else len(entries)
    return entries[start:end]


def map_keys(part: Path, name: str, low: int, high: int) -> tuple[Hashes, Rows]:
    """Keys of 128 bits in [low, high), and the documents' rows in the part, sorted by key, then row; mapped too.

    `name` is `exact` (of the texts) or `words` (of the sequences of words).
    """
    keys = _map(part, name)
    start, end = _place_of(keys, low), _place_of(keys, high)
    return keys[start:end], _map(part, f"{name}_rows")[start:end]


def _place_of(keys: Hashes, key: int) -> int:
    if key >= 2**128:
        return len(keys)
    upper, lower = np.uint64(key >> 64), np.uint64(key % 2**64)
    start = int(np.searchsorted(keys[:, 0], upper, "left"))
    end = int(np.searchsorted(keys[:, 0], upper, "right"))
    return start + int(np.searchsorted(keys[start:end, 1], lower, "left"))


def read_signatures(part: Path, rows: npt.NDArray[np.int64]) -> Bytes:
    """The signatures of some documents of a part."""
    signatures = _map(part, "signatures")
    if signatures.ndim != 2 or signatures.shape[1] != PERMUTATIONS:
        raise MalformedInput("signatures of another form", where=str(part))
    return signatures[rows].astype(np.uint8)
