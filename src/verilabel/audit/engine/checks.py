"""The checks by name: opened in the driver once to learn their cards, and in every worker to be used."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from verilabel.audit.interface import Batch, Check, CheckCard, Opening
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.settings import AuditSettings, Name

_PACKAGES: dict[Name, str] = {
    "pii": "verilabel.audit.pii.opening",
    "licences": "verilabel.audit.licences.opening",
    "contamination": "verilabel.audit.contamination.opening",
    "duplicates": "verilabel.audit.duplicates.opening",
    "language": "verilabel.audit.language.opening",
    "toxicity": "verilabel.audit.toxicity.opening",
    "provenance": "verilabel.audit.provenance.opening",
}


def _opening(name: Name) -> Opening:
    opening: Opening = importlib.import_module(_PACKAGES[name]).OPENING
    return opening


def prepare_checks(settings: AuditSettings, folder: Path) -> None:
    """Build the indexes of all checks that were asked for, each in a folder of its own."""
    for name in settings.checks:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        _opening(name).prepare(settings, place)


def open_checks(settings: AuditSettings, folder: Path) -> list[Check]:
    """The checks that were asked for, in the order of `settings.checks`."""
    return [_opening(name).open(settings, folder / name) for name in settings.checks]


def warm_up(checks: Sequence[Check]) -> None:
    """Have every check look at a little text, so that what it compiles is compiled once, before the workers start."""
    text = b"A text of eight words, one of these: x@y.z. 0123456789\n" * 4
    data = np.frombuffer(text, np.uint8)
    batch = Batch(
        data, np.array([0, len(text)], np.int64), np.zeros(1, np.int64), {"url": ["https://example.org/"]}
    )
    words = cut_words(batch)
    for check in checks:
        check.examine(batch, words)


def cards_of(checks: Sequence[Check]) -> tuple[CheckCard, ...]:
    """What they are."""
    return tuple(check.card for check in checks)
