"""The check: two scans over a batch for n-grams of items, and exact comparison of every hit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.index import Index
from verilabel.audit.contamination.kernels.matching import (
    CHAINED,
    ROW,
    WHOLE,
    Text,
    find_items,
    find_short,
    find_stretches,
)
from verilabel.audit.contamination.rules import (
    FEWEST_MIDDLE,
    GAP_FACTOR,
    GAP_WORDS,
    MAX_PER_DOCUMENT,
    PARTS,
    RULES,
)
from verilabel.audit.contamination.winnowing import winnow_documents
from verilabel.audit.interface import Batch, CheckCard, Examined, Findings, Offsets, Positions, Words
from verilabel.audit.kernels.ngrams import Hits, find_ngrams
from verilabel.audit.kernels.tokens import FOLD

TABLE = "contamination"
SKETCH_TABLE = "contamination_sketch"
Rows = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]
_PERMILLE = 1000
_NONE = len(RULES)
"""Beyond every rule: no match."""


class _Matches(NamedTuple):
    """Rows of the table as numbers, sorted by document, item and part."""

    document: Numbers
    item: Numbers
    part: Numbers
    rule: Numbers
    ngrams13: Numbers
    ngrams8: Numbers
    longest: Numbers
    share: Numbers


class Contamination:
    """Looks for items of benchmarks; see the card."""

    def __init__(self, card: CheckCard, index: Index, *, sketch: bool) -> None:
        self._card = card
        self._index = index
        self._sketch = sketch
        self._first_item = np.searchsorted(index.item_benchmark, np.arange(len(index.entries)))
        self._seen = np.zeros(len(index.items.ids), np.uint8)
        self._slots = np.full(len(index.track_item), -1, np.int32)
        self.followed = 0
        """Places in items that hits led to, so far: the work beyond the scans."""

    @property
    def card(self) -> CheckCard:
        """What it is."""
        return self._card

    def examine(self, batch: Batch, words: Words) -> Examined:
        """Look at a batch."""
        text = Text(batch.data, words.starts, words.ends, words.documents, FOLD)
        covered = np.zeros(0, np.uint8)
        long, short = find_ngrams(words, self._index.anchors), find_ngrams(words, self._index.short.first)
        if len(long.word) or len(short.word):
            covered = np.zeros(len(words.hashes), np.uint8)
        rows = self._find_long(text, long, covered)
        short_rows = self._find_short(text, words, short, covered)
        matches = self._match(rows, short_rows)
        documents = np.unique(matches.document).astype(np.int32)
        items = np.zeros(len(batch), np.uint16)
        total = np.zeros(len(batch), np.uint32)
        findings, totals = _mark_stretches(text, covered, documents)
        total[documents] = totals
        counts = np.bincount(_distinct_pairs(matches.document, matches.item), minlength=len(batch))
        items[:] = np.minimum(counts, MAX_PER_DOCUMENT)
        tables = {TABLE: self._table(matches)}
        if self._sketch:
            document, fingerprint = winnow_documents(words)
            tables[SKETCH_TABLE] = {"document": document, "fingerprint": fingerprint}
        return Examined(
            columns={"contamination_items": items, "contamination_words": total},
            findings=findings,
            tables=tables,
        )

    def _find_long(self, text: Text, hits: Hits, covered: npt.NDArray[np.uint8]) -> Rows:
        room = 1024
        while len(hits.word):
            rows = np.empty((room, ROW), np.int32)
            count, followed = find_items(
                text,
                self._index.items,
                hits.document,
                hits.word,
                hits.key,
                FEWEST_MIDDLE,
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

    def _find_short(self, text: Text, words: Words, hits: Hits, covered: npt.NDArray[np.uint8]) -> Rows:
        """Documents and segments, two numbers a row, none twice."""
        short, room = self._index.short, 1024
        while len(hits.word):
            document, segment = np.empty(room, np.int32), np.empty(room, np.int32)
            count = find_short(
                text,
                self._index.items,
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

    def _match(self, rows: Rows, short_rows: Rows) -> _Matches:
        """Of every document, item and part the best wording's row."""
        parts = [self._of_long(rows, part) for part in range(len(PARTS))]
        found = np.concatenate([*parts, self._of_short(short_rows)], axis=1)
        # the strongest rule first, then what covers more; whole short questions before three n-grams of them
        strength = np.array([0, 1, 3, 2, _NONE])[found[3]]
        order = np.lexsort((-found[5], -found[7], strength, found[2], found[1], found[0]))
        found = found[:, order]
        fresh = np.ones(found.shape[1], np.bool_)
        fresh[1:] = (found[:3, 1:] != found[:3, :-1]).any(axis=0)
        found = found[:, fresh]
        return _Matches(*_bounded(found))

    def _of_long(self, rows: Rows, part: int) -> Numbers:
        track = rows[:, 1].astype(np.int64)
        ngrams13, ngrams8 = rows[:, 3 + part].astype(np.int64), rows[:, 5 + part].astype(np.int64)
        rule = np.full(len(rows), _NONE, np.int64)
        rule[(rows[:, 2] & CHAINED > 0) & (ngrams8 > 0)] = RULES.index("ngram8")
        rule[ngrams13 > 0] = RULES.index("ngram13")
        rule[(rows[:, 2] & WHOLE > 0) & (rows[:, 11 + part] > 0)] = RULES.index("whole")
        words = self._index.part_words[2 * track + part].astype(np.int64)
        share = rows[:, 9 + part].astype(np.int64) * _PERMILLE // np.maximum(words, 1)
        item = self._index.track_item[track].astype(np.int64)
        document = rows[:, 0].astype(np.int64)
        longest = rows[:, 7 + part].astype(np.int64)
        found = np.stack([document, item, np.full_like(item, part), rule, ngrams13, ngrams8, longest, share])
        return found[:, rule < _NONE]

    def _of_short(self, rows: Rows) -> Numbers:
        segment = rows[:, 1].astype(np.int64)
        items = self._index.items
        track = items.segment_track[segment].astype(np.int64)
        item = self._index.track_item[track].astype(np.int64)
        longest = (items.segments[segment + 1] - items.segments[segment]).astype(np.int64)
        words = self._index.part_words[2 * track].astype(np.int64)
        nothing = np.zeros_like(item)
        rule = np.full_like(item, RULES.index("short"))
        share = longest * _PERMILLE // np.maximum(words, 1)
        document = rows[:, 0].astype(np.int64)
        return np.stack([document, item, nothing, rule, nothing, nothing, longest, share])

    def _table(self, matches: _Matches) -> dict[str, npt.NDArray[np.generic] | list[str]]:
        benchmark = self._index.item_benchmark[matches.item]
        place = matches.item - self._first_item[benchmark] if len(benchmark) else matches.item
        return {
            "document": matches.document.astype(np.int32),
            "benchmark": [self._index.entries[number].name for number in benchmark.tolist()],
            "item": [
                self._index.ids[number][at]
                for number, at in zip(benchmark.tolist(), place.tolist(), strict=True)
            ],
            "part": [PARTS[number] for number in matches.part.tolist()],
            "rule": [RULES[number] for number in matches.rule.tolist()],
            "ngrams13": matches.ngrams13.astype(np.uint32),
            "ngrams8": matches.ngrams8.astype(np.uint32),
            "longest": matches.longest.astype(np.uint32),
            "share": matches.share.astype(np.uint16),
        }


