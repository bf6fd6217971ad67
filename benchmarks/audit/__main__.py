"""Measure the audit of training data, beside other tools; what was measured is kept, and the rest continued.

examples:
  python -m benchmarks.audit --folder bench-audit --quick          small numbers: does everything work?
  python -m benchmarks.audit --folder bench-audit --peers          with other tools (make bench-audit-rivals)
  python -m benchmarks.audit --folder bench-audit --only ours-pii --fresh
  python -m benchmarks.audit --folder bench-audit --peers --write  put the section into benchmarks/RESULTS.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.audit.section import TITLE, measure_all
from benchmarks.machine import describe_machine, load_averages
from verilabel.evidence.atomic import write_file

RESULTS = Path(__file__).parent.with_name("RESULTS.md")


def put_section(page: str, section: str) -> str:
    """The page with the section in the place of the one of the same title, or at its end."""
    head = f"## {TITLE}\n"
    start = page.find(head)
    if start < 0:
        return f"{page.rstrip()}\n\n{section}\n"
    end = page.find("\n## ", start)
    rest = page[end + 1 :] if end >= 0 else ""
    return f"{page[:start]}{section}\n\n{rest}".rstrip() + "\n"


def _say_when(folder: Path, machine: Sequence[str]) -> str:
    """When the rows were measured that stand in the section, and by which version they were put together."""
    moments = [kept.stat().st_mtime for kept in (folder / "measured").glob("*.json")]
    times = [f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in (min(moments), max(moments))]
    of = [
        line.replace("commit:", "put together at commit")
        for line in machine
        if line[:7] in ("machine", "commit:")
    ]
    return f"rows measured one after another between {times[0]} and {times[1]} UTC; {'; '.join(of)}"


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments name, print it, and write it where asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder", type=Path, required=True, metavar="DIR", help="keeps corpora and finished rows"
    )
    parser.add_argument("--quick", action="store_true", help="small numbers; never written down")
    parser.add_argument("--peers", action="store_true", help="measure other tools too")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="rows with one of the words in their names"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what was measured before")
    parser.add_argument("--write", action="store_true", help="put the section into benchmarks/RESULTS.md")
    given = parser.parse_args(arguments)
    if given.write and (given.quick or given.only):
        parser.error("only a whole run is written down; leave out --write, or --quick and --only")
    lines = describe_machine(arguments, peers=False)
    machine = [line.replace("python -m benchmarks", parser.prog) for line in lines]
    print("\n".join(machine), flush=True)
    folder = given.folder.resolve() / ("quick" if given.quick else "")
    section = measure_all(folder, quick=given.quick, rivals=given.peers, only=given.only, fresh=given.fresh)
    section = replace(section, notes=(*section.notes, _say_when(folder, machine)))
    print(f"\n{section.text()}\nload averages at the end: {load_averages()}")
    if given.write:
        page = put_section(RESULTS.read_text("utf-8"), section.markdown())
        write_file(RESULTS, page.encode(), overwrite=True)
        print(f"wrote {RESULTS}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
