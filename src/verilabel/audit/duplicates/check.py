"""The check for duplicates: what it keeps of every document, and what it says of itself."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from verilabel.audit.duplicates.clusters import columns_for
from verilabel.audit.duplicates.kernels.linking import LEADERS
from verilabel.audit.duplicates.kernels.signatures import (
    ADDENDS,
    FACTORS,
    NGRAM,
    PERMUTATIONS,
    sign_documents,
)
from verilabel.audit.duplicates.parts import BANDS, KEY_BITS, ROWS
from verilabel.audit.duplicates.reducing import needed_agreement
from verilabel.audit.interface import Batch, CheckCard, Examined, Words
from verilabel.audit.kernels.ngrams import BASE
from verilabel.audit.kernels.tokens import FOLD
from verilabel.audit.settings import DuplicatesSettings

_EXACT_WORDS = "Documents with equal text by SHA-256; near duplicates were not looked for."
_EXACT_LIMITS = (
    "Documents that differ in one byte are not found: near duplicates, parts, paraphrases and translations."
)
_WORDS = (
    "Documents with equal text by SHA-256, and near duplicates: equal sequences of words, or MinHash signatures of "
    f"word {NGRAM}-grams ({PERMUTATIONS} permutations, {BANDS} bands of {ROWS}) alike to the set degree, joined to "
    "clusters."
)
_LIMITS = (
    f"Documents of fewer than {NGRAM} words are near duplicates only where all their words are the same; copies of a "
    "part of a document, paraphrases and translations are not found; a cluster may chain documents of which the first "
    f"and the last differ; where more than {LEADERS} documents share a band, each is compared with at most {LEADERS} "
    "of them; near duplicates can be forged or hidden on purpose by whoever chooses the words, exact ones cannot."
)


class DuplicatesCheck:
    """Spills signatures; the clusters come when all shards are joined (`clusters.columns_for`)."""

    def __init__(self, settings: DuplicatesSettings) -> None:
        """A check whose card binds these settings."""
        self.reads_words = settings.near
        self.card = CheckCard(
            name="duplicates",
            version="1",
            data_sha256=_digest_parameters(settings),
            words=_WORDS if settings.near else _EXACT_WORDS,
            limits=_LIMITS if settings.near else _EXACT_LIMITS,
            columns=columns_for(settings.near),
        )

    def examine(self, batch: Batch, words: Words) -> Examined:
        """Of each document a signature, how many 5-grams it is of, and a key of its words: what a part is made of.

        Nothing for equal texts alone: the engine keeps every document's SHA-256.
        """
        del batch  # the words say it all
        if not self.reads_words:
            return Examined()
        signed = sign_documents(words)
        return Examined(
            spill={"signatures": signed.signatures, "shingles": signed.shingles, "words": signed.words}
        )


def _digest_parameters(settings: DuplicatesSettings) -> str:
    if not settings.near:
        return "sha256:" + hashlib.sha256(b"exact").hexdigest()
    lists = np.concatenate([FACTORS, ADDENDS]).astype("<u4").tobytes() + FOLD.tobytes()
    parameters = {
        "bands": BANDS,
        "base": int(BASE),
        "key_bits": KEY_BITS,
        "leaders": LEADERS,
        "lists": hashlib.sha256(lists).hexdigest(),
        "needed": needed_agreement(settings.min_similarity),
        "ngram": NGRAM,
        "permutations": PERMUTATIONS,
        "rows": ROWS,
    }
    return "sha256:" + hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
