"""One pass over the words of a batch: phrases, and stretches in which n-grams of licences stand."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Offsets
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.kernels.ngrams import BASE
from verilabel.audit.kernels.tokens import mix

_SALT = np.uint64(0xC4CEB9FE1A85EC53)
_PROBE = np.uint64(0xFF51AFD7ED558CCD)
_SIX = np.uint64(6)
_LOW = np.uint64(63)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)

SLOT_BITS = 12
_SLOT_SHIFT = np.uint64(64 - SLOT_BITS)
_WORD_SHIFT = np.uint64(64 - 15)
REGION_GAP = 96
REGION_EDGE = 40
MAX_HITS = 65_535
"""Of each group of phrases in one document; more are counted and not looked at."""


@compiled
def scan_words(
    data: Bytes,
    fold: Bytes,
    hashes: Hashes,
    starts: Offsets,
    ends: Offsets,
    documents: Offsets,
    word_bits: Hashes,
    slots: Hashes,
    slot_first: Offsets,
    slot_phrases: Offsets,
    phrase_first: Offsets,
    phrase_hashes: Hashes,
    phrase_text: Bytes,
    phrase_text_first: Offsets,
    phrase_back: Offsets,
    phrase_group: Offsets,
    groups: int,
    n: int,
    sample_mask: int,
    sampled: Hashes,
    sampled_bits: Hashes,
    shift: int,
    out_document: Offsets,
    out_word: Offsets,
    out_phrase: Offsets,
    region_document: Offsets,
    region_first: Offsets,
    region_last: Offsets,
    beyond: Hashes,
) -> tuple[int, int]:
    """Every phrase, by the place of its first word, and the stretches in which n-grams of the sample stand.

    A phrase is looked for by one of its words, then compared hash by hash and byte by byte. Hits beyond MAX_HITS a
    document and group are added to `beyond`. A stretch has two n-grams or more, none further from the next than
    REGION_GAP words, and REGION_EDGE words before and behind them; `region_last` is one word behind it.
    """
    room = len(out_document)
    region_room = len(region_document)
    count = 0
    regions = 0
    mask = np.uint64(sample_mask)
    power = _ONE
    for _ in range(n):
        power *= BASE
    salt = np.uint64(n) * _SALT
    by = np.uint64(shift)
    seen = np.zeros(groups, np.int64)
    for document in range(len(documents) - 1):
        start = documents[document]
        end = documents[document + 1]
        seen[:] = 0
        rolling = _ZERO
        region_hits = 0
        region_begin = 0
        region_latest = 0
        for t in range(start, end):
            hashed = hashes[t]
            rolling = rolling * BASE + hashed
            if t - start >= n:
                rolling -= power * hashes[t - n]
            mixed = mix(rolling ^ salt)
            place = (mixed * _PROBE) >> by
            # one branch that is seldom taken, for one that would be taken at random
            bit = (sampled_bits[place >> _SIX] >> (place & _LOW)) & np.uint64(mixed & mask == _ZERO)
            if bit & _ONE and t - start >= n - 1:
                low = 0
                high = len(sampled)
                while low < high:
                    middle = (low + high) >> 1
                    if sampled[middle] < mixed:
                        low = middle + 1
                    else:
                        high = middle
                if low < len(sampled) and sampled[low] == mixed:
                    if region_hits > 0 and t - region_latest > REGION_GAP:
                        if region_hits >= 2:
                            if regions < region_room:
                                region_document[regions] = document
                                region_first[regions] = max(start, region_begin - n + 1 - REGION_EDGE)
                                region_last[regions] = min(end, region_latest + 1 + REGION_EDGE)
                            regions += 1
                        region_hits = 0
                    if region_hits == 0:
                        region_begin = t
                    region_hits += 1
                    region_latest = t
            place = hashed >> _WORD_SHIFT
            if (word_bits[place >> _SIX] >> (place & _LOW)) & _ONE == _ZERO:
                continue
            slot = np.int64(hashed >> _SLOT_SHIFT)
            while slots[slot] != _ZERO and slots[slot] != hashed:
                slot = (slot + 1) & ((1 << SLOT_BITS) - 1)
            if slots[slot] == _ZERO:
                continue
            for at in range(slot_first[slot], slot_first[slot + 1]):
                phrase = slot_phrases[at]
                first = t - phrase_back[phrase]
                length = phrase_first[phrase + 1] - phrase_first[phrase]
                if first < start or first + length > end:
                    continue
                equal = True
                for k in range(length):
                    if hashes[first + k] != phrase_hashes[phrase_first[phrase] + k]:
                        equal = False
                        break
                if not equal:
                    continue
                byte = phrase_text_first[phrase]
                for k in range(length):
                    for position in range(starts[first + k], ends[first + k]):
                        if fold[data[position]] != phrase_text[byte]:
                            equal = False
                        byte += 1
                    byte += 1
                if not equal:
                    continue
                group = phrase_group[phrase]
                seen[group] += 1
                if seen[group] > MAX_HITS:
                    beyond[document] += _ONE
                    continue
                if count < room:
                    out_document[count] = document
                    out_word[count] = first
                    out_phrase[count] = phrase
                count += 1
        if region_hits >= 2:
            if regions < region_room:
                region_document[regions] = document
                region_first[regions] = max(start, region_begin - n + 1 - REGION_EDGE)
                region_last[regions] = min(end, region_latest + 1 + REGION_EDGE)
            regions += 1
    return count, regions
