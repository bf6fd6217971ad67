"""Fingerprints of documents, by which a sketch of the corpus is made."""

from __future__ import annotations

import numpy as np

from verilabel.audit.contamination.kernels.winnowing import winnow
from verilabel.audit.contamination.rules import LONG_WORDS
from verilabel.audit.interface import Hashes, Offsets, Words
from verilabel.audit.kernels.ngrams import hash_ngrams

WINDOW = 16
"""n-grams of which one is kept at least: a text of 13 + 15 words leaves a fingerprint for sure."""


def winnow_documents(words: Words) -> tuple[Offsets, Hashes]:
    """Documents of a batch and their fingerprints, by document and rising, none twice in a document."""
    ngrams = hash_ngrams(words.hashes, LONG_WORDS)
    document, fingerprint = np.empty(len(ngrams), np.int32), np.empty(len(ngrams), np.uint64)
    count = winnow(ngrams, words.documents, LONG_WORDS, WINDOW, document, fingerprint)
    document, fingerprint = document[:count], fingerprint[:count]
    order = np.lexsort((fingerprint, document))
    document, fingerprint = document[order], fingerprint[order]
    fresh = np.ones(count, np.bool_)
    fresh[1:] = (document[1:] != document[:-1]) | (fingerprint[1:] != fingerprint[:-1])
    return document[fresh], fingerprint[fresh]
