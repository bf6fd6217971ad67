"""What the verbs of `verilabel detectors` print of a measurement, and the card they write."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.detectors.interface import AskingDetector, Detector
    from verilabel.records.score import DetectorCard, ErrorCounts

CONFIDENCE = "0.95"


def counts_document(counts: ErrorCounts) -> dict[str, object]:
    """Counts with their rates and exact intervals, as JSON."""
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(counts)
    for name, events, n in _fractions(counts):
        low, high = _interval(events, n)
        rate = f"{events / n:.6f}" if n else None
        document[name] = {
            "rate": rate,
            "lower": f"{low:.6f}",
            "upper": f"{high:.6f}",
            "confidence": CONFIDENCE,
        }
    return document


def show_rates(counts: ErrorCounts) -> tuple[str, str]:
    """Sensitivity and specificity with exact intervals, in words."""
    sensitivity, specificity = (_rate(events, n) for _, events, n in _fractions(counts))
    return sensitivity, specificity


def _fractions(counts: ErrorCounts) -> tuple[tuple[str, int, int], tuple[str, int, int]]:
    return (
        ("sensitivity", counts.true_positives, counts.positives),
        ("specificity", counts.true_negatives, counts.negatives),
    )


def _rate(events: int, n: int) -> str:
    if n == 0:
        return "none labelled"
    low, high = _interval(events, n)
    return f"{events / n:.3f} [{low:.3f}, {high:.3f}] {events}/{n}"


def _interval(events: int, n: int) -> tuple[float, float]:
    from verilabel.statistics.exact import clopper_pearson

    return clopper_pearson(events, n) if n else (0.0, 1.0)


def print_cautions(counts: ErrorCounts, *, uncertified: bool, flattering: bool) -> None:
    """Print what to know before resting on the counts."""
    from verilabel.detectors.measure import MIN_POSITIVES

    if uncertified:
        print(f"judge_uncertified: {counts.positives} labelled positives, a label wants {MIN_POSITIVES}")
    if flattering:
        print("caution: the detector was trained on these answers, the counts flatter it")


def refuse_flattery(args: argparse.Namespace, detector: Detector | AskingDetector, sha256: str) -> bool:
    """True if these answers trained the detector. Raises UsageError where a card was to be written."""
    from verilabel.detectors.measure import trained_on

    flattering = trained_on(detector, sha256)
    if flattering and args.out:
        raise UsageError(
            "this file trained the detector: its counts would flatter it, so no card is written",
            where=str(args.human),
            hint="measure it on other answers; `detectors show` has its errors on answers held out",
        )
    return flattering


def write_measured_card(card: DetectorCard, counts: ErrorCounts, path: Path) -> None:
    """Write a detector's card with these counts as its errors."""
    import msgspec

    from verilabel.detectors.measured_card import write_card

    write_card(msgspec.structs.replace(card, errors=(counts,)), path)
