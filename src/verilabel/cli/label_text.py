"""How a label and a finished bundle are printed."""

from __future__ import annotations

from verilabel.cli.console import plain, print_json, print_table
from verilabel.evidence.sealing import Sealed
from verilabel.records.label import Label

SIDES = {"when": "", "rule_in": ": to establish", "rule_out": ": to rule out"}
"""What a level's rule decides, beside its name; assurance scales have one rule a level."""


def print_sealed(sealed: Sealed, *, as_json: bool) -> None:
    """Print a finished bundle's label, baselines where its suites have any, and how to verify it."""
    import msgspec

    from verilabel.cli.baselines_text import print_beside
    from verilabel.evidence.container import open_container
    from verilabel.report.baselines import find_beside

    with open_container(sealed.path) as container:
        beside = find_beside(container)
    if as_json:
        print_json(
            {
                "bundle": str(sealed.path),
                "sentence": sealed.label.sentence,
                "label": sealed.label.document(),
                "evidence_root": sealed.root,
                "manifest": sealed.manifest,
                **({"baselines": msgspec.to_builtins(beside)} if beside.says_something else {}),
            }
        )
        return
    print_label(sealed.label)
    print_beside(beside)
    print(f"\nbundle: {sealed.path}\nverify: verilabel verify {sealed.path}")


def print_label(label: Label) -> None:
    """Print the pair, every row with its bounds, and why rows are undetermined."""
    print(plain(label.sentence))
    rows = [
        (
            plain(f"{level.level} {level.name}{SIDES[level.test]}"),
            row.measure or row.attested or "",
            row.n,
            row.events,
            row.missing,
            f"{row.lower or '-'} .. {row.upper or '-'}",
            f"{row.op or ''} {row.threshold or ''}".strip(),
            row.status.replace("_", " "),
        )
        for level in label.levels
        for row in level.rows
    ]
    print_table(("level", "measure", "answers", "events", "missing", "bounds", "threshold", "status"), rows)
    _print_obstacles(label)


def _print_obstacles(label: Label) -> None:
    """Why rows are undetermined although a bound may stand on one side, each measure once."""
    reasons = {
        (row.measure or row.attested or "", row.reason)
        for level in label.levels
        for row in level.rows
        if row.status == "undetermined" and row.reason
    }
    for name, reason in sorted(reasons):
        print(plain(f"undetermined: {name}: {reason}"))
