"""Plain facts about a document's text: what it is made of, what repeats in it, and how its lines end.

The shares are those of Rae et al., Scaling Language Models (Gopher), 2021, appendix A, and Raffel et al., Exploring the
Limits of Transfer Learning (C4), 2020: facts here, and no filter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Bytes, Hashes, Offsets, Positions, Words
from verilabel.audit.kernels.compiling import compiled, inlined
from verilabel.audit.kernels.ngrams import BASE
from verilabel.audit.kernels.tokens import cut_text, mix

Shares = npt.NDArray[np.uint16]

MOST_WORDS = 2_048
"""So many of a document's first words, and of its first lines, are looked at for repetition."""
MOST_PROBES = 128
SHORT_WORDS = 20
MOST_REPEATED_LINES = 300
MOST_REPLACED = 10
MOST_MARKUP = 500
LONG_NGRAM = 10

VERY_SHORT = 1
NO_LETTERS = 2
REPEATED_LINES = 4
PLACEHOLDER = 8
MARKUP = 16
REPLACED = 32

_SLOTS = 4 * MOST_WORDS
_EMPTY = np.uint64(0)
_ONE = np.uint64(1)
_COUNT = np.uint64(0xFFFF)
_KEY = ~_COUNT
_BLOCK = 248
_LINE_ENDS = np.uint64(0x0A0A0A0A0A0A0A0A)
_BRACKETS = np.uint64(0x3C3C3C3C3C3C3C3C)
_BUT_DIRECTION = np.uint64(0xFDFDFDFDFDFDFDFD)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_HIGH_BITS = np.uint64(0x8080808080808080)
_PLACES = np.uint64(0x0001020304050607)
_LETTERS, _DIGITS, _ALL, _WHITE, _REPLACED = range(5)
_LINES, _AGAIN, _ENDED, _MARKUP, _TOP, _LONG, _PLACEHOLDER = range(7)
_LOREM, _IPSUM = cut_text("lorem ipsum").hashes

# the ends of sentences in ASCII, and the last three bytes of others
_ENDS: npt.NDArray[np.bool_] = np.zeros(256, np.bool_)
_ENDS[[ord(sign) for sign in ".!?:;\"')"]] = True
_SPACE, _SIGN = range(2)
_KINDS: npt.NDArray[np.uint8] = np.full(256, _SIGN, np.uint8)
_KINDS[[ord(sign) for sign in " \t\r\v\f\n"]] = _SPACE
_OPENING = ord("<")
_OTHER_ENDS: npt.NDArray[np.int64] = np.sort(
    np.array(
        [
            int.from_bytes(sign.encode())
            for sign in "\u3002\uff01\uff1f\uff0e\u0964\u0965\u06d4\u2026\u201d\u2019\u00bb"
        ]
    )
)


@inlined
def meet_key(key: np.uint64, mask: np.uint64, slots: Hashes) -> np.int64:
    """How often the key was met, with this time. A slot is the upper 48 bits of a key and how often, or 0.

    A key that finds no place within MOST_PROBES is forgotten: only keys made to collide come to that, and they must not
    make the work grow with the square of a document.
    """
    slot = key & mask
    wanted = key & _KEY
    entry = slots[slot]
    if (entry ^ wanted) > _COUNT and entry != _EMPTY:
        left = MOST_PROBES - 1
        while left and entry != _EMPTY and entry & _KEY != wanted:
            slot = (slot + _ONE) & mask
            entry = slots[slot]
            left -= 1
        if entry != _EMPTY and entry & _KEY != wanted:
            return np.int64(1)
    met = (entry & _COUNT) + _ONE
    slots[slot] = wanted | met
    return np.int64(met)


@inlined
def _mask_for(entries: np.int64 | int) -> np.uint64:
    slots = 16
    while slots < 4 * entries:
        slots *= 2
    return np.uint64(slots - 1)


