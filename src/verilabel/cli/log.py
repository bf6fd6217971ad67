"""The local transparency log: show its entries, prove one, check all of it.

Plans are logged before their run and labels after it. A proof shows anyone, offline, that an entry is in
the log; a check recomputes the whole log, and finds entries that were changed or removed after their
checkpoint was signed. The log is in `$VERILABEL_HOME/log` (`~/.verilabel/log` where that is not set).

examples:
  verilabel log show --last 10
  verilabel log prove 4 --out plan.tlog-proof
  verilabel log check
  verilabel log check --from-checkpoint kept-last-month.checkpoint
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, print_json, print_table
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.evidence.log import LocalLog

SUMMARY = "the local transparency log: show, prove, check"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `log`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="list entries", allow_abbrev=False)
    show.add_argument("--last", type=_count, metavar="N", help="only the last N entries")
    prove = actions.add_parser("prove", help="write the proof of one entry", allow_abbrev=False)
    prove.add_argument("number", type=_count, metavar="N", help="the entry's number, from 0")
    prove.add_argument("--out", type=Path, metavar="FILE", help="write it to a file instead of the screen")
    prove.add_argument("--force", action="store_true", help="replace the file")
    check = actions.add_parser("check", help="recompute the whole log", allow_abbrev=False)
    check.add_argument(
        "--from-checkpoint",
        type=Path,
        metavar="FILE",
        help="a checkpoint of this log that was kept elsewhere: the log must still begin with what it covers",
    )
    for action in (show, prove, check):
        action.add_argument("--log", type=Path, metavar="FOLDER", help="another log than your own")
        add_json_flag(action)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return int(text)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one action on the log."""
    from verilabel.evidence.keys import home_folder
    from verilabel.evidence.log import LocalLog

    with LocalLog.open(args.log if args.log is not None else home_folder() / "log") as log:
        {"show": _show, "prove": _prove, "check": _check}[args.action](log, args)
    return ExitStatus.OK


def _show(log: LocalLog, args: argparse.Namespace) -> None:
    size = log.size
    entries = log.entries(0 if args.last is None else max(0, size - args.last))
    if args.json:
        print_json(
            {
                "origin": log.origin,
                "keyid": log.public_key.keyid,
                "size": size,
                "entries": [
                    {"number": e.number, "kind": e.entry.kind, "digest": e.entry.digest, "logged": e.logged}
                    for e in entries
                ],
            }
        )
        return
    print(f"{log.origin}: {size} entries, signed with {log.public_key.keyid}")
    if entries:
        print_table(
            ["number", "logged", "kind", "digest"],
            [[e.number, e.logged, e.entry.kind, e.entry.digest] for e in entries],
        )


def _prove(log: LocalLog, args: argparse.Namespace) -> None:
    from verilabel.evidence.atomic import write_file

    proof = log.prove(args.number)
    if args.out is not None:
        write_file(args.out, proof.bytes(), overwrite=args.force)
    if args.json:
        print_json({"number": args.number, "out": args.out, "proof": proof.bytes().decode("utf-8")})
    elif args.out is None:
        sys.stdout.write(proof.bytes().decode("utf-8"))
    else:
        print(f"wrote the proof of entry {args.number} to {args.out}")


def _check(log: LocalLog, args: argparse.Namespace) -> None:
    from verilabel.evidence.note import MAX_NOTE_BYTES

    against = None
    if args.from_checkpoint is not None:
        with args.from_checkpoint.open("rb") as file:
            against = file.read(MAX_NOTE_BYTES + 1)
    audit = log.audit(against=against)
    if args.json:
        print_json(
            {
                "origin": audit.origin,
                "keyid": audit.keyid,
                "size": audit.size,
                "root": audit.root,
                "checkpoints": audit.checkpoints,
                "from_checkpoint": args.from_checkpoint,
            }
        )
        return
    print(f"{audit.origin}: all {audit.size} entries and {audit.checkpoints} signed checkpoints hold")
    print(f"  root  {audit.root}")
    print(f"  key   {audit.keyid}")
    if args.from_checkpoint is None:
        print("  a log that was rewritten whole, with its key, is seen only with --from-checkpoint")
    else:
        print(f"  it still begins with what {args.from_checkpoint} covers")
