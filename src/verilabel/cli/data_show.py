"""Read an audit: how much was read, what was found with bounds and errors, where it comes from, what it leaves open.

The audit is verified from its own files while it is read. What does not hold is shown as a claim, and the exit status
says so. --html writes one file that needs no network and no script.

examples:
  verilabel data show run.audit
  verilabel data show run.audit --html audit.html
  verilabel data show run.audit --trust trust.yaml --json

exit statuses: 0 it holds, 2 usage, 3 malformed, 4 a digest, root, count, bound or signature does not hold
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain_error
from verilabel.errors import ExitStatus

SUMMARY = "read an audit: coverage, findings with bounds, limits; --html writes a report"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("audit", type=Path, help="the folder of an audit")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one HTML file")
    parser.add_argument("--force", action="store_true", help="replace the file at --html")
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Verify the audit, then show it."""
    from verilabel.cli.data_text import print_audit
    from verilabel.report.audit.page import write_audit_page
    from verilabel.report.audit.view import build_audit_report, check_standing

    standing = check_standing(args.audit, seal_options.open_trust(args))
    signer = None if standing.signer is None else f"{standing.signer.name} ({standing.signer.keyid})"
    says = "it holds together" if standing.holds else "it does NOT hold together: this is what it claims"
    try:
        if args.html is not None:
            report = build_audit_report(args.audit, standing, datetime.now(UTC))
            write_audit_page(args.html, report, overwrite=args.force)
        print_audit(args.audit, as_json=args.json, standing=says, signer=signer, with_limits=True)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # claims that were not verified may hold any numbers: a sum that cannot be is no fault of this program
        if standing.failure is None:
            raise
        raise standing.failure from error
    if args.html is not None and not args.json:
        print(f"\nreport: {args.html}")
    if standing.failure is None:
        return ExitStatus.OK
    print(f"error: {plain_error(standing.failure)}", file=sys.stderr)
    return standing.failure.status
