"""The index of benchmarks: words of all items, the n-grams that tell of one, and where they stand.

1. cut the wordings of all items into words, each question, option and answer a segment (`cutting`)
2. anchors are 8 words in a row of which two differ; of each, the places where it stands
3. measure windows of 13 and of 8 words (of 20 and 12 characters of Chinese, Japanese and Korean)
4. leave out windows with too few different words, in too many items of the benchmark, or of common notices
5. questions of many words are found whole by their run, those of few words by their first five and their own hash
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.cutting import Cut, Flags, cut_items, cut_texts, spell_words
from verilabel.audit.contamination.items import Benchmark, BenchmarkEntry
from verilabel.audit.contamination.kernels.matching import Items
from verilabel.audit.contamination.kernels.windows import count_distinct, measure_segments, measure_windows
from verilabel.audit.contamination.rules import (
    ANCHOR_DISTINCT,
    ANCHOR_WORDS,
    DISTINCT_WORDS,
    FEWEST_MIDDLE,
    FEWEST_WORDS,
    LONG_WEIGHT,
    MAX_POSTINGS,
    MIDDLE_WEIGHT,
    SHORT_WEIGHT,
    template_limit,
)
from verilabel.audit.interface import Bytes, Hashes, Offsets
from verilabel.audit.kernels.ngrams import NgramSet, hash_ngrams, make_ngram_set

NOTICES = "data/notices.txt"
_FEW = 255
"""Of `count_distinct`: fewer words than asked for."""
Numbers = npt.NDArray[np.int64]


class Short(NamedTuple):
    """Questions of few words."""

    first: NgramSet
    lengths: Offsets
    """Of every key of `first`, one bit a number of words that a question beginning so has."""
    keys: Hashes
    """Of whole questions, rising."""
    segments: Offsets


class Index(NamedTuple):
    """Everything that is looked up, and what the items are called."""

    items: Items
    anchors: NgramSet
    short: Short
    track_item: Offsets
    part_words: Offsets
    """Words of question and answer, two numbers a track."""
    item_benchmark: Offsets
    entries: tuple[BenchmarkEntry, ...]
    ids: tuple[tuple[str, ...], ...]
    """Of every benchmark, its items' ids."""


def build_index(benchmarks: Sequence[Benchmark]) -> Index:
    """The index of benchmarks, the same for the same benchmarks in the same order.

    Raises LimitExceeded for more than 512 MiB of text.
    """
    cut = cut_items(benchmarks)
    limits = np.array([template_limit(len(one.items)) for one in benchmarks], np.int64)
    keys, anchored = _find_anchors(cut)
    whole, short, whole_keys = _find_whole(cut, limits)
    places = np.flatnonzero(anchored)
    order = places[np.lexsort((places, keys[places]))]
    anchors = make_ngram_set(ANCHOR_WORDS, keys[order])
    posting_at = np.append(np.searchsorted(keys[order], anchors.keys), len(order)).astype(np.int32)
    items = Items(
        letters=cut.spelling.letters,
        spelling=cut.spelling.offsets,
        ids=cut.spelling.ids,
        length8=_measure(cut, limits, MIDDLE_WEIGHT, anchored),
        length13=_measure(cut, limits, LONG_WEIGHT, anchored),
        anchored=anchored.astype(np.uint8),
        segments=cut.first,
        segment_track=cut.segments.track,
        segment_part=cut.segments.part,
        segment_whole=whole.astype(np.uint8),
        posting_at=posting_at,
        postings=order.astype(np.int32),
        posting_segment=cut.word_segment[order],
    )
    part_words = np.zeros((len(cut.segments.track_item), 2), np.int32)
    np.add.at(part_words, (cut.segments.track, cut.segments.part), np.diff(cut.first))
    return Index(
        items,
        anchors,
        _index_short(cut, short, whole_keys),
        cut.segments.track_item,
        part_words.ravel(),
        cut.segments.item_benchmark,
        _entries(benchmarks, cut, items, short),
        tuple(tuple(item.id for item in one.items) for one in benchmarks),
    )


