"""Sign an objection to somebody's label, on grounds that others can look into.

A dispute changes no level. It raises the flag `disputed` wherever it counts: for readers whose trust policy names its
signer for the role `disputes`, and for all who have no policy. It says what it is about and points to evidence by
digest; the evidence itself is for its author to keep and show.

examples:
  verilabel dispute gpt.bundle --ground evidence --text "rows of one family repeat" --row harm --out dispute.json
  verilabel dispute gpt.bundle --ground method --text "the suite leaks" --evidence notes.md --log log --out d.json
  verilabel statements attach gpt.bundle dispute.json

Who signed a dispute takes it back with `verilabel withdraw dispute.json`.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options, signing
from verilabel.cli.console import add_json_flag
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.verification import Verification

SUMMARY = "sign an objection to somebody's label"
GROUNDS = ("evidence", "scoring", "method", "scope", "conduct", "other")


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the bundle whose label is disputed")
    parser.add_argument(
        "--ground",
        action="append",
        required=True,
        choices=GROUNDS,
        help="what is wrong: the evidence, its scoring, the method, the scope, the issuer's conduct (repeatable)",
    )
    parser.add_argument("--text", required=True, metavar="TEXT|@FILE", help="the objection in words")
    parser.add_argument(
        "--row",
        action="append",
        default=[],
        metavar="MEASURE|LEVEL",
        help="a measure, attestation or level that it is about (repeatable; default: the whole label)",
    )
    parser.add_argument(
        "--evidence",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a file that bears it out, named by its digest (repeatable)",
    )
    signing.add_signing_options(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Sign the dispute."""
    from verilabel.evidence.others.attaching import read_signed_label
    from verilabel.evidence.others.attestation import Dispute, signed_by

    signing.check_statement_out(args)
    statement = read_signed_label(args.bundle).statement
    found = signing.verify_for(args, args.bundle)
    _check_rows(args.row, found)
    key = seal_options.open_signing_key(args)
    dispute = Dispute(
        tuple(dict.fromkeys(args.ground)),
        signing.text_or_file(args.text),
        tuple(dict.fromkeys(args.row)),
        signing.evidence_of(args.evidence),
        *signed_by(key.public, signing.now_seconds()),
    )
    signed = signing.sign_and_write(args, key, statement.subject[0].name, statement.digest, dispute)
    sentence = found.label.sentence if found.label else "a label that cannot be read"
    signing.print_signed(args, signed, f"disputed: {sentence}", attach_to=args.bundle)
    return ExitStatus.OK


def _check_rows(rows: list[str], found: Verification) -> None:
    if not rows or found.label is None:
        return
    known = dict.fromkeys(
        name
        for level in found.label.levels
        for name in (level.level, *(row.measure or row.attested or "" for row in level.rows))
    )
    for row in rows:
        if row not in known:
            raise UsageError(
                f"the label has no row {row!r}", where="--row", hint=f"it has {', '.join(known)}"
            )
