"""Take back a label, a replication or a dispute of one's own.

Only who signed a statement can withdraw it; others dispute it. A withdrawn label is not in force: `verify` ends with 1
and calls it revoked, or superseded where another takes its place. A withdrawn replication or dispute does not count any
more. A withdrawal is final.

It works for whoever has it: put it into the bundle (`verilabel statements attach`), publish it beside it, log it.

examples:
  verilabel withdraw gpt.bundle --reason "the suite was mislabelled" --out withdrawal.json
  verilabel withdraw gpt.bundle --reason "a newer version" --superseded-by gpt-2.bundle --out withdrawal.json
  verilabel withdraw dispute.json --reason "settled" --log log --out withdrawal.json
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import NamedTuple

from verilabel.cli import seal_options, signing
from verilabel.cli.console import add_json_flag
from verilabel.errors import ExitStatus, UsageError

SUMMARY = "withdraw a label, a replication or a dispute of one's own"


class _Subject(NamedTuple):
    """A statement that may be withdrawn, or that takes another's place."""

    name: str
    digest: str
    keyid: str
    kind: str


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("subject", type=Path, metavar="BUNDLE|FILE", help="a bundle, or a signed statement")
    parser.add_argument("--reason", required=True, metavar="TEXT|@FILE", help="why, in words")
    parser.add_argument(
        "--superseded-by",
        type=Path,
        metavar="BUNDLE|FILE",
        help="the bundle or statement of one's own that takes its place",
    )
    signing.add_signing_options(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Sign the withdrawal."""
    from verilabel.evidence.others.attestation import Withdrawal, require_own, signed_by

    signing.check_statement_out(args)
    subject = _open_subject(args.subject)
    key = seal_options.open_signing_key(args)
    require_own(subject.keyid, key.keyid)
    successor = None if args.superseded_by is None else _open_successor(args.superseded_by, subject)
    withdrawal = Withdrawal(
        signing.text_or_file(args.reason),
        None if successor is None else successor.digest,
        *signed_by(key.public, signing.now_seconds()),
    )
    signed = signing.sign_and_write(args, key, subject.name, subject.digest, withdrawal)
    attach_to = args.subject if subject.kind == "label" else None
    signing.print_signed(args, signed, f"withdrawn: the {subject.kind} {subject.digest}", attach_to=attach_to)
    return ExitStatus.OK


def _open_subject(path: Path) -> _Subject:
    from verilabel.evidence.others.attaching import read_signed_label
    from verilabel.evidence.others.signed import load_signed

    if path.is_dir() or path.suffix == ".zip":
        label = read_signed_label(path)
        statement = label.statement
        return _Subject(statement.subject[0].name, statement.digest, label.signer.keyid, "label")
    signed = load_signed(path)
    attestation = signed.attestation
    if attestation.kind == "withdrawal":
        raise UsageError("a withdrawal is final", where=str(path), hint="sign a new statement instead")
    return _Subject(attestation.subject.name, attestation.digest, signed.signer.keyid, attestation.kind)


def _open_successor(path: Path, subject: _Subject) -> _Subject:
    successor = _open_subject(path)
    if successor.digest == subject.digest:
        raise UsageError("nothing takes its own place", where=str(path))
    if (successor.keyid, successor.kind) != (subject.keyid, subject.kind):
        raise UsageError(
            f"what takes its place must be a {subject.kind} signed with the same key", where=str(path)
        )
    return successor
