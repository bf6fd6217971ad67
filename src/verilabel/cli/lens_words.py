"""How a lens is put in words, in the terminal and on its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from verilabel.cli.console import plain

if TYPE_CHECKING:
    from verilabel.comparison.disagreement import Disagreement, Side
    from verilabel.comparison.lens import Reading
    from verilabel.evidence.verification import Verification


class Seen(NamedTuple):
    """One bundle with its verification, its readings and where they disagree."""

    path: Path
    found: Verification
    readings: tuple[Reading, ...]
    disagreements: tuple[Disagreement, ...]


def shorten_name(name: str) -> str:
    """A rubric's name without our own prefix; the version stays, for two may stand side by side."""
    return plain(name.removeprefix("verilabel/"))


def name_reading(reading: Reading) -> str:
    """The rubric with an asterisk where it is our reading of a framework."""
    mark = "*" if reading.is_interpretation else ""
    return plain(f"{reading.rubric.name}{mark}{' (own)' if reading.own else ''}")


def say_halves(reading: Reading) -> tuple[str, str]:
    """Both halves of the pair in words; never one without the other."""
    label = reading.label
    if label is None:
        return "not decided", "not decided"
    low, high = ("granted", "not excluded") if label.kind == "assurance" else ("established", "not ruled out")
    first = f"{label.lower} {label.lower_name} {low}" if reading.assessed else "(nothing was assessed)"
    return plain(first), plain(f"{label.upper} {label.upper_name} {high}")


def say_side(side: Side) -> str:
    """One rubric's row with its outcome, or how much of its scale it shows."""
    if side.row is None:
        return f"{shorten_name(side.rubric)} shows {side.standing} of its scale"
    status = (side.status or "").replace("_", " ")
    return f"{shorten_name(side.rubric)} {side.level} {side.row}: {status}"
