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

MOST_WORDS = 8_192
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

_SLOTS = 2 * MOST_WORDS
_EMPTY = np.uint64(0)
_ONE = np.uint64(1)
_COUNT = np.uint64(0xFFFF)
_KEY = ~_COUNT
_LETTERS, _DIGITS, _ALL, _WHITE, _REPLACED = range(5)
_LINES, _AGAIN, _ENDED, _MARKUP = range(4)
_TOP, _LONG, _PLACEHOLDER = range(3)
_LOREM, _IPSUM = cut_text("lorem ipsum").hashes

# the ends of sentences in ASCII, and the last three bytes of others
_ENDS: npt.NDArray[np.bool_] = np.zeros(256, np.bool_)
_ENDS[[ord(sign) for sign in ".!?:;\"')"]] = True
_SPACE, _SIGN, _NEWLINE, _OPENING, _CLOSING = range(5)
_KINDS: npt.NDArray[np.uint8] = np.full(256, _SIGN, np.uint8)
_KINDS[[ord(sign) for sign in " \t\r\v\f"]] = _SPACE
_KINDS[[ord(sign) for sign in "\n<>"]] = [_NEWLINE, _OPENING, _CLOSING]
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
    if entry != _EMPTY and entry & _KEY != wanted:
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
def _mask_for(entries: int) -> np.uint64:
    slots = 16
    while slots < 2 * entries:
        slots *= 2
    return np.uint64(slots - 1)


@compiled
def _count_characters(data: Bytes, offsets: Positions, characters: Positions) -> None:
    for document in range(len(offsets) - 1):
        text = data[offsets[document] : offsets[document + 1]]
        letters = 0
        digits = 0
        white = 0
        continuing = 0
        beyond = 0
        for byte in text:
            folded = byte | np.uint8(0x20)
            letters += (folded >= np.uint8(97)) & (folded <= np.uint8(122))
            digits += (byte >= np.uint8(48)) & (byte <= np.uint8(57))
            white += (byte == np.uint8(32)) | ((byte >= np.uint8(9)) & (byte <= np.uint8(13)))
            continuing += (byte & np.uint8(0xC0)) == np.uint8(0x80)
            beyond += byte >= np.uint8(0xC0)
        replaced = 0
        if beyond:
            for at in range(len(text) - 2):
                replaced += (
                    (text[at] == np.uint8(0xEF))
                    & (text[at + 1] == np.uint8(0xBF))
                    & (text[at + 2] == np.uint8(0xBD))
                )
        characters[document, _LETTERS] = letters + beyond - replaced
        characters[document, _DIGITS] = digits
        characters[document, _ALL] = len(text) - continuing
        characters[document, _WHITE] = white
        characters[document, _REPLACED] = replaced


@inlined
def _ends_sentence(data: Bytes, start: int, end: int, other_ends: Positions) -> bool:
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
    ends: Offsets,
    documents: Offsets,
    sentence_ends: npt.NDArray[np.bool_],
    kinds: Bytes,
    other_ends: Positions,
    found: Positions,
) -> None:
    slots = np.zeros(_SLOTS, np.uint64)
    for document in range(len(offsets) - 1):
        start = offsets[document]
        end = offsets[document + 1]
        first = documents[document]
        last = documents[document + 1]
        mask = _mask_for(min(last - first, MOST_WORDS))
        slots[: np.int64(mask) + 1] = _EMPTY
        markup = 0
        opened = -1
        lines = 0
        repeated = 0
        ended = 0
        line = np.uint64(0)
        line_words = 0
        seen = np.uint8(0)
        at = start
        for t in range(first, last + 1):
            stop = np.int64(starts[t]) if t < last else end + 1  # the end of a text ends its line
            # what lies between two words: the only places where lines end and tags begin
            for place in range(at, stop):
                byte = data[place] if place < end else np.uint8(10)
                kind = kinds[byte]
                if kind <= _SIGN:
                    seen = byte if kind == _SIGN else seen
                elif kind == _NEWLINE:
                    if line_words and lines < MOST_WORDS:
                        lines += 1
                        if meet_key(mix(line), mask, slots) > 1:
                            repeated += 1
                        if seen:
                            ended += sentence_ends[seen]
                        else:
                            ended += _ends_sentence(data, start, at, other_ends)
                    line = np.uint64(0)
                    line_words = 0
                    seen = np.uint8(0)
                else:
                    seen = byte
                    if kind == _OPENING:
                        opened = -1
                        if place + 1 < end and kinds[data[place + 1]] != _SPACE and data[place + 1] != 10:
                            opened = place
                    else:
                        if opened >= 0:
                            markup += place + 1 - opened
                        opened = -1
            if t < last:
                line = (line ^ hashes[t]) * BASE
                line ^= line >> np.uint64(32)
                line_words += 1
                seen = np.uint8(0)
                at = np.int64(ends[t])
        found[document, _LINES] = lines
        found[document, _AGAIN] = repeated
        found[document, _ENDED] = ended
        found[document, _MARKUP] = markup


