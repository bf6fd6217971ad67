"""Answers for the verbs of `verilabel detectors`: the options that read them, and asking a detector about them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.detectors.interface import AskingDetector, Detector, Finding
    from verilabel.detectors.measure import Answer


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Options that say where prompts are, and which tags every sample has."""
    parser.add_argument(
        "--prompt-column", metavar="NAME", help="column of the prompts (some detectors read them)"
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a tag of every sample, such as label=unsafe",
    )


def find_all(detector: Detector | AskingDetector, answers: Sequence[Answer]) -> list[Finding]:
    """The detector's finding on each answer; one that asks a model asks it for real."""
    from verilabel.detectors.interface import asks_a_model, decides_alone

    if asks_a_model(detector):
        return _ask_all(detector, answers)
    assert decides_alone(detector)
    return [detector.detect(*answer) for answer in answers]


def _ask_all(detector: AskingDetector, answers: Sequence[Answer]) -> list[Finding]:
    import asyncio

    from verilabel.detectors.measure import SUITE, ask_about_all
    from verilabel.models.address import open_model
    from verilabel.models.interface import Exchange, ModelRequest
    from verilabel.records.sample import Message

    async def judge_all() -> list[Finding]:
        async with open_model(detector.model, base_url=detector.base_url) as model:

            async def ask(messages: tuple[Message, ...]) -> Exchange:
                return await model.ask(ModelRequest(SUITE, "labelled", 1, messages, detector.params))

            return await ask_about_all(detector, answers, ask)

    return asyncio.run(judge_all())


def refuse_overwriting(path: Path | None, *, force: bool) -> None:
    """Refuse an output file that exists, unless `force`. Raises UsageError."""
    if path and path.exists() and not force:
        raise UsageError("the file exists", where=str(path), hint="--force overwrites it")


def split_labels(text: str) -> list[str]:
    """The labels of a comma-separated list."""
    return [label.strip() for label in text.split(",") if label.strip()]


def read_tags(pairs: list[str]) -> dict[str, str]:
    """Tags from KEY=VALUE pairs. Raises UsageError for what is not one."""
    tags: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{pair!r} is not KEY=VALUE", where="--tag")
        tags[key] = value
    return tags
