"""The compiled pass of the check `toxicity`: terms of the list in a batch, exact in bytes and surroundings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Bytes, Hashes, Offsets, Positions, Words
from verilabel.audit.kernels.compiling import compiled, inlined
from verilabel.audit.kernels.tokens import FOLD, mix
from verilabel.audit.toxicity.lexicon import CATEGORIES, GROUPS
from verilabel.audit.toxicity.table import FIRST_PROBE, PROBE, STEP, TermTable

MAX_FINDINGS = 65_535
"""Of one kind in one document; what is beyond is counted, and not kept as findings."""
COMPANY_WORDS = 24
"""How close a term with an innocent sense must stand to one without, in words."""
MAX_GAP_BYTES = 8
"""Between two words of a phrase."""
MAX_SIGNS = 8
MAX_WORD_BYTES = 64
_FNV_START = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_SIX = np.uint64(6)
_LOW = np.uint64(63)
_ONE = np.uint64(1)
_WAITING = COMPANY_WORDS + 1
_FIRST_CJK = np.uint8(0xE3)
_LAST_CJK = np.uint8(0xED)


def _flags(characters: str) -> Bytes:
    flags = np.zeros(256, np.uint8)
    flags[[ord(character) for character in characters]] = 1
    return flags


GAPS = _flags(" \t\n\r-'*")
"""Bytes that may stand between two words of a phrase."""
BEFORE = _flags("_@/\\$%=<.&`+")
AFTER = _flags("_@/\\=(`+[")
"""Bytes at a term's side by which it is part of a name, a path, an address or a pattern and no word of a sentence."""


class TermHits(NamedTuple):
    """Where terms stand, in order; `words` and `groups` count all of them a document, also those beyond the bound."""

    document: Offsets
    kind: npt.NDArray[np.uint16]
    start: Positions
    end: Positions
    words: npt.NDArray[np.uint32]
    groups: npt.NDArray[np.uint32]
    """Of shape (documents, groups): slurs by whom they are aimed at."""
    candidates: int
    """Places at which the tree of words was entered: the work beyond one look a word."""


@inlined
def _is_sign(a: np.uint8, b: np.uint8) -> bool:
    """True for the first two bytes of typographic quotes, dashes and dots, of a no-break space, or of an emoji."""
    if a == 0xE2:
        return bool(b == 0x80)
    if a == 0xC2:
        return bool(b == 0xA0 or b == 0xAB or b == 0xBB)
    return bool(a == 0xF0 and b == 0x9F)


@compiled
def _trim(
    data: Bytes, hashed: np.uint64, start: np.int64, end: np.int64, fold: Bytes
) -> tuple[np.uint64, np.int64, np.int64]:
    """A word without signs beyond ASCII at its ends, at most eight a side, and its hash.

    Words are cut at ASCII alone, so that a typographic quotation mark is part of the word that it stands at.
    """
    first = start
    last = end
    for _ in range(MAX_SIGNS):
        if last - first < 3 or not _is_sign(data[first], data[first + 1]):
            break
        lead = data[first]
        first += 2 if lead == 0xC2 else 3 if lead == 0xE2 else 4
    for _ in range(MAX_SIGNS):
        if last - first > 2 and data[last - 2] == 0xC2 and _is_sign(data[last - 2], data[last - 1]):
            last -= 2
        elif last - first > 3 and data[last - 3] == 0xE2 and _is_sign(data[last - 3], data[last - 2]):
            last -= 3
        elif last - first > 4 and data[last - 4] == 0xF0 and _is_sign(data[last - 4], data[last - 3]):
            last -= 4
        else:
            break
    if (first == start and last == end) or last <= first or last - first > MAX_WORD_BYTES:
        return hashed, start, end
    hashed = _FNV_START
    for position in range(first, last):
        hashed = (hashed ^ np.uint64(fold[data[position]])) * _FNV_PRIME
    return mix(hashed), first, last