@compiled
def _count_characters(data: Bytes, offsets: Positions, characters: Positions) -> None:
    for document in range(len(offsets) - 1):
        start = offsets[document]
        end = offsets[document + 1]
        letters = digits = white = continuing = beyond = replaced = np.int64(0)
        for begun in range(start, end, _BLOCK):
            # no count of a block is beyond eight bits: 32 are kept in a vector
            block_letters = np.uint8(0)
            block_digits = np.uint8(0)
            block_white = np.uint8(0)
            block_continuing = np.uint8(0)
            block_beyond = np.uint8(0)
            block_odd = np.uint8(0)
            for byte in data[begun : min(begun + _BLOCK, end)]:
                letter = np.uint8(np.uint8(byte | np.uint8(0x20)) - np.uint8(97)) < np.uint8(26)
                digit = np.uint8(byte - np.uint8(48)) < np.uint8(10)
                blank = (byte == np.uint8(32)) | (np.uint8(byte - np.uint8(9)) < np.uint8(5))
                block_letters = np.uint8(block_letters + np.uint8(letter))
                block_digits = np.uint8(block_digits + np.uint8(digit))
                block_white = np.uint8(block_white + np.uint8(blank))
                block_continuing = np.uint8(
                    block_continuing + np.uint8(np.uint8(byte & np.uint8(0xC0)) == np.uint8(0x80))
                )
                block_beyond = np.uint8(block_beyond + np.uint8(byte >= np.uint8(0xC0)))
                block_odd = np.uint8(block_odd + np.uint8(byte == np.uint8(0xEF)))
            letters += np.int64(block_letters)
            digits += np.int64(block_digits)
            white += np.int64(block_white)
            continuing += np.int64(block_continuing)
            beyond += np.int64(block_beyond)
            if block_odd:
                for at in range(begun, min(begun + _BLOCK, end - 2)):
                    replaced += (
                        (data[at] == np.uint8(0xEF))
                        & (data[at + 1] == np.uint8(0xBF))
                        & (data[at + 2] == np.uint8(0xBD))
                    )
        characters[document, _LETTERS] = letters + beyond - replaced
        characters[document, _DIGITS] = digits
        characters[document, _ALL] = end - start - continuing
        characters[document, _WHITE] = white
        characters[document, _REPLACED] = replaced


@inlined
def _place_lowest(found: np.uint64) -> np.int64:
    lowest = found & (~found + _ONE)
    return np.int64(((lowest >> np.uint64(7)) * _PLACES) >> np.uint64(56))


@compiled
def _find_marks(eights: Hashes, data: Bytes, marks: Offsets) -> int:
    # the places of line ends and of < and >: the bytes of eight at once that become 0 are told by their highest bit
    count = 0
    for place in range(len(eights)):
        eight = eights[place]
        line_ends = eight ^ _LINE_ENDS
        brackets = (eight & _BUT_DIRECTION) ^ _BRACKETS
        others = ((line_ends & _LOW_BITS) + _LOW_BITS) | line_ends
        others &= ((brackets & _LOW_BITS) + _LOW_BITS) | brackets
        found = ~others & _HIGH_BITS
        # whether there is one cannot be foreseen, so it is written in any case; a second one is seldom
        marks[count] = 8 * place + _place_lowest(found)
        count += found != 0
        found &= found - _ONE
        while found:
            marks[count] = 8 * place + _place_lowest(found)
            count += 1
            found &= found - _ONE
    for at in range(8 * len(eights), len(data)):
        if data[at] == 10 or data[at] == 60 or data[at] == 62:
            marks[count] = at
            count += 1
    return count


@inlined
def _ends_sentence(data: Bytes, start: np.int64, end: np.int64, other_ends: Positions) -> bool:
    if data[end - 1] < 0x80:
        return False
    tail = np.int64(data[end - 1])
    if end - 2 >= start:
        tail |= np.int64(data[end - 2]) << 8
    for sign in other_ends:
        if (tail & 0xFFFF) == sign:
            return True
    if end - 3 >= start:
        tail |= np.int64(data[end - 3]) << 16
    found = False
    for sign in other_ends:
        found = found or tail == sign
    return found


