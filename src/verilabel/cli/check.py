"""The gate for changes in CI: is this bundle no worse than a baseline? It says so, it says no, or it says inconclusive.

Each measure of the baseline is compared on the samples that both bundles answered. *Not worse*: the bundle is shown to
be worse by less than the margin, at most. *Worse*: a difference for the worse is shown, after Holm's correction over
the measures. What is worse follows from the rubric: more of what should be low, less of what should be high, and more
of a capability. Bundles of another rubric, suite or detector are refused.

examples:
  verilabel check new.bundle --baseline main.bundle
  verilabel check new.bundle --baseline main.bundle --margin 0.01 --trust trust.yaml --json

exit status: 0 not worse, on every measure; 1 worse on some measure, or not comparable; 8 inconclusive: it takes more
items, and the output says how many.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options, signing
from verilabel.cli.compare import say_rate
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.comparison.paired import BaselineCheck, CheckedMeasure
    from verilabel.comparison.pairing import Party

SUMMARY = "compare a bundle with a baseline in CI: no worse, worse or inconclusive"
STATUS = {
    "not_worse": ExitStatus.OK,
    "worse": ExitStatus.CHECK_FAILED,
    "inconclusive": ExitStatus.UNDETERMINED,
}


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the bundle to check")
    parser.add_argument(
        "--baseline", type=Path, required=True, metavar="BUNDLE", help="the bundle that it is held against"
    )
    parser.add_argument(
        "--margin", default="0.02", metavar="RATE", help="how much worse may pass (default 0.02)"
    )
    parser.add_argument("--alpha", default="0.05", metavar="LEVEL", help="error level (default 0.05)")
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Check the bundle against the baseline."""
    from verilabel.comparison.paired import check_against_baseline
    from verilabel.comparison.pairing import open_party
    from verilabel.comparison.replication import MOST_ALPHA, read_decimal

    margin: Decimal = read_decimal(args.margin, "margin", Decimal(1))
    alpha: Decimal = read_decimal(args.alpha, "alpha", MOST_ALPHA)
    baseline = open_party(args.baseline, signing.verify_for(args, args.baseline), in_force=False)
    candidate = open_party(args.bundle, signing.verify_for(args, args.bundle), in_force=False)
    found = check_against_baseline(baseline, candidate, margin=margin, alpha=alpha)
    if args.json:
        import msgspec

        document: dict[str, object] = msgspec.to_builtins(found)
        print_json(document | {"baseline": baseline.where, "bundle": candidate.where})
    else:
        _print(baseline, candidate, found)
    return STATUS[found.verdict]


def _print(baseline: Party, candidate: Party, found: BaselineCheck) -> None:
    print(f"{found.verdict.replace('_', ' ')} (margin {found.margin}, alpha {found.alpha})")
    print(plain(f"  baseline  {baseline.found.sentence}"))
    print(plain(f"  bundle    {candidate.found.sentence}"))
    headings = ("measure", "baseline", "bundle", "items", "worse by", "at most", "p (Holm)", "verdict")
    print_table(headings, [_row_of(measure) for measure in found.measures])
    for measure in found.measures:
        if measure.missing:
            print(plain(f"{measure.measure}: in {measure.missing} items an answer is missing"))
        if measure.stopped_early:
            print(
                plain(
                    f"{measure.measure}: a run stopped early; the bound holds at any stop and needs more items"
                )
            )
        if measure.needed:
            print(plain(f"{measure.measure}: about {measure.needed} items would decide it"))
    for name, why in found.not_compared.items():
        print(plain(f"inconclusive: {name}: {why}"))


def _row_of(measure: CheckedMeasure) -> tuple[object, ...]:
    return (
        plain(measure.measure),
        say_rate(measure.baseline),
        say_rate(measure.candidate),
        measure.items,
        measure.worsening,
        measure.upper,
        measure.p_adjusted,
        measure.verdict.replace("_", " "),
    )
