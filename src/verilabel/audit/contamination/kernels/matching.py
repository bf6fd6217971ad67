"""From hits of hashes to items: every hit's words are compared, runs are followed to both ends, and counted an item.

A document's work is linear in its words: of the places in the items that an anchor leads to (a bounded number), one is
followed only where no earlier anchor of the same run has followed it before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.kernels.windows import seal_hash
from verilabel.audit.interface import Bytes, Hashes, Offsets, Positions
from verilabel.audit.kernels.compiling import compiled
from verilabel.audit.kernels.ngrams import BASE

_KEPT = 16
"""Earlier runs of an item that a run may follow on."""
_COVERED = np.uint8(1)
_COUNTED_8 = np.uint8(2)
_COUNTED_13 = np.uint8(4)
WHOLE = 1
CHAINED = 2
ROW = 13
"""Numbers a row of `find_items`: document, track, rules, then 13-grams, 8-grams, longest run, covered words and whole
matches of question and answer."""


class Text(NamedTuple):
    """The words of a batch, as the loops read them."""

    data: Bytes
    starts: Offsets
    ends: Offsets
    documents: Offsets
    fold: Bytes


class Items(NamedTuple):
    """The words of all items, and where n-grams of them stand."""

    letters: Bytes
    """Of every different word its folded bytes, behind one another."""
    spelling: Offsets
    ids: Offsets
    """Word by word."""
    length8: Bytes
    length13: Bytes
    """Words of the n-gram that counts from here on; 0 where none does."""
    anchored: Bytes
    """1 where an anchor begins."""
    segments: Offsets
    """First words of segments: a question, an option, an answer."""
    segment_track: Offsets
    segment_part: Bytes
    segment_whole: Bytes
    """1 where the segment counts if it stands in a document whole."""
    posting_at: Offsets
    """Of every anchor's key, where its postings begin."""
    postings: Offsets
    posting_segment: Offsets


@compiled
def _same_word(text: Text, items: Items, word: int, place: int) -> bool:
    spelt = items.ids[place]
    first = items.spelling[spelt]
    size = items.spelling[spelt + 1] - first
    start = text.starts[word]
    at = 0
    if text.ends[word] - start != size:
        return False
    while at < size and text.fold[text.data[start + at]] == items.letters[first + at]:
        at += 1
    return bool(at == size)


@compiled
def _follow(
    text: Text, items: Items, anchor: int, word: int, begin: int, end: int, place: int, segment: int
) -> tuple[int, int, int]:
    """First place, last place + 1 in the item, and first word in the document, of the run through an anchor.

    All 0 where the anchor's words are others (a collision), or where an earlier anchor leads to the same run.
    """
    least = items.segments[segment]
    left = 0
    while (
        place - left > least
        and word - left > begin
        and _same_word(text, items, word - left - 1, place - left - 1)
    ):
        left += 1
        # either the words from here on are the anchor's, and it has led to this run, or they are no match at all
        if items.anchored[place - left]:
            return 0, 0, 0
    for step in range(anchor):
        if not _same_word(text, items, word + step, place + step):
            return 0, 0, 0
    right = anchor
    most = items.segments[segment + 1]
    while (
        place + right < most and word + right < end and _same_word(text, items, word + right, place + right)
    ):
        right += 1
    return place - left, place + right, word - left


