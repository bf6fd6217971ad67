"""Ask an audit in SQL: records, findings, shards, and the tables of its checks.

The files' digests are checked first. The database (DuckDB, in memory) reads them, and can neither write nor reach
anything else on this machine or the network. `records` has a row a document, `findings` a row a finding; --tables lists
all views and what their columns say.

examples:
  verilabel data query run.audit --tables
  verilabel data query run.audit "SELECT kind, count(*) FROM findings GROUP BY ALL ORDER BY 2 DESC"
  verilabel data query run.audit "SELECT licence, count(*) FROM records GROUP BY ALL ORDER BY 2 DESC LIMIT 10" --csv
  verilabel data query run.audit "SELECT name, unread FROM shards WHERE unread > 0" --json

exit statuses: 0 answered; 2 the question cannot be answered; 3 or 4 the folder does not hold
"""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser, Namespace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.audit.querying.database import Answer, Database

SUMMARY = "ask an audit in SQL"
SHOWN_ROWS = 1_000


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("audit", type=Path, metavar="AUDIT", help="the folder of an audit")
    parser.add_argument("sql", nargs="?", metavar="SQL", help="one SELECT")
    parser.add_argument("--tables", action="store_true", help="list the views and their columns")
    parser.add_argument("--csv", action="store_true", help="print the answer as CSV")
    parser.add_argument(
        "--memory", default="1GB", metavar="SIZE", help="the most that the database takes (default 1GB)"
    )
    parser.add_argument("--unchecked", action="store_true", help="do not check the files' digests first")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Ask, and print the answer."""
    from verilabel.audit.querying.database import open_database

    if args.tables == (args.sql is not None):
        raise UsageError("a question in SQL, or --tables")
    if args.csv and args.json:
        raise UsageError("--csv or --json, not both")
    with open_database(args.audit, memory=args.memory, is_checked=not args.unchecked) as database:
        if args.tables:
            _print_tables(database, as_json=args.json)
        else:
            _print_answer(database.ask(args.sql), args)
    return ExitStatus.OK


def _print_tables(database: Database, *, as_json: bool) -> None:
    tables = dict(database.tables())
    if as_json:
        print_json(
            {
                name: [{"column": column, "type": kind, "says": words} for column, kind, words in columns]
                for name, columns in tables.items()
            }
        )
        return
    for name, columns in tables.items():
        print(plain(name))
        for column, kind, words in columns:
            print(plain(f"  {column:<28} {kind:<10} {words[:200]}").rstrip())


def _print_answer(answer: Answer, args: Namespace) -> None:
    if args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.names)
        writer.writerows(answer.rows())
    elif args.json:
        print_json([dict(zip(answer.names, row, strict=True)) for row in answer.rows()])
    else:
        rows = answer.rows()
        shown = [[_shown(value) for value in row] for row in islice(rows, SHOWN_ROWS)]
        print_table([plain(name) for name in answer.names], shown)
        if next(rows, None) is not None:
            print(f"(the first {SHOWN_ROWS:,} rows; --csv prints all)")


def _shown(value: object) -> object:
    if value is None:
        return ""
    return value if isinstance(value, int | float) else plain(str(value))
