"""n-grams of benchmarks' items, measured: how many words each has, how many of them differ, and its hash."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Hashes, Offsets
from verilabel.audit.kernels.compiling import compiled, inlined
from verilabel.audit.kernels.ngrams import BASE
from verilabel.audit.kernels.tokens import mix

_LENGTH = np.uint64(0xA24BAED4963EE407)


@inlined
def seal_hash(rolling: np.uint64, length: int) -> np.uint64:
    """The hash of a run of words from the polynomial over their hashes and their number."""
    return mix(rolling ^ (np.uint64(length) * _LENGTH))


@compiled
def measure_windows(
    hashes: Hashes,
    ids: Offsets,
    weights: Bytes,
    lettered: Bytes,
    segments: Offsets,
    least_weight: int,
    least_distinct: int,
    lengths: Bytes,
    keys: Hashes,
) -> None:
    """From every word, the fewest words of `least_weight` within its segment.

    `lengths` and `keys` are filled where `least_distinct` different words among them are lettered, else 0.
    """
    for segment in range(len(segments) - 1):
        end = segments[segment + 1]
        for first in range(segments[segment], end):
            weight = 0
            distinct = 0
            rolling = np.uint64(0)
            at = first
            while at < end and weight < least_weight:
                weight += weights[at]
                rolling = rolling * BASE + hashes[at]
                if lettered[at]:
                    fresh = 1
                    for before in range(first, at):
                        if ids[before] == ids[at]:
                            fresh = 0
                            break
                    distinct += fresh
                at += 1
            if weight >= least_weight and distinct >= least_distinct:
                lengths[first] = at - first
                keys[first] = seal_hash(rolling, at - first)
            else:
                lengths[first] = 0
                keys[first] = 0


@compiled
def measure_segments(
    hashes: Hashes,
    ids: Offsets,
    weights: Bytes,
    lettered: Bytes,
    segments: Offsets,
    enough: int,
    weight_of: npt.NDArray[np.int64],
    distinct_of: npt.NDArray[np.int64],
    keys: Hashes,
) -> None:
    """Of every segment its weight, its different lettered words (counted up to `enough`), and its hash."""
    for segment in range(len(segments) - 1):
        first = segments[segment]
        end = segments[segment + 1]
        weight = 0
        distinct = 0
        rolling = np.uint64(0)
        for at in range(first, end):
            weight += weights[at]
            rolling = rolling * BASE + hashes[at]
            if lettered[at] and distinct < enough:
                fresh = 1
                for before in range(first, at):
                    if ids[before] == ids[at]:
                        fresh = 0
                        break
                distinct += fresh
        weight_of[segment] = weight
        distinct_of[segment] = distinct
        keys[segment] = seal_hash(rolling, end - first)


@compiled
def count_distinct(ids: Offsets, lettered: Bytes, segments: Offsets, n: int, distinct: Bytes) -> None:
    """Of every n words in a row within a segment, how many different ones are lettered; 255 where there are fewer."""
    for segment in range(len(segments) - 1):
        end = segments[segment + 1]
        for first in range(segments[segment], end):
            if first + n > end:
                distinct[first] = 255
                continue
            count = 0
            for at in range(first, first + n):
                if lettered[at]:
                    fresh = 1
                    for before in range(first, at):
                        if ids[before] == ids[at]:
                            fresh = 0
                            break
                    count += fresh
            distinct[first] = count


@compiled
def describe_words(
    data: Bytes, starts: Offsets, ends: Offsets, fold: Bytes, weights: Bytes, lettered: Bytes, single: Bytes
) -> None:
    """Of every word its weight (2 for a character that is a word, else 3), and whether it consists of letters.

    `single` is for words of letters that are only one letter: they count in whole questions alone.
    """
    for word in range(len(starts)):
        start = starts[word]
        size = ends[word] - start
        character = size == 3 and 0xE3 <= data[start] <= 0xED
        letters = 1
        for at in range(start, ends[word]):
            if data[at] < 128 and not 97 <= fold[data[at]] <= 122:
                letters = 0
                break
        weights[word] = 2 if character else 3
        lettered[word] = 1 if letters and size > 1 else 0
        single[word] = letters


@compiled
def check_spelling(
    data: Bytes, starts: Offsets, ends: Offsets, fold: Bytes, ids: Offsets, first: npt.NDArray[np.int64]
) -> int:
    """The first word that is spelt otherwise than the first word of its id, or -1."""
    for word in range(len(starts)):
        other = first[ids[word]]
        size = ends[word] - starts[word]
        if ends[other] - starts[other] != size:
            return word
        for at in range(size):
            if fold[data[starts[word] + at]] != fold[data[starts[other] + at]]:
                return word
    return -1
