"""The `exact` detector: is the whole answer one of the gold answers, but for case, spacing and outer punctuation?"""

from __future__ import annotations

import unicodedata

from verilabel.detectors.interface import Finding, leave_unscored, score
from verilabel.detectors.words import leave_out_thinking
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.records.score import DetectorCard

RULES = (
    "exact/1: leading <think> block off, NFKC, casefold, outer punctuation and spaces off, "
    "inner runs of spaces to one, equality"
)
_LONGEST = 10_000
_OUTER = " \t\r\n.,;:!?\"'`*_()[]{}<>«»“”‘’"


class ExactDetector:
    """Event `correct`: the answer equals a target after normalising both.

    An answer longer than 10,000 characters is wrong without a look; an empty one and a sample without targets
    are unscored.
    """

    card = DetectorCard(
        id="exact", version="1.0.0", event="correct", sha256=digest(RULES.encode()), exact=True
    )

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Compare the whole answer with the targets."""
        if not sample.target:
            return leave_unscored(self.card, suite, sample, epoch, "the sample has no target")
        output = leave_out_thinking(output)
        answer = normalise(output[: _LONGEST + 1])
        if not answer:
            return leave_unscored(self.card, suite, sample, epoch, "empty answer")
        correct = len(output) <= _LONGEST and any(answer == normalise(target) for target in sample.target)
        return score(
            self.card,
            suite,
            sample,
            epoch,
            value=correct,
            detail="equals a target" if correct else "equals no target",
        )


def normalise(text: str) -> str:
    """A text in the form in which answers are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().strip(_OUTER).split())
