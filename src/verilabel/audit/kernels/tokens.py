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


@compiled
def _cut(
    data: Bytes,
    offsets: Positions,
    fold: Bytes,
    hashes: Hashes,
    starts: Offsets,
    ends: Offsets,
    first: Offsets,
) -> int:
    count = 0
    for document in range(len(offsets) - 1):
        first[document] = count
        at = offsets[document]
        end = offsets[document + 1]
        while at < end:
            folded = fold[data[at]]
            if folded == 0:
                at += 1
                continue
            lead = data[at]
            if _FIRST_CJK <= lead <= _LAST_CJK and at + 2 < end:
                point = np.uint64(lead) << np.uint64(16)
                point |= np.uint64(data[at + 1]) << np.uint64(8)
                point |= np.uint64(data[at + 2])
                hashes[count] = mix(point | np.uint64(1) << np.uint64(40))
                starts[count] = at
                at += 3
                ends[count] = at
                count += 1
                continue
            hashed = _FNV_START
            starts[count] = at
            while folded != 0:
                hashed = (hashed ^ np.uint64(folded)) * _FNV_PRIME
                at += 1
                if at >= end:
                    break
                lead = data[at]
                if _FIRST_CJK <= lead <= _LAST_CJK:
                    break
                folded = fold[lead]
            hashes[count] = mix(hashed)
            ends[count] = at
            count += 1
    first[len(offsets) - 1] = count
    return count


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
    count = _cut(batch.data, batch.offsets, FOLD, hashes, starts, ends, first)
    return Words(hashes[:count], starts[:count], ends[:count], first)


def cut_text(text: str) -> Words:
    """The words of one text, in its UTF-8 bytes."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    return cut_words(Batch(data, np.array([0, len(data)], np.int64), np.zeros(1, np.int64)))
