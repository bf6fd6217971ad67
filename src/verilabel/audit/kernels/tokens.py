"""Words of a batch as 64-bit hashes: what n-grams, signatures and word lists are made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Bytes, Hashes, Offsets, Positions, Words
from verilabel.audit.kernels.compiling import compiled, inlined

MAX_BATCH_BYTES = 2**31 - 1
_ALNUM_OR_HIGH = [byte >= 128 or chr(byte).isalnum() for byte in range(256)]
FOLD: npt.NDArray[np.uint8] = np.array(
    [(ord(chr(b).lower()) if b < 128 else b) if _ALNUM_OR_HIGH[b] else 0 for b in range(256)], dtype=np.uint8
)
"""A byte of a word in lower case, or 0 for a byte between words."""
_FNV_START = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(33)
_FIRST_CJK = np.uint8(0xE3)
_LAST_CJK = np.uint8(0xED)


@inlined
def mix(value: np.uint64) -> np.uint64:
    """Spread every bit of a 64-bit value over all of them (the finalizer of MurmurHash3, public domain)."""
    value ^= value >> _HALF
    value *= _MIX_1
    value ^= value >> _HALF
    value *= _MIX_2
    value ^= value >> _HALF
    return value


_CJK_LEAD = np.uint16(256)
_CODES: npt.NDArray[np.uint16] = FOLD.astype(np.uint16)
_CODES[_FIRST_CJK : _LAST_CJK + 1] |= _CJK_LEAD
"""FOLD, and a bit for the first bytes of characters that are words of their own: one comparison tells all three."""


@compiled
def _cut(
    data: Bytes,
    offsets: Positions,
    codes: npt.NDArray[np.uint16],
    hashes: Hashes,
    starts: Offsets,
    ends: Offsets,
    first: Offsets,
) -> int:
    # unsigned places: signed ones are looked at for counting from the end at every access
    count = np.uint64(0)
    one = np.uint64(1)
    for document in range(len(offsets) - 1):
        first[document] = count
        at = np.uint64(offsets[document])
        end = np.uint64(offsets[document + 1])
        while at < end:
            code = np.uint64(codes[data[at]])
            if code == 0:
                at += one
                continue
            if code >= 256 and at + np.uint64(2) < end:
                point = np.uint64(data[at]) << np.uint64(16)
                point |= np.uint64(data[at + one]) << np.uint64(8)
                point |= np.uint64(data[at + np.uint64(2)])
                hashes[count] = mix(point | one << np.uint64(40))
                starts[count] = at
                at += np.uint64(3)
                ends[count] = at
                count += one
                continue
            hashed = _FNV_START
            starts[count] = at
            code &= np.uint64(255)
            while True:
                hashed = (hashed ^ code) * _FNV_PRIME
                at += one
                if at >= end:
                    break
                code = np.uint64(codes[data[at]])
                if code - one >= np.uint64(255):
                    break
            hashes[count] = mix(hashed)
            ends[count] = at
            count += one
    first[len(offsets) - 1] = count
    return int(count)


def cut_words(batch: Batch) -> Words:
    """The words of a batch. Two words have one hash where they are the same after folding ASCII to lower case."""
    size = len(batch.data)
    most = size // 2 + len(batch) + 2  # a word and what parts it from the next are two bytes
    if size and int(np.max(batch.data)) >= 0xE0:
        most = size + 2  # characters that are words may stand side by side
    hashes = np.empty(most, np.uint64)
    starts = np.empty(most, np.int32)
    ends = np.empty(most, np.int32)
    first = np.empty(len(batch) + 1, np.int32)
    count = _cut(batch.data, batch.offsets, _CODES, hashes, starts, ends, first)
    return Words(hashes[:count], starts[:count], ends[:count], first)


@compiled
def _count(data: Bytes, offsets: Positions, codes: npt.NDArray[np.uint16], first: Offsets) -> None:
    count = np.uint64(0)
    one = np.uint64(1)
    for document in range(len(offsets) - 1):
        first[document] = count
        at = np.uint64(offsets[document])
        end = np.uint64(offsets[document + 1])
        inside = False
        while at < end:
            code = np.uint64(codes[data[at]])
            is_word = code >= 256 and at + np.uint64(2) < end
            if is_word or (code != 0 and (not inside or code >= 256)):
                count += one
            inside = code != 0 and not is_word
            at += np.uint64(3) if is_word else one
    first[len(offsets) - 1] = count


def count_words(batch: Batch) -> Words:
    """How many words `cut_words` would find of each document, and nothing of the words: three times as fast."""
    first = np.empty(len(batch) + 1, np.int32)
    _count(batch.data, batch.offsets, _CODES, first)
    return Words(np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int32), first)


def cut_text(text: str) -> Words:
    """The words of one text, in its UTF-8 bytes."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    return cut_words(Batch(data, np.array([0, len(data)], np.int64), np.zeros(1, np.int64)))