@compiled
def _more_slots(held: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    more = np.zeros((held.shape[0] * 2, held.shape[1]), np.int32)
    more[: held.shape[0]] = held
    return more


@compiled
def find_items(
    text: Text,
    items: Items,
    hit_document: Offsets,
    hit_word: Offsets,
    hit_key: Positions,
    anchor: int,
    fewest_middle: int,
    gap_factor: int,
    gap_words: int,
    seen: Bytes,
    slot_of: Offsets,
    covered: Bytes,
    rows: npt.NDArray[np.int32],
) -> tuple[int, int]:
    """Rows of the tracks that are found in documents (see `ROW`), and the number of places that were followed.

    `anchor` is the number of words of an anchor. `seen` (of the items' words, 0) and `slot_of` (of the tracks, -1) are
    scratch, and left as they were. `covered` gets 1 for every word of the batch inside a run of a track that was found.
    Rows beyond the room are counted alone.
    """
    found = 0
    followed = 0
    state = np.zeros((256, ROW), np.int32)
    # of each slot: lowest and highest place; times _KEPT runs: doc end, item end, score; how many runs there were
    kept = np.zeros((256, 3 + 3 * _KEPT), np.int32)
    at = 0
    while at < len(hit_word):
        document = hit_document[at]
        begin = text.documents[document]
        end = text.documents[document + 1]
        until = at
        while until < len(hit_word) and hit_document[until] == document:
            until += 1
        slots = 0
        for hit in range(at, until):
            for posting in range(items.posting_at[hit_key[hit]], items.posting_at[hit_key[hit] + 1]):
                segment = items.posting_segment[posting]
                followed += 1
                first, last, word = _follow(
                    text, items, anchor, hit_word[hit], begin, end, items.postings[posting], segment
                )
                if last == 0:
                    continue
                track = items.segment_track[segment]
                slot = slot_of[track]
                if slot < 0:
                    slot = slots
                    slots += 1
                    if slots > len(state):
                        state = _more_slots(state)
                        kept = _more_slots(kept)
                    slot_of[track] = slot
                    state[slot, :] = 0
                    state[slot, 0] = document
                    state[slot, 1] = track
                    kept[slot, 0] = first
                    kept[slot, 1] = last
                    kept[slot, 2] = 0
                kept[slot, 0] = min(kept[slot, 0], first)
                kept[slot, 1] = max(kept[slot, 1], last)
                part = np.int64(items.segment_part[segment])
                middle = 0
                for place in range(first, last):
                    mark = seen[place]
                    if not mark & _COVERED:
                        state[slot, 9 + part] += 1
                        mark |= _COVERED
                    length = items.length8[place]
                    if length and place + length <= last:
                        middle += 1
                        if not mark & _COUNTED_8:
                            state[slot, 5 + part] += 1
                            mark |= _COUNTED_8
                    length = items.length13[place]
                    if length and place + length <= last and not mark & _COUNTED_13:
                        state[slot, 3 + part] += 1
                        mark |= _COUNTED_13
                    seen[place] = mark
                state[slot, 7 + part] = max(state[slot, 7 + part], last - first)
                if (
                    items.segment_whole[segment]
                    and first == items.segments[segment]
                    and last == items.segments[segment + 1]
                ):
                    state[slot, 2] |= WHOLE
                    state[slot, 11 + part] = 1
                if middle:
                    score = middle
                    runs = kept[slot, 2]
                    for back in range(min(runs, _KEPT)):
                        held = 3 + 3 * back
                        gap = word - kept[slot, held]
                        between = first - kept[slot, held + 1]
                        if gap >= 0 and between >= 0 and gap <= gap_factor * between + gap_words:
                            score = max(score, middle + kept[slot, held + 2])
                    held = 3 + 3 * (runs % _KEPT)
                    kept[slot, held] = word + last - first
                    kept[slot, held + 1] = last
                    kept[slot, held + 2] = min(score, fewest_middle)
                    kept[slot, 2] = runs + 1
                    if score >= fewest_middle:
                        state[slot, 2] |= CHAINED
        accepted = 0
        for slot in range(slots):
            if state[slot, 2] or state[slot, 3] or state[slot, 4]:
                accepted += 1
                if found < len(rows):
                    rows[found] = state[slot]
                found += 1
            else:
                state[slot, 1] = -1 - state[slot, 1]
        if accepted:
            for hit in range(at, until):
                for posting in range(items.posting_at[hit_key[hit]], items.posting_at[hit_key[hit] + 1]):
                    segment = items.posting_segment[posting]
                    slot = slot_of[items.segment_track[segment]]
                    if slot < 0 or state[slot, 1] < 0:
                        continue
                    first, last, word = _follow(
                        text, items, anchor, hit_word[hit], begin, end, items.postings[posting], segment
                    )
                    counts = False
                    for place in range(first, last):
                        length = items.length8[place]
                        longer = items.length13[place]
                        if (length and place + length <= last) or (longer and place + longer <= last):
                            counts = True
                            break
                    if last and items.segment_whole[segment]:
                        counts |= first == items.segments[segment] and last == items.segments[segment + 1]
                    if counts:
                        covered[word : word + last - first] = 1
        for slot in range(slots):
            track = state[slot, 1]
            if track < 0:
                track = -1 - track
            slot_of[track] = -1
            seen[kept[slot, 0] : kept[slot, 1]] = 0
        at = until
    return found, followed


@compiled
def find_short(
    text: Text,
    items: Items,
    hashes: Hashes,
    hit_document: Offsets,
    hit_word: Offsets,
    hit_key: Positions,
    lengths: Offsets,
    keys: Hashes,
    owners: Offsets,
    covered: Bytes,
    out_document: Offsets,
    out_segment: Offsets,
) -> int:
    """Documents and segments whose words all stand there in a row. Rows beyond the room are counted alone.

    `lengths` has of every first n-gram one bit a number of words that a segment beginning so has; `keys` are the
    hashes of whole segments, rising, and `owners` whose they are. A segment may come more than once a document.
    """
    found = 0
    for hit in range(len(hit_word)):
        word = hit_word[hit]
        end = text.documents[hit_document[hit] + 1]
        wanted = lengths[hit_key[hit]]
        rolling = np.uint64(0)
        size = 0
        while wanted >> (size + 1) and word + size < end:
            rolling = rolling * BASE + hashes[word + size]
            size += 1
            if not (wanted >> size) & 1:
                continue
            key = seal_hash(rolling, size)
            low = 0
            high = len(keys)
            while low < high:
                middle = (low + high) >> 1
                if keys[middle] < key:
                    low = middle + 1
                else:
                    high = middle
            while low < len(keys) and keys[low] == key:
                segment = owners[low]
                first = items.segments[segment]
                low += 1
                if items.segments[segment + 1] - first != size:
                    continue
                same = True
                for step in range(size):
                    if not _same_word(text, items, word + step, first + step):
                        same = False
                        break
                if same:
                    covered[word : word + size] = 1
                    if found < len(out_document):
                        out_document[found] = hit_document[hit]
                        out_segment[found] = segment
                    found += 1
    return found


@compiled
def find_stretches(
    covered: Bytes,
    text: Text,
    most: int,
    documents: Offsets,
    totals: npt.NDArray[np.int64],
    out_document: Offsets,
    out_start: Positions,
    out_end: Positions,
) -> int:
    """Stretches of covered words of the given documents as bytes of the batch, at most `most` a document.

    `totals` gets the number of covered words of each document.
    """
    found = 0
    for index in range(len(documents)):
        document = documents[index]
        here = 0
        word = text.documents[document]
        end = text.documents[document + 1]
        while word < end:
            if not covered[word]:
                word += 1
                continue
            first = word
            while word < end and covered[word]:
                word += 1
            totals[index] += word - first
            if here < most:
                if found < len(out_document):
                    out_document[found] = document
                    out_start[found] = text.starts[first]
                    out_end[found] = text.ends[word - 1]
                found += 1
            here += 1
    return found
