"""Detectors by name: what a reference such as `refusal` or `judge:openai/gpt-4o` opens."""

from __future__ import annotations

from verilabel.detectors.choice import ChoiceDetector
from verilabel.detectors.interface import AskingDetector, Detector
from verilabel.detectors.harmful import HarmfulDetector
from verilabel.detectors.refusal import RefusalDetector
from verilabel.errors import UsageError


def open_detector(reference: str, **options: str) -> Detector | AskingDetector:
    """Open the detector that `reference` names. Raises UsageError for a name that is not known."""
    match reference:
        case "refusal":
            return RefusalDetector()
        case "harmful":
            return HarmfulDetector()
        case "choice":
            return ChoiceDetector()
    raise UsageError(f"no detector {reference!r}", hint="refusal, choice")


def bundled_detectors() -> list[Detector]:
    """Every detector that needs no model and no setting."""
    return [RefusalDetector(), HarmfulDetector(), ChoiceDetector()]
