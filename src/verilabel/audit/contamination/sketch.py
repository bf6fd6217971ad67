"""A sketch of a corpus: fingerprints by which others can look for a later benchmark without the corpus.

    magic "VLSKETCH" | version u2 | n u1 | window u1 | space bits u1 | low bits u1 | 0 u2
    keys u8 | documents u8 | words u8 | payload bytes u8 | SHA-256 over all of this and the payload | payload

The payload is the set of the corpus' winnowed hashes of 13 words, cut to `space bits` and rising, as differences in
Golomb-Rice code. Not a filter: the set needs about as few bits for the same error (a hash that was not in the corpus is
taken for one that was in `keys / 2**space_bits` of cases), it needs no seed and no second try, it is one for the same
corpus however it was cut into shards, and two sketches can be joined.

A sketch is asked for, and says more of a corpus than totals do: who has a text of 28 words or more can find out from it
whether they stand in the corpus.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verilabel.audit.contamination.kernels.rice import decode_rising, encode_rising
from verilabel.audit.contamination.rules import LONG_WORDS
from verilabel.audit.contamination.winnowing import WINDOW
from verilabel.audit.interface import Bytes, Hashes
from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.records.canonical import DIGEST_PREFIX
from verilabel.suites.cache import write_whole

MAGIC = b"VLSKETCH"
VERSION = 1
ERROR_BITS = 20
"""Of 2**20 hashes that are not in the corpus, at most one is taken for one that is."""
MAX_SPACE_BITS = 56
MAX_KEYS = 2**36
MAX_PAYLOAD = 2**38
_HEAD = struct.Struct("<8sHBBBBHQQQQ")
_SEAL = 32
_PARTITION_KEYS = 2**22
_BLOCK = 2**16
_CHUNK = 2**22


@dataclass(frozen=True, slots=True)
class Sketch:
    """A sketch that was read and is whole: `payload` holds `keys` rising numbers below `2**space_bits`."""

    space_bits: int
    low_bits: int
    keys: int
    documents: int
    words: int
    payload: Bytes
    sha256: str

    @property
    def false_positive_rate(self) -> float:
        """How often a hash that is not in the corpus is taken for one that is."""
        return self.keys / (1 << self.space_bits)

    def values(self) -> Iterator[Hashes]:
        """The numbers, in blocks. Raises MalformedInput where the payload is no such set."""
        state = np.array([0, -1], np.int64)
        for first in range(0, self.keys, _BLOCK):
            block = np.empty(min(_BLOCK, self.keys - first), np.uint64)
            if not decode_rising(self.payload, self.low_bits, 2**self.space_bits - 1, state, block):
                raise MalformedInput("the sketch's numbers do not decode")
            yield block
        used = int(state[0])
        rest = self.payload[used // 8 :]
        if len(rest) > (used % 8 > 0) or (len(rest) and int(rest[0]) >> used % 8):
            raise MalformedInput("the sketch has more bytes than numbers")

    def holds(self, hashes: Hashes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of some hashes of 13 words the corpus holds, up to the false-positive rate."""
        wanted = hashes >> np.uint64(64 - self.space_bits)
        order = np.argsort(wanted, kind="stable")
        rising, found = wanted[order], np.zeros(len(wanted), np.bool_)
        for block in self.values():
            first = int(np.searchsorted(rising, block[0]))
            last = int(np.searchsorted(rising, block[-1], side="right"))
            some = rising[first:last]
            place = np.searchsorted(block, some)
            found[order[first:last]] = block[np.minimum(place, len(block) - 1)] == some
        return found


def build_sketch(
    parts: Sequence[Hashes], *, documents: int, words: int, error_bits: int = ERROR_BITS
) -> bytes:
    """The sketch of the fingerprints of all shards, in whatever order and with whatever repetitions.

    Each part is rising, and may be mapped from a file: only a part of the hashes is in memory at a time.
    """
    if not 1 <= error_bits <= 40:
        raise UsageError("the error of a sketch is 1 to 40 bits")
    keys = sum(len(block) for block in _union(parts, 64))
    space = min(MAX_SPACE_BITS, error_bits + max(keys - 1, 0).bit_length())
    return _encode(parts, space, documents, words)


def merge_sketches(sketches: Sequence[Sketch]) -> bytes:
    """One sketch of several corpora, with the false-positive rate of their sum. Raises UsageError for none."""
    if not sketches:
        raise UsageError("no sketch to merge")
    space = min((sketch.space_bits for sketch in sketches if sketch.keys), default=sketches[0].space_bits)
    parts = [
        np.concatenate([np.zeros(0, np.uint64), *sketch.values()]) << np.uint64(64 - sketch.space_bits)
        for sketch in sketches
    ]
    documents, words = sum(one.documents for one in sketches), sum(one.words for one in sketches)
    return _encode(parts, space, documents, words)


