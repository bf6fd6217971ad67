"""Check an audit of training data: all that its folder can show, and on request documents of the corpus itself.

Nine steps hold the folder against itself: files, signature, root, records, findings and totals, duplicates, benchmarks,
sample and statements, examples. They show that nothing was changed and that every number follows from the records; not
that a record is true. For that, documents are looked at again:

--spot-check N --corpus PATH reads the corpus, sees that it is the audited one by the digests of its shards, and runs
every check again on N documents that a nonce chooses. --openings FILE does the same without the corpus, with documents
that its owner opened (`verilabel data open`).

The nonce must be one that whoever audited could not foresee. Best is one of your own: without --nonce a random one is
drawn and printed. To convince others too, take a value that nobody chose and that was announced before, such as the
output of a public beacon. 300 documents without a failure show that fewer than 1 % of the records are false (95 %).

examples:
  verilabel data verify run.audit
  verilabel data verify run.audit --trust trust.yaml --json
  verilabel data verify run.audit --spot-check 300 --corpus corpus/ --secret run.audit.secret
  verilabel data verify run.audit --spot-check 300 --corpus corpus/ --nonce "beacon round 4711: 7d2c51e0"
  verilabel data verify run.audit --openings openings.jsonl --nonce "beacon round 4711: 7d2c51e0" --documents 300

exit statuses: 0 all holds; 1 the trust policy does not name the signer; 3 a file is not in its form; 4 a step does not
hold, the corpus is another one, or a document is not what is recorded; 8 nothing failed, and a check could not be run
again here: another version of it, or a benchmark that is not at hand.
"""

from __future__ import annotations

import secrets
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, plain_error, print_json
from verilabel.errors import ExitStatus, MalformedInput, SealError, UsageError, VerilabelError

if TYPE_CHECKING:
    from verilabel.audit.proof.verifying import AuditVerification
    from verilabel.audit.rechecking.spot_check import Rechecked

