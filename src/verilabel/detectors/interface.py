"""What a detector is: one answer in, one finding out, by a rule with a version and a measured error rate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeGuard

from verilabel.records.attempt import Failure
from verilabel.records.sample import Message, Sample
from verilabel.records.score import DetectorCard, Scored, Unscored
from verilabel.records.system import Scalar

Finding = Scored | Unscored
"""A detector's verdict on one answer."""


class Reply(Protocol):
    """What an asking detector reads of an exchange with its judge model (`models` gives more)."""

    @property
    def output(self) -> str | None: ...
    @property
    def failure(self) -> Failure | None: ...


Ask = Callable[[tuple[Message, ...]], Awaitable[Reply]]
"""Asks the judge model once; whoever passes it in keeps the evidence of the exchange."""


class Detector(Protocol):
    """Decides by itself: pure, no I/O, never raises on any text."""

    card: DetectorCard

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Say whether the card's event is true of `output`, the answer to `sample`."""
        ...


class AskingDetector(Protocol):
    """Decides by asking a model. It opens no connection: `model` and `base_url` tell the caller what to open.

    `params` are the sampling settings of the judge's requests, part of the card's digest.
    """

    card: DetectorCard

    model: str
    base_url: str | None

    @property
    def params(self) -> dict[str, Scalar]: ...

    async def detect_by_asking(
        self, suite: str, sample: Sample, epoch: int, output: str, ask: Ask
    ) -> Finding:
        """Say whether the card's event is true of `output`, asking the judge at most once."""
        ...


def asks_a_model(detector: Detector | AskingDetector) -> TypeGuard[AskingDetector]:
    """True if the detector needs a judge model (use `detect_by_asking`), False if it decides by itself."""
    return hasattr(detector, "detect_by_asking")


def decides_alone(detector: Detector | AskingDetector) -> TypeGuard[Detector]:
    """True if the detector decides by itself: the complement of `asks_a_model`, for the type checker."""
    return not asks_a_model(detector)


def score(card: DetectorCard, suite: str, sample: Sample, epoch: int, *, value: bool, detail: str) -> Scored:
    """The finding that the card's event is `value`, with the reason in a few words."""
    return Scored(suite, sample.id, epoch, card.name, card.event, value, detail)


def leave_unscored(card: DetectorCard, suite: str, sample: Sample, epoch: int, reason: str) -> Unscored:
    """The finding that the detector could not tell, and why."""
    return Unscored(suite, sample.id, epoch, card.name, card.event, reason)
