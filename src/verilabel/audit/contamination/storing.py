"""Keeping an index in a folder named by its content, and mapping it into memory again.

NAME.json           what was asked for (its digest is NAME), and the digest of the index that answers it
DIGEST/index.json   benchmarks, items' ids, and the arrays' digests: the index's digest is over these bytes
DIGEST/*.npy        the arrays
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.index import Index, Resolution, Short
from verilabel.audit.contamination.items import BenchmarkEntry
from verilabel.audit.contamination.kernels.matching import Items
from verilabel.audit.contamination.rules import ANCHOR_WORDS, CONTENT_WORDS, FEWEST_WORDS
from verilabel.audit.kernels.ngrams import NgramSet
from verilabel.audit.settings import ContaminationSettings
from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.records.canonical import DIGEST_PREFIX, digest, jcs
from verilabel.suites.cache import write_whole

FORMAT = "verilabel: contamination-index/v1"
_CHUNK = 2**22


class ArrayEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An array of an index."""

    dtype: str
    length: int
    sha256: str


class IndexFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`index.json`."""

    format: str
    benchmarks: tuple[BenchmarkEntry, ...]
    ids: tuple[tuple[str, ...], ...]
    arrays: dict[str, ArrayEntry]
    shifts: dict[str, int]


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which index answers what was asked for."""

    index: str


def keep_index(index: Index, settings: ContaminationSettings, folder: Path) -> str:
    """Write an index and what leads to it, whole or not at all; its digest. What is there already stays."""
    arrays = _arrays_of(index)
    described = IndexFile(
        FORMAT,
        index.entries,
        index.ids,
        {name: ArrayEntry(values.dtype.str, len(values), _hash(values)) for name, values in arrays.items()},
        {
            "words": index.words.anchors.shift,
            "content": index.content.anchors.shift,
            "short": index.short.first.shift,
        },
    )
    content = jcs(msgspec.to_builtins(described))
    sha256 = digest(content)
    target = folder / sha256.removeprefix(DIGEST_PREFIX)
    if not target.is_dir():
        _write(target, content, arrays)
    write_whole(folder / _name_of(settings), msgspec.json.encode(Pointer(sha256)))
    return sha256


def map_index(settings: ContaminationSettings, folder: Path) -> tuple[str, Index]:
    """The digest and the index that was prepared for these settings, mapped into memory.

    Raises UsageError where none was, SealError where a byte of it is another one.
    """
    try:
        pointer = msgspec.json.decode((folder / _name_of(settings)).read_bytes(), type=Pointer)
    except FileNotFoundError:
        raise UsageError("the benchmarks were not prepared", where=str(folder)) from None
    place = folder / pointer.index.removeprefix(DIGEST_PREFIX)
    content = (place / "index.json").read_bytes()
    if digest(content) != pointer.index:
        raise SealError("the index is not the one its name promises", where=str(place))
    try:
        described = msgspec.json.decode(content, type=IndexFile)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not an index: {error}", where=str(place / "index.json")) from error
    arrays = {name: _map(place, name, entry) for name, entry in described.arrays.items()}
    return pointer.index, _index_of(described, arrays)


def _name_of(settings: ContaminationSettings) -> str:
    asked = jcs({"benchmarks": list(settings.benchmarks), "mirror": settings.mirror, "format": FORMAT})
    return f"{hashlib.sha256(asked).hexdigest()}.json"


def _arrays_of(index: Index) -> dict[str, npt.NDArray[Any]]:
    named = {**_named("words", index.words), **_named("content", index.content)}
    return {
        **named,
        "short_first": index.short.first.keys,
        "short_bits": index.short.first.bits,
        "short_lengths": index.short.lengths,
        "short_keys": index.short.keys,
        "short_segments": index.short.segments,
        "track_item": index.track_item,
        "item_benchmark": index.item_benchmark,
    }


def _named(kind: str, resolution: Resolution) -> dict[str, npt.NDArray[Any]]:
    arrays = {
        **resolution.items._asdict(),
        "anchor_keys": resolution.anchors.keys,
        "anchor_bits": resolution.anchors.bits,
        "part_words": resolution.part_words,
    }
    return {f"{kind}_{name}": values for name, values in arrays.items()}


def _resolution_of(kind: str, n: int, shift: int, arrays: dict[str, npt.NDArray[Any]]) -> Resolution:
    return Resolution(
        Items(**{name: arrays[f"{kind}_{name}"] for name in Items._fields}),
        NgramSet(n, arrays[f"{kind}_anchor_keys"], arrays[f"{kind}_anchor_bits"], shift),
        arrays[f"{kind}_part_words"],
    )


def _index_of(described: IndexFile, arrays: dict[str, npt.NDArray[Any]]) -> Index:
    shifts = described.shifts
    first = NgramSet(FEWEST_WORDS, arrays["short_first"], arrays["short_bits"], shifts["short"])
    return Index(
        _resolution_of("words", ANCHOR_WORDS, shifts["words"], arrays),
        _resolution_of("content", CONTENT_WORDS, shifts["content"], arrays),
        Short(first, arrays["short_lengths"], arrays["short_keys"], arrays["short_segments"]),
        arrays["track_item"],
        arrays["item_benchmark"],
        described.benchmarks,
        described.ids,
    )


def _write(target: Path, content: bytes, arrays: dict[str, npt.NDArray[Any]]) -> None:
    part = target.with_name(f".{target.name[:16]}.{secrets.token_hex(8)}")
    part.mkdir(parents=True)
    try:
        for name, values in arrays.items():
            np.save(part / f"{name}.npy", values, allow_pickle=False)
        write_whole(part / "index.json", content)
        try:
            part.rename(target)
        except OSError:
            if not target.is_dir():  # else somebody wrote the same index meanwhile
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _map(place: Path, name: str, entry: ArrayEntry) -> npt.NDArray[Any]:
    path = place / f"{name}.npy"
    # copy-on-write: never written to, and of the type that compiled loops were made for
    values = np.load(path, mmap_mode="c" if entry.length else None, allow_pickle=False)
    plain: npt.NDArray[Any] = np.asarray(values).view(np.ndarray)
    if plain.dtype.str != entry.dtype or plain.shape != (entry.length,) or _hash(plain) != entry.sha256:
        raise SealError("the index was changed", where=str(path), hint="delete its folder and begin again")
    return plain


def _hash(values: npt.NDArray[Any]) -> str:
    hashed = hashlib.sha256()
    view = np.ascontiguousarray(values).view(np.uint8)
    for at in range(0, len(view), _CHUNK):
        hashed.update(view[at : at + _CHUNK].data)
    return DIGEST_PREFIX + hashed.hexdigest()
