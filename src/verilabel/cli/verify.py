"""Check a bundle offline, step by step, and derive its label again from its evidence.

Needs no network and none of the packages for asking models. The level (V0 claimed, V1 signed, V2 recomputed) is
what this check finds, whatever the bundle says of itself.

examples:
  verilabel verify gpt.bundle
  verilabel verify gpt.zip --trust trust.yaml --json

exit status: 0 the steps hold; 1 the label does not follow or is not in force; 3 or 4 the bundle was changed, or its
signature, digests or log do not hold.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from verilabel.cli import options
from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus
from verilabel.evidence.verification import Verification

SUMMARY = "check a bundle offline and recompute its label"
MARKS = {"passed": "ok  ", "failed": "FAIL", "skipped": "-   ", "not_reached": "    "}


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the bundle: a folder or a .zip")
    parser.add_argument(
        "--reference",
        action="append",
        type=Path,
        default=[],
        metavar="BUNDLE",
        help="the reference system's bundle, where the label's thresholds are relative to it (repeatable)",
    )
    options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Verify the bundle."""
    from verilabel.evidence.verifier import verify_bundle

    trust, now = options.open_trust(args), datetime.now(UTC)
    verified = [verify_bundle(path, trust=trust, now=now) for path in args.reference]
    if failed := next((v.failure for v in verified if v.failure is not None), None):
        raise failed
    counts = {v.manifest_sha256: v.tallies for v in verified if v.manifest_sha256 is not None}
    found = verify_bundle(args.bundle, trust=trust, now=now, references=counts)
    if args.json:
        print_json(document_of(found))
    else:
        print_verification(found)
    return found.failure.status if found.failure else ExitStatus.OK


def document_of(found: Verification) -> dict[str, object]:
    """The finding for programs."""
    failure = found.failure
    return {
        "level": found.level,
        "level_name": found.level_name,
        "sentence": found.sentence,
        "reason": found.reason,
        "flags": list(found.flags),
        "steps": [
            {"number": s.number, "name": s.name, "outcome": s.outcome, "detail": s.detail}
            for s in found.steps
        ],
        "label": found.label.document() if found.label else None,
        "system": found.system.document() if found.system else None,
        "signer": found.signer,
        "keyid": found.keyid,
        "issued": found.issued,
        "valid_until": found.valid_until,
        "evidence_root": found.root,
        "records": found.leaves,
        "error": None
        if failure is None
        else {
            "error": failure.code,
            "message": failure.message,
            "where": failure.where,
            "hint": failure.hint,
        },
    }


def print_verification(found: Verification) -> None:
    """Print the sentence, the steps and the flags."""
    if found.failure is None:
        print(found.sentence)
    for step in found.steps:
        print(f"  {MARKS[step.outcome]} {step.number:>2} {step.name:<10} {step.detail}".rstrip())
    print(f"level: {found.level_name} ({found.reason})")
    if found.flags:
        print(f"flags: {', '.join(found.flags)}")
    if "signer_unpinned" in found.flags:
        print(
            f"note: nobody vouched for the signer's key {found.keyid}; pass --trust to say whose key counts"
        )
    if found.failure is not None:
        print(f"error: {found.failure}", file=sys.stderr)
