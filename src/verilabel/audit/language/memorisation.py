"""Indicators of texts that a model may have memorised: how often they are in the corpus, and how much repeats in them.

An indicator, and no finding: it says which documents are of the kind that models were seen to repeat word for word.
Texts that come ten times are generated about a thousand times as often as those that come once (Kandpal, Wallace,
Raffel, Deduplicating Training Data Mitigates Privacy Risks, 2022), and models trained on deduplicated text repeat their
training text about a tenth as often (Lee et al., Deduplicating Training Data Makes Language Models Better, 2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from verilabel.audit.interface import Values

COPIES = (2, 10, 100, 1_000)
REPETITIVE = 500
"""Thousandths of the sequences of ten words that repeat an earlier one in the same document."""
WORDS = (
    "Indicators only: documents of the kind that models were seen to repeat word for word. Whether a model has "
    "memorised them can be shown with that model alone."
)
_EXACT = "duplicates_exact_size"
_NEAR = "duplicates_near_size"
_REPEATED = "quality_repeated_ngrams"


class Repeated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Documents that are in the corpus at least so often."""

    copies: int
    exact: int
    """Documents with this many equal texts or more, themselves counted."""
    near: int
    """Documents in clusters of this many near duplicates or more."""


class Memorisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Indicators over a corpus."""

    documents: int
    repeated: tuple[Repeated, ...]
    repetitive: int
    """Documents of which more than half repeats itself."""
    words: str = WORDS


def count_indicators(shards: Iterable[Mapping[str, Values]]) -> Memorisation:
    """Count the indicators over the columns of all shards, of the checks `duplicates` and `language`.

    A shard has the columns `duplicates_exact_size`, `duplicates_near_size` and `quality_repeated_ngrams`, one value a
    document.
    """
    documents = repetitive = 0
    exact, near = dict.fromkeys(COPIES, 0), dict.fromkeys(COPIES, 0)
    for columns in shards:
        documents += len(columns[_EXACT])
        repetitive += int(np.count_nonzero(columns[_REPEATED] > REPETITIVE))
        for copies in COPIES:
            exact[copies] += int(np.count_nonzero(columns[_EXACT] >= copies))
            near[copies] += int(np.count_nonzero(columns[_NEAR] >= copies))
    repeated = tuple(Repeated(copies, exact[copies], near[copies]) for copies in COPIES)
    return Memorisation(documents, repeated, repetitive)