@compiled
def _count_repeats(
    hashes: Hashes, documents: Offsets, lorem: np.uint64, ipsum: np.uint64, found: Positions
) -> None:
    slots = np.zeros(_SLOTS, np.uint64)
    long_slots = np.zeros(_SLOTS, np.uint64)
    power = np.uint64(1)
    for _ in range(LONG_NGRAM):
        power *= BASE
    for document in range(len(documents) - 1):
        first = documents[document]
        words = min(documents[document + 1] - first, MOST_WORDS)
        mask = _mask_for(words)
        slots[: np.int64(mask) + 1] = _EMPTY
        long_slots[: np.int64(mask) + 1] = _EMPTY
        top = np.int64(0)
        again = np.int64(0)
        placeholder = 0
        rolling = np.uint64(0)
        for t in range(first, first + words):
            rolling = rolling * BASE + hashes[t]
            if t > first:
                pair = hashes[t - 1] * BASE + hashes[t]
                top = max(top, meet_key(pair, mask, slots))
                placeholder |= (hashes[t - 1] == lorem) & (hashes[t] == ipsum)
            if t >= first + LONG_NGRAM:
                rolling -= power * hashes[t - LONG_NGRAM]
            if t >= first + LONG_NGRAM - 1:
                again += meet_key(rolling, mask, long_slots) > 1
        found[document, _TOP] = top
        found[document, _LONG] = again
        found[document, _PLACEHOLDER] = placeholder


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
    lines = np.zeros((count, 4), np.int64)
    repeats = np.zeros((count, 3), np.int64)
    _count_characters(batch.data, batch.offsets, characters)
    _read_lines(batch.data, batch.offsets, *words, _ENDS, _KINDS, _OTHER_ENDS, lines)
    _count_repeats(words.hashes, words.documents, _LOREM, _IPSUM, repeats)
    sizes = np.diff(batch.offsets)
    worded = np.diff(words.documents).astype(np.int64)
    looked_at = np.minimum(worded, MOST_WORDS)
    visible = characters[:, _ALL] - characters[:, _WHITE]
    spelt = characters[:, _LETTERS] + characters[:, _DIGITS] + characters[:, _REPLACED]
    repeated = _share(lines[:, _AGAIN], lines[:, _LINES])
    pairs = np.where(repeats[:, _TOP] > 1, 2 * repeats[:, _TOP], 0)
    flags = np.zeros(count, np.uint8)
    for bit, raised in (
        (VERY_SHORT, worded < SHORT_WORDS),
        (NO_LETTERS, characters[:, _LETTERS] == 0),
        (REPEATED_LINES, repeated > MOST_REPEATED_LINES),
        (PLACEHOLDER, repeats[:, _PLACEHOLDER] > 0),
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
        repeated_ngrams=_share(repeats[:, _LONG], looked_at - LONG_NGRAM + 1),
        line_ends=_share(lines[:, _ENDED], lines[:, _LINES]),
        flags=flags,
    )


def _share(part: Positions, whole: Positions) -> Shares:
    return (1000 * part // np.maximum(whole, 1)).astype(np.uint16)
