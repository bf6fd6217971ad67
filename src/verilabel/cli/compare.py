"""Compare two models or versions answer by answer, on the same questions.

Both bundles are verified first. They must have one rubric, the same suites and the same detectors, by digest; else the
comparison is refused, and what differs is named. For each measure: both rates with their bounds, the paired difference
(second - first) with its interval, the exact test, Holm's correction over all measures, and how many answers flipped.
A missing answer counts worst-case in both directions.

examples:
  verilabel compare gpt-4.bundle gpt-5.bundle
  verilabel compare before.bundle after.bundle --alpha 0.01 --json

exit status: 0 compared, whatever was found (`verilabel check` decides); 1 not comparable.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options, signing
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.comparison.paired import PairedComparison, PairedMeasure, Rate
    from verilabel.comparison.pairing import Party

SUMMARY = "compare two models or versions answer by answer, on the same suites"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("first", type=Path, metavar="A", help="a bundle")
    parser.add_argument("second", type=Path, metavar="B", help="the bundle to compare with it")
    parser.add_argument(
        "--alpha", default="0.05", metavar="LEVEL", help="error level over all measures (default 0.05)"
    )
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Compare the two."""
    from verilabel.comparison.paired import compare_systems
    from verilabel.comparison.pairing import open_party
    from verilabel.comparison.replication import MOST_ALPHA, read_decimal

    alpha: Decimal = read_decimal(args.alpha, "alpha", MOST_ALPHA)
    first = open_party(args.first, signing.verify_for(args, args.first), in_force=False)
    second = open_party(args.second, signing.verify_for(args, args.second), in_force=False)
    found = compare_systems(first, second, alpha=alpha)
    if args.json:
        import msgspec

        document: dict[str, object] = msgspec.to_builtins(found)
        sides = {
            "first": {"bundle": first.where, "label": first.found.sentence},
            "second": {"bundle": second.where, "label": second.found.sentence},
        }
        print_json(document | sides)
    else:
        _print(first, second, found)
    return ExitStatus.OK


def _print(first: Party, second: Party, found: PairedComparison) -> None:
    print(plain(f"first   {first.found.sentence}"))
    print(plain(f"second  {second.found.sentence}"))
    print(f"the systems differ in {', '.join(found.differing) or 'nothing that the label binds to'}")
    headings = (
        "measure",
        "first",
        "second",
        "items",
        "gained",
        "lost",
        "identical",
        "difference",
        "interval",
        "p",
        "p (Holm)",
        "better",
    )
    print_table(headings, [_row_of(measure) for measure in found.measures])
    for measure in found.measures:
        if measure.missing:
            print(plain(f"{measure.measure}: in {measure.missing} items an answer is missing"))
    for name, why in found.not_compared.items():
        print(plain(f"not compared: {name}: {why}"))


def _row_of(measure: PairedMeasure) -> tuple[object, ...]:
    return (
        plain(measure.measure),
        say_rate(measure.first),
        say_rate(measure.second),
        measure.items,
        measure.gained,
        measure.lost,
        measure.identical,
        measure.difference,
        f"{measure.lower} .. {measure.upper}",
        measure.p_value,
        measure.p_adjusted,
        measure.better,
    )


def say_rate(rate: Rate) -> str:
    """Counts with the bounds of the rate."""
    return f"{rate.events}/{rate.n} ({rate.lower} .. {rate.upper})"
