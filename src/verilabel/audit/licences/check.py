"""The check of licences: texts, tags, addresses and sentences of licences, copyright, reservations, opt-outs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, CheckCard, Examined, Offsets, Words
from verilabel.audit.kernels.tokens import FOLD
from verilabel.audit.licences import sentences
from verilabel.audit.licences.card import make_card
from verilabel.audit.licences.gathering import Gathered, merge_findings
from verilabel.audit.licences.index import SAMPLE_MASK, Index
from verilabel.audit.licences.kernels.notices import find_notices
from verilabel.audit.licences.kernels.scanning import scan_words
from verilabel.audit.licences.matching import Regions, Texts, match_stretches
from verilabel.audit.licences.phrases import GROUPS, build_tables, load_phrases
from verilabel.audit.licences.texts import RESERVED, list_classes, list_ids, number_ids
from verilabel.audit.licences.wording import N

NOTICE_BYTES = 200
_RANKS = {"tag": 0, "text": 1, "header": 2, "url": 3, "reserved": 4}
"""The order in which they decide which licence of a document is named as its first; statements do not."""
_EMPTY = np.zeros(0, np.int64)


class _Hits(NamedTuple):
    document: Offsets
    word: Offsets
    phrase: Offsets
    beyond: npt.NDArray[np.uint64]
    regions: Regions


class LicenceCheck:
    """Looks for licences with an index of their texts and tables of phrases; see the card for what counts."""

    reads_words = True

    def __init__(self, index: Index) -> None:
        self._index = index
        self._tables = build_tables()
        self._card = make_card()
        self._numbers = number_ids()
        self._classes = np.array(list_classes(), np.uint8)
        self._meanings = tuple(tuple(ids.split()) for ids in load_phrases().meaning)
        self._read_tag = sentences.Memory(sentences.read_tag)
        self._read_field = sentences.Memory(sentences.read_field)
        self._read_url = sentences.Memory(sentences.read_url)
        self._read_header = sentences.Memory(sentences.read_header)
        self._read_weak_header = sentences.Memory(sentences.read_weak_header)

    @property
    def card(self) -> CheckCard:
        """What it is."""
        return self._card

    @cached_property
    def _group_of(self) -> dict[str, int]:
        return {group: number for number, group in enumerate(GROUPS)}

    def examine(self, batch: Batch, words: Words) -> Examined:
        """Look at a batch: one compiled pass, then Python on what it names."""
        hits = self._scan(batch, words)
        found = Gathered()
        texts = match_stretches(self._index, batch, words, hits.regions)
        self._add_texts(found, texts)
        group = self._tables.group[hits.phrase]
        self._add_notices(found, batch, words, hits, group)
        for name, kind in (
            ("reserved", "copyright.reserved"),
            ("opt_out", "use.opt_out"),
            ("paywall", "use.paywall"),
        ):
            self._add_phrases(found, words, hits, group == self._group_of[name], kind)
        self._add_tags(found, batch, words, hits, group)
        self._add_fields(found, batch, words, hits, group)
        self._add_addresses(found, batch, words, hits, group, texts)
        self._add_headers(found, batch, words, hits, group, texts)
        self._add_meanings(found, batch, words, hits, group, texts)
        self._add_contexts(found, batch, words, hits, group)
        return self._finish(found, len(batch), hits.beyond)

    def _scan(self, batch: Batch, words: Words) -> _Hits:
        tables, sampled = self._tables, self._index.sampled
        room = 4096 + len(words.hashes) // 16
        region_room = 1024 + len(words.hashes) // 256
        while True:
            document = np.empty(room, np.int32)
            word = np.empty(room, np.int32)
            phrase = np.empty(room, np.int32)
            regions = Regions(*(np.empty(region_room, np.int32) for _ in range(3)))
            beyond = np.zeros(len(batch), np.uint64)
            count, stretches = scan_words(
                batch.data,
                FOLD,
                words.hashes,
                words.starts,
                words.ends,
                words.documents,
                tables.word_bits,
                tables.slots,
                tables.slot_first,
                tables.slot_phrases,
                tables.first,
                tables.hashes,
                tables.text,
                tables.text_first,
                tables.back,
                tables.group,
                len(GROUPS),
                N,
                SAMPLE_MASK,
                sampled.keys,
                sampled.bits,
                sampled.shift,
                document,
                word,
                phrase,
                regions.document,
                regions.first,
                regions.last,
                beyond,
            )
            if count <= room and stretches <= region_room:
                kept = Regions(*(array[:stretches] for array in regions))
                return _Hits(document[:count], word[:count], phrase[:count], beyond, kept)
            room, region_room = max(room, count), max(region_room, stretches)

    def _add_texts(self, found: Gathered, texts: Texts) -> None:
        found.add("licence.text", texts.document.astype(np.int64), texts.start, texts.end)
        totals = self._index.totals[texts.text]
        numbers = self._index.ids[texts.text]
        for document, number, covered, total, start in zip(
            texts.document.tolist(),
            numbers.tolist(),
            texts.covered.tolist(),
            totals.tolist(),
            texts.start.tolist(),
            strict=True,
        ):
            found.name(document, number, "text", 1000 * covered // total)
            found.prefer(document, _RANKS["text"], covered, start, number)

    def _add_notices(
        self, found: Gathered, batch: Batch, words: Words, hits: _Hits, group: npt.NDArray[np.int32]
    ) -> None:
        chosen = group == self._group_of["copyright"]
        document, word = hits.document[chosen], hits.word[chosen]
        kind = self._tables.detail[hits.phrase[chosen]]
        out_document = np.empty(len(word), np.int32)
        start = np.empty(len(word), np.int64)
        end = np.empty(len(word), np.int64)
        count = find_notices(
            batch.data,
            FOLD,
            words.starts,
            words.ends,
            words.documents,
            batch.offsets,
            document,
            word,
            kind,
            NOTICE_BYTES,
            out_document,
            start,
            end,
        )
        found.add("copyright.notice", out_document[:count].astype(np.int64), start[:count], end[:count])

    def _add_phrases(
        self, found: Gathered, words: Words, hits: _Hits, chosen: npt.NDArray[np.bool_], kind: str
    ) -> None:
        word = hits.word[chosen]
        last = word + self._tables.length[hits.phrase[chosen]] - 1
        document = hits.document[chosen].astype(np.int64)
        start = words.starts[word].astype(np.int64)
        found.add(kind, document, start, words.ends[last].astype(np.int64))
        if kind == "copyright.reserved":
            number = self._numbers[RESERVED.lower()]
            for one in np.unique(document).tolist():
                found.prefer(one, _RANKS["reserved"], 0, 0, number)

    def _places(
        self, batch: Batch, words: Words, hits: _Hits, chosen: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[int, int, int, int]]:
        """Of the chosen hits: document, where the phrase begins and ends, and where the document ends."""
        word = hits.word[chosen]
        last = word + self._tables.length[hits.phrase[chosen]] - 1
        document = hits.document[chosen]
        return zip(
            document.tolist(),
            words.starts[word].tolist(),
            words.ends[last].tolist(),
            batch.offsets[document + 1].tolist(),
            strict=True,
        )

    def _add_read(
        self,
        found: Gathered,
        batch: Batch,
        places: Iterator[tuple[int, int, int, int]],
        read: Callable[[bytes], sentences.Read | None],
        reach: int,
        how: str,
        from_start: bool = False,
    ) -> None:
        """Read the line at each place: a finding, rows, and a bid for the first licence."""
        spans: list[tuple[int, int, int]] = []
        for document, start, behind, limit in places:
            begin = start if from_start else behind
            said = read(batch.data[begin : min(begin + reach, limit)].tobytes().split(b"\n", 1)[0])
            if said is None:
                continue
            spans.append((document, start, begin + said.length))
            self._name(found, document, start, said.ids, said.top, how)
        if spans:
            self._add_spans(found, {how: spans})

    @staticmethod
    def _tell_header(batch: Batch, document: int, start: int) -> str:
        """Whether a sentence is about the document itself."""
        begin = max(int(batch.offsets[document]), start - sentences.OWN_BYTES)
        return "header" if sentences.declares_own(batch.data[begin:start].tobytes()) else "statement"

    def _name(
        self, found: Gathered, document: int, start: int, ids: Sequence[str], top: str | None, how: str
    ) -> None:
        for identifier in ids:
            found.name(document, self._numbers[identifier.lower()], how, 1000)
        if top is not None and how in _RANKS:
            found.prefer(document, _RANKS[how], 0, start, self._numbers[top.lower()])

    def _add_tags(
        self, found: Gathered, batch: Batch, words: Words, hits: _Hits, group: npt.NDArray[np.int32]
    ) -> None:
        places = self._places(batch, words, hits, group == self._group_of["tag"])
        self._add_read(found, batch, places, self._read_tag, sentences.TAG_BYTES, "tag")

    def _add_fields(
        self, found: Gathered, batch: Batch, words: Words, hits: _Hits, group: npt.NDArray[np.int32]
    ) -> None:
        """Only where a colon or equals sign follows closely: the word itself is everywhere."""
        chosen = group == self._group_of["field"]
        behind = words.ends[hits.word[chosen]].astype(np.int64)
        near = np.zeros(len(behind), np.bool_)
        for step in range(6):
            byte = batch.data[np.minimum(behind + step, len(batch.data) - 1)]
            near |= (byte == ord(":")) | (byte == ord("="))
        chosen[np.nonzero(chosen)[0][~near]] = False
        places = self._places(batch, words, hits, chosen)
        self._add_read(found, batch, places, self._read_field, sentences.FIELD_BYTES, "tag")

    def _add_addresses(
        self,
        found: Gathered,
        batch: Batch,
        words: Words,
        hits: _Hits,
        group: npt.NDArray[np.int32],
        texts: Texts,
    ) -> None:
        chosen = self._outside(words, hits, group == self._group_of["url"], texts)
        places = self._places(batch, words, hits, chosen)
        self._add_read(found, batch, places, self._read_url, sentences.ADDRESS_BYTES, "url", from_start=True)

    def _add_headers(
        self,
        found: Gathered,
        batch: Batch,
        words: Words,
        hits: _Hits,
        group: npt.NDArray[np.int32],
        texts: Texts,
    ) -> None:
        chosen = self._outside(words, hits, group == self._group_of["header"], texts)
        first, document = hits.word[chosen], hits.document[chosen]
        last = first + self._tables.length[hits.phrase[chosen]] - 1
        order = np.lexsort((last, first, document))
        first, last, document = first[order], last[order], document[order]
        weak = self._tables.detail[hits.phrase[chosen][order]].tolist()
        # the window ends with a word, so that equal headers are equal bytes
        stop = np.minimum(last + sentences.HEADER_WORDS, words.documents[document + 1] - 1)
        places = zip(
            document.tolist(),
            words.starts[first].tolist(),
            words.ends[last].tolist(),
            words.ends[stop].tolist(),
            weak,
            strict=True,
        )
        spans: dict[str, list[tuple[int, int, int]]] = {}
        told = (-1, -1)
        for number, start, begin, end, is_weak in places:
            if (number, start) < told:
                continue  # `released under the terms of` has two beginnings
            window = batch.data[begin : min(end, begin + sentences.HEADER_BYTES)].tobytes()
            said = self._read_weak_header(window) if is_weak else self._read_header(window)
            if said is None:
                continue
            how = self._tell_header(batch, number, start)
            spans.setdefault(how, []).append((number, start, begin + said.length))
            self._name(found, number, start, said.ids, said.top, how)
            told = (number, begin + said.length)
        self._add_spans(found, spans)

    @staticmethod
    def _add_spans(found: Gathered, spans: dict[str, list[tuple[int, int, int]]]) -> None:
        for how, places in sorted(spans.items()):
            array = np.array(places, np.int64)
            found.add(f"licence.{how}", array[:, 0], array[:, 1], array[:, 2])

    def _add_meanings(
        self,
        found: Gathered,
        batch: Batch,
        words: Words,
        hits: _Hits,
        group: npt.NDArray[np.int32],
        texts: Texts,
    ) -> None:
        """Sentences that are a licence without its name, such as `the same terms as Perl`."""
        chosen = self._outside(words, hits, group == self._group_of["meaning"], texts)
        rules = self._tables.detail[hits.phrase[chosen]].tolist()
        spans: dict[str, list[tuple[int, int, int]]] = {}
        for rule, (document, start, end, _) in zip(
            rules, self._places(batch, words, hits, chosen), strict=True
        ):
            how = self._tell_header(batch, document, start)
            spans.setdefault(how, []).append((document, start, end))
            self._name(found, document, start, self._meanings[rule], self._meanings[rule][0], how)
        self._add_spans(found, spans)

    @staticmethod
    def _outside(
        words: Words, hits: _Hits, chosen: npt.NDArray[np.bool_], texts: Texts
    ) -> npt.NDArray[np.bool_]:
        """Without the hits inside a licence's text: its own notice and address say nothing more."""
        if not len(texts.start):
            return chosen
        # later texts of a document may begin before earlier ones end: what counts is the furthest end so far
        order = np.argsort(texts.start, kind="stable")
        starts = texts.start[order]
        furthest = np.maximum.accumulate(texts.end[order])
        where = np.nonzero(chosen)[0]
        begin = words.starts[hits.word[where]].astype(np.int64)
        before = np.searchsorted(starts, begin, side="right") - 1
        inside = (before >= 0) & (begin < furthest[np.maximum(before, 0)])
        kept = chosen.copy()
        kept[where[inside]] = False
        return kept

    def _add_contexts(
        self, found: Gathered, batch: Batch, words: Words, hits: _Hits, group: npt.NDArray[np.int32]
    ) -> None:
        chosen = group == self._group_of["context"]
        contexts = load_phrases().contexts
        by_kind: dict[str, list[tuple[int, int, int]]] = {}
        for document, word, phrase in zip(
            hits.document[chosen].tolist(),
            hits.word[chosen].tolist(),
            hits.phrase[chosen].tolist(),
            strict=True,
        ):
            number = int(self._tables.detail[phrase])
            context = contexts[number]
            last = word + int(self._tables.length[phrase]) - 1
            begin = words.starts[max(word - context.before, int(words.documents[document]))]
            stop = min(last + context.after, int(words.documents[document + 1]) - 1)
            end = min(
                int(words.ends[stop]) + 4, int(batch.offsets[document + 1])
            )  # the slash of `Disallow: /`
            end = min(end, int(begin) + sentences.CONTEXT_BYTES)
            if sentences.holds_context(number, batch.data[begin:end].tobytes()):
                place = (document, int(words.starts[word]), int(words.ends[last]))
                by_kind.setdefault(context.kind, []).append(place)
        for kind in sorted(by_kind):
            places = np.array(by_kind[kind], np.int64)
            found.add(kind, places[:, 0], places[:, 1], places[:, 2])

    def _finish(self, found: Gathered, documents: int, beyond: npt.NDArray[np.uint64]) -> Examined:
        findings, clipped = merge_findings(found, documents)
        numbers = np.zeros(documents, np.uint16)
        for document, bid in found.best.items():
            numbers[document] = bid[3]
        rows = sorted(found.rows.items())
        ids = list_ids()
        return Examined(
            columns={
                "licences_id": numbers,
                "licences_class": self._classes[numbers],
                "licences_beyond": np.minimum(beyond + clipped, np.uint64(2**32 - 1)).astype(np.uint32),
            },
            findings=findings,
            tables={
                "licences": {
                    "document": np.array([key[0] for key, _ in rows], np.int32),
                    "licence": [ids[key[1]] for key, _ in rows],
                    "how": [key[2] for key, _ in rows],
                    "coverage": np.array([coverage for _, coverage in rows], np.uint16),
                }
            },
        )