@compiled
def _read_lines(
    data: Bytes,
    offsets: Positions,
    hashes: Hashes,
    starts: Offsets,
    documents: Offsets,
    marks: Offsets,
    sentence_ends: npt.NDArray[np.bool_],
    kinds: Bytes,
    other_ends: Positions,
    lorem: np.uint64,
    ipsum: np.uint64,
    found: Positions,
) -> None:
    line_slots = np.zeros(_SLOTS, np.uint64)
    pair_slots = np.zeros(_SLOTS, np.uint64)
    mark = 0
    for document in range(len(offsets) - 1):
        start = offsets[document]
        end = offsets[document + 1]
        t = np.int64(documents[document])
        last = np.int64(documents[document + 1])
        looked_at = min(last, t + MOST_WORDS)
        first_mark = mark
        while mark < len(marks) and marks[mark] < end:
            mark += 1
        line_mask = _mask_for(min(mark - first_mark + 1, MOST_WORDS))
        line_slots[: np.int64(line_mask) + 1] = _EMPTY
        pair_mask = _mask_for(looked_at - t)
        pair_slots[: np.int64(pair_mask) + 1] = _EMPTY
        lines = repeated = ended = markup = np.int64(0)
        opened = np.int64(-1)
        top = np.int64(0)
        familiar = longest = np.int64(0)
        placeholder = False
        before = np.uint64(0)
        line_start = start
        if t < looked_at:
            before = hashes[t]
        begun = t
        for place in range(first_mark, mark + 1):
            at = np.int64(marks[place] if place < mark else end)  # the end of a text ends its line
            if place < mark and data[at] != 10:
                if data[at] == _OPENING:
                    opened = np.int64(-1)
                    if at + 1 < end and kinds[data[at + 1]] != _SPACE:
                        opened = at
                else:
                    if opened >= 0:
                        markup += at + 1 - opened
                    opened = np.int64(-1)
                continue
            line = np.uint64(0)
            first = t
            while t < looked_at and starts[t] < at:
                word = hashes[t]
                line = line * BASE + word
                if t > begun:
                    times = meet_key(before * BASE + word, pair_mask, pair_slots)
                    top = max(top, times)
                    familiar = (familiar + 1) * (times > 1)
                    longest = max(longest, familiar)
                    placeholder |= (before == lorem) & (word == ipsum)
                before = word
                t += 1
            while t < last and starts[t] < at:
                line = line * BASE + hashes[t]
                t += 1
            if t > first and lines < MOST_WORDS:
                lines += 1
                repeated += meet_key(mix(line), line_mask, line_slots) > 1
                while at > line_start and kinds[data[at - 1]] == _SPACE:
                    at -= 1
                ended += sentence_ends[data[at - 1]]
                if data[at - 1] >= 0x80:
                    ended += _ends_sentence(data, start, at, other_ends)
            if place < mark:
                line_start = np.int64(marks[place]) + 1
        found[document, _LINES] = lines
        found[document, _AGAIN] = repeated
        found[document, _ENDED] = ended
        found[document, _MARKUP] = markup
        found[document, _TOP] = top
        found[document, _PLACEHOLDER] = placeholder
        # what repeats ten words repeats their nine pairs
        found[document, _LONG] = longest >= LONG_NGRAM - 1


@compiled
def _count_repeats(hashes: Hashes, documents: Offsets, found: Positions) -> None:
    slots = np.zeros(_SLOTS, np.uint64)
    power = np.uint64(1)
    for _ in range(LONG_NGRAM):
        power *= BASE
    for document in range(len(documents) - 1):
        if found[document, _LONG] == 0:
            continue
        first = documents[document]
        words = min(documents[document + 1] - first, MOST_WORDS)
        mask = _mask_for(words)
        slots[: np.int64(mask) + 1] = _EMPTY
        again = np.int64(0)
        rolling = np.uint64(0)
        for t in range(first, first + words):
            rolling = rolling * BASE + hashes[t]
            if t >= first + LONG_NGRAM:
                rolling -= power * hashes[t - LONG_NGRAM]
            if t >= first + LONG_NGRAM - 1:
                again += meet_key(rolling, mask, slots) > 1
        found[document, _LONG] = again