def find_telling(cut: Cut, benchmarks: Sequence[Benchmark]) -> Bytes:
    """Of every word, how many words a long window from it on has that tells of its item; 0 where none does."""
    limits = np.array([template_limit(len(one.items)) for one in benchmarks], np.int64)
    return _measure(cut, limits, LONG_WEIGHT, _find_anchors(cut)[1])


def _item_of_segment(cut: Cut) -> Offsets:
    return cut.segments.track_item[cut.segments.track]


def _find_anchors(cut: Cut) -> tuple[Hashes, Flags]:
    """Of every word the hash of the eight from it on, and whether they are an anchor."""
    count = len(cut.hashes)
    distinct = np.zeros(count, np.uint8)
    count_distinct(cut.spelling.ids, cut.spelling.lettered, cut.first, ANCHOR_WORDS, distinct)
    keys = np.zeros(count, np.uint64)
    hashed = hash_ngrams(cut.hashes, ANCHOR_WORDS)
    keys[: len(hashed)] = hashed
    anchored = (distinct >= ANCHOR_DISTINCT) & (distinct != _FEW)
    places = np.flatnonzero(anchored)
    owner = cut.segments.item_benchmark[_item_of_segment(cut)][cut.word_segment[places]]
    anchored[places[_group_sizes(keys[places], owner) > MAX_POSTINGS]] = False
    return keys, anchored


def _measure(cut: Cut, limits: Numbers, weight: int, anchored: Flags) -> Bytes:
    """Of every word, how many words a window from it on has that tells of its item; 0 where none does."""
    count = len(cut.hashes)
    lengths, keys = np.zeros(count, np.uint8), np.zeros(count, np.uint64)
    measure_windows(
        cut.hashes,
        cut.spelling.ids,
        cut.spelling.weights,
        cut.spelling.lettered,
        cut.first,
        weight,
        DISTINCT_WORDS,
        lengths,
        keys,
    )
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(anchored)])
    places = np.flatnonzero(lengths)
    reached = before[places + lengths[places] - ANCHOR_WORDS + 1] > before[places]
    segment = cut.word_segment[places]
    item = _item_of_segment(cut)[segment]
    owner = cut.segments.item_benchmark[item]
    known = np.isin(keys[places], _notice_windows(weight))
    common = _count_items(keys[places], owner, item) > limits[owner]
    again = _repeated(keys[places], cut.segments.track[segment])
    lengths[places[~reached | known | common | again]] = 0
    return lengths


def _notice_windows(weight: int) -> Hashes:
    """Hashes of the windows of notices that stand everywhere: licences, headers, filler."""
    text = resources.files(__package__).joinpath(NOTICES).read_text("utf-8")
    batch, words = cut_texts(text.split("\n\n"))
    spelling = spell_words(batch.data, words)
    lengths, keys = np.zeros(len(words.hashes), np.uint8), np.zeros(len(words.hashes), np.uint64)
    measure_windows(
        words.hashes,
        spelling.ids,
        spelling.weights,
        spelling.lettered,
        words.documents,
        weight,
        1,
        lengths,
        keys,
    )
    return np.unique(keys[lengths > 0])


def _find_whole(cut: Cut, limits: Numbers) -> tuple[Flags, Flags, Hashes]:
    """Which segments count when they stand in a document whole: those of many words, of few, and all hashes."""
    count = len(cut.segments.track)
    weight, distinct = np.zeros(count, np.int64), np.zeros(count, np.int64)
    keys = np.zeros(count, np.uint64)
    measure_segments(
        cut.hashes,
        cut.spelling.ids,
        cut.spelling.weights,
        cut.spelling.single,
        cut.first,
        DISTINCT_WORDS,
        weight,
        distinct,
        keys,
    )
    item = _item_of_segment(cut)
    owner = cut.segments.item_benchmark[item]
    counted = cut.segments.main & (distinct >= DISTINCT_WORDS) & (weight >= SHORT_WEIGHT)
    places = np.flatnonzero(counted)
    common = _count_items(keys[places], owner[places], item[places]) > limits[owner[places]]
    counted[places[common]] = False
    return counted & (weight >= LONG_WEIGHT), counted & (weight < LONG_WEIGHT), keys