SUMMARY = "check an audit offline, and documents of the corpus at random"
SHOWN_FAILURES = 20


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("audit", type=Path, metavar="AUDIT", help="the folder of an audit")
    seal_options.add_trust_option(parser)
    again = parser.add_argument_group("documents looked at again")
    again.add_argument(
        "--spot-check", type=int, metavar="N", help="run all checks again on N documents of --corpus"
    )
    again.add_argument(
        "--corpus", nargs="+", default=[], metavar="PATH", help="the corpus, wherever it lies now"
    )
    again.add_argument(
        "--secret",
        type=Path,
        metavar="FILE",
        help="the audit's secret: commitments and marks are checked too",
    )
    again.add_argument(
        "--openings", type=Path, metavar="FILE", help="documents that the corpus' owner opened"
    )
    again.add_argument(
        "--nonce", metavar="TEXT", help="what chooses the documents (default: 32 random bytes, printed)"
    )
    again.add_argument("--documents", type=int, metavar="N", help="with --openings: how many were asked for")
    again.add_argument(
        "--bench",
        action="append",
        default=[],
        metavar="FILE",
        help="a benchmark's file that the audit looked for, where it lies here (repeatable)",
    )
    again.add_argument("--mirror", metavar="DIR", help="take suites' data from here instead of the network")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Verify the audit, and look at documents again."""
    from verilabel.audit.proof.verifying import verify_audit

    _check_options(args)
    try:
        found = verify_audit(args.audit, trust=seal_options.open_trust(args))
    except (SealError, MalformedInput) as error:
        return _report_broken(args, error)
    rechecked = _recheck(args)
    if args.json:
        print_json(_document_of(found, rechecked))
    else:
        _print_verification(found)
        if rechecked is not None:
            _print_rechecked(rechecked)
    return _status_of(found, rechecked)


def _check_options(args: Namespace) -> None:
    if args.spot_check is not None and args.openings is not None:
        raise UsageError("--spot-check reads the corpus, --openings needs none: give one of them")
    if (args.spot_check is None) != (not args.corpus):
        raise UsageError("--spot-check and --corpus are given together")
    if args.secret is not None and args.spot_check is None:
        raise UsageError("--secret is for --spot-check")
    if args.documents is not None and args.openings is None:
        raise UsageError("--documents is for --openings", hint="--spot-check N says how many itself")
    if args.spot_check is None and args.openings is None and (args.nonce or args.bench or args.mirror):
        raise UsageError("--nonce, --bench and --mirror are for --spot-check and --openings")


def _recheck(args: Namespace) -> Rechecked | None:
    if args.spot_check is not None:
        from verilabel.audit.proof.commitments import load_secret
        from verilabel.audit.rechecking.spot_check import spot_check

        return spot_check(
            args.audit,
            args.corpus,
            documents=args.spot_check,
            nonce=secrets.token_hex(32) if args.nonce is None else args.nonce,
            secret=None if args.secret is None else load_secret(args.secret),
            benches=args.bench,
            mirror=args.mirror,
        )
    if args.openings is None:
        return None
    from verilabel.audit.rechecking.opening import check_openings

    with args.openings.open("rb") as file:
        return check_openings(
            args.audit,
            file,
            nonce=args.nonce,
            documents=args.documents,
            benches=args.bench,
            mirror=args.mirror,
        )


def _report_broken(args: Namespace, error: VerilabelError) -> ExitStatus:
    """Say which step does not hold; raise what has no step, so that it is reported as everywhere."""
    from verilabel.audit.proof.verifying import STEPS

    step = error.step if isinstance(error, SealError) else None
    if step is None:
        raise error
    if args.json:
        print_json(
            {
                "holds": False,
                "step": step,
                "step_name": STEPS[step - 1],
                "error": error.code,
                "message": error.message,
                "where": error.where,
            }
        )
    else:
        print(f"  FAIL {step} {STEPS[step - 1]}")
        print(f"error: {plain_error(error)}", file=sys.stderr)
    return error.status


def _print_verification(found: AuditVerification) -> None:
    from verilabel.audit.bounds.statements import describe_coverage
    from verilabel.audit.proof.verifying import NOT_CHECKED, STEPS

    for number, step in enumerate(STEPS, start=1):
        if number == 2 and found.signed is None:
            print(f"  -    {number} {step}: nobody signed this audit")
        else:
            print(f"  ok   {number} {step}")
    coverage = found.manifest.coverage
    read = describe_coverage(coverage.read, None if coverage.unknown else coverage.unread)
    print(f"{coverage.read:,} documents read ({read}) in {coverage.shards:,} shards")
    print(f"root {found.manifest.root.sha256}")
    print(f"signer: {plain(_signer_of(found))}")
    print("not checked:")
    for words in NOT_CHECKED:
        print(f"  {words}")


def _signer_of(found: AuditVerification) -> str:
    if found.signed is None:
        return "none; whoever has the folder could have made it again"
    key = found.signed.signer.keyid
    if found.is_trusted is None:
        return f"{key}; pass --trust to say whose key counts"
    return f"{key}, {'named by the trust policy' if found.is_trusted else 'NOT named by the trust policy'}"


def _print_rechecked(found: Rechecked) -> None:
    print(f"nonce {plain(found.nonce)}")
    print(
        f"{found.documents:,} of {found.read:,} documents looked at again by"
        f" {', '.join(found.compared) or 'no check'}: {len(found.failures)} are not what is recorded"
    )
    share = 100 * found.most_false / found.read if found.read else 0.0
    print(f"no more than {found.most_false:,} of {found.read:,} records are false ({share:.3g} %), at 95 %")
    for failure in found.failures[:SHOWN_FAILURES]:
        print(plain(f"  DIFFERS {failure.where}: {', '.join(failure.what)}"))
    if len(found.failures) > SHOWN_FAILURES:
        print(f"  and {len(found.failures) - SHOWN_FAILURES} more")
    for name, reason in found.not_compared.items():
        print(plain(f"  not compared: {name}: {reason}"))


def _status_of(found: AuditVerification, rechecked: Rechecked | None) -> ExitStatus:
    if rechecked is not None and rechecked.failures:
        return ExitStatus.SEAL
    if found.is_trusted is False:
        return ExitStatus.CHECK_FAILED
    if rechecked is not None and not rechecked.is_decided:
        return ExitStatus.UNDETERMINED
    return ExitStatus.OK


def _document_of(found: AuditVerification, rechecked: Rechecked | None) -> dict[str, object]:
    import msgspec

    from verilabel.audit.proof.verifying import NOT_CHECKED, STEPS

    return {
        "holds": True,
        "steps": [{"number": number, "name": step} for number, step in enumerate(STEPS, start=1)],
        "is_signed": found.signed is not None,
        "signer": None if found.signed is None else found.signed.signer.keyid,
        "is_trusted": found.is_trusted,
        "manifest_sha256": found.manifest.digest,
        "root": found.manifest.root.sha256,
        "coverage": msgspec.to_builtins(found.manifest.coverage),
        "not_checked": list(NOT_CHECKED),
        "looked_at_again": None
        if rechecked is None
        else {
            "nonce": rechecked.nonce,
            "documents": rechecked.documents,
            "compared": list(rechecked.compared),
            "not_compared": rechecked.not_compared,
            "failures": [
                {"where": one.where, "shard": one.shard, "row": one.row, "what": list(one.what)}
                for one in rechecked.failures
            ],
            "most_false_records": rechecked.most_false,
            "confidence": "0.95",
        },
    }
