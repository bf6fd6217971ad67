"""Withhold dual-use records from a bundle: its issuer makes a sealed bundle, with commitments in the place of answers.

Counts, bounds and label stay the same, and anybody can derive them again (level V2s). Suites whose suite.yaml says
`visibility: sealed` are withheld; --suite, --where and --all withhold more. The first five answers of each suite stay
open. What was withheld goes into the openings file, which only you can read: without it the bundle can answer no
challenge, and whoever has it has every withheld answer. The open bundle is left as it is; publish the sealed one.

examples:
  verilabel seal mine.bundle --out public.bundle --openings mine.openings
  verilabel seal mine.bundle --suite core/harm-direct --out public.zip --openings mine.openings
  verilabel seal mine.bundle --where hazard=cbrn --where hazard=cyber --out public.bundle --openings mine.openings
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.sealed.withholding import Withheld

SUMMARY = "withhold dual-use records from a bundle and leave commitments to them"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the open bundle, which you signed: a folder or a .zip")
    group = parser.add_argument_group("what is withheld")
    group.add_argument(
        "--suite", action="append", default=[], metavar="ID", help="all answers of this suite (repeatable)"
    )
    group.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="TAG=VALUE",
        help="answers to samples with this tag (repeatable: one of the values of every tag)",
    )
    group.add_argument("--all", action="store_true", help="all answers of all suites")
    group.add_argument(
        "--openings",
        type=Path,
        required=True,
        metavar="FILE",
        help="where what is withheld is kept (mode 0600)",
    )
    seal_options.add_seal_options(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Seal the bundle."""
    from verilabel.evidence.sealed.withholding import Choice, withhold_records
    from verilabel.evidence.sealing import Sealing

    seal_options.check_out(args)
    choice = Choice(tuple(args.suite), tags_of(args.where), args.all)
    seals = seal_options.open_seals(args)
    sealing = Sealing(seals.key, seals.log, datetime.now(UTC))
    withheld = withhold_records(args.bundle, args.out, args.openings, choice, sealing, force=args.force)
    if args.json:
        print_json(_document(withheld))
    else:
        _print(withheld)
    return ExitStatus.OK


def tags_of(values: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Tag to its values. Raises UsageError where one is not TAG=VALUE."""
    tags: dict[str, tuple[str, ...]] = {}
    for value in values:
        tag, sign, wanted = value.partition("=")
        if not (tag and sign and wanted):
            raise UsageError(f"{value!r} is not of the form TAG=VALUE", where="--where")
        tags[tag] = (*tags.get(tag, ()), wanted)
    return tags


def _document(withheld: Withheld) -> dict[str, object]:
    return {
        "bundle": str(withheld.path),
        "openings": str(withheld.openings),
        "evidence_root": withheld.root,
        "manifest_sha256": withheld.manifest,
        "withheld_answers": withheld.answers,
        "commitments": withheld.records,
        "commitments_in_surplus": withheld.surplus,
        "left_open": {suite: list(samples) for suite, samples in withheld.left_open.items()},
        "left_behind": list(withheld.left_behind),
    }


def _print(withheld: Withheld) -> None:
    print(f"{withheld.path}: {withheld.records} records withheld, and {withheld.surplus} in the surplus")
    rows = [
        (plain(suite), count, plain(", ".join(withheld.left_open.get(suite, ()))))
        for suite, count in withheld.answers.items()
    ]
    print_table(("suite", "withheld answers", "meant and left open"), rows)
    print(f"openings: {withheld.openings} (keep it: it cannot be made again, and it holds what is withheld)")
    for path in withheld.left_behind:
        print(
            f"note: {plain(path)} stays with the open bundle: it is about its statement, not about this one's"
        )
