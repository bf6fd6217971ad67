"""Compare two parties' bundles of one system: was the label replicated? With --key, sign what was found.

Both bundles are verified first. They must be of one scope (the keys that the rubric binds labels to), one rubric, the
same suites and the same detectors. Each measure is *replicated* (the interval of the difference lies within the
margin), *not replicated* (the exact test finds a difference) or *underpowered* (with the number of items that would
decide it); answers that are missing count against both. Beside that stand the share of identical outputs, and what the
replica's own label says of the original's: confirmed, contradicted or undetermined.

--key signs the finding with the key that signed the replica, for the original's bundle. It lifts the original to V3 for
readers whose trust policy names that key for the role `replications`, where the replica's own label confirms it.

examples:
  verilabel replicate theirs.bundle mine.bundle
  verilabel replicate theirs.bundle mine.bundle --margin 0.01 --json
  verilabel replicate theirs.bundle mine.bundle --key me --out replication.json \\
      --independence "We asked through our own account; nobody at the issuer paid for or saw the run."
  verilabel statements attach theirs.bundle replication.json

exit status: 0 replicated; 1 not replicated, or not comparable; 8 underpowered.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options, signing
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.comparison.pairing import Party
    from verilabel.evidence.others.attestation import Comparison, MeasureComparison
    from verilabel.evidence.others.signed import Signed

SUMMARY = "compare two parties' bundles of one system; sign what was found"
STATUS = {
    "replicated": ExitStatus.OK,
    "not_replicated": ExitStatus.CHECK_FAILED,
    "underpowered": ExitStatus.UNDETERMINED,
}
LABEL_SAYS = {
    "confirmed": "the replica's own label contains the original's",
    "contradicted": "the replica's own label contradicts the original's",
    "undetermined": "the replica's own evidence does not reach as far as the original's label",
}


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("original", type=Path, metavar="A", help="the bundle whose label is replicated")
    parser.add_argument("replica", type=Path, metavar="B", help="the other party's bundle")
    add_test_options(parser)
    parser.add_argument(
        "--across-scope",
        action="store_true",
        help="compare systems that differ in what the label binds to; never signed",
    )
    parser.add_argument(
        "--independence", metavar="TEXT|@FILE", help="with --key: in which way the signer is independent"
    )
    seal_options.add_trust_option(parser)
    signing.add_signing_options(parser, required=False)
    add_json_flag(parser)


def add_test_options(parser: ArgumentParser) -> None:
    """Options of the test of a difference."""
    parser.add_argument(
        "--margin", default="0.02", metavar="RATE", help="differences below it do not matter (default 0.02)"
    )
    parser.add_argument("--alpha", default="0.05", metavar="LEVEL", help="error level (default 0.05)")


def run(args: Namespace) -> ExitStatus:
    """Compare, and sign where --key says so."""
    from verilabel.comparison.pairing import open_party
    from verilabel.comparison.replication import compare_parties

    _check_signing(args)
    original = open_party(args.original, signing.verify_for(args, args.original))
    replica = open_party(args.replica, signing.verify_for(args, args.replica))
    comparison = compare_parties(
        original, replica, margin=args.margin, alpha=args.alpha, across_scope=args.across_scope
    )
    signed = None if args.key is None else _sign(args, original, replica, comparison)
    if args.json:
        print_json(document_of_comparison(original, replica, comparison) | _document_of(args, signed))
    else:
        print_comparison(original, replica, comparison)
        if signed is not None:
            says = f"signed by {signed.signer.name}, whose trust is for each reader to give"
            signing.print_signed(args, signed, says, attach_to=args.original)
    return STATUS[comparison.verdict]


def _check_signing(args: Namespace) -> None:
    if args.key is None:
        for option in ("out", "independence", "log"):
            if getattr(args, option) is not None:
                raise UsageError(
                    f"--{option} is for signing", hint="add --key NAME, the key that signed the replica"
                )
        return
    signing.check_statement_out(args)
    if args.independence is None:
        raise UsageError(
            "in which way is the signer independent of the original's issuer?",
            hint='--independence "who asked, through which account, paid by whom"',
        )


def _sign(args: Namespace, original: Party, replica: Party, comparison: Comparison) -> Signed:
    from verilabel.comparison.replication import reference_to, require_signable
    from verilabel.evidence.others.attestation import Replication, signed_by

    key = seal_options.open_signing_key(args)
    require_signable(original, replica, comparison, key.keyid)
    about = reference_to(original)
    replication = Replication(
        about,
        reference_to(replica),
        signing.text_or_file(args.independence),
        comparison,
        *signed_by(key.public, signing.now_seconds()),
    )
    return signing.sign_and_write(args, key, original.system.name, about.statement_sha256, replication)


def _document_of(args: Namespace, signed: Signed | None) -> dict[str, object]:
    if signed is None:
        return {}
    return {"statement": str(args.out), "digest": signed.attestation.digest}


# -- what is printed, here and by `reproduce` ----------------------------------------------------------------------


def document_of_comparison(original: Party, replica: Party, comparison: Comparison) -> dict[str, object]:
    """The comparison for programs."""
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(comparison)
    return document | {
        "original": {"bundle": original.where, "label": original.found.sentence},
        "replica": {"bundle": replica.where, "label": replica.found.sentence},
    }


def print_comparison(original: Party, replica: Party, comparison: Comparison) -> None:
    """Print verdict, label, scope and a row for each measure."""
    print(f"{comparison.verdict.replace('_', ' ')} (margin {comparison.margin}, alpha {comparison.alpha})")
    print(f"label {comparison.label}: {LABEL_SAYS[comparison.label]}")
    print(plain(f"  original  {original.found.sentence}"))
    print(plain(f"  replica   {replica.found.sentence}"))
    print(f"scope: {', '.join(comparison.scope)}{_say_differing(comparison)}")
    print_table(
        (
            "measure",
            "original",
            "replica",
            "items",
            "agree",
            "identical",
            "difference",
            "interval",
            "p",
            "verdict",
        ),
        [_row_of(measure) for measure in comparison.measures],
    )
    for measure in comparison.measures:
        if measure.missing:
            print(
                plain(
                    f"{measure.measure}: in {measure.missing} of {measure.items} items an answer is missing; "
                    "they count against both verdicts"
                )
            )
        if measure.needed:
            print(plain(f"{measure.measure}: about {measure.needed} items would decide it"))
        elif measure.verdict == "underpowered":
            print(plain(f"{measure.measure}: {_say_why_open(measure)}"))


def _say_differing(comparison: Comparison) -> str:
    if not comparison.differing:
        return " (all equal)"
    return f"\nNOT A REPLICATION: the systems differ in {', '.join(comparison.differing)}"


def _say_why_open(measure: MeasureComparison) -> str:
    if not measure.n_replica:
        return "the replica does not measure it"
    if not measure.items:
        return "no sample was asked by both parties"
    return "undecided, and no number of items can be named that would decide it"


def _row_of(measure: MeasureComparison) -> tuple[object, ...]:
    return (
        plain(measure.measure),
        f"{measure.events_original}/{measure.n_original}",
        f"{measure.events_replica}/{measure.n_replica}",
        measure.items,
        measure.agreeing,
        measure.identical,
        measure.difference or "-",
        f"{measure.lower} .. {measure.upper}" if measure.lower else "-",
        measure.p_value or "-",
        measure.verdict.replace("_", " "),
    )
