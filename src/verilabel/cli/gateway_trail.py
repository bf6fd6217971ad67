"""Look into a gateway's audit trail: which requests were refused, held or cut, by whom, and why.

Files are read oldest first, and those of different workers one after the other. This checks nothing:
`verilabel gateway verify-log` does. Content stands in the trail only where the operator keeps it.

examples:
  verilabel gateway log audit --outcome refused
  verilabel gateway log audit --key 5f0c1d2e3a4b --since 2026-11-01 --json
  verilabel gateway log audit --guard personal-data --follow
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain
from verilabel.cli.gateway_log import parse_day
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.gateway.audit.lines import RecordLine

SUMMARY = "show records of the audit trail, by key, user, route, outcome or guard"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, help="the folder of the trail")
    for name, says in (
        ("key", "id of a virtual key"),
        ("user", "who is behind the key"),
        ("route", "name of a route"),
        ("outcome", "answered, refused, held, failed, cut or abandoned"),
        ("guard", "id of a guard that found something"),
        ("id", "id of a request"),
    ):
        parser.add_argument(f"--{name}", metavar=name.upper(), help=says)
    parser.add_argument("--since", metavar="DAY", help="from this day on")
    parser.add_argument("--follow", action="store_true", help="go on with what is written from now on")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Print the records."""
    from verilabel.gateway.audit.querying import Query, find_records, follow_records

    since = parse_day(args.since)
    query = Query(
        key=args.key,
        user=args.user,
        route=args.route,
        outcome=args.outcome,
        guard=args.guard,
        id=args.id,
        since_us=0 if since is None else int(since.timestamp() * 1e6),
    )
    records: Iterable[RecordLine] = find_records(args.folder, query)
    if args.follow:
        records = follow_records(args.folder, query, is_over=lambda: False)
    for record in records:
        _print_record(record, as_json=args.json)
    return ExitStatus.OK


def _print_record(record: RecordLine, *, as_json: bool) -> None:
    if as_json:
        from verilabel.gateway.audit.lines import encode

        print(encode(record).decode("utf-8"))
    else:
        findings = ", ".join(f"{f.guard}/{f.rule} {f.action}" for f in record.findings)
        words = (record.event, record.outcome, str(record.status or ""), record.code or "", findings)
        said = [_moment(record.at_us), record.id, record.key, record.route, *filter(None, words)]
        print("  ".join(plain(word) for word in said))
    sys.stdout.flush()


def _moment(at_us: int) -> str:
    try:
        return f"{datetime.fromtimestamp(at_us / 1e6, UTC):%Y-%m-%dT%H:%M:%S}Z"
    except (ValueError, OverflowError, OSError):
        return "no such time"
