"""Naive Bayes over byte n-grams, as langid.py does it: eight documents are walked through its automaton at a time.

Method: Lui and Baldwin, langid.py: An Off-the-shelf Language Identification Tool, 2012, with the weights and tempering
of py3langid 0.4 (logarithmic counts; probabilities at a temperature of the square root of the length). All scores are
whole numbers, so that no order of additions and no machine changes them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.compiling import compiled, inlined
from verilabel.audit.language.characters import FIRST_COMPATIBLE, LISTED, LOWER, UNSTABLE, UPPER

Small = npt.NDArray[np.uint16]
Entries = npt.NDArray[np.uint32]
Table = npt.NDArray[np.int16]
Doubts = npt.NDArray[np.bool_]

FIRST_BYTES = 256
"""So much of a document's beginning is looked at first."""
PREFIX_BYTES = 1_000
"""So much is looked at where that leaves it unsure."""
LEAST_SURE = 60
"""Percent from which on the first look is enough."""
MOST_BYTES = 4 * PREFIX_BYTES
"""What a prefix may grow to in normal form; UTF-8 grows threefold at most."""
SHORTEST_BYTES = 20
"""Shorter texts are told no language."""
WIDTH = 144
"""Classes of the model, filled up so that a row is whole vectors."""
TABLE_SCALE = 512
"""The model's logarithms are kept in 16-bit floats between -16 and -2, which are whole multiples of 1 / 512."""
MOST_SCORE = 7 * TABLE_SCALE
"""The largest number of the table: _TOGETHER rows are added in 16 bits, and weighed in 32."""
WEIGHT_SCALE = 4096
SCORE_SCALE = TABLE_SCALE * WEIGHT_SCALE
FEATURE_BITS = 16
NO_FEATURE = 0
_TOGETHER = 8
_LANES = 8
_LEVELS = 3
_NEIGHBOURS = 128
_ROW_BITS = 8
_OFTEN = b" etaoinsrhldcumpfgybvwk\n.,xjqz-_1023456789()'\"/=:;<>ETAOINSRHLDCUMPFGYBVWKXJQZ"
_NEGLIGIBLE = 16.0
_THIRD = 1 / 6
_SQUARED = 6
_WHOLE = 2**23


def _draw_weights() -> npt.NDArray[np.int32]:
    """log(1 + count) in units of 1 / WEIGHT_SCALE, for counts up to MOST_BYTES."""
    # decimal logarithms are rounded rightly everywhere, those of C libraries are not
    weights = [
        int((Decimal(count + 1).ln() * WEIGHT_SCALE).to_integral_value()) for count in range(MOST_BYTES + 1)
    ]
    return np.array(weights, np.int32)


def _order_bytes() -> Bytes:
    """The place of each byte in a row: those that are met often share few lines of the cache."""
    places = np.empty(256, np.uint8)
    often = [*_OFTEN, *(byte for byte in range(256) if byte not in _OFTEN)]
    places[often] = np.arange(256)
    return places


BYTE_PLACES = _order_bytes()
_WEIGHTS = _draw_weights()


class Model(NamedTuple):
    """The automaton and the classifier, as arrays."""

    moves: Entries
    """rows * 256: the row that follows on a byte, times 2**FEATURE_BITS, and the feature that is met on the way there.

    Bytes are in the order of BYTE_PLACES.
    Features have one bit more than there is room for: it is that of rows from `high` on.
    """
    table: Table
    """features by WIDTH: logarithms of probabilities times TABLE_SCALE, less their middle; NO_FEATURE has 0."""
    priors: Positions
    """WIDTH values times SCORE_SCALE; those that fill up can never win."""
    twins: Positions
    """WIDTH values: the first class of the same language, or the class itself."""
    high: Positions
    """One value."""


@compiled
def count_visits(data: Bytes, moves: Positions, rows: Positions, visits: Positions) -> None:
    """How often a text comes by each state of the automaton as py3langid has it."""
    state = np.int64(0)
    for byte in data:
        state = moves[(rows[state] << _ROW_BITS) + np.int64(byte)]
        visits[state] += 1


