"""The page of an audit: one HTML file that needs nothing else, no script, no font, no request."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

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
from verilabel.report.frame import Frame, draw_sections
from verilabel.report.markup import element, join

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
    read_at = f"{report.read_at:%Y-%m-%dT%H:%M:%SZ}"
    return audit_frame(
        title=f"{report.name}: training-data audit",
        kind="training-data audit",
        genuine=report.standing.holds,
        skip="To the audit",
        footer=f"This page renders {report.name} as it was read at {read_at}. The page itself is not signed: the "
        "folder is the evidence, and anyone can derive its counts and bounds again.",
    ).fill(join((draw_audit_card(report), draw_sections(SECTIONS, report)), "\n"))


def audit_frame(*, title: str, kind: str, genuine: bool, skip: str, footer: str) -> Frame:
    """The frame of pages about audits, with the rules of this package behind the shared ones."""
    style = (files("verilabel.report.audit") / "data" / "audit.css").read_text(encoding="utf-8")
    return Frame(title, kind, genuine, "audit", skip, element("p", footer), style)


def write_audit_page(path_out: Path, report: AuditReport, *, overwrite: bool = False) -> None:
    """Write the page; it appears whole or not at all.

    Raises UsageError where the file is already there and `overwrite` is false, OSError where the disk refuses.
    """
    write_file(path_out, render_audit_page(report).encode("utf-8"), overwrite=overwrite)
