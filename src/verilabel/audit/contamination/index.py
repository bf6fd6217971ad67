"""The index of benchmarks: words of all items, the n-grams that tell of one, and where they stand.

1. cut the wordings of all items into words, each question, option and answer a segment (`cutting`)
2. anchors are 8 words in a row of which two differ; of each, the places where it stands
3. measure windows of 13 and of 8 words (of 20 and 12 characters of Chinese, Japanese and Korean)
4. leave out windows with too few different words, in too many items of the benchmark, or of common notices
5. the same with 5 words in a row of those that carry content, for paraphrases
6. questions of many words are found whole by their run, those of few words by their first five and their own hash
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.cutting import Cut, Flags, cut_items, keep_words
from verilabel.audit.contamination.items import Benchmark, BenchmarkEntry, Item
from verilabel.audit.contamination.kernels.matching import Items
from verilabel.audit.contamination.kernels.windows import count_distinct, measure_segments, measure_windows
from verilabel.audit.contamination.rules import (
    ANCHOR_DISTINCT,
    ANCHOR_WORDS,
    CONTENT_DISTINCT,
    CONTENT_WEIGHT,
    CONTENT_WORDS,
    DISTINCT_WORDS,
    FEWEST_CONTENT,
    FEWEST_MIDDLE,
    FEWEST_WORDS,
    LONG_WEIGHT,
    MAX_POSTINGS,
    MIDDLE_WEIGHT,
    SHORT_WEIGHT,
    WORD_WEIGHT,
    template_limit,
)
from verilabel.audit.interface import Bytes, Hashes, Offsets
from verilabel.audit.kernels.ngrams import NgramSet, hash_ngrams, make_ngram_set
from verilabel.audit.kernels.tokens import cut_text

NOTICES = "data/notices.txt"
FUNCTION_WORDS = "data/function_words.txt"
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


class Resolution(NamedTuple):
    """The items as words of one kind: all, or those that carry content."""

    items: Items
    anchors: NgramSet
    part_words: Offsets
    """Words of question and answer, two numbers a track."""


class Index(NamedTuple):
    """Everything that is looked up, and what the items are called."""

    words: Resolution
    content: Resolution
    short: Short
    track_item: Offsets
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
    keys, anchored = _find_anchors(cut, ANCHOR_WORDS, ANCHOR_DISTINCT)
    whole, short, whole_keys = _find_whole(cut, limits)
    middle = _measure(cut, limits, MIDDLE_WEIGHT, DISTINCT_WORDS, anchored, ANCHOR_WORDS)
    long = _measure(cut, limits, LONG_WEIGHT, DISTINCT_WORDS, anchored, ANCHOR_WORDS)
    words = _resolve(cut, ANCHOR_WORDS, keys, anchored, middle, long, whole)
    content = _resolve_content(cut, limits)
    return Index(
        words,
        content,
        _index_short(cut, short, whole_keys),
        cut.segments.track_item,
        cut.segments.item_benchmark,
        _entries(benchmarks, cut, (words.items, content.items), short),
        tuple(tuple(item.id for item in one.items) for one in benchmarks),
    )


def function_words() -> Hashes:
    """Hashes of the words that a paraphrase changes first, rising."""
    text = resources.files(__package__).joinpath(FUNCTION_WORDS).read_text("utf-8")
    return np.unique(cut_text(text).hashes)


def _resolve_content(cut: Cut, limits: Numbers) -> Resolution:
    cut = _content_of(cut)
    keys, anchored = _find_anchors(cut, CONTENT_WORDS, CONTENT_DISTINCT)
    middle = _measure(cut, limits, CONTENT_WEIGHT, CONTENT_DISTINCT, anchored, CONTENT_WORDS, content=True)
    nothing = np.zeros(len(cut.segments.track), np.bool_)
    return _resolve(cut, CONTENT_WORDS, keys, anchored, middle, np.zeros_like(middle), nothing)


def _content_of(cut: Cut) -> Cut:
    cut = keep_words(cut, ~np.isin(cut.hashes, function_words()))
    # function words are known of English alone: characters that are words must stand in a row
    lettered = cut.spelling.lettered * (cut.spelling.weights == WORD_WEIGHT)
    return cut._replace(spelling=cut.spelling._replace(lettered=lettered))


def _resolve(
    cut: Cut, n: int, keys: Hashes, anchored: Flags, middle: Bytes, long: Bytes, whole: Flags
) -> Resolution:
    places = np.flatnonzero(anchored)
    order = places[np.lexsort((places, keys[places]))]
    anchors = make_ngram_set(n, keys[order])
    items = Items(
        letters=cut.spelling.letters,
        spelling=cut.spelling.offsets,
        ids=cut.spelling.ids,
        length8=middle,
        length13=long,
        anchored=anchored.astype(np.uint8),
        segments=cut.first,
        segment_track=cut.segments.track,
        segment_part=cut.segments.part,
        segment_whole=whole.astype(np.uint8),
        posting_at=np.append(np.searchsorted(keys[order], anchors.keys), len(order)).astype(np.int32),
        postings=order.astype(np.int32),
        posting_segment=cut.word_segment[order],
    )
    part_words = np.zeros((len(cut.segments.track_item), 2), np.int32)
    np.add.at(part_words, (cut.segments.track, cut.segments.part), np.diff(cut.first))
    return Resolution(items, anchors, part_words.ravel())


def find_telling(cut: Cut, benchmarks: Sequence[Benchmark]) -> Bytes:
    """Of every word, how many words a long window from it on has that tells of its item; 0 where none does."""
    limits = np.array([template_limit(len(one.items)) for one in benchmarks], np.int64)
    anchored = _find_anchors(cut, ANCHOR_WORDS, ANCHOR_DISTINCT)[1]
    return _measure(cut, limits, LONG_WEIGHT, DISTINCT_WORDS, anchored, ANCHOR_WORDS)


def _item_of_segment(cut: Cut) -> Offsets:
    return cut.segments.track_item[cut.segments.track]


def _find_anchors(cut: Cut, n: int, least_distinct: int) -> tuple[Hashes, Flags]:
    """Of every word the hash of the `n` from it on, and whether they are an anchor."""
    count = len(cut.hashes)
    distinct = np.zeros(count, np.uint8)
    count_distinct(cut.spelling.ids, cut.spelling.lettered, cut.first, n, distinct)
    keys = np.zeros(count, np.uint64)
    hashed = hash_ngrams(cut.hashes, n)
    keys[: len(hashed)] = hashed
    anchored = (distinct >= least_distinct) & (distinct != _FEW)
    places = np.flatnonzero(anchored)
    owner = cut.segments.item_benchmark[_item_of_segment(cut)][cut.word_segment[places]]
    anchored[places[_group_sizes(keys[places], owner) > MAX_POSTINGS]] = False
    return keys, anchored


def _measure(
    cut: Cut,
    limits: Numbers,
    weight: int,
    least_distinct: int,
    anchored: Flags,
    anchor: int,
    *,
    content: bool = False,
) -> Bytes:
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
        least_distinct,
        lengths,
        keys,
    )
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(anchored)])
    places = np.flatnonzero(lengths)
    reached = before[places + lengths[places] - anchor + 1] > before[places]
    segment = cut.word_segment[places]
    item = _item_of_segment(cut)[segment]
    owner = cut.segments.item_benchmark[item]
    known = np.isin(keys[places], _notice_windows(weight, content=content))
    common = _count_items(keys[places], owner, item) > limits[owner]
    again = _repeated(keys[places], cut.segments.track[segment])
    lengths[places[~reached | known | common | again]] = 0
    return lengths


def _notice_windows(weight: int, *, content: bool) -> Hashes:
    """Hashes of the windows of notices that stand everywhere: licences, headers, filler."""
    text = resources.files(__package__).joinpath(NOTICES).read_text("utf-8")
    notices = Benchmark("", "", (Item("", tuple(text.split("\n\n"))),))
    cut = cut_items([notices])
    cut = _content_of(cut) if content else cut
    count = len(cut.hashes)
    lengths, keys = np.zeros(count, np.uint8), np.zeros(count, np.uint64)
    spelling = cut.spelling
    measure_windows(
        cut.hashes, spelling.ids, spelling.weights, spelling.lettered, cut.first, weight, 1, lengths, keys
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
    benchmarks: Sequence[Benchmark], cut: Cut, both: tuple[Items, Items], short: Flags
) -> tuple[BenchmarkEntry, ...]:
    tracks, total = len(cut.segments.track_item), len(cut.segments.item_benchmark)
    items, content = both
    word_track = cut.segments.track[cut.word_segment]
    middle = np.bincount(word_track[items.length8 > 0], minlength=tracks)
    content_track = np.repeat(content.segment_track, np.diff(content.segments))
    fives = np.bincount(content_track[content.length8 > 0], minlength=tracks)
    long = np.bincount(word_track[items.length13 > 0], minlength=tracks)
    reached = np.bincount(cut.word_segment[items.anchored > 0], minlength=len(short)) > 0
    whole = short | (items.segment_whole.astype(np.bool_) & reached)
    found = np.zeros(total, np.bool_)
    found[cut.segments.track_item[(middle >= FEWEST_MIDDLE) | (long > 0) | (fives >= FEWEST_CONTENT)]] = True
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
