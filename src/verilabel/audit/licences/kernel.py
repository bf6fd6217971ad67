"""Compiled loops: one pass over the words of a batch, and a closer look at the documents that it names."""

from __future__ import annotations

import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Offsets, Positions
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
_SPACE = 32
HEAD_BITS = 16
_HEAD_SHIFT = np.uint64(64 - HEAD_BITS)
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


@compiled
def find_notices(
    data: Bytes,
    fold: Bytes,
    starts: Offsets,
    ends: Offsets,
    documents: Offsets,
    offsets: Positions,
    hit_document: Offsets,
    hit_word: Offsets,
    hit_kind: Offsets,
    longest: int,
    out_document: Offsets,
    out_start: Positions,
    out_end: Positions,
) -> int:
    """Copyright notices among the places where a word or sign for copyright stands; at most one begins in a line.

    A notice is such a word or sign followed by a year, or both a word and a sign in a row, or either at the head of a
    line followed by a capital letter. It reaches to the end of the line, at most `longest` bytes.

    hit_kind: 0 the word, 1 the sign, 2 the letter c (a sign only in brackets), 3 the entity &copy;, 4 sign and year.
    """
    count = 0
    last_document = -1
    last_end = np.int64(-1)
    for i in range(len(hit_document)):
        document = hit_document[i]
        if document != last_document:
            last_document = document
            last_end = np.int64(-1)
        word = hit_word[i]
        kind = hit_kind[i]
        begin = np.int64(starts[word])
        limit = offsets[document + 1]
        if begin < last_end:
            continue
        if kind == 2 and not (
            begin > offsets[document]
            and data[begin - 1] == 40
            and ends[word] < limit
            and data[ends[word]] == 41
        ):
            continue
        if kind == 3 and not (
            begin > offsets[document]
            and data[begin - 1] == 38
            and ends[word] < limit
            and data[ends[word]] == 59
        ):
            continue
        if kind == 2 or kind == 3:
            begin -= 1
        if kind == 2 and begin > offsets[document]:
            byte = data[begin - 1]
            if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95:
                continue  # a call of a function, f(c)
        signed = kind != 0
        last = documents[document + 1]
        after = word + 1
        dated = kind == 4
        for _ in range(3):  # what may stand between: (c), ©, copy, copyright, by
            if dated or after >= last:
                break
            a = np.int64(starts[after])
            size = ends[after] - a
            first = data[a]
            if a - ends[after - 1] > 8:
                break
            if size >= 4 and ((first == 49 and data[a + 1] == 57) or (first == 50 and data[a + 1] == 48)):
                dated = True
                for k in range(2, 4):
                    if data[a + k] < 48 or data[a + k] > 57:
                        dated = False
                if size > 4:
                    tail = data[a + 4]
                    if tail < 128:
                        dated = False
                break
            sign = (
                size == 1
                and (first == 99 or first == 67)
                and data[a - 1] == 40
                and a + 1 < limit
                and data[a + 1] == 41
            )
            sign = sign or (size >= 2 and first == 0xC2 and data[a + 1] == 0xA9)
            if sign:
                if size >= 6 and (data[a + 2] == 49 or data[a + 2] == 50):
                    dated = True
                if kind == 0:
                    dated = True  # word and sign in a row
                signed = True
                after += 1
                continue
            if size == 9 and signed and kind != 0 and fold[first] == 99 and fold[data[a + 1]] == 111:
                if fold[data[a + 2]] == 112 and fold[data[a + 3]] == 121:
                    dated = True  # sign and word in a row
                break
            break
        if not dated:
            before = begin - 1
            head = True
            while before >= offsets[document] and data[before] != 10:
                byte = data[before]
                if byte >= 128 or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122:
                    head = False
                    break
                before -= 1
                if begin - before > 16:
                    head = False
                    break
            # a heading such as "Copyright Notice" is none: the holder follows on the same line, with a capital
            if not head or after >= last or not signed or (kind >= 2 and after == word + 1):
                continue  # "(c)" at the head of a line alone is the third of a list
            a = np.int64(starts[after])
            if a - ends[after - 1] > 4 or not (65 <= data[a] <= 90):
                continue
        stop = np.int64(ends[word])
        while stop < limit and data[stop] != 10 and stop - begin < longest:
            stop += 1
        while stop < limit and stop > ends[word] and data[stop] & 0xC0 == 0x80:
            stop -= 1
        while stop > ends[word] and (data[stop - 1] == 13 or data[stop - 1] == 32):
            stop -= 1
        out_document[count] = document
        out_start[count] = begin
        out_end[count] = stop
        count += 1
        last_end = stop
    return count


MAX_GAP_WORDS = 64
"""Of other text inside one licence: a holder, a clause of their own. More of it parts two licences."""
MAX_SEGMENT_HITS = 65_536
MAX_TEXTS_A_SEGMENT = 8
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
    hit_state = np.empty(
        MAX_SEGMENT_HITS, np.uint8
    )  # 0 taken, 1 a key that stood before, 2 the key's first place
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
                    for i in range(held):
                        if hit_state[i] == 2:
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
                            square = (
                                square * 5 // 4
                            )  # a torn piece that several have is rather of a common one
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
                    begin = -1
                    last = -1
                    for i in range(held):
                        if hit_state[i] != 0 and set_taken[hit_set[i]]:
                            if begin < 0:
                                begin = hit_word[i]
                            last = hit_word[i] + n - 1
                            hit_state[i] = 0
                    if count < room:
                        out_region[count] = region
                        out_text[count] = best
                        out_start[count] = begin
                        out_end[count] = last
                        out_covered[count] = covered[best]
                    count += 1
            if closing:
                held = 0
                segment += 1
            if hit >= 0:
                hit_word[held] = first
                hit_set[held] = sets[hit]
                hit_state[held] = 1 if key_stamp[hit] == segment else 2
                key_stamp[hit] = segment
                held += 1
    return count