def write_sketch(content: bytes, path: Path, *, force: bool = False) -> None:
    """Write a sketch whole or not at all. Raises UsageError where the file is there, without `force`."""
    if path.exists() and not force:
        raise UsageError("the file is there already", where=str(path), hint="--force replaces it")
    write_whole(path, content)


def read_sketch(path: Path) -> Sketch:
    """Read a sketch, mapped into memory. Raises UsageError, MalformedInput or SealError."""
    try:
        if path.stat().st_size < _HEAD.size + _SEAL:
            raise MalformedInput("too short for a sketch", where=str(path))
        content = np.memmap(path, np.uint8, mode="c").view(np.ndarray)
    except FileNotFoundError:
        raise UsageError("no such file", where=str(path)) from None
    return parse_sketch(content, where=str(path))


def parse_sketch(content: Bytes, *, where: str = "sketch.bin") -> Sketch:
    """The sketch in some bytes, checked to the last bit.

    Raises MalformedInput for what is no sketch, LimitExceeded for one beyond the limits, SealError for a changed one.
    """
    if len(content) < _HEAD.size + _SEAL:
        raise MalformedInput("too short for a sketch", where=where)
    head = content[: _HEAD.size].tobytes()
    magic, version, n, window, space, low, zero, keys, documents, words, size = _HEAD.unpack(head)
    if magic != MAGIC:
        raise MalformedInput("not a sketch", where=where)
    if version != VERSION:
        raise MalformedInput(f"a sketch of version {version}; this program reads {VERSION}", where=where)
    if keys > MAX_KEYS or size > MAX_PAYLOAD:
        raise LimitExceeded("a sketch of too many keys", where=where)
    if (
        (n, window, zero) != (LONG_WORDS, WINDOW, 0)
        or not 1 <= space <= MAX_SPACE_BITS
        or low != _low_bits(space, keys)
    ):
        raise MalformedInput("the parameters of the sketch do not fit together", where=where)
    if len(content) != _HEAD.size + _SEAL + size or keys > size * 8:
        raise MalformedInput("the sketch is cut off, or has a tail", where=where)
    payload = content[_HEAD.size + _SEAL :]
    seal = _seal_of(head, payload)
    if content[_HEAD.size : _HEAD.size + _SEAL].tobytes() != seal:
        raise SealError("the sketch was changed", where=where)
    sketch = Sketch(space, low, keys, documents, words, payload, DIGEST_PREFIX + seal.hex())
    for _ in sketch.values():
        pass
    return sketch


def _union(parts: Sequence[Hashes], bits: int) -> Iterator[Hashes]:
    """The different upper bits of all hashes, rising, in blocks of bounded size."""
    total = sum(len(part) for part in parts)
    cuts = min(24, (total // _PARTITION_KEYS).bit_length(), bits)
    blocks = 1 << cuts
    edges = np.arange(1, blocks, dtype=np.uint64) << np.uint64(64 - cuts) if cuts else np.zeros(0, np.uint64)
    bounds = [np.searchsorted(part, edges) for part in parts]
    for block in range(blocks):
        pieces = [
            part[(at[block - 1] if block else 0) : (at[block] if block < blocks - 1 else len(part))]
            for part, at in zip(parts, bounds, strict=True)
        ]
        # blocks are cut at powers of two, so that no two of them have the same upper bits
        yield np.unique(np.concatenate([np.zeros(0, np.uint64), *pieces]) >> np.uint64(64 - bits))


def _low_bits(space: int, keys: int) -> int:
    return max(0, space - max(keys - 1, 0).bit_length())


def _encode(parts: Sequence[Hashes], space: int, documents: int, words: int) -> bytes:
    keys = sum(len(block) for block in _union(parts, space))
    low = _low_bits(space, keys)
    chunks: list[bytes] = []
    bit, carried, previous = 0, 0, -1
    for block in _union(parts, space):
        if not len(block):
            continue
        highest = (int(block[-1]) - previous) >> low
        out = np.zeros((len(block) * (low + 1) + highest + bit) // 8 + 2, np.uint8)
        out[0] = carried
        bit = encode_rising(block, previous, low, bit, out)
        previous = int(block[-1])
        chunks.append(out[: bit // 8].tobytes())
        carried, bit = int(out[bit // 8]), bit % 8
    if bit:
        chunks.append(bytes([carried]))
    payload = np.frombuffer(b"".join(chunks), np.uint8)
    head = _HEAD.pack(MAGIC, VERSION, LONG_WORDS, WINDOW, space, low, 0, keys, documents, words, len(payload))
    return head + _seal_of(head, payload) + payload.tobytes()


def _seal_of(head: bytes, payload: Bytes) -> bytes:
    hashed = hashlib.sha256(head)
    for at in range(0, len(payload), _CHUNK):
        hashed.update(payload[at : at + _CHUNK].data)
    return hashed.digest()


def join_fingerprints(batches: Iterable[Hashes]) -> Hashes:
    """One shard's part of a sketch: its batches' fingerprints, rising, none twice."""
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *batches]))
