"""Look for a benchmark in the sketch that an audit kept of its corpus: without the corpus, also for later benchmarks.

An item matches where 13 words in a row of it are in the sketch. Items with 28 such words are found for certain where
they stand in the corpus unchanged; shorter ones sometimes, paraphrases never. How many matches come by chance is said.
An audit has a sketch where it was made with --sketch.

examples:
  verilabel data sketch run.audit --bench gsm8k
  verilabel data sketch run.audit --bench later.jsonl --json

exit statuses: 0 looked for, whatever was found; 2 the audit has no sketch; 4 the sketch is not the audit's
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.audit.contamination.queries import SketchResult

SUMMARY = "look for a benchmark in an audit's sketch of the corpus"
SHOWN = 20


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("audit", type=Path, metavar="AUDIT", help="the folder of an audit")
    parser.add_argument(
        "--bench",
        action="append",
        required=True,
        metavar="SUITE|FILE",
        help="a benchmark: a suite by name, or a file with an item a line (repeatable)",
    )
    parser.add_argument("--mirror", metavar="DIR", help="take suites' data from here instead of the network")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Look, and say what the sketch holds."""
    import msgspec

    from verilabel.audit.contamination.queries import query_file
    from verilabel.audit.proof.folder import AuditFolder
    from verilabel.audit.proof.layout import SKETCH

    audit = AuditFolder(args.audit)
    listed = next((file for file in audit.manifest().files if file.path == SKETCH), None)
    if listed is None:
        raise UsageError(
            "this audit has no sketch", where=str(args.audit), hint="it is kept with `data audit --sketch`"
        )
    audit.check_file(listed)
    results = query_file(args.audit / SKETCH, args.bench, args.mirror)
    if args.json:
        print_json([msgspec.to_builtins(result) for result in results])
        return ExitStatus.OK
    for result in results:
        _print_result(result)
    return ExitStatus.OK


def _print_result(result: SketchResult) -> None:
    print(
        plain(
            f"{result.benchmark}: {len(result.matches)} of {result.items} items match; by chance"
            f" {result.expected_false} would (one n-gram: {result.false_positive_rate})"
        )
    )
    print(
        f"  {result.certain} items are found for certain where they stand unchanged,"
        f" {result.untestable} cannot be looked for"
    )
    for match in result.matches[:SHOWN]:
        print(plain(f"  {match.item}: {match.found} of {match.asked} n-grams of 13 words"))
    if len(result.matches) > SHOWN:
        print(f"  and {len(result.matches) - SHOWN} more")
