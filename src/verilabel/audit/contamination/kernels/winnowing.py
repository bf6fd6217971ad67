"""Winnowing: of 16 n-grams in a row, the one with the least hash (Schleimer, Wilkerson and Aiken, SIGMOD 2003)."""

from __future__ import annotations

from verilabel.audit.interface import Hashes, Offsets
from verilabel.audit.kernels.compiling import compiled


@compiled
def winnow(
    ngrams: Hashes, documents: Offsets, n: int, window: int, out_document: Offsets, out_hash: Hashes
) -> int:
    """Documents and hashes that are kept, in order; a document with fewer n-grams than a window keeps one.

    `ngrams` are those of the whole batch, one from every word on; those that reach into the next document are not
    looked at. A least hash is kept while it is in the window, even where an equal one comes later. The output has
    room for one a word.
    """
    found = 0
    for document in range(len(documents) - 1):
        first = documents[document]
        last = documents[document + 1] - n
        if last < first:
            continue
        chosen = -1
        at = min(first + window - 1, last)
        while at <= last:
            begin = max(first, at - window + 1)
            if chosen < begin:
                chosen = begin
                for place in range(begin + 1, at + 1):
                    if ngrams[place] <= ngrams[chosen]:
                        chosen = place
                out_document[found] = document
                out_hash[found] = ngrams[chosen]
                found += 1
            elif ngrams[at] < ngrams[chosen]:
                chosen = at
                out_document[found] = document
                out_hash[found] = ngrams[chosen]
                found += 1
            at += 1
    return found
