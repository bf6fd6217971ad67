"""The page of an audit: one HTML file that needs nothing else, no script, no font, no request."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from verilabel.evidence.atomic import write_file
from verilabel.report.audit.card import draw_audit_card
from verilabel.report.audit.corpus import (
    show_contamination,
    show_duplicates,
    show_languages,
    show_licences,
    show_origin,
)
from verilabel.report.audit.findings import show_canaries, show_examples, show_findings, show_sources
from verilabel.report.audit.method import show_limits, show_proof, show_sample
from verilabel.report.audit.view import AuditReport
from verilabel.report.markup import Markup, element, escape, join

SECTIONS = (
    ("findings", "What was found", show_findings),
    ("sources", "Where it was found", show_sources),
    ("examples", "Examples", show_examples),
    ("contamination", "Benchmarks in the data", show_contamination),
    ("duplicates", "Duplicates", show_duplicates),
    ("licences", "Licences", show_licences),
    ("languages", "Languages", show_languages),
    ("origin", "Years and domains", show_origin),
    ("sample", "What was asked of a sample", show_sample),
    ("canaries", "Planted values", show_canaries),
    ("limits", "What this audit does not find", show_limits),
    ("proof", "Proofs", show_proof),
)
"""Anchor, heading and what fills it; a section that has nothing to show is left out."""


def render_audit_page(report: AuditReport) -> str:
    """The page's HTML. Whatever comes from outside is text in it, never markup, link or style."""
    shown = [(anchor, heading, fill(report)) for anchor, heading, fill in SECTIONS]
    filled = [(anchor, heading, content) for anchor, heading, content in shown if content]
    links = (element("li", element("a", heading, href=f"#{anchor}")) for anchor, heading, _ in filled)
    sections = (
        element("section", element("h2", heading, id=f"{anchor}-heading"), content, id=anchor,
                aria_labelledby=f"{anchor}-heading")
        for anchor, heading, content in filled
    )  # fmt: skip
    navigation = element("nav", element("ul", *links), aria_label="Sections")
    return fill_template(
        title=f"{report.name}: training-data audit",
        kind="training-data audit",
        state="holds" if report.standing.holds else "claimed",
        anchor="audit",
        skip="To the audit",
        body=join((draw_audit_card(report), navigation, *sections), "\n"),
        footer=element(
            "p",
            f"This page renders {report.name} as it was read at {report.read_at:%Y-%m-%dT%H:%M:%SZ}. The page itself "
            "is not signed: the folder is the evidence, and anyone can derive its counts and bounds again.",
        ),
    )


def fill_template(
    *, title: str, kind: str, state: str, anchor: str, skip: str, body: Markup, footer: Markup
) -> str:
    """A whole page in the look of the label's, with the rules of this package behind the shared ones."""
    shared = (files("verilabel.report") / "data" / "page.css").read_text(encoding="utf-8")
    data = files("verilabel.report.audit") / "data"
    template = Template((data / "audit.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title),
        kind=escape(kind),
        state=escape(state),
        anchor=escape(anchor),
        skip=escape(skip),
        style=shared + (data / "audit.css").read_text(encoding="utf-8"),
        body=body,
        footer=footer,
    )


def write_audit_page(path_out: Path, report: AuditReport, *, overwrite: bool = False) -> None:
    """Write the page; it appears whole or not at all.

    Raises UsageError where the file is already there and `overwrite` is false, OSError where the disk refuses.
    """
    write_file(path_out, render_audit_page(report).encode("utf-8"), overwrite=overwrite)
