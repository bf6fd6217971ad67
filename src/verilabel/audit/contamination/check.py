"""The check: three scans over a batch for n-grams of items, and exact comparison of every hit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.index import Index, function_words
from verilabel.audit.contamination.kernels.matching import CHAINED, WHOLE, Text, find_stretches
from verilabel.audit.contamination.rules import (
    FEWEST_CONTENT,
    FEWEST_MIDDLE,
    MAX_PER_DOCUMENT,
    PARTS,
    RULES,
    SKETCH_TABLE,
    TABLE,
)
from verilabel.audit.contamination.searching import ContentSearch, Rows, RunSearch, ShortSearch
from verilabel.audit.contamination.winnowing import winnow_documents
from verilabel.audit.interface import Batch, Bytes, CheckCard, Examined, Findings, Offsets, Positions, Words
from verilabel.audit.kernels.tokens import FOLD

Numbers = npt.NDArray[np.int64]
_PERMILLE = 1000
_NONE = len(RULES)
"""Beyond every rule: no match."""
_PREFERENCE = np.array([RULES.index(rule) for rule in ("whole", "ngram13", "short", "ngram8", "content")])
"""Of a part that several rules find: a short question that is there whole is not three n-grams of one."""
_ORDER = np.argsort(_PREFERENCE)


class _Matches(NamedTuple):
    """Rows of the table as numbers, sorted by document, item and part."""

    document: Numbers
    item: Numbers
    part: Numbers
    rule: Numbers
    ngrams13: Numbers
    ngrams8: Numbers
    ngrams5: Numbers
    longest: Numbers
    share: Numbers


class Contamination:
    """Looks for items of benchmarks; see the card."""

    reads_words = True

    def __init__(self, card: CheckCard, index: Index, *, sketch: bool) -> None:
        self._card = card
        self._index = index
        self._sketch = sketch
        self._first_item = np.searchsorted(index.item_benchmark, np.arange(len(index.entries)))
        self._runs = RunSearch(index.words, FEWEST_MIDDLE)
        self._content = ContentSearch(index.content, FEWEST_CONTENT, function_words())
        self._short = ShortSearch(index.short, index.words.items)

    @property
    def card(self) -> CheckCard:
        """What it is."""
        return self._card

    @property
    def followed(self) -> int:
        """Places in items that hits led to, so far: the work beyond the scans."""
        return self._runs.followed + self._content.followed + self._short.followed

    def examine(self, batch: Batch, words: Words) -> Examined:
        """Look at a batch."""
        covered = np.zeros(len(words.hashes), np.uint8)
        matches = self._match(
            self._runs.find(batch, words, covered),
            self._content.find(batch, words, covered),
            self._short.find(batch, words, covered),
        )
        documents = np.unique(matches.document).astype(np.int32)
        findings, totals = _mark_stretches(batch, words, covered, documents)
        total = np.zeros(len(batch), np.uint32)
        total[documents] = totals
        counts = np.bincount(_distinct_pairs(matches.document, matches.item), minlength=len(batch))
        tables = {TABLE: self._table(matches)}
        if self._sketch:
            document, fingerprint = winnow_documents(words)
            tables[SKETCH_TABLE] = {"document": document, "fingerprint": fingerprint}
        return Examined(
            columns={
                "contamination_items": np.minimum(counts, MAX_PER_DOCUMENT).astype(np.uint16),
                "contamination_words": total,
            },
            findings=findings,
            tables=tables,
        )

    def _match(self, runs: Rows, content: Rows, short: Rows) -> _Matches:
        """Of every document, item and part the best wording's row."""
        found = [self._of_short(short)]
        for part in range(len(PARTS)):
            found += [self._of_runs(runs, part), self._of_content(content, part)]
        rows = np.concatenate(found, axis=1)
        _, _, _, rule, _, ngrams8, _, longest, share = rows
        order = np.lexsort((-longest, -ngrams8, -share, _ORDER[rule], rows[2], rows[1], rows[0]))
        rows = rows[:, order]
        fresh = np.ones(rows.shape[1], np.bool_)
        fresh[1:] = (rows[:3, 1:] != rows[:3, :-1]).any(axis=0)
        return _Matches(*_bounded(rows[:, fresh]))

    def _of_runs(self, rows: Rows, part: int) -> Numbers:
        ngrams13, ngrams8 = rows[:, 3 + part], rows[:, 5 + part]
        rule = np.full(len(rows), _NONE, np.int64)
        rule[(rows[:, 2] & CHAINED > 0) & (ngrams8 > 0)] = RULES.index("ngram8")
        rule[ngrams13 > 0] = RULES.index("ngram13")
        rule[(rows[:, 2] & WHOLE > 0) & (rows[:, 11 + part] > 0)] = RULES.index("whole")
        counts = (ngrams13, ngrams8, np.zeros_like(ngrams8))
        return self._rows_of(rows, part, rule, counts, self._index.words.part_words)

    def _of_content(self, rows: Rows, part: int) -> Numbers:
        ngrams5 = rows[:, 5 + part]
        rule = np.full(len(rows), _NONE, np.int64)
        rule[(rows[:, 2] & CHAINED > 0) & (ngrams5 > 0)] = RULES.index("content")
        nothing = np.zeros_like(ngrams5)
        return self._rows_of(rows, part, rule, (nothing, nothing, ngrams5), self._index.content.part_words)

    def _rows_of(
        self, rows: Rows, part: int, rule: Numbers, counts: tuple[Rows, Rows, Rows], part_words: Offsets
    ) -> Numbers:
        track = rows[:, 1].astype(np.int64)
        words = part_words[2 * track + part].astype(np.int64)
        share = rows[:, 9 + part].astype(np.int64) * _PERMILLE // np.maximum(words, 1)
        item = self._index.track_item[track].astype(np.int64)
        found = np.stack(
            [rows[:, 0], item, np.full_like(item, part), rule, *counts, rows[:, 7 + part], share]
        ).astype(np.int64)
        return found[:, rule < _NONE]

    def _of_short(self, rows: Rows) -> Numbers:
        segment = rows[:, 1].astype(np.int64)
        items = self._index.words.items
        track = items.segment_track[segment].astype(np.int64)
        item = self._index.track_item[track].astype(np.int64)
        longest = (items.segments[segment + 1] - items.segments[segment]).astype(np.int64)
        words = self._index.words.part_words[2 * track].astype(np.int64)
        nothing = np.zeros_like(item)
        rule = np.full_like(item, RULES.index("short"))
        share = longest * _PERMILLE // np.maximum(words, 1)
        document = rows[:, 0].astype(np.int64)
        return np.stack([document, item, nothing, rule, nothing, nothing, nothing, longest, share])

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
            "ngrams5": matches.ngrams5.astype(np.uint32),
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
    batch: Batch, words: Words, covered: Bytes, documents: Offsets
) -> tuple[Findings, Positions]:
    text = Text(batch.data, words.starts, words.ends, words.documents, FOLD)
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
