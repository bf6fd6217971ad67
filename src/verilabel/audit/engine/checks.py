"""The checks by name: opened in the driver once to learn their cards, and in every worker to be used."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from verilabel.audit.interface import Check, CheckCard, Opening
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


def cards_of(checks: Sequence[Check]) -> tuple[CheckCard, ...]:
    """What they are."""
    return tuple(check.card for check in checks)