@compiled
def _may_have_signs(data: Bytes, start: np.int64, end: np.int64) -> bool:
    """A quick look at a word's ends: False for all words of other scripts that have no such signs."""
    lead = data[start]
    if lead == 0xE2 or lead == 0xC2 or lead == 0xF0:
        return True
    if data[end - 1] < 0x80:
        return False
    size = end - start
    return bool(
        (size > 2 and data[end - 2] == 0xC2)
        or (size > 3 and data[end - 3] == 0xE2)
        or (size > 4 and data[end - 4] == 0xF0)
    )


@inlined
def _word(
    data: Bytes, hashes: Hashes, starts: Offsets, ends: Offsets, t: int, fold: Bytes
) -> tuple[np.uint64, np.int64, np.int64]:
    """Hash and place of a word, without signs at its ends."""
    start = np.int64(starts[t])
    end = np.int64(ends[t])
    if not _may_have_signs(data, start, end):
        return hashes[t], start, end
    return _trim(data, hashes[t], start, end, fold)


@inlined
def _same(
    data: Bytes, start: np.int64, end: np.int64, fold: Bytes, text: Bytes, from_byte: int, to_byte: int
) -> bool:
    """True if the bytes of words between two positions are those of a term: hashes can be made to collide."""
    at = from_byte
    for position in range(start, end):
        folded = fold[data[position]]
        if folded:
            if at >= to_byte or text[at] != folded:
                return False
            at += 1
    return at == to_byte


@inlined
def _stands_free(
    data: Bytes,
    first: int,
    last: int,
    start: np.int64,
    end: np.int64,
    before: Bytes,
    after: Bytes,
    fold: Bytes,
) -> bool:
    if start > first:
        byte = data[start - 1]
        if before[byte]:
            return False
        if byte == 45 and (start - 1 == first or data[start - 2] == 45 or fold[data[start - 2]] == 0):
            return False  # an option such as -x or --x
    if end < last:
        byte = data[end]
        if after[byte]:
            return False
        if (
            (byte == 46 or byte == 58)
            and end + 1 < last
            and (fold[data[end + 1]] != 0 or data[end + 1] == byte)
        ):
            return False  # a host, a file, a member
        if byte == 45 and end + 1 < last and data[end + 1] == 62:
            return False
    return True


