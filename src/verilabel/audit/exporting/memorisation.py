"""Indicators of texts that a model may have memorised: how often they are in the corpus, and how much repeats in them.

An indicator, and no finding: it says which documents are of the kind that models were seen to repeat word for word.
Texts that come ten times are generated about a thousand times as often as those that come once (Kandpal, Wallace,
Raffel, Deduplicating Training Data Mitigates Privacy Risks, 2022), and models trained on deduplicated text repeat their
training text about a tenth as often (Lee et al., Deduplicating Training Data Makes Language Models Better, 2022).
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np

from verilabel.audit.proof.records import Records

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
    near: int | None
    """Documents in clusters of this many near duplicates or more; None where these were not looked for."""


class Memorisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Indicators over a corpus."""

    documents: int
    repeated: tuple[Repeated, ...]
    repetitive: int | None
    """Documents of which more than half repeats itself; None where their quality was not measured."""
    words: str = WORDS


class IndicatorCounter:
    """Counts the indicators over the records of all shards, chunk by chunk."""

    def __init__(self, columns: Collection[str]) -> None:
        """A counter over records with these columns; the check for duplicates has the one that it cannot do without."""
        self._sizes = {name: dict.fromkeys(COPIES, 0) for name in (_EXACT, _NEAR) if name in columns}
        self._repetitive = 0 if _REPEATED in columns else None
        self._documents = 0

    def add(self, records: Records) -> None:
        """The next records."""
        self._documents += len(records)
        for name, counts in self._sizes.items():
            for copies in COPIES:
                counts[copies] += int(np.count_nonzero(records[name] >= copies))
        if self._repetitive is not None:
            self._repetitive += int(np.count_nonzero(records[_REPEATED] > REPETITIVE))

    def counted(self) -> Memorisation | None:
        """What was counted; None where duplicates were not looked for."""
        exact, near = self._sizes.get(_EXACT), self._sizes.get(_NEAR)
        if exact is None:
            return None
        repeated = tuple(Repeated(copies, exact[copies], near[copies] if near else None) for copies in COPIES)
        return Memorisation(self._documents, repeated, self._repetitive)
