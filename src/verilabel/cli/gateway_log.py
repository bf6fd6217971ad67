"""Check a gateway's audit trail: that no line was changed, removed, added or swapped, and no file shortened or removed.

Every file is a chain of SHA-256 over its lines, and files name how far the others went. With --key the checkpoints that
the gateway signed are asked for too, so that a trail that somebody wrote anew as a whole is seen. --checkpoint takes a
signed checkpoint (`*.checkpoint`) that was kept elsewhere: the trail must still hold all that it covers. Nothing in the
folder itself can show that the very end of its newest file was cut away; a checkpoint kept elsewhere can.

Listed and no error: a file whose process was killed (its last line may be torn), files still being written, records
that could not be written (their requests were refused), refused requests without a key that were counted alone,
requests in flight when a process was killed, requests and replies that no guard looked at.

examples:
  verilabel gateway verify-log audit
  verilabel gateway verify-log audit --key audit-key.pub --checkpoint kept/20261101T000000Z-4711-1f2e3d4c.checkpoint
  verilabel gateway verify-log audit --since 2026-11-01 --json

exit statuses: 0 intact, 4 something was changed, removed or not signed, 2 no trail in the folder
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.audit.verifying import TrailReport

SUMMARY = "check the audit trail: nothing changed, removed or shortened"
MAX_NOTE_FILE_BYTES = 1 << 20


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, help="the folder of the trail")
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        metavar="PUB",
        help="a public key that signs checkpoints",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint kept elsewhere",
    )
    parser.add_argument(
        "--since", metavar="DAY", help="count records from this day on; older files may be archived elsewhere"
    )
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Check the trail."""
    from verilabel.evidence.keys import load_public
    from verilabel.gateway.audit.verifying import verify_trail

    report = verify_trail(
        args.folder,
        keys=[load_public(path) for path in args.key],
        since=parse_day(args.since),
        checkpoints=[_read_note(path) for path in args.checkpoint],
    )
    if args.json:
        print_json(_document(report))
    else:
        _print_report(report, has_key=bool(args.key))
    return ExitStatus.OK if report.is_intact else ExitStatus.SEAL


def parse_day(text: str | None) -> datetime | None:
    """A day or moment (UTC where it names no zone). Raises UsageError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a day", where="--since", hint="such as 2026-11-01") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _read_note(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_NOTE_FILE_BYTES)


def _document(report: TrailReport) -> dict[str, Any]:
    counts = report.counts
    return {
        "intact": report.is_intact,
        "problems": [problem._asdict() for problem in report.problems],
        "problem_count": report.problem_count,
        "files": [asdict(file) for file in report.files],
        "archived": report.archived,
        "records": counts.records,
        "events": dict(sorted(counts.events.items())),
        "outcomes": dict(sorted(counts.outcomes.items())),
        "findings": [
            {"guard": guard, "rule": rule, "action": action, "mode": mode, "count": count}
            for (guard, rule, action, mode), count in sorted(counts.findings.items())
        ],
        "guard_errors": dict(sorted(counts.guard_errors.items())),
        "unscanned_requests": counts.unscanned_requests,
        "unscanned_replies": counts.unscanned_replies,
        "unscanned": counts.unscanned,
        "lost": counts.lost,
        "unkeyed": counts.unkeyed,
        "unfinished": counts.unfinished,
    }


_ENDS = {
    "closed": "closed",
    "open": "not closed: still written, or its process was killed",
    "torn": "ends in part of a line: its process was killed",
}


def _print_report(report: TrailReport, *, has_key: bool) -> None:
    counts = report.counts
    verdict = "intact" if report.is_intact else f"NOT INTACT: {report.problem_count} problems"
    print(f"{verdict}; {len(report.files)} files, {counts.records} records")
    for problem in report.problems:
        where = plain(problem.file) + (f":{problem.line}" if problem.line else "")
        print(f"  - {where}: {plain(problem.says)}")
    rows = [
        (plain(file.name), file.lines, file.checkpoints, file.unsigned_tail, _ENDS[file.end])
        for file in report.files
    ]
    print_table(("file", "lines", "signed" if has_key else "signed (not checked)", "after that", "end"), rows)
    for name in report.archived:
        print(f"not there, and older than asked for: {plain(name)}")
    _print_counts(report)


def _print_counts(report: TrailReport) -> None:
    counts = report.counts
    if counts.outcomes:
        print_table(("outcome", "records"), [(plain(o), n) for o, n in sorted(counts.outcomes.items())])
    if counts.findings:
        rows = [(*map(plain, names), count) for names, count in sorted(counts.findings.items())]
        print_table(("guard", "rule", "action", "mode", "findings"), rows)
    for guard, count in sorted(counts.guard_errors.items()):
        print(f"the guard {plain(guard)} could not look {count} times")
    for number, what in (
        (counts.unscanned_requests, "answered requests were not scanned"),
        (counts.unscanned_replies, "replies were not scanned"),
        (counts.lost, "records could not be written; their requests were refused"),
        (counts.unkeyed, "further requests without a key in force were refused and have no records"),
        (counts.unfinished, "requests had begun and have no end here"),
    ):
        if number:
            print(f"{number} {what}")
    for record in counts.unscanned[:20]:
        print(f"  unscanned: {plain(record)}")
