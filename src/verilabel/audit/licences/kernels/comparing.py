"""Which texts of licences stand in a stretch of words: counted, compared word by word, and told apart."""

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

HEAD_BITS = 16
_HEAD_SHIFT = np.uint64(64 - HEAD_BITS)
_SPACE = 32
MAX_GAP_WORDS = 64
"""Of other text inside one licence: a holder, a clause of their own. More of it parts two licences."""
MAX_SEGMENT_HITS = 65_536
MAX_TEXTS_A_SEGMENT = 8
"""Different ones; copies of one do not count."""
_COPY_NGRAMS = 16  # the two clauses of a BSD licence share six
_SHORT_NGRAMS = 400
_PART_NGRAMS = 150
_MIN_NGRAMS = 15


@compiled
def match_texts(
    data: Bytes,
    fold: Bytes,
    hashes: Hashes,
    starts: Offsets,
    ends: Offsets,
    region_first: Offsets,
    region_last: Offsets,
    n: int,
    keys: Hashes,
    heads: Offsets,
    bits: Hashes,
    shift: int,
    places: Offsets,
    sets: Offsets,
    set_starts: Offsets,
    members: Offsets,
    totals: Offsets,
    common: Bytes,
    reference: Bytes,
    out_region: Offsets,
    out_text: Offsets,
    out_start: Offsets,
    out_end: Offsets,
    out_covered: Offsets,
) -> int:
    """Which texts stand in stretches of words: stretch, text, first and last word, and how many keys were covered.

    Hits less than MAX_GAP_WORDS apart are a segment. The text with the largest (covered / its keys) x (covered / keys
    of the segment) is taken of it, if it is covered enough; its keys are taken away, and the rest is looked at again.
    Of torn pieces, those that a common text has too are taken for its.
    Enough is three quarters of a short text, half of a long one, or a part of one that fills three fifths of its place.
    """
    room = len(out_region)
    count = 0
    power = _ONE
    for _ in range(n):
        power *= BASE
    salt = np.uint64(n) * _SALT
    by = np.uint64(shift)
    texts = len(totals)
    hit_word = np.empty(MAX_SEGMENT_HITS, np.int32)
    hit_set = np.empty(MAX_SEGMENT_HITS, np.int32)
    hit_key = np.empty(MAX_SEGMENT_HITS, np.int32)  # numbered within the segment
    hit_copy = np.empty(MAX_SEGMENT_HITS, np.int32)
    hit_free = np.empty(MAX_SEGMENT_HITS, np.bool_)
    seen = np.zeros(MAX_SEGMENT_HITS, np.int64)
    seeing = 0
    copy_covered = np.empty(MAX_SEGMENT_HITS, np.int32)
    copy_begin = np.empty(MAX_SEGMENT_HITS, np.int32)
    copy_last = np.empty(MAX_SEGMENT_HITS, np.int32)
    key_number = np.empty(len(keys), np.int32)
    numbered = 0
    key_stamp = np.zeros(len(keys), np.int32)
    set_count = np.zeros(len(set_starts), np.int32)
    set_taken = np.zeros(len(set_starts), np.uint8)
    touched = np.empty(len(set_starts), np.int32)
    covered = np.zeros(texts, np.int32)
    segment = 1
    for region in range(len(region_first)):
        start = region_first[region]
        end = region_last[region]
        held = 0
        rolling = _ZERO
        known_first = -2
        known_place = 0
        known_behind = 0
        for t in range(start, end + 1):
            hit = -1
            first = t - n + 1
            if t < end:
                rolling = rolling * BASE + hashes[t]
                if t - start >= n:
                    rolling -= power * hashes[t - n]
                if first >= start:
                    mixed = mix(rolling ^ salt)
                    place = (mixed * _PROBE) >> by
                    if (bits[place >> _SIX] >> (place & _LOW)) & _ONE:
                        low = heads[mixed >> _HEAD_SHIFT]
                        high = heads[(mixed >> _HEAD_SHIFT) + _ONE]
                        while low < high and keys[low] < mixed:
                            low += 1
                        if low < high and keys[low] == mixed:
                            hit = low
                            byte = places[low]
                            begin = first
                            if (
                                first == known_first + 1
                                and byte == known_place + ends[first - 1] - starts[first - 1] + 1
                            ):
                                begin = t  # the words before were compared with the n-gram before
                                byte = known_behind
                            for k in range(begin, t + 1):
                                for position in range(starts[k], ends[k]):
                                    if fold[data[position]] != reference[byte]:
                                        hit = -1
                                        break
                                    byte += 1
                                if hit < 0 or reference[byte] != _SPACE:
                                    hit = -1
                                    break
                                byte += 1
                            if hit >= 0:
                                known_first = first
                                known_place = places[low]
                                known_behind = byte
            closing = t == end or held == MAX_SEGMENT_HITS
            if hit >= 0 and held > 0 and first - hit_word[held - 1] > MAX_GAP_WORDS:
                closing = True
            if closing and held >= _MIN_NGRAMS:
                for _ in range(MAX_TEXTS_A_SEGMENT):
                    different = 0
                    touches = 0
                    seeing += 1
                    for i in range(held):
                        if hit_free[i] and seen[hit_key[i]] != seeing:
                            seen[hit_key[i]] = seeing
                            different += 1
                            group = hit_set[i]
                            if set_count[group] == 0:
                                touched[touches] = group
                                touches += 1
                            set_count[group] += 1
                    if different < _MIN_NGRAMS:
                        for i in range(touches):
                            set_count[touched[i]] = 0
                        break
                    covered[:] = 0
                    for i in range(touches):
                        group = touched[i]
                        for m in range(set_starts[group], set_starts[group + 1]):
                            if members[m] >= 0:
                                covered[members[m]] += set_count[group]
                        set_count[group] = 0
                    best = -1
                    best_square = np.int64(0)
                    best_total = np.int64(1)
                    for text in range(texts):
                        if covered[text] < _MIN_NGRAMS:
                            continue
                        total = totals[text]
                        square = np.int64(covered[text]) * covered[text]
                        if common[text] and 2 * covered[text] < total:
                            square = square * 5 // 4
                        if square * best_total <= best_square * total:
                            continue
                        if total < _SHORT_NGRAMS:
                            enough = 4 * covered[text] >= 3 * total
                        else:
                            enough = 2 * covered[text] >= total
                            if not enough and covered[text] >= _PART_NGRAMS:
                                span = hit_word[held - 1] - hit_word[0] + n
                                enough = 5 * covered[text] >= 3 * span
                        if enough:
                            best = text
                            best_square = square
                            best_total = np.int64(total)
                    if best < 0:
                        break
                    for i in range(touches):
                        group = touched[i]
                        set_taken[group] = 0
                        for m in range(set_starts[group], set_starts[group + 1]):
                            if members[m] == best or members[m] == -best - 1:
                                set_taken[group] = 1
                                break
                    # copies of a short text behind one another, and others that share its words, are told apart:
                    # where many n-grams in a row have stood before, the next copy has begun
                    copies = 0
                    seeing += 1
                    again = 0
                    again_from = 0
                    for i in range(held):
                        hit_copy[i] = -1
                        if not (hit_free[i] and set_taken[hit_set[i]]):
                            continue
                        hit_copy[i] = copies
                        if seen[hit_key[i]] != seeing:
                            seen[hit_key[i]] = seeing
                            again = 0
                            continue
                        if again == 0:
                            again_from = i
                        again += 1
                        if again == _COPY_NGRAMS and totals[best] < _SHORT_NGRAMS:
                            copies += 1
                            seeing += 1
                            again = 0
                            for j in range(again_from, i + 1):
                                if hit_copy[j] >= 0:
                                    hit_copy[j] = copies
                                    seen[hit_key[j]] = seeing
                    copies += 1
                    accepted = 0
                    for copy in range(copies):
                        copy_covered[copy] = 0
                        copy_begin[copy] = -1
                    seeing += 1
                    current = 0
                    for i in range(held):
                        copy = hit_copy[i]
                        if copy < 0:
                            continue
                        if copy != current:
                            current = copy
                            seeing += 1
                        if copy_begin[copy] < 0:
                            copy_begin[copy] = hit_word[i]
                        copy_last[copy] = hit_word[i] + n - 1
                        if seen[hit_key[i]] != seeing:
                            seen[hit_key[i]] = seeing
                            copy_covered[copy] += 1
                    fullest = 0
                    for copy in range(copies):
                        fullest = max(fullest, copy_covered[copy])
                    # a copy that is less full than another is rather a text that shares words: it is looked at again
                    needed = max((3 * totals[best] + 3) // 4, 19 * fullest // 20)
                    for copy in range(copies):
                        if copy_covered[copy] >= needed:
                            accepted += 1
                    if copies == 1 or accepted == 0:
                        for copy in range(1, copies):
                            copy_last[0] = copy_last[copy]
                        for i in range(held):
                            if hit_copy[i] >= 0:
                                hit_copy[i] = 0
                        copies = 1
                        copy_covered[0] = covered[best]
                        accepted = 0
                    for i in range(held):
                        copy = hit_copy[i]
                        if copy >= 0 and (accepted == 0 or copy_covered[copy] >= needed):
                            hit_free[i] = False
                    for copy in range(copies):
                        if accepted > 0 and copy_covered[copy] < needed:
                            continue
                        if count < room:
                            out_region[count] = region
                            out_text[count] = best
                            out_start[count] = copy_begin[copy]
                            out_end[count] = copy_last[copy]
                            out_covered[count] = min(copy_covered[copy], totals[best])
                        count += 1
            if closing:
                held = 0
                segment += 1
                numbered = 0
            if hit >= 0:
                hit_word[held] = first
                hit_set[held] = sets[hit]
                if key_stamp[hit] != segment:
                    key_stamp[hit] = segment
                    key_number[hit] = numbered
                    numbered += 1
                hit_key[held] = key_number[hit]
                hit_free[held] = True
                held += 1
    return count
