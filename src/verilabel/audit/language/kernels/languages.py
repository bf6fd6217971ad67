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
Features = npt.NDArray[np.uint32]
Table = npt.NDArray[np.int16]

PREFIX_BYTES = 1_000
"""So much of a document's beginning is looked at."""
MOST_BYTES = 4 * PREFIX_BYTES
"""What a prefix may grow to in normal form; UTF-8 grows threefold at most."""
SHORTEST_BYTES = 20
"""Shorter texts are told no language."""
WIDTH = 144
"""Classes of the model, filled up so that a row is whole vectors."""
TABLE_SCALE = 512
"""The model's logarithms are kept in 16-bit floats between -16 and -2, which are whole multiples of 1 / 512."""
WEIGHT_SCALE = 4096
SCORE_SCALE = TABLE_SCALE * WEIGHT_SCALE
_TOGETHER = 8  # that many products of a weight and a logarithm fit in 32 bits
_LANES = 8
_LEVELS = 4
_NEIGHBOURS = 128
_NEVER = np.int64(-(2**62))
_ROW_BYTES = 256
_NEGLIGIBLE = 12.0
_THIRD, _FOURTH, _FIFTH = 1 / 6, 1 / 24, 1 / 120


def _draw_weights() -> npt.NDArray[np.int32]:
    """log(1 + count) in units of 1 / WEIGHT_SCALE, for counts up to MOST_BYTES."""
    # decimal logarithms are rounded rightly everywhere, those of C libraries are not
    weights = [
        int((Decimal(count + 1).ln() * WEIGHT_SCALE).to_integral_value()) for count in range(MOST_BYTES + 1)
    ]
    return np.array(weights, np.int32)


def _draw_eighths() -> npt.NDArray[np.float64]:
    steps = int(_NEGLIGIBLE * 8)
    return np.array([float((Decimal(-step) / 8).exp()) for step in range(steps)], np.float64)


_WEIGHTS = _draw_weights()
_EIGHTHS = _draw_eighths()


class Model(NamedTuple):
    """The automaton and the classifier, as arrays."""

    moves: Small
    """rows * 256: the row that follows on a byte."""
    features: Features
    """rows * 256: the feature that is met on the way there, or `none`, which has the last row of the table."""
    table: Table
    """features + 1 by WIDTH: logarithms of probabilities, times TABLE_SCALE."""
    priors: Positions
    """WIDTH values times SCORE_SCALE; those that fill up can never win."""
    twins: Positions
    """WIDTH values: the first class of the same language, or the class itself."""


@compiled
def survey_prefixes(
    data: Bytes, offsets: Positions, flags: Bytes, ends: Positions, doubtful: npt.NDArray[np.bool_]
) -> None:
    """Where the prefix of each document ends, at a character, and whether its form may have to be changed first.

    It may where all letters with case are capitals, or a character is UNSTABLE.
    """
    for document in range(len(offsets) - 1):
        start = offsets[document]
        end = min(offsets[document + 1], start + PREFIX_BYTES)
        if end < offsets[document + 1]:
            while end > start and (data[end] & 0xC0) == 0x80:
                end -= 1
        ends[document] = end
        seen = 0
        at = start
        while at < end:
            lead = data[at]
            if lead < 0x80:
                seen |= flags[lead]
                at += 1
                continue
            if lead < 0xE0:
                size = 2
                point = np.int64(lead & 0x1F)
            elif lead < 0xF0:
                size = 3
                point = np.int64(lead & 0x0F)
            else:
                size = 4
                point = np.int64(lead & 0x07)
            for step in range(1, size):
                if at + step < end:
                    point = (point << 6) | (data[at + step] & 0x3F)
            at += size
            if point < LISTED:
                seen |= flags[point]
            elif point >= FIRST_COMPATIBLE:
                seen |= UNSTABLE
        doubtful[document] = (seen & UNSTABLE) != 0 or ((seen & UPPER) != 0 and (seen & LOWER) == 0)


@inlined
def _decay(x: np.float64, eighths: npt.NDArray[np.float64]) -> np.float64:
    # e**-x by multiplications and additions alone: libraries differ in the last bit
    eighth = int(x * 8.0)
    rest = x - eighth * 0.125
    share: np.float64 = eighths[eighth] * (
        1.0 - rest * (1.0 - rest * (0.5 - rest * (_THIRD - rest * (_FOURTH - rest * _FIFTH))))
    )
    return share


