"""Open documents of an audited corpus that a nonce chooses, for somebody who has the audit and not the corpus.

The owner writes the chosen documents with their salts and inclusion proofs; whoever asked checks them with `verilabel
data verify AUDIT --openings FILE --nonce TEXT --documents N`. Whoever asks says the nonce, after the audit's root was
fixed: who knows it before can choose the secret so that it chooses well.

The file holds texts of the corpus as they are: send it to whoever asked, alone. --digests-only shows that the texts are
those that were audited and not what they are; no check can be run again on digests.

examples:
  verilabel data open run.audit --corpus corpus/ --secret run.audit.secret --nonce "beacon round 4711: 7d2c51e0" \\
    --documents 300 --out openings.jsonl
  verilabel data verify run.audit --openings openings.jsonl --nonce "beacon round 4711: 7d2c51e0" --documents 300

exit statuses: 0 written; 2 usage, or another audit's secret; 4 the audit does not hold, or the corpus is another one
"""

from __future__ import annotations

import os
import secrets
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, UsageError

SUMMARY = "show documents that a nonce chooses, with proofs that they were audited"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("audit", type=Path, metavar="AUDIT", help="the folder of an audit")
    parser.add_argument("--corpus", nargs="+", required=True, metavar="PATH", help="the corpus")
    parser.add_argument("--secret", type=Path, required=True, metavar="FILE", help="the audit's secret")
    parser.add_argument("--nonce", required=True, metavar="TEXT", help="what chooses the documents")
    parser.add_argument(
        "--documents", type=int, default=300, metavar="N", help="how many to open (default 300)"
    )
    parser.add_argument("--digests-only", action="store_true", help="show digests instead of texts")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the openings (mode 0600)")
    parser.add_argument("--force", action="store_true", help="replace what is at --out")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Verify the audit, and write the openings."""
    from verilabel.audit.proof.commitments import load_secret
    from verilabel.audit.proof.verifying import verify_audit
    from verilabel.audit.rechecking.opening import open_documents

    if args.out.exists() and not args.force:
        raise UsageError("there is something here already", where=str(args.out), hint="--force replaces it")
    verify_audit(args.audit)
    lines = open_documents(
        args.audit,
        args.corpus,
        load_secret(args.secret),
        nonce=args.nonce,
        documents=args.documents,
        digests_only=args.digests_only,
    )
    opened = _write_lines(lines, args.out) - 1
    if args.json:
        print_json({"openings": str(args.out), "documents": opened, "nonce": args.nonce})
        return ExitStatus.OK
    print(plain(f"{args.out}: {opened} documents opened"))
    if not args.digests_only:
        print("warning: the file holds texts of the corpus; send it to whoever asked, alone", file=sys.stderr)
    return ExitStatus.OK


def _write_lines(lines: Iterable[bytes], path: Path) -> int:
    """Write lines so that a file appears whole or not at all, for its owner alone; how many there are."""
    from verilabel.evidence.atomic import flush_folder

    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    count = 0
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for line in lines:
                file.write(line)
                count += 1
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)
    return count