@compiled
def survey_prefixes(
    data: Bytes,
    starts: Positions,
    stops: Positions,
    size: int,
    flags: Bytes,
    ends: Positions,
    doubtful: Doubts,
) -> None:
    """Where the first `size` bytes of each document end, at a character, and whether their form may have to be changed.

    It may where all letters with case are capitals, or a character is UNSTABLE.
    """
    for document in range(len(starts)):
        start = starts[document]
        end = min(stops[document], start + size)
        if end < stops[document]:
            while end > start and (data[end] & 0xC0) == 0x80:
                end -= 1
        ends[document] = end
        seen = np.uint8(0)
        at = start
        while at < end:
            lead = data[at]
            if lead < 0x80:
                seen |= flags[lead]
                at += 1
                continue
            if lead < 0xE0:
                width = 2
                point = np.int64(lead & 0x1F)
            elif lead < 0xF0:
                width = 3
                point = np.int64(lead & 0x0F)
            else:
                width = 4
                point = np.int64(lead & 0x07)
            for step in range(1, width):
                if at + step < end:
                    point = (point << 6) | (data[at + step] & 0x3F)
            at += width
            if point < LISTED:
                seen |= flags[point]
            elif point >= FIRST_COMPATIBLE:
                seen |= np.uint8(UNSTABLE)
        doubtful[document] = (seen & UNSTABLE) != 0 or ((seen & UPPER) != 0 and (seen & LOWER) == 0)


@inlined
def _next(entry: np.uint32, byte: np.uint8) -> np.int64:
    # the row begins at its number times 2**_ROW_BITS
    return np.int64(((entry >> np.uint32(FEATURE_BITS)) << np.uint32(_ROW_BITS)) | np.uint32(byte))


@inlined
def _feature(entry: np.uint32, high: np.uint32) -> np.uint32:
    return np.uint32((entry & np.uint32(0xFFFF)) | (np.uint32(entry >= high) << np.uint32(FEATURE_BITS)))


@inlined
def _walk_eight(
    data: Bytes,
    starts: Positions,
    lengths: Positions,
    order: Positions,
    first: int,
    moves: Entries,
    places: Bytes,
    high: np.uint32,
    met: Entries,
) -> None:
    # one step waits for memory; eight documents wait together
    shortest = lengths[order[first]]
    for lane in range(1, _LANES):
        shortest = min(shortest, lengths[order[first + lane]])
    a = starts[order[first]]
    b = starts[order[first + 1]]
    c = starts[order[first + 2]]
    d = starts[order[first + 3]]
    e = starts[order[first + 4]]
    f = starts[order[first + 5]]
    g = starts[order[first + 6]]
    h = starts[order[first + 7]]
    ra = rb = rc = rd = re = rf = rg = rh = np.uint32(0)
    for i in range(shortest):
        ra = moves[_next(ra, places[data[a + i]])]
        met[0, i] = _feature(ra, high)
        rb = moves[_next(rb, places[data[b + i]])]
        met[1, i] = _feature(rb, high)
        rc = moves[_next(rc, places[data[c + i]])]
        met[2, i] = _feature(rc, high)
        rd = moves[_next(rd, places[data[d + i]])]
        met[3, i] = _feature(rd, high)
        re = moves[_next(re, places[data[e + i]])]
        met[4, i] = _feature(re, high)
        rf = moves[_next(rf, places[data[f + i]])]
        met[5, i] = _feature(rf, high)
        rg = moves[_next(rg, places[data[g + i]])]
        met[6, i] = _feature(rg, high)
        rh = moves[_next(rh, places[data[h + i]])]
        met[7, i] = _feature(rh, high)
    entries = (ra, rb, rc, rd, re, rf, rg, rh)
    for lane in range(_LANES):
        entry = entries[lane]
        start = starts[order[first + lane]]
        for i in range(shortest, lengths[order[first + lane]]):
            entry = moves[_next(entry, places[data[start + i]])]
            met[lane, i] = _feature(entry, high)


@inlined
def _score(
    met: Entries,
    length: int,
    counts: Small,
    touched: Entries,
    alike: Entries,
    weights: npt.NDArray[np.int32],
    table: Table,
    priors: Positions,
    partial: npt.NDArray[np.int32],
    scores: Positions,
) -> np.int64:
    distinct = 0
    for i in range(length):
        feature = met[i]
        count = counts[feature]
        touched[distinct] = feature
        distinct += count == 0
        counts[feature] = count + 1
    found: np.int64 = distinct - (counts[NO_FEATURE] > 0)
    counts[NO_FEATURE] = 0
    for k in range(WIDTH):
        scores[k] = priors[k]
    for level in range(1, _LEVELS + 1):
        # most features come once or twice: rows of one weight are added first, and weighed together
        same = 0
        left = 0
        for place in range(distinct):
            feature = touched[place]
            alike[same] = feature
            touched[left] = feature
            fits = counts[feature] == level
            same += fits
            left += not fits
            counts[feature] *= not fits
        distinct = left
        while same % _TOGETHER:
            alike[same] = NO_FEATURE
            same += 1
        for k in range(WIDTH):
            partial[k] = 0
        for first in range(0, same, _TOGETHER):
            one = table[alike[first]]
            two = table[alike[first + 1]]
            three = table[alike[first + 2]]
            four = table[alike[first + 3]]
            five = table[alike[first + 4]]
            six = table[alike[first + 5]]
            seven = table[alike[first + 6]]
            eight = table[alike[first + 7]]
            for k in range(WIDTH):
                partial[k] = np.int32(
                    partial[k]
                    + np.int16(one[k] + two[k] + three[k] + four[k] + five[k] + six[k] + seven[k] + eight[k])
                )
        weight = np.int64(weights[level])
        for k in range(WIDTH):
            scores[k] += partial[k] * weight
    for first in range(0, distinct, _TOGETHER):
        for k in range(WIDTH):
            partial[k] = 0
        for place in range(first, min(first + _TOGETHER, distinct)):
            row = table[touched[place]]
            heavy = weights[counts[touched[place]]]
            counts[touched[place]] = 0
            for k in range(WIDTH):
                partial[k] = np.int32(partial[k] + np.int32(heavy * np.int32(row[k])))
        for k in range(WIDTH):
            scores[k] += partial[k]
    return found