@inlined
def _walk_eight(
    data: Bytes,
    starts: Positions,
    lengths: Positions,
    order: Positions,
    first: int,
    moves: Small,
    features: Features,
    met: Features,
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
    ra = rb = rc = rd = re = rf = rg = rh = np.int64(0)
    for i in range(shortest):
        x = (ra << 8) + data[a + i]
        ra = np.int64(moves[x])
        met[0, i] = features[x]
        x = (rb << 8) + data[b + i]
        rb = np.int64(moves[x])
        met[1, i] = features[x]
        x = (rc << 8) + data[c + i]
        rc = np.int64(moves[x])
        met[2, i] = features[x]
        x = (rd << 8) + data[d + i]
        rd = np.int64(moves[x])
        met[3, i] = features[x]
        x = (re << 8) + data[e + i]
        re = np.int64(moves[x])
        met[4, i] = features[x]
        x = (rf << 8) + data[f + i]
        rf = np.int64(moves[x])
        met[5, i] = features[x]
        x = (rg << 8) + data[g + i]
        rg = np.int64(moves[x])
        met[6, i] = features[x]
        x = (rh << 8) + data[h + i]
        rh = np.int64(moves[x])
        met[7, i] = features[x]
    rows = (ra, rb, rc, rd, re, rf, rg, rh)
    for lane in range(_LANES):
        row = rows[lane]
        start = starts[order[first + lane]]
        for i in range(shortest, lengths[order[first + lane]]):
            x = (row << 8) + data[start + i]
            row = np.int64(moves[x])
            met[lane, i] = features[x]


@inlined
def _score(
    met: Features,
    length: int,
    counts: Small,
    touched: Features,
    times: Small,
    alike: Features,
    weights: npt.NDArray[np.int32],
    table: Table,
    priors: Positions,
    partial: npt.NDArray[np.int32],
    scores: Positions,
) -> np.int64:
    none = len(table) - 1
    distinct = 0
    for i in range(length):
        feature = met[i]
        count = counts[feature]
        touched[distinct] = feature
        distinct += count == 0
        counts[feature] = count + 1
    found: np.int64 = distinct - (counts[none] > 0)
    counts[none] = 0  # it weighs nothing
    for k in range(WIDTH):
        scores[k] = priors[k]
    for place in range(distinct):
        times[place] = counts[touched[place]]
        counts[touched[place]] = 0
    for level in range(1, _LEVELS + 1):
        # most features come once or twice: rows of one weight are added first, four in 16 bits, and weighed together
        same = 0
        for place in range(distinct):
            alike[same] = touched[place]
            same += times[place] == level
        while same % 4:
            alike[same] = none
            same += 1
        for k in range(WIDTH):
            partial[k] = 0
        for first in range(0, same, 4):
            one = table[alike[first]]
            two = table[alike[first + 1]]
            three = table[alike[first + 2]]
            four = table[alike[first + 3]]
            for k in range(WIDTH):
                partial[k] = np.int32(partial[k] + np.int16(one[k] + two[k] + three[k] + four[k]))
        weight = np.int64(weights[level])
        for k in range(WIDTH):
            scores[k] += partial[k] * weight
    rest = 0
    for place in range(distinct):
        touched[rest] = touched[place]
        times[rest] = times[place]
        rest += times[place] > _LEVELS
    for first in range(0, rest, _TOGETHER):
        for k in range(WIDTH):
            partial[k] = 0
        for place in range(first, min(first + _TOGETHER, rest)):
            row = table[touched[place]]
            heavy = weights[times[place]]
            for k in range(WIDTH):
                partial[k] = np.int32(partial[k] + np.int32(heavy * np.int32(row[k])))
        for k in range(WIDTH):
            scores[k] += partial[k]
    return found


@compiled
def _tell(
    data: Bytes,
    starts: Positions,
    lengths: Positions,
    order: Positions,
    moves: Small,
    features: Features,
    table: Table,
    priors: Positions,
    twins: Positions,
    weights: npt.NDArray[np.int32],
    eighths: npt.NDArray[np.float64],
    best: Positions,
    percent: Bytes,
    margins: Positions,
) -> None:
    met = np.empty((_LANES, lengths.max() + 1), np.uint32)
    counts = np.zeros(len(table), np.uint16)
    touched = np.empty(lengths.max() + 1, np.uint32)
    times = np.empty(lengths.max() + 1, np.uint16)
    alike = np.empty(lengths.max() + 4, np.uint32)
    partial = np.zeros(WIDTH, np.int32)
    scores = np.zeros(WIDTH, np.int64)
    merged = np.zeros(WIDTH, np.int64)
    for first in range(0, len(order), _LANES):
        _walk_eight(data, starts, lengths, order, first, moves, features, met)
        for lane in range(_LANES):
            document = order[first + lane]
            length = lengths[document]
            best[document] = -1
            percent[document] = 0
            if length < SHORTEST_BYTES:
                continue
            if (
                _score(
                    met[lane], length, counts, touched, times, alike, weights, table, priors, partial, scores
                )
                == 0
            ):
                continue
            for k in range(WIDTH):
                merged[k] = _NEVER
            for k in range(WIDTH):
                merged[twins[k]] = max(merged[twins[k]], scores[k])
            top = 0
            for k in range(WIDTH):
                if merged[k] > merged[top]:
                    top = k
            second = _NEVER
            for k in range(WIDTH):
                if k != top:
                    second = max(second, merged[k])
            temperature = np.sqrt(np.float64(length)) * SCORE_SCALE
            total = 0.0
            mine = 0.0
            for k in range(WIDTH):
                distance = np.float64(merged[top] - scores[k]) / temperature
                if distance >= _NEGLIGIBLE:
                    continue
                share = _decay(distance, eighths)
                total += share
                if twins[k] == top:
                    mine += share
            best[document] = top
            percent[document] = np.uint8(100.0 * mine / total)
            margins[document] = merged[top] - second


class Told(NamedTuple):
    """The language of each document."""

    best: Positions
    """Class of the model, or -1 where the text is too short or has no feature."""
    percent: Bytes
    """Of its normalised probability, rounded down."""
    margins: Positions
    """How much its score is above that of the next language, times SCORE_SCALE."""


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
    margins = np.zeros(count + 1, np.int64)
    _tell(data, begins, lengths, filled, *model, _WEIGHTS, _EIGHTHS, best, percent, margins)
    return Told(best[:count], percent[:count], margins[:count])
