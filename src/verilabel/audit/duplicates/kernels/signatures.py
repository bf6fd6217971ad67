"""MinHash signatures of the word 5-grams of every document of a batch, and a key of its whole sequence of words.

MinHash: Broder, On the resemblance and containment of documents, 1997. Of each minimum the low 8 bits are kept (b-bit
minwise hashing: Li and Koenig, 2010): two signatures then agree in a place with probability J + (1 - J) / 256.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Hashes, Offsets, Words
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.kernels.ngrams import BASE
from verilabel.audit.kernels.tokens import mix

Lanes = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.uint32]

NGRAM = 5
PERMUTATIONS = 112
_LARGEST = np.uint32(0xFFFFFFFF)
_HALF_WORD = np.uint64(32)
_FOLD = np.uint32(15)
_LOW_BYTE = np.uint32(0xFF)
_OTHER = np.uint64(0xD6E8FEB86659FD93)
_ONE = np.uint64(1)


def _draw_permutations() -> tuple[Lanes, Lanes]:
    # splitmix64 (Steele, Lea, Flood, 2014) from a fixed start: the numbers are part of the method, not chance
    state = 0x5665726942656C21
    drawn = []
    for _ in range(2 * PERMUTATIONS):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        value = state
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
        drawn.append((value ^ (value >> 31)) >> 32)
    factors = np.array([value | 1 for value in drawn[:PERMUTATIONS]], np.uint32)
    return factors, np.array(drawn[PERMUTATIONS:], np.uint32)


FACTORS, ADDENDS = _draw_permutations()


class Signed(NamedTuple):
    """What a batch's documents are compared by."""

    signatures: Bytes
    """n rows of PERMUTATIONS bytes; zeros where a document has fewer than NGRAM words."""
    shingles: Counts
    """How many word 5-grams each document has, repeated ones counted."""
    words: Hashes
    """n rows of two words: a 128-bit key of the sequence of words; zeros where there is none."""


@compiled
def _sign(
    hashes: Hashes,
    documents: Offsets,
    factors: Lanes,
    addends: Lanes,
    signatures: Bytes,
    shingles: Counts,
    words: Hashes,
) -> None:
    power = _ONE
    for _ in range(NGRAM):
        power *= BASE
    row = np.empty(PERMUTATIONS, np.uint32)
    for document in range(len(documents) - 1):
        start = documents[document]
        end = documents[document + 1]
        first = np.uint64(end - start)
        second = ~first
        for t in range(start, end):
            first = (first ^ hashes[t]) * BASE
            first ^= first >> _HALF_WORD
            second = (second ^ hashes[t]) * _OTHER
            second ^= second >> _HALF_WORD
        if end > start:
            words[document, 0] = mix(first)
            words[document, 1] = mix(second)
        else:
            words[document, 0] = np.uint64(0)
            words[document, 1] = np.uint64(0)
        if end - start < NGRAM:
            shingles[document] = np.uint32(0)
            for k in range(PERMUTATIONS):
                signatures[document, k] = np.uint8(0)
            continue
        shingles[document] = np.uint32(end - start - NGRAM + 1)
        for k in range(PERMUTATIONS):
            row[k] = _LARGEST
        rolling = np.uint64(0)
        for t in range(start, start + NGRAM):
            rolling = rolling * BASE + hashes[t]
        t = start + NGRAM
        before = ~rolling
        while True:
            if rolling != before:  # a run of one word is one shingle
                shingle = np.uint32(mix(rolling) >> _HALF_WORD)
                for k in range(PERMUTATIONS):
                    value = np.uint32(factors[k] * shingle + addends[k])
                    value ^= value >> _FOLD
                    row[k] = min(row[k], value)
                before = rolling
            if t >= end:
                break
            rolling = rolling * BASE + hashes[t] - power * hashes[t - NGRAM]
            t += 1
        for k in range(PERMUTATIONS):
            signatures[document, k] = np.uint8(row[k] & _LOW_BYTE)


def sign_documents(words: Words) -> Signed:
    """Signatures of the documents whose words these are."""
    count = len(words.documents) - 1
    signatures = np.empty((count, PERMUTATIONS), np.uint8)
    shingles = np.empty(count, np.uint32)
    keys = np.empty((count, 2), np.uint64)
    _sign(words.hashes, words.documents, FACTORS, ADDENDS, signatures, shingles, keys)
    return Signed(signatures, shingles, keys)
