"""Sign that audited data were training data of a system, for a label of that system.

The statement names the audit by its manifest and root, and repeats its counts and bounds. It says, on the signer's
word, that a system was trained on these data: no root proves that. A label that carries it, with findings on judges,
elicitation and governance, can be verified to V4.

examples:
  verilabel data attest run.audit --system gpt.bundle --text "all of the fine-tuning data" --out audit-statement.json
  verilabel data attest run.audit --system system.json --relation declared-fine-tuning-data --text @how.txt --out s.json
  verilabel label --model openai/gpt-4o --rubric core --attestation s.json --out gpt.bundle
  verilabel statements attach gpt.bundle audit-statement.json
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import timedelta
from pathlib import Path

from verilabel.cli import seal_options, signing
from verilabel.cli.console import add_json_flag
from verilabel.errors import ExitStatus, UsageError

SUMMARY = "sign that audited data were training data of a system"
RELATIONS = ("declared-training-data", "declared-fine-tuning-data")
MAX_DAYS = 3650


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("audit", type=Path, metavar="AUDIT", help="the folder of an audit")
    parser.add_argument(
        "--system",
        type=Path,
        required=True,
        metavar="FILE|BUNDLE",
        help="the system's descriptor (JSON), or a bundle of the system",
    )
    parser.add_argument(
        "--relation",
        choices=RELATIONS,
        default=RELATIONS[0],
        help=f"what the data were (default {RELATIONS[0]})",
    )
    parser.add_argument("--text", required=True, metavar="TEXT|@FILE", help="how that is known, in words")
    parser.add_argument(
        "--valid-days", type=int, default=120, metavar="N", help="days for which it holds (default 120)"
    )
    signing.add_signing_options(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Verify the audit, and sign."""
    from verilabel.audit.proof.attesting import audit_predicate
    from verilabel.audit.proof.verifying import verify_audit
    from verilabel.cli.attest import read_descriptor
    from verilabel.evidence.others.attestation import subject_of_audit

    signing.check_statement_out(args)
    if not 1 <= args.valid_days <= MAX_DAYS:
        raise UsageError(f"a statement holds for 1 to {MAX_DAYS} days", where="--valid-days")
    manifest = verify_audit(args.audit).manifest
    system = read_descriptor(args.system)
    key, now = seal_options.open_signing_key(args), signing.now_seconds()
    predicate = audit_predicate(
        manifest,
        relation=args.relation,
        text=signing.text_or_file(args.text),
        valid_until=now + timedelta(days=args.valid_days),
        key=key,
        now=now,
    )
    signed = signing.sign_and_write(args, key, *subject_of_audit(predicate, system), predicate)
    says = (
        f"{manifest.coverage.read:,} audited documents declared as {args.relation.removeprefix('declared-')} of"
        f" {system.name}, until {predicate.valid_until[:10]}"
    )
    is_bundle = args.system.is_dir() or args.system.suffix == ".zip"
    signing.print_signed(args, signed, says, attach_to=args.system if is_bundle else None)
    return ExitStatus.OK
