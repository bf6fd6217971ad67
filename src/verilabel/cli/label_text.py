"""How a label and a finished bundle are printed."""

from __future__ import annotations

from verilabel.cli.console import plain, print_json, print_table
from verilabel.evidence.sealing import Sealed
from verilabel.records.label import Label


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
    """Print the pair and every row with its bounds."""
    print(plain(label.sentence))
    rows = [
        (
            plain(f"{level.level} {level.name}"),
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