def _index_short(cut: Cut, short: Flags, whole_keys: Hashes) -> Short:
    chosen = np.flatnonzero(short)
    chosen = chosen[np.lexsort((chosen, whole_keys[chosen]))]
    hashed = hash_ngrams(cut.hashes, FEWEST_WORDS)
    first = hashed[cut.first[chosen]] if len(chosen) else np.zeros(0, np.uint64)
    wanted = make_ngram_set(FEWEST_WORDS, first)
    lengths = np.zeros(len(wanted.keys), np.int32)
    sizes = (cut.first[chosen + 1] - cut.first[chosen]).astype(np.int32)
    np.bitwise_or.at(lengths, np.searchsorted(wanted.keys, first), np.int32(1) << sizes)
    return Short(wanted, lengths, whole_keys[chosen], chosen.astype(np.int32))


def _entries(
    benchmarks: Sequence[Benchmark], cut: Cut, items: Items, short: Flags
) -> tuple[BenchmarkEntry, ...]:
    tracks, total = len(cut.segments.track_item), len(cut.segments.item_benchmark)
    word_track = cut.segments.track[cut.word_segment]
    middle = np.bincount(word_track[items.length8 > 0], minlength=tracks)
    long = np.bincount(word_track[items.length13 > 0], minlength=tracks)
    reached = np.bincount(cut.word_segment[items.anchored > 0], minlength=len(short)) > 0
    whole = short | (items.segment_whole.astype(np.bool_) & reached)
    found = np.zeros(total, np.bool_)
    found[cut.segments.track_item[(middle >= FEWEST_MIDDLE) | (long > 0)]] = True
    found[_item_of_segment(cut)[whole]] = True
    few = np.zeros(total, np.bool_)
    few[_item_of_segment(cut)[short]] = True
    owner = cut.segments.item_benchmark
    return tuple(
        BenchmarkEntry(
            one.name,
            one.sha256,
            len(one.items),
            int((~found[owner == number]).sum()),
            int(few[owner == number].sum()),
        )
        for number, one in enumerate(benchmarks)
    )


def _group_sizes(keys: Hashes, owner: Offsets) -> Numbers:
    """Of every row, how many rows have the same key and owner."""
    order = np.lexsort((owner, keys))
    fresh = _changes(keys[order], owner[order])
    group = np.cumsum(fresh) - 1
    sizes = np.empty(len(keys), np.int64)
    sizes[order] = np.bincount(group, minlength=1)[group] if len(keys) else 0
    return sizes


def _count_items(keys: Hashes, owner: Offsets, item: Offsets) -> Numbers:
    """Of every row, in how many items of its benchmark its key stands."""
    order = np.lexsort((item, owner, keys))
    group = np.cumsum(_changes(keys[order], owner[order])) - 1
    fresh = _changes(keys[order], item[order])
    counts = np.bincount(group, weights=fresh, minlength=1).astype(np.int64)
    result = np.empty(len(keys), np.int64)
    result[order] = counts[group] if len(keys) else 0
    return result


def _repeated(keys: Hashes, track: Offsets) -> Flags:
    """Rows whose key stood in the same track before."""
    order = np.lexsort((np.arange(len(keys)), track, keys))
    result = np.empty(len(keys), np.bool_)
    result[order] = ~_changes(keys[order], track[order])
    return result


def _changes(*columns: npt.NDArray[np.generic]) -> Flags:
    """True for every row that differs from the one before."""
    fresh = np.ones(len(columns[0]), np.bool_)
    if len(fresh):
        fresh[1:] = False
        for column in columns:
            fresh[1:] |= column[1:] != column[:-1]
    return fresh
