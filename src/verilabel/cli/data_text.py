"""What the terminal says of an audit."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.bounds.statements import describe_coverage, describe_statement
from verilabel.audit.proof.layout import MANIFEST
from verilabel.audit.proof.manifest import parse_audit_manifest
from verilabel.cli.console import plain, print_json


def print_audit(folder: Path, *, as_json: bool) -> None:
    """Print what an audit found."""
    import msgspec

    manifest = parse_audit_manifest((folder / MANIFEST).read_bytes())
    if as_json:
        print_json(msgspec.to_builtins(manifest))
        return
    coverage = manifest.coverage
    read = describe_coverage(coverage.read, None if coverage.unknown else coverage.unread)
    print(f"{coverage.read:,} documents read ({read}), {coverage.text_bytes / 1e6:,.1f} MB of text")
    for statement in manifest.statements:
        print(plain(describe_statement(statement)))
    print(f"root {manifest.root.sha256}")
