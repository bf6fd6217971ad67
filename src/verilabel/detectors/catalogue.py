"""Detectors by name: what a reference such as `refusal` or `judge:openai/gpt-4o` opens."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import lru_cache
from os import PathLike

from verilabel.detectors.choice import ChoiceDetector
from verilabel.detectors.episode import EpisodeDetector
from verilabel.detectors.exact import ExactDetector
from verilabel.detectors.harmful import HarmfulDetector
from verilabel.detectors.inspect_score import InspectScoreDetector
from verilabel.detectors.interface import AskingDetector, Detector
from verilabel.detectors.jailbreak import JailbreakDetector
from verilabel.detectors.judge import judge_rules, open_judge
from verilabel.detectors.measured_card import attach_errors, read_card
from verilabel.detectors.number import NumberDetector
from verilabel.detectors.pattern import PatternDetector
from verilabel.detectors.refusal import RefusalDetector
from verilabel.detectors.toxicity import ToxicityDetector
from verilabel.errors import UsageError, VerilabelError
from verilabel.records.score import DetectorCard

BUNDLED: dict[str, Callable[[], Detector]] = {
    "refusal": RefusalDetector,
    "harmful": HarmfulDetector,
    "jailbreak": JailbreakDetector,
    "toxicity/linear": ToxicityDetector,
    "choice": ChoiceDetector,
    "exact": ExactDetector,
    "number": NumberDetector,
}
MAX_REFERENCE_CHARACTERS = 10_000
WITH_SETTING: dict[str, Callable[[str], Detector]] = {
    "regex": PatternDetector,
    "number": NumberDetector,
    "episode": EpisodeDetector,
    "inspect": InspectScoreDetector,
}


_OF_THIS_MACHINE = ("command:", "replay:", "hf/")
"""How addresses of models begin that start a program, read a file or load weights (`models.address`)."""


def open_detector(reference: str, *, card: str | PathLike[str] | None = None) -> Detector | AskingDetector:
    """Open the detector that a reference names.

    `refusal`, `harmful`, `jailbreak`, `toxicity/linear`, `choice`, `exact`, `number`, `number:TOLERANCE`,
    `regex:PATTERN`, `episode:EVENT`, `inspect:SCORER`, `judge:MODEL`, `document-judge:MODEL`, or a guard model such as
    `llama-guard:NAME@BASE_URL`. `card` is a file that `detectors measure --out` wrote: its counts become the
    detector's measured errors. Raises UsageError for an unknown name, MalformedInput for a pattern or card that is not
    one, and UsageError for another's card.
    """
    detector = _open(reference)
    if card is not None:
        attach_errors(detector, read_card(card), where=str(card))
    return detector


def refuse_chosen_judges(reference: str, *, where: str) -> None:
    """Refuse a reference out of a file whose judge is a program, a file or weights here, or a server by its URL.

    Only a person may choose what is started, and who is sent the answers and the judge's key: a rubric, a suite or a
    bundle may come from anybody. Raises UsageError.
    """
    kind, _, model = reference.partition(":")
    if kind not in judge_rules():
        return
    if model.strip().startswith(_OF_THIS_MACHINE) or "@http" in model:
        raise UsageError(
            f"the detector {reference[:80]!r} would run a program here, or ask a server, that a file chose",
            where=where,
            hint="where that is what you want, name it yourself: --detector EVENT=NAME",
        )


def _open(reference: str) -> Detector | AskingDetector:
    if reference in BUNDLED:
        return BUNDLED[reference]()
    name, colon, setting = reference.partition(":")
    if colon and name in WITH_SETTING:
        return WITH_SETTING[name](setting)
    if colon and name in judge_rules():
        return open_judge(reference)
    raise UsageError(f"no detector {reference[:80]!r}", hint=_hint(name, colon))


def _hint(name: str, colon: str) -> str:
    if not colon and (name in judge_rules() or name in WITH_SETTING):
        needed = {"regex": "pattern", "episode": "event", "inspect": "scorer"}.get(name, "model")
        return f"{name} needs {'an' if needed == 'event' else 'a'} {needed}: {name}:..."
    near = difflib.get_close_matches(name, [*BUNDLED, *WITH_SETTING, *judge_rules()], n=1)
    names = [
        *BUNDLED,
        "number:TOLERANCE",
        "regex:PATTERN",
        "episode:EVENT",
        "inspect:SCORER",
        *(f"{kind}:MODEL" for kind in judge_rules()),
    ]
    return f"did you mean {near[0]!r}?" if near else ", ".join(names)


@lru_cache(maxsize=64)
def find_card(reference: str) -> DetectorCard | None:
    """The card, with the errors that ship with it, of the detector that a reference opens; None where none does.

    For references from a bundle: nothing is connected to, and a reference of any form is answered.
    """
    if len(reference) > MAX_REFERENCE_CHARACTERS:
        return None
    try:
        return _open(reference).card
    except VerilabelError:
        return None


def bundled_detectors() -> list[Detector]:
    """Every detector that needs no model and no setting, freshly opened."""
    return [make() for make in BUNDLED.values()]