@compiled
def _find(
    data: Bytes,
    offsets: Positions,
    hashes: Hashes,
    starts: Offsets,
    ends: Offsets,
    documents: Offsets,
    fold: Bytes,
    gaps: Bytes,
    before: Bytes,
    after: Bytes,
    next_key: Hashes,
    next_node: npt.NDArray[np.int32],
    shift: int,
    bits: Hashes,
    bits_shift: int,
    accepts: npt.NDArray[np.int32],
    text: Bytes,
    text_from: npt.NDArray[np.int32],
    category: npt.NDArray[np.uint16],
    group: npt.NDArray[np.uint8],
    company: npt.NDArray[np.uint8],
    out_document: Offsets,
    out_kind: npt.NDArray[np.uint16],
    out_start: Positions,
    out_end: Positions,
    out_words: npt.NDArray[np.uint32],
    out_groups: npt.NDArray[np.uint32],
    kept: npt.NDArray[np.int64],
    wait_word: npt.NDArray[np.int64],
    wait_start: npt.NDArray[np.int64],
    wait_end: npt.NDArray[np.int64],
    wait_term: npt.NDArray[np.int64],
) -> tuple[int, int]:
    room = len(out_document)
    places = len(next_key) - 1
    count = 0
    entered = 0
    by = np.uint64(shift)
    bits_by = np.uint64(bits_shift)
    for document in range(len(documents) - 1):
        first = offsets[document]
        last = offsets[document + 1]
        end_word = documents[document + 1]
        kept[:] = 0
        waiting = 0
        plain = -COMPANY_WORDS - 1
        t = documents[document]
        while t < end_word:
            hashed = hashes[t]
            if _may_have_signs(data, np.int64(starts[t]), np.int64(ends[t])):
                hashed, start, end = _trim(data, hashed, np.int64(starts[t]), np.int64(ends[t]), fold)
            probe = (hashed * FIRST_PROBE) >> bits_by
            if not (bits[probe >> _SIX] >> (probe & _LOW)) & _ONE:
                t += 1
                continue
            entered += 1
            hashed, start, end = _word(data, hashes, starts, ends, t, fold)
            node = 0
            term = -1
            length = 0
            at = t
            from_byte = start
            to_byte = end
            term_end = end
            while True:
                key = (hashed ^ np.uint64(node) * STEP) * PROBE
                place = np.int64(key >> by)
                while next_node[place] >= 0 and next_key[place] != key:
                    place = (place + 1) & places
                if next_node[place] < 0:
                    break
                node = next_node[place]
                at += 1
                if accepts[node] >= 0:
                    term = accepts[node]
                    length = at - t
                    term_end = to_byte
                if at >= end_word:
                    break
                hashed, start, end = _word(data, hashes, starts, ends, at, fold)
                gap = start - to_byte
                if gap > MAX_GAP_BYTES or (gap == 0 and not _FIRST_CJK <= data[start] <= _LAST_CJK):
                    break
                spaced = True
                for position in range(to_byte, start):
                    if not gaps[data[position]]:
                        spaced = False
                if not spaced:
                    break
                to_byte = end
            if term < 0:
                t += 1
                continue
            if not _same(data, from_byte, term_end, fold, text, text_from[term], text_from[term + 1]):
                t += 1
                continue
            if not _stands_free(data, first, last, from_byte, term_end, before, after, fold):
                t += 1
                continue
            if company[term] and t - plain > COMPANY_WORDS:
                held = 0
                for slot in range(waiting):
                    if t - wait_word[slot] <= COMPANY_WORDS:
                        wait_word[held] = wait_word[slot]
                        wait_start[held] = wait_start[slot]
                        wait_end[held] = wait_end[slot]
                        wait_term[held] = wait_term[slot]
                        held += 1
                wait_word[held] = t
                wait_start[held] = from_byte
                wait_end[held] = term_end
                wait_term[held] = term
                waiting = held + 1
                t += length
                continue
            for slot in range(waiting + 1):
                found = np.int64(term)
                found_start = from_byte
                found_end = term_end
                if slot < waiting:
                    if t - wait_word[slot] > COMPANY_WORDS:
                        continue
                    found = wait_term[slot]
                    found_start = wait_start[slot]
                    found_end = wait_end[slot]
                kind = category[found]
                out_words[document] += np.uint32(1)
                if group[found]:
                    out_groups[document, group[found]] += np.uint32(1)
                if kept[kind] < MAX_FINDINGS:
                    kept[kind] += 1
                    if count < room:
                        out_document[count] = document
                        out_kind[count] = kind
                        out_start[count] = found_start
                        out_end[count] = found_end
                    count += 1
            waiting = 0
            if not company[term]:
                plain = t + length - 1
            t += length
    return count, entered


def find_terms(batch: Batch, words: Words, table: TermTable) -> TermHits:
    """Every term of the table in a batch, longest first, none inside another. Linear in the words.

    A term stands free: no name, path, address or option goes on at its sides. A term with an innocent sense counts
    where one without stands at most 24 words before or behind it.
    """
    counted = np.zeros(len(batch), np.uint32)
    room = 1024 + len(words.hashes) // 64
    while True:
        counted[:] = 0
        groups = np.zeros((len(batch), len(GROUPS)), np.uint32)
        document = np.empty(room, np.int32)
        kind = np.empty(room, np.uint16)
        start = np.empty(room, np.int64)
        end = np.empty(room, np.int64)
        waiting = [np.empty(_WAITING + 1, np.int64) for _ in range(4)]
        count, entered = _find(
            batch.data,
            batch.offsets,
            words.hashes,
            words.starts,
            words.ends,
            words.documents,
            FOLD,
            GAPS,
            BEFORE,
            AFTER,
            *table,
            document,
            kind,
            start,
            end,
            counted,
            groups,
            np.zeros(len(CATEGORIES), np.int64),
            *waiting,
        )
        if count <= room:
            return TermHits(
                document[:count], kind[:count], start[:count], end[:count], counted, groups, entered
            )
        room = count
