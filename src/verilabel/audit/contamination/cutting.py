"""Items of benchmarks as words: one segment a question, option or answer, in every wording, without prompts' frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.items import Benchmark
from verilabel.audit.contamination.kernels.windows import check_spelling, describe_words
from verilabel.audit.contamination.rules import TEMPLATE_FRAME_ITEMS
from verilabel.audit.contamination.wordings import wordings_of
from verilabel.audit.interface import Batch, Bytes, Hashes, Offsets, Positions, Words
from verilabel.audit.kernels.tokens import FOLD, cut_words
from verilabel.errors import LimitExceeded, MalformedInput

MAX_TEXT_BYTES = 2**29
"""Of all wordings of all items together."""
MAX_FRAME_WORDS = 400
Flags = npt.NDArray[np.bool_]


class Spelling(NamedTuple):
    """Words by number: equal numbers for equal words, and what is known of each word."""

    ids: Offsets
    letters: Bytes
    """Folded bytes of every different word, behind one another."""
    offsets: Offsets
    weights: Bytes
    lettered: Bytes
    """1 for words of letters, and more than one of them."""
    single: Bytes
    """1 for words of letters."""


class Segments(NamedTuple):
    """Whose words the segments have."""

    track: Offsets
    """Of every segment; a track is one wording of an item."""
    part: Bytes
    main: Flags
    """True for the question itself: no option, no answer, no earlier turn."""
    track_item: Offsets
    item_benchmark: Offsets


class Cut(NamedTuple):
    """The words of all items; `first[s]` up to `first[s + 1]` are those of segment s."""

    hashes: Hashes
    first: Offsets
    spelling: Spelling
    segments: Segments

    @property
    def word_segment(self) -> Offsets:
        """The segment of every word."""
        sizes = np.diff(self.first)
        return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)


def keep_words(cut: Cut, keep: Flags) -> Cut:
    """The same segments with some of their words."""
    kept = np.concatenate([np.zeros(1, np.int32), np.cumsum(keep, dtype=np.int32)])
    old = cut.spelling
    spelling = Spelling(
        old.ids[keep], old.letters, old.offsets, old.weights[keep], old.lettered[keep], old.single[keep]
    )
    return Cut(cut.hashes[keep], kept[cut.first], spelling, cut.segments)


def cut_texts(texts: Sequence[str]) -> tuple[Batch, Words]:
    """Texts as the documents of one batch, with its words. Raises LimitExceeded beyond 512 MiB."""
    encoded = [text.encode("utf-8", "replace") for text in texts]
    sizes = np.array([len(one) for one in encoded], np.int64)
    if int(sizes.sum()) > MAX_TEXT_BYTES:
        raise LimitExceeded(f"items of over {MAX_TEXT_BYTES} bytes together")
    data = np.frombuffer(b"".join(encoded), np.uint8).copy()
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    batch = Batch(data, offsets, np.arange(len(encoded), dtype=np.int64))
    return batch, cut_words(batch)


def cut_items(benchmarks: Sequence[Benchmark]) -> Cut:
    """The words of benchmarks' items. Raises LimitExceeded for more than 512 MiB of text."""
    texts: list[str] = []
    track: list[int] = []
    part: list[int] = []
    main: list[bool] = []
    track_item: list[int] = []
    item_benchmark: list[int] = []
    for number, benchmark in enumerate(benchmarks):
        for item in benchmark.items:
            for wording in wordings_of(item):
                for place, (where, text) in enumerate(wording):
                    texts.append(text)
                    track.append(len(track_item))
                    part.append(where)
                    main.append(place == 0)
                track_item.append(len(item_benchmark))
            item_benchmark.append(number)
    segments = Segments(
        np.array(track, np.int32),
        np.array(part, np.uint8),
        np.array(main, np.bool_),
        np.array(track_item, np.int32),
        np.array(item_benchmark, np.int32),
    )
    batch, words = cut_texts(texts)
    words = _without_frames(words, segments, len(benchmarks))
    return Cut(words.hashes, words.documents, spell_words(batch.data, words), segments)


def spell_words(data: Bytes, words: Words) -> Spelling:
    """Number the words. Raises MalformedInput where two different words have one hash."""
    _, place, ids = np.unique(words.hashes, return_index=True, return_inverse=True)
    first: Positions = place.astype(np.int64)
    numbers = ids.astype(np.int32)
    if check_spelling(data, words.starts, words.ends, FOLD, numbers, first) >= 0:
        raise MalformedInput("two different words of the benchmarks have one hash")
    weights, lettered, single = (np.zeros(len(numbers), np.uint8) for _ in range(3))
    describe_words(data, words.starts, words.ends, FOLD, weights, lettered, single)
    sizes = (words.ends - words.starts)[first].astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    at = np.arange(int(offsets[-1])) - np.repeat(offsets[:-1] - words.starts[first], sizes)
    return Spelling(numbers, FOLD[data[at]], offsets.astype(np.int32), weights, lettered, single)


def _without_frames(words: Words, segments: Segments, benchmarks: int) -> Words:
    """The words without those that all questions of a benchmark begin or end with."""
    keep = np.ones(len(words.hashes), np.bool_)
    owner = segments.item_benchmark[segments.track_item[segments.track]]
    for benchmark in range(benchmarks):
        chosen = np.flatnonzero(segments.main & (owner == benchmark))
        items = len(np.unique(segments.track_item[segments.track[chosen]]))
        if items < TEMPLATE_FRAME_ITEMS:
            continue
        first, last = words.documents[chosen], words.documents[chosen + 1]
        shortest = int((last - first).min())
        lead = _count_shared(words.hashes, first, 1, min(shortest, MAX_FRAME_WORDS))
        tail = _count_shared(words.hashes, last - 1, -1, min(shortest - lead, MAX_FRAME_WORDS))
        for k in range(lead):
            keep[first + k] = False
        for k in range(tail):
            keep[last - 1 - k] = False
    kept = np.concatenate([np.zeros(1, np.int32), np.cumsum(keep, dtype=np.int32)])
    return Words(words.hashes[keep], words.starts[keep], words.ends[keep], kept[words.documents])


def _count_shared(hashes: Hashes, first: Offsets, step: int, most: int) -> int:
    for k in range(most):
        here = hashes[first + step * k]
        if (here != here[0]).any():
            return k
    return most