class Quality(NamedTuple):
    """Facts of each document; shares are in thousandths, rounded down."""

    letters: Shares
    """ASCII letters, and all characters beyond ASCII but U+FFFD, among the characters that are no white space."""
    digits: Shares
    """ASCII digits among these."""
    word_length: Shares
    """100 times the mean number of characters of a word."""
    repeated_lines: Shares
    """Lines with words that repeat an earlier one, among such lines."""
    top_pair: Shares
    """Words that the most frequent pair of words covers; 0 where no pair comes twice."""
    repeated_ngrams: Shares
    """Sequences of LONG_NGRAM words that repeat an earlier one."""
    line_ends: Shares
    """Lines with words that end like a sentence."""
    flags: Bytes
    """Bits VERY_SHORT, NO_LETTERS, REPEATED_LINES, PLACEHOLDER, MARKUP, REPLACED."""


def measure_quality(batch: Batch, words: Words) -> Quality:
    """Facts of the documents of a batch."""
    count = len(batch)
    characters = np.zeros((count, 5), np.int64)
    lines = np.zeros((count, 7), np.int64)
    _count_characters(batch.data, batch.offsets, characters)
    marks = np.empty(len(batch.data) + 1, np.int32)
    marks = marks[: _find_marks(_view_eights(batch.data), batch.data, marks)]
    _read_lines(
        batch.data,
        batch.offsets,
        words.hashes,
        words.starts,
        words.documents,
        marks,
        _ENDS,
        _KINDS,
        _OTHER_ENDS,
        _LOREM,
        _IPSUM,
        lines,
    )
    _count_repeats(words.hashes, words.documents, lines)
    sizes = np.diff(batch.offsets)
    worded = np.diff(words.documents).astype(np.int64)
    looked_at = np.minimum(worded, MOST_WORDS)
    visible = characters[:, _ALL] - characters[:, _WHITE]
    spelt = characters[:, _LETTERS] + characters[:, _DIGITS] + characters[:, _REPLACED]
    repeated = _share(lines[:, _AGAIN], lines[:, _LINES])
    pairs = np.where(lines[:, _TOP] > 1, 2 * lines[:, _TOP], 0)
    flags = np.zeros(count, np.uint8)
    for bit, raised in (
        (VERY_SHORT, worded < SHORT_WORDS),
        (NO_LETTERS, characters[:, _LETTERS] == 0),
        (REPEATED_LINES, repeated > MOST_REPEATED_LINES),
        (PLACEHOLDER, lines[:, _PLACEHOLDER] > 0),
        (MARKUP, _share(lines[:, _MARKUP], sizes) > MOST_MARKUP),
        (REPLACED, _share(characters[:, _REPLACED], characters[:, _ALL]) > MOST_REPLACED),
    ):
        flags[raised] |= np.uint8(bit)
    return Quality(
        letters=_share(characters[:, _LETTERS], visible),
        digits=_share(characters[:, _DIGITS], visible),
        word_length=np.minimum(100 * spelt // np.maximum(worded, 1), 65_535).astype(np.uint16),
        repeated_lines=repeated,
        top_pair=_share(np.minimum(pairs, looked_at), looked_at),
        repeated_ngrams=_share(lines[:, _LONG], looked_at - LONG_NGRAM + 1),
        line_ends=_share(lines[:, _ENDED], lines[:, _LINES]),
        flags=flags,
    )


def _share(part: Positions, whole: Positions) -> Shares:
    return (1000 * part // np.maximum(whole, 1)).astype(np.uint16)


def _view_eights(data: Bytes) -> Hashes:
    """Eight bytes at a time, in the order of little-endian machines; what is left over is left out."""
    whole = data[: len(data) // 8 * 8]
    if whole.ctypes.data % 8:
        whole = whole.copy()
    return whole.view("<u8").astype(np.uint64, copy=False)