def _bounded(found: Numbers) -> Numbers:
    """The first rows of each document, which are sorted by document."""
    document = found[0]
    place = np.arange(len(document)) - np.searchsorted(document, document)
    return found[:, place < MAX_PER_DOCUMENT]


def _distinct_pairs(document: Numbers, item: Numbers) -> Numbers:
    """Documents, once for each of their items; the rows are sorted by both."""
    fresh = np.ones(len(document), np.bool_)
    fresh[1:] = (document[1:] != document[:-1]) | (item[1:] != item[:-1])
    return document[fresh]


def _mark_stretches(
    text: Text, covered: npt.NDArray[np.uint8], documents: Offsets
) -> tuple[Findings, Positions]:
    totals = np.zeros(len(documents), np.int64)
    room = 1024
    while len(documents):
        document = np.empty(room, np.int32)
        start, end = np.empty(room, np.int64), np.empty(room, np.int64)
        totals[:] = 0
        count = find_stretches(covered, text, MAX_PER_DOCUMENT, documents, totals, document, start, end)
        if count <= room:
            kind = np.zeros(count, np.uint16)
            return Findings(document[:count], kind, start[:count], end[:count]), totals
        room = count
    nothing = np.zeros(0, np.int64)
    return Findings(np.zeros(0, np.int32), np.zeros(0, np.uint16), nothing, nothing), totals
