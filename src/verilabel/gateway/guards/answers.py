"""The guards `harmful` and `refusal`: the judges that score labels, looking at live traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from verilabel.detectors.harmful import HarmfulDetector, read_request
from verilabel.detectors.interface import Detector, Finding
from verilabel.detectors.linear import load_model
from verilabel.detectors.refusal import RefusalDetector
from verilabel.gateway.guards.interface import Conversation, Judgement
from verilabel.gateway.guards.quick import NOTHING, Place, QuickGuard
from verilabel.gateway.guards.settings import version_of
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored

READ_CHARACTERS = 4_000
"""Characters that the detectors read of a text; the same for a window of a longer one."""
STEP_CHARACTERS = 3_500


class HarmfulSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`request`: of a harmful request, look whether the answer `carried_out` what it asks, or take the request to be
    harmful whatever it says (`assume`), where a gateway stands before nothing else."""

    request: Literal["read", "assume"] = "read"


class RefusalSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """There is nothing to set."""


def pieces_of(text: str) -> Iterator[str]:
    """A text in overlapping pieces of what the detectors read at once."""
    for start in range(0, max(1, len(text) - (READ_CHARACTERS - STEP_CHARACTERS)), STEP_CHARACTERS):
        yield text[start : start + READ_CHARACTERS]


class HarmfulGuard(QuickGuard):
    """Rules `request` (a harmful request, on the way in) and `answer` (an answer that carries one out).

    The detector's error rates hold for the beginning of an answer to the last user message; further pieces of a long
    answer, and windows of a stream, are read in the same way, and were not measured.
    """

    def __init__(self, settings: HarmfulSettings) -> None:
        self._detector = HarmfulDetector()
        self._requests = load_model("requests")
        self._tags = {"label": "harmful"} if settings.request == "assume" else {}
        super().__init__(version_of("harmful", "1", settings, self._detector.card.sha256))

    def steps(self, text: str, place: Place, /) -> Iterator[Judgement]:
        """One piece of 4,000 characters a step."""
        if place.direction == "input":
            for piece in pieces_of(text):
                found = self._requests.margin(read_request(piece)) > 0
                yield Judgement(found=found, rule="request" if found else "")
            return
        sample = Sample(id="live", messages=(Message("user", last_user_text(place.about)),), tags=self._tags)
        for piece in pieces_of(text):
            yield _judge(self._detector, sample, piece, "answer")


class RefusalGuard(QuickGuard):
    """Rule `refusal`: the model declines. For answers; what follows is up to the policy (usually `flag`)."""

    def __init__(self, settings: RefusalSettings) -> None:
        self._detector = RefusalDetector()
        super().__init__(version_of("refusal", "1", settings, self._detector.card.sha256))

    def steps(self, text: str, place: Place, /) -> Iterator[Judgement]:
        """One step: a refusal declares itself in the first words."""
        sample = Sample(id="live", messages=(Message("user", last_user_text(place.about)),))
        yield _judge(self._detector, sample, text[:READ_CHARACTERS], "refusal")


def last_user_text(about: Conversation, limit: int = READ_CHARACTERS) -> str:
    """What was asked last, as far as it is read."""
    asked = next((text for role, text in reversed(about.messages) if role == "user"), "")
    return asked[:limit]


def _judge(detector: Detector, sample: Sample, text: str, rule: str) -> Judgement:
    finding: Finding = detector.detect("live", sample, 1, text)
    found = isinstance(finding, Scored) and finding.value
    return Judgement(found=True, rule=rule) if found else NOTHING
