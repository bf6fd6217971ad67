"""Rolling hashes of word n-grams, sets of them, and the pass that looks a batch up in a set."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Hashes, Offsets, Words
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.kernels.tokens import mix

BASE = np.uint64(0x9E3779B97F4A7C15)
_SALT = np.uint64(0xC4CEB9FE1A85EC53)
_PROBE = np.uint64(0xFF51AFD7ED558CCD)
_SIX = np.uint64(6)
_LOW = np.uint64(63)
_ONE = np.uint64(1)


@compiled
def hash_ngrams(hashes: Hashes, n: int) -> Hashes:
    """Of each n words in a row, a 64-bit hash that depends on their order and on n; empty for fewer than n words.

    Polynomial modulo 2**64 over the words' hashes (Karp and Rabin, 1987), then mixed. It can be made to collide on
    purpose: who reports a hit looks at the words themselves first.
    """
    count = len(hashes)
    if count < n:
        return np.zeros(0, np.uint64)
    power = _ONE
    for _ in range(n):
        power *= BASE
    salt = np.uint64(n) * _SALT
    found = np.empty(count - n + 1, np.uint64)
    rolling = np.uint64(0)
    for t in range(n):
        rolling = rolling * BASE + hashes[t]
    found[0] = mix(rolling ^ salt)
    for t in range(n, count):
        rolling = rolling * BASE + hashes[t] - power * hashes[t - n]
        found[t - n + 1] = mix(rolling ^ salt)
    return found


class NgramSet(NamedTuple):
    """n-grams of one length, to look for: a bitmap that says no to most others, and sorted keys.

    `keys` are hashes by `hash_ngrams`, rising, none twice; `bits` has a power of two of bits, at 16 a key or more.
    """

    n: int
    keys: Hashes
    bits: Hashes
    shift: int


def make_ngram_set(n: int, hashes: Hashes) -> NgramSet:
    """A set of the given hashes of n words."""
    keys = np.unique(hashes)
    size = max(64, 1 << int(np.ceil(np.log2(max(len(keys), 1) * 16))))
    bits = np.zeros(size // 64, np.uint64)
    shift = 64 - (size.bit_length() - 1)
    places = (keys * _PROBE) >> np.uint64(shift)
    np.bitwise_or.at(bits, (places >> _SIX).astype(np.int64), _ONE << (places & _LOW))
    return NgramSet(n, keys, bits, shift)


class Hits(NamedTuple):
    """Where n-grams of a set stand in a batch, in order."""

    document: Offsets
    word: Offsets
    """Of the first word of the n-gram, in the batch's words."""
    key: npt.NDArray[np.int64]
    """Index into the set's keys."""


@compiled
def _scan(
    hashes: Hashes,
    documents: Offsets,
    n: int,
    keys: Hashes,
    bits: Hashes,
    shift: int,
    out_document: Offsets,
    out_word: Offsets,
    out_key: npt.NDArray[np.int64],
) -> int:
    room = len(out_document)
    count = 0
    power = _ONE
    for _ in range(n):
        power *= BASE
    salt = np.uint64(n) * _SALT
    by = np.uint64(shift)
    for document in range(len(documents) - 1):
        start = documents[document]
        end = documents[document + 1]
        if end - start < n:
            continue
        rolling = np.uint64(0)
        for t in range(start, start + n):
            rolling = rolling * BASE + hashes[t]
        t = start + n
        while True:
            mixed = mix(rolling ^ salt)
            place = (mixed * _PROBE) >> by
            if (bits[place >> _SIX] >> (place & _LOW)) & _ONE:
                low = 0
                high = len(keys)
                while low < high:
                    middle = (low + high) >> 1
                    if keys[middle] < mixed:
                        low = middle + 1
                    else:
                        high = middle
                if low < len(keys) and keys[low] == mixed:
                    if count < room:
                        out_document[count] = document
                        out_word[count] = t - n
                        out_key[count] = low
                    count += 1
            if t >= end:
                break
            rolling = rolling * BASE + hashes[t] - power * hashes[t - n]
            t += 1
    return count


def find_ngrams(words: Words, wanted: NgramSet) -> Hits:
    """Every place in a batch where an n-gram of the set stands."""
    room = 4096 + len(words.hashes) // 64
    while True:
        document = np.empty(room, np.int32)
        word = np.empty(room, np.int32)
        key = np.empty(room, np.int64)
        count = _scan(
            words.hashes,
            words.documents,
            wanted.n,
            wanted.keys,
            wanted.bits,
            wanted.shift,
            document,
            word,
            key,
        )
        if count <= room:
            return Hits(document[:count], word[:count], key[:count])
        room = count
