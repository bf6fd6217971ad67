"""The report: one HTML file that needs nothing else, no script, no font, no request, and works without a network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from verilabel.evidence.atomic import write_file
from verilabel.report.beside import show_baselines
from verilabel.report.card import draw_card
from verilabel.report.markup import Markup, element, escape, join
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
    shown = [(anchor, heading, fill(view)) for anchor, heading, fill in SECTIONS]
    shown = [(anchor, heading, content) for anchor, heading, content in shown if content]
    links = (element("li", element("a", heading, href=f"#{anchor}")) for anchor, heading, _ in shown)
    sections = (
        element("section", element("h2", heading, id=f"{anchor}-heading"), content, id=anchor,
                aria_labelledby=f"{anchor}-heading")
        for anchor, heading, content in shown
    )  # fmt: skip
    navigation = element("nav", element("ul", *links), aria_label="Sections")
    data = files("verilabel.report") / "data"
    template = Template((data / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(
            f"{view.system.name}: {view.pair[0].word} {view.pair[0].id}, {view.pair[1].word} {view.pair[1].id}"
        ),
        style=(data / "page.css").read_text(encoding="utf-8"),
        state="holds" if view.genuine else "claimed",
        body=join((draw_card(view), navigation, *sections), "\n"),
        footer=_say_origin(view),
    )


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
