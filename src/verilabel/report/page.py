"""The report: one HTML file that needs nothing else, no script, no font, no request, and works without a network."""

from __future__ import annotations

from pathlib import Path

from verilabel.evidence.atomic import write_file
from verilabel.report.beside import show_baselines
from verilabel.report.card import draw_card
from verilabel.report.frame import Frame, draw_sections
from verilabel.report.markup import Markup, element, join
from verilabel.report.others import show_statements
from verilabel.report.provenance import show_provenance, show_verification
from verilabel.report.sections import (
    show_curves,
    show_detectors,
    show_gaps,
    show_groups,
    show_rows,
    show_samples,
)
from verilabel.report.training_data import show_training_data
from verilabel.report.view import ReportView

SECTIONS = (
    ("statements", "What others signed", show_statements),
    ("training-data", "Training data", show_training_data),
    ("rows", "What was decided", show_rows),
    ("baselines", "Beside scripted agents", show_baselines),
    ("gaps", "What this label does not say", show_gaps),
    ("curves", "How it was decided", show_curves),
    ("groups", "By hazard", show_groups),
    ("detectors", "Who judged the answers", show_detectors),
    ("samples", "Answers to look at", show_samples),
    ("provenance", "Where it comes from", show_provenance),
    ("verify", "How to verify this yourself", show_verification),
)
"""Anchor, heading and what fills it; a section that has nothing to show is left out."""


def render_page(view: ReportView) -> str:
    """The page's HTML. Whatever comes from outside is text in it, never markup, link or style."""
    title = (
        f"{view.system.name}: {view.pair[0].word} {view.pair[0].id}, {view.pair[1].word} {view.pair[1].id}"
    )
    frame = Frame(title, "safety label report", view.genuine, "label", "To the label", _say_origin(view))
    return frame.fill(join((draw_card(view), draw_sections(SECTIONS, view)), "\n"))


def _say_origin(view: ReportView) -> Markup:
    return element(
        "p",
        f"This page renders {view.bundle} as it was read at {view.read_at}. The page itself is not signed: the bundle "
        "is the evidence, and anyone can derive the label from it again.",
    )


def write_report(path_out: Path, view: ReportView, *, overwrite: bool = False) -> None:
    """Write the page; it appears whole or not at all.

    Raises UsageError where the file is already there and `overwrite` is false, OSError where the disk refuses.
    """
    write_file(path_out, render_page(view).encode("utf-8"), overwrite=overwrite)
