"""Searches of a batch for one kind of n-grams each: the scan, and what the comparison of every hit leaves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.index import Resolution, Short
from verilabel.audit.contamination.kernels.content import (
    TABLE,
    fill_table,
    keep_content,
    scan_content,
    spread_cover,
)
from verilabel.audit.contamination.kernels.matching import ROW, Items, Text, find_items, find_short
from verilabel.audit.contamination.rules import GAP_FACTOR, GAP_WORDS
from verilabel.audit.interface import Batch, Bytes, Hashes, Offsets, Words
from verilabel.audit.kernels.ngrams import Hits, find_ngrams
from verilabel.audit.kernels.tokens import FOLD

Rows = npt.NDArray[np.int32]
_ROOM = 1024


class RunSearch:
    """Runs of words that anchors lead to. Not for two threads at once: it keeps scratch."""

    def __init__(self, resolution: Resolution, fewest: int) -> None:
        self._resolution = resolution
        self._fewest = fewest
        self._seen = np.zeros(len(resolution.items.ids), np.uint8)
        self._slots = np.full(len(resolution.part_words) // 2, -1, np.int32)
        self.followed = 0
        """Places in items that hits led to, so far."""

    def find(self, batch: Batch, words: Words, covered: Bytes) -> Rows:
        """Rows of `find_items`, by document; covers the words of what is found."""
        return self.follow(batch, words, find_ngrams(words, self._resolution.anchors), covered)

    def follow(self, batch: Batch, words: Words, hits: Hits, covered: Bytes) -> Rows:
        """Rows of `find_items` for these hits."""
        resolution, room = self._resolution, _ROOM
        text = Text(batch.data, words.starts, words.ends, words.documents, FOLD)
        while len(hits.word):
            rows = np.empty((room, ROW), np.int32)
            count, followed = find_items(
                text,
                resolution.items,
                hits.document,
                hits.word,
                hits.key,
                resolution.anchors.n,
                self._fewest,
                GAP_FACTOR,
                GAP_WORDS,
                self._seen,
                self._slots,
                covered,
                rows,
            )
            if count <= room:
                self.followed += followed
                return rows[:count]
            room = count
        return np.zeros((0, ROW), np.int32)


class ContentSearch:
    """Runs of the words that carry content, whatever function words stand between them."""

    def __init__(self, resolution: Resolution, fewest: int, function_words: Hashes) -> None:
        self._runs = RunSearch(resolution, fewest)
        self._anchors = resolution.anchors
        self._table = np.zeros(TABLE, np.uint64)
        fill_table(function_words, self._table)

    @property
    def followed(self) -> int:
        """Places in items that hits led to, so far."""
        return self._runs.followed

    def find(self, batch: Batch, words: Words, covered: Bytes) -> Rows:
        """As `RunSearch.find`; covers what lies between the words of a run as well."""
        hits = self._scan(words)
        if not len(hits.word):
            return np.zeros((0, ROW), np.int32)
        chosen, document = np.unique(hits.document, return_inverse=True)
        kept = np.empty(int((words.documents[chosen + 1] - words.documents[chosen]).sum()), np.int32)
        first = np.empty(len(chosen) + 1, np.int32)
        kept = kept[: keep_content(words.hashes, words.documents, chosen, self._table, kept, first)]
        content = Words(words.hashes[kept], words.starts[kept], words.ends[kept], first)
        number: Offsets = document.astype(np.int32)
        some = np.zeros(len(kept), np.uint8)
        rows = self._runs.follow(batch, content, Hits(number, first[number] + hits.word, hits.key), some)
        spread_cover(some, kept, first, covered)
        rows[:, 0] = chosen[rows[:, 0]]
        return rows

    def _scan(self, words: Words) -> Hits:
        """Hits whose words are places among the document's own words of content."""
        room = 4096 + len(words.hashes) // 64
        while len(self._anchors.keys):
            document, place = np.empty(room, np.int32), np.empty(room, np.int32)
            key = np.empty(room, np.int64)
            count = scan_content(
                words.hashes, words.documents, self._table, self._anchors, document, place, key
            )
            if count <= room:
                return Hits(document[:count], place[:count], key[:count])
            room = count
        return Hits(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64))


class ShortSearch:
    """Whole questions of few words."""

    def __init__(self, short: Short, items: Items) -> None:
        self._short = short
        self._items = items
        self.followed = 0
        """Whole questions that were found, so far."""

    def find(self, batch: Batch, words: Words, covered: Bytes) -> Rows:
        """Documents and segments, two numbers a row, none twice; covers their words."""
        short, room = self._short, _ROOM
        hits = find_ngrams(words, short.first)
        text = Text(batch.data, words.starts, words.ends, words.documents, FOLD)
        while len(hits.word):
            document: Offsets = np.empty(room, np.int32)
            segment: Offsets = np.empty(room, np.int32)
            count = find_short(
                text,
                self._items,
                words.hashes,
                hits.document,
                hits.word,
                hits.key,
                short.lengths,
                short.keys,
                short.segments,
                covered,
                document,
                segment,
            )
            if count <= room:
                self.followed += count
                return np.unique(np.stack([document[:count], segment[:count]], axis=1), axis=0)
            room = count
        return np.zeros((0, 2), np.int32)