@inlined
def _weigh_classes(
    scores: Positions, twins: Positions, length: int, shares: npt.NDArray[np.int32]
) -> tuple[np.int64, np.int64]:
    best = scores[0]
    for k in range(WIDTH):
        best = max(best, scores[k])
    top = np.int64(WIDTH)
    for k in range(WIDTH):
        if scores[k] == best:
            top = min(top, twins[k])
    temperature = np.sqrt(np.float64(length)) * SCORE_SCALE
    furthest = np.int64(_NEGLIGIBLE * temperature)
    colder = 1.0 / (temperature * (1 << _SQUARED))
    for k in range(WIDTH):
        # e**-x by multiplications and additions alone: libraries differ in the last bit
        distance = np.int32(min(best - scores[k], furthest))
        x = np.float64(distance) * colder
        y = 1.0 - x * (1.0 - x * (0.5 - x * _THIRD))
        for _ in range(_SQUARED):
            y *= y
        shares[k] = np.int32(y * _WHOLE)
    total = np.int64(0)
    mine = np.int64(0)
    for k in range(WIDTH):
        total += shares[k]
        mine += shares[k] * (twins[k] == top)
    return top, 100 * mine // total


@compiled
def _tell(
    data: Bytes,
    starts: Positions,
    lengths: Positions,
    order: Positions,
    moves: Entries,
    table: Table,
    priors: Positions,
    twins: Positions,
    high: Positions,
    places: Bytes,
    weights: npt.NDArray[np.int32],
    best: Positions,
    percent: Bytes,
) -> None:
    longest = lengths.max()
    met = np.empty((_LANES, longest + 1), np.uint32)
    counts = np.zeros(len(table), np.uint16)
    touched = np.empty(longest + 1, np.uint32)
    alike = np.empty(longest + _TOGETHER, np.uint32)
    partial = np.zeros(WIDTH, np.int32)
    scores = np.zeros(WIDTH, np.int64)
    shares = np.zeros(WIDTH, np.int32)
    from_high = np.uint32(high[0] << FEATURE_BITS)
    for first in range(0, len(order), _LANES):
        _walk_eight(data, starts, lengths, order, first, moves, places, from_high, met)
        for lane in range(_LANES):
            document = order[first + lane]
            length = lengths[document]
            best[document] = -1
            percent[document] = 0
            if length < SHORTEST_BYTES:
                continue
            if (
                _score(met[lane], length, counts, touched, alike, weights, table, priors, partial, scores)
                == 0
            ):
                continue
            best[document], sure = _weigh_classes(scores, twins, length, shares)
            percent[document] = np.uint8(sure)


class Told(NamedTuple):
    """The language of each document."""

    best: Positions
    """Class of the model, or -1 where the text is too short or has no feature."""
    percent: Bytes
    """Of its normalised probability, rounded down."""


def tell_languages(data: Bytes, starts: Positions, ends: Positions, model: Model) -> Told:
    """The languages of stretches of text, each of MOST_BYTES at most, in the form the model is made for."""
    count = len(starts)
    lengths = np.zeros(count + 1, np.int64)
    lengths[:count] = ends - starts
    begins = np.append(starts, np.int64(0))
    # neighbours are of one language more often than others, and share what is in the cache
    order = np.lexsort((lengths[:count], np.arange(count) // _NEIGHBOURS))
    filled = np.concatenate([order, np.full(-count % _LANES, count, np.int64)])  # with an empty text
    best = np.full(count + 1, -1, np.int64)
    percent = np.zeros(count + 1, np.uint8)
    _tell(data, begins, lengths, filled, *model, BYTE_PLACES, _WEIGHTS, best, percent)
    return Told(best[:count], percent[:count])
