"""Texts of licences in the stretches of a batch that have words of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from verilabel.audit.interface import Batch, Bytes, Offsets, Positions, Words
from verilabel.audit.kernels.tokens import FOLD, cut_words
from verilabel.audit.licences.index import Index
from verilabel.audit.licences.kernels.comparing import match_texts
from verilabel.audit.licences.wording import N, blank_typography


class Regions(NamedTuple):
    """Stretches of words in which n-grams of licences stand."""

    document: Offsets
    first: Offsets
    last: Offsets
    """One behind the last word."""


class Texts(NamedTuple):
    """Texts of licences that were found, by document and place."""

    document: Offsets
    text: Offsets
    start: Positions
    end: Positions
    covered: Offsets


def match_stretches(index: Index, batch: Batch, words: Words, regions: Regions) -> Texts:
    """Texts in the stretches; those with marks beyond ASCII are cut into words anew without them."""
    begin = words.starts[regions.first].astype(np.int64)
    end = words.ends[regions.last - 1].astype(np.int64)
    marked = np.array(
        [bool((batch.data[a:b] >= 0x80).any()) for a, b in zip(begin.tolist(), end.tolist(), strict=True)],
        np.bool_,
    )
    plain = np.nonzero(~marked)[0]
    first = _match(index, batch.data, words, regions.first[plain], regions.last[plain])
    first = first._replace(document=regions.document[plain[first.document]])
    if not marked.any():
        return first
    parts = [
        blank_typography(batch.data[a:b].tobytes())
        for a, b in zip(begin[marked].tolist(), end[marked].tolist(), strict=True)
    ]
    offsets = np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64)
    data = np.frombuffer(b"".join(parts), np.uint8).copy()
    anew = cut_words(Batch(data, offsets, np.arange(len(parts), dtype=np.int64)))
    second = _match(index, data, anew, anew.documents[:-1], anew.documents[1:])
    shift = (begin[marked] - offsets[:-1])[second.document]
    second = second._replace(
        document=regions.document[marked][second.document],
        start=second.start + shift,
        end=second.end + shift,
    )
    order = np.lexsort(
        (np.concatenate((first.start, second.start)), np.concatenate((first.document, second.document)))
    )
    return Texts(
        np.concatenate((first.document, second.document))[order],
        np.concatenate((first.text, second.text))[order],
        np.concatenate((first.start, second.start))[order],
        np.concatenate((first.end, second.end))[order],
        np.concatenate((first.covered, second.covered))[order],
    )


def _match(index: Index, data: Bytes, words: Words, first: Offsets, last: Offsets) -> Texts:
    """Texts in stretches of words; `document` of what it gives is the number of the stretch."""
    room = 64 + 4 * len(first)
    while True:
        region, text, begin, end, covered = (np.empty(room, np.int32) for _ in range(5))
        count = 0
        if len(first):
            count = match_texts(
                data,
                FOLD,
                words.hashes,
                words.starts,
                words.ends,
                np.ascontiguousarray(first),
                np.ascontiguousarray(last),
                N,
                index.ngrams.keys,
                index.heads,
                index.ngrams.bits,
                index.ngrams.shift,
                index.places,
                index.sets,
                index.set_starts,
                index.members,
                index.totals,
                index.common,
                index.reference,
                region,
                text,
                begin,
                end,
                covered,
            )
        if count <= room:
            return Texts(
                region[:count],
                text[:count],
                words.starts[begin[:count]].astype(np.int64),
                words.ends[end[:count]].astype(np.int64),
                covered[:count],
            )
        room = count
