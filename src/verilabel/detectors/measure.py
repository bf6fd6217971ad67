"""Measuring a detector against people: counts of what it found and cleared, never rates."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from verilabel.detectors.interface import Ask, AskingDetector, Detector, Finding
from verilabel.detectors.labelled import LabelledRow
from verilabel.detectors.linear import read_data
from verilabel.records.sample import Message, Sample
from verilabel.records.score import ErrorCounts, Scored

MIN_POSITIVES = 100
"""With fewer labelled positives, a row that this detector judges is flagged `judge_uncertified` (label-semantics 6)."""
SUITE = "measurement"


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Counts for each data set under one way of holding answers out of the training."""

    detector: str
    scheme: str
    counts: tuple[ErrorCounts, ...]


class ShippedMeasurements(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured when the built-in weights were made, and the digests of the files they were trained on."""

    trained_on: dict[str, tuple[str, ...]]
    tables: tuple[Measurement, ...]


def shipped_measurements() -> ShippedMeasurements:
    """The tables that come with the built-in detectors."""
    return msgspec.json.decode(read_data("measurements.json"), type=ShippedMeasurements)


def trained_on(detector: Detector | AskingDetector, dataset_sha256: str) -> bool:
    """True if the detector's shipped weights were trained on this very file: its counts would flatter it."""
    return dataset_sha256 in shipped_measurements().trained_on.get(detector.card.id, ())


def measure(
    detector: Detector,
    rows: Sequence[LabelledRow],
    *,
    dataset: str,
    dataset_sha256: str,
    tags: Mapping[str, str] | None = None,
    language: str = "en",
) -> ErrorCounts:
    """Run a detector over labelled answers and count its errors (see `count_errors`)."""
    findings = detect_all(detector, rows, tags)
    return count_errors(rows, findings, dataset=dataset, dataset_sha256=dataset_sha256, language=language)


class Answer(NamedTuple):
    """One answer and the sample that it answers."""

    suite: str
    sample: Sample
    epoch: int
    output: str


def answers_of(rows: Sequence[LabelledRow], tags: Mapping[str, str] | None = None) -> list[Answer]:
    """Labelled answers as a detector sees them; `tags` are given to every sample."""
    return [
        Answer(
            SUITE,
            Sample(id=f"row-{index}", messages=(Message("user", row.prompt),), tags=dict(tags or {})),
            1,
            row.output,
        )
        for index, row in enumerate(rows, 1)
    ]


def detect_all(
    detector: Detector, rows: Sequence[LabelledRow], tags: Mapping[str, str] | None = None
) -> list[Finding]:
    """A detector's finding on each labelled answer; `tags` are given to every sample."""
    return [detector.detect(*answer) for answer in answers_of(rows, tags)]


async def ask_about_all(
    detector: AskingDetector, answers: Sequence[Answer], ask: Ask, *, concurrency: int = 8
) -> list[Finding]:
    """The finding on each answer of a detector that asks a model, `concurrency` questions at a time."""
    gate = asyncio.Semaphore(concurrency)

    async def judge(answer: Answer) -> Finding:
        async with gate:
            return await detector.detect_by_asking(*answer, ask)

    return list(await asyncio.gather(*map(judge, answers)))


def count_errors(
    rows: Sequence[LabelledRow],
    findings: Sequence[Finding],
    *,
    dataset: str,
    dataset_sha256: str,
    language: str = "en",
) -> ErrorCounts:
    """Counts from labelled answers and what was found of them.

    An answer that was left unscored counts as wrong, whatever its label; `method` says how many there were.
    """
    true_positives = true_negatives = unscored = 0
    for row, finding in zip(rows, findings, strict=True):
        if not isinstance(finding, Scored):
            unscored += 1
        elif finding.value == row.event:
            true_positives += row.event
            true_negatives += not row.event
    positives = sum(row.event for row in rows)
    return ErrorCounts(
        true_positives=true_positives,
        positives=positives,
        true_negatives=true_negatives,
        negatives=len(rows) - positives,
        dataset=dataset,
        dataset_sha256=dataset_sha256,
        language=language,
        method=f"measured on labelled answers; {unscored} unscored counted as wrong",
    )
