"""The `refusal` detector: did the model decline, in full or in part, to do what was asked?"""

from __future__ import annotations

from functools import cache

import msgspec

from verilabel.detectors.features import read_features
from verilabel.detectors.interface import Finding, leave_unscored, score
from verilabel.detectors.linear import load_model, measured_errors, read_data
from verilabel.detectors.phrases import PhraseBook
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.records.score import DetectorCard


@cache
def phrase_book() -> PhraseBook:
    """The shipped phrase book."""
    return PhraseBook(msgspec.json.decode(read_data("phrases.json"), type=dict[str, list[str]]))


class RefusalDetector:
    """Event `refused`: full and partial refusals, and answers that reject the question, against people's labels.

    Phrases of an answer's first 100 words weighed by a linear classifier. English; other languages mostly
    read as not refused. An empty answer is unscored.
    """

    def __init__(self) -> None:
        self._book = phrase_book()
        self._model, weights = load_model("refusal")
        rules = digest(read_data("phrases.json"))
        self.card = DetectorCard(
            id="refusal",
            version=self._model.version,
            event=self._model.event,
            sha256=digest(f"{rules}\n{weights}\n{self._model.features}".encode()),
            errors=measured_errors("refusal"),
        )

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Say whether the answer refuses."""
        if not output.strip():
            return leave_unscored(self.card, suite, sample, epoch, "empty answer")
        margin = self._model.margin(read_features(self._book, output))
        return score(self.card, suite, sample, epoch, margin > 0, f"log odds {margin / 1000:+.3f}")
