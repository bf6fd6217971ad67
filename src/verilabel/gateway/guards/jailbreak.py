"""The guard `jailbreak`: the product's detector of attempts to talk a model out of its instructions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec

from verilabel.detectors.jailbreak import JailbreakDetector, Suspicion
from verilabel.gateway.guards.interface import Judgement
from verilabel.gateway.guards.quick import Place, QuickGuard
from verilabel.gateway.guards.settings import version_of


class JailbreakSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`threshold` is the score from which a text is found; 0.5 is where 1 % of ordinary texts were flagged."""

    threshold: float = 0.5


@cache
def _detector() -> JailbreakDetector:
    return JailbreakDetector()


class JailbreakGuard(QuickGuard):
    """Rule `jailbreak`. The score is the classifier's, no probability; see `verilabel detectors show jailbreak`."""

    def __init__(self, settings: JailbreakSettings) -> None:
        self._detector = _detector()
        self._threshold = settings.threshold
        super().__init__(version_of("jailbreak", "1", settings, self._detector.card.sha256))

    def steps(self, text: str, _: Place, /) -> Iterator[Judgement]:
        """One piece of 8,192 characters a step; the judgement is of the worst piece so far."""
        worst = 0.0
        for margin in self._detector.read_in_pieces(text):
            worst = max(worst, Suspicion(margin).score)
            found = worst > self._threshold
            yield Judgement(found=found, rule="jailbreak" if found else "", score=worst)
