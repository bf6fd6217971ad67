"""Detectors and judges as a sample asks them: a passage in, the kinds that are true of it out, or why nobody knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from verilabel.audit.settings import SamplingSettings
from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import (
    Ask,
    AskingDetector,
    Detector,
    Finding,
    Reply,
    asks_a_model,
    decides_alone,
)
from verilabel.errors import UsageError
from verilabel.records.sample import Message, Sample
from verilabel.records.score import DetectorCard, Scored

SUITE = "audit-sample"
DOCUMENT_JUDGE = "document-judge"
ANY_HAZARD = "hazard.any"
OF_TEXT_ALONE = ("toxicity/linear", "jailbreak", "regex")
"""Detectors that read a text by itself; the others judge an answer by its question."""
OF_ANSWERS = ("judge", "gpt-oss-safeguard")
"""Judges whose questions are about an answer to a request."""
NO_REQUEST = "Show me one document of your collection."
"""Guard models judge a turn of a conversation: the document stands as the answer to this."""
MAX_VERDICTS = 50


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a measurer says of a passage: the kinds that are true of it, or a reason why it says nothing."""

    kinds: tuple[str, ...] = ()
    reason: str = ""
    """Empty where it says something."""


@cache
def hazards() -> dict[str, str]:
    """The hazards that a document is judged by: AILuminate's abbreviations and what they stand for."""
    content = resources.files("verilabel.audit.sampling").joinpath("data", "hazards.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, str])


@dataclass(frozen=True)
class Measurer:
    """A detector or judge, and the kinds that it can say something of."""

    reference: str
    detector: Detector | AskingDetector
    kinds: tuple[str, ...]

    @property
    def card(self) -> DetectorCard:
        """The detector's card, with what is known of its errors."""
        return self.detector.card

    @property
    def model(self) -> str:
        """The address of the model that it asks; empty where it decides alone."""
        return self.detector.model if asks_a_model(self.detector) else ""

    def measure(self, text: str) -> Said:
        """What a detector that decides alone says of a passage."""
        if not decides_alone(self.detector):
            raise UsageError("a judge must be asked", where=self.reference)
        return self._read(self.detector.detect(SUITE, _sample(""), 1, text), "")

    async def measure_by_asking(self, text: str, ask: Ask) -> Said:
        """What a judge says of a passage; it is asked once."""
        if not asks_a_model(self.detector):
            return self.measure(text)
        heard: list[str] = []

        async def listen(messages: tuple[Message, ...]) -> Reply:
            reply = await ask(messages)
            heard.append(reply.output or "")
            return reply

        finding = await self.detector.detect_by_asking(SUITE, _sample(NO_REQUEST), 1, text, listen)
        return self._read(finding, "".join(heard))

    def _read(self, finding: Finding, reply: str) -> Said:
        if not isinstance(finding, Scored):
            return Said(reason=_reason(finding.reason))
        if len(self.kinds) == 1:
            return Said(self.kinds if finding.value else ())
        named = read_hazards(reply)
        if named is None or bool(named) != finding.value:
            return Said(reason="the judge's reply has no readable verdict")
        return Said((ANY_HAZARD, *(f"hazard.{name}" for name in named)) if named else ())


def _sample(prompt: str) -> Sample:
    return Sample("passage", (Message("user", prompt),))


def _reason(reason: str) -> str:
    """A reason without numbers of the text's length: the same reasons are counted together."""
    return "an empty document" if reason == "empty answer" else reason


def read_hazards(reply: str) -> tuple[str, ...] | None:
    """The hazards that a reply of the document judge names, in the order of the list.

    None where it names none in the form it was asked for, names what is no hazard, or says two things.
    """
    decoder = json.JSONDecoder()
    said: set[tuple[str, ...]] = set()
    position, tries = reply.find("{"), 0
    while position >= 0 and tries < MAX_VERDICTS:
        tries += 1
        try:
            value, end = decoder.raw_decode(reply, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            if isinstance(value, dict) and "hazards" in value:
                named = _known(value["hazards"])
                if named is None:
                    return None
                said.add(named)
        position = reply.find("{", end)
    return said.pop() if len(said) == 1 else None


def _known(named: Any) -> tuple[str, ...] | None:
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        return None
    wanted = {name.strip().casefold() for name in named}
    return tuple(name for name in hazards() if name in wanted) if wanted <= hazards().keys() else None


def open_measurers(settings: SamplingSettings) -> list[Measurer]:
    """The detectors and judges of a sample, in the order they are named.

    Raises UsageError for a name that nothing has, one that stands twice, a detector or judge that judges answers and
    not texts, a judge among the detectors or the other way round.
    """
    named = [*settings.detectors, *settings.judges]
    if len(set(named)) != len(named):
        raise UsageError("a detector is named twice for the sample", where=", ".join(named)[:200])
    return [
        *(_open_alone(reference) for reference in settings.detectors),
        *(_open_judge(reference) for reference in settings.judges),
    ]


def _open_alone(reference: str) -> Measurer:
    detector = open_detector(reference)
    if asks_a_model(detector):
        raise UsageError(
            "this is a judge, and asks a model", where=reference, hint="name it among the judges"
        )
    if reference.partition(":")[0] not in OF_TEXT_ALONE:
        raise UsageError(
            "this detector judges answers to questions, and documents answer none",
            where=reference,
            hint=", ".join(OF_TEXT_ALONE),
        )
    return Measurer(reference, detector, (f"sampled.{detector.card.event}",))


def _open_judge(reference: str) -> Measurer:
    kind = reference.partition(":")[0]
    if kind in OF_ANSWERS:
        raise UsageError(
            "this judge judges answers to requests",
            where=reference,
            hint=f"for documents: {DOCUMENT_JUDGE}:{reference.partition(':')[2] or 'MODEL'}",
        )
    judge = open_detector(reference)
    if not asks_a_model(judge):
        raise UsageError("this detector asks no model", where=reference, hint="name it among the detectors")
    kinds: Sequence[str] = (ANY_HAZARD,)
    if kind == DOCUMENT_JUDGE:
        kinds = (ANY_HAZARD, *(f"hazard.{name}" for name in hazards()))
    return Measurer(reference, judge, tuple(kinds))
