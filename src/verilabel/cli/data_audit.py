"""Audit training data in one pass over it, with exact bounds and a record that others can check.

Reads Parquet, JSONL (.gz, .zst), CSV, WARC, folders of plain files, data-set repositories, and with `hub:ORG/NAME` or a
URL (s3://, gs://, https://) what is elsewhere. What cannot be read is counted, named by its place, and part of
every statement. The same command continues an audit that was broken off. Everything is done on this machine: nothing is
sent or fetched that the command does not name.

The secret beside the result (FILE.secret) makes commitments that nobody can guess: keep it. Who gives the same secret
again with --secret gets the same root for the same corpus and settings, on any machine and engine.

examples:
  verilabel data audit corpus/ --out run.audit
  verilabel data audit 'shards/*.jsonl.zst' --column text --bench core/xstest --bench heldout.jsonl --out run.audit
  verilabel data audit corpus/ --engine ray --workers 8 --out run.audit
  verilabel data audit shards/ --check duplicates --duplicates exact --out copies.audit
  verilabel data audit hub:org/name@main --check pii --check licences --unsigned --out run.audit

exit statuses: 0 audited, 2 usage, 3 nothing could be read, or a file changed while it was read, 6 workers died
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.audit.settings import AuditSettings

SUMMARY = "audit training data in one pass, with bounds and proofs"
CHECK_NAMES = ("pii", "licences", "contamination", "duplicates", "language", "toxicity", "provenance")
MAX_DOCUMENT_BYTES = 64 * 2**20
FORMS = ("parquet", "jsonl", "csv", "warc", "text")


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "inputs", nargs="+", metavar="PATH", help="files, folders, patterns, URLs or hub:ORG/NAME"
    )
    add_settings_options(parser)
    engine = parser.add_argument_group("engine")
    engine.add_argument(
        "--engine",
        default="local",
        metavar="local|ray|ray://HOST:PORT",
        help="processes of this machine (default), Ray on this machine, or a Ray cluster",
    )
    engine.add_argument("--workers", type=int, metavar="N", help="workers at once (default: one a core)")
    engine.add_argument(
        "--resume",
        action="store_true",
        help="continue, and refuse to begin; the same command continues anyway",
    )
    engine.add_argument("--quiet", action="store_true", help="show no progress")
    sealing = parser.add_argument_group("sealing")
    sealing.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the audit")
    sealing.add_argument(
        "--key", metavar="NAME|FILE", default="default", help="signing key (default: the key named default)"
    )
    sealing.add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )
    sealing.add_argument("--unsigned", action="store_true", help="do not sign")
    sealing.add_argument(
        "--secret",
        type=Path,
        metavar="FILE",
        help="secret of an earlier audit (default: a new one, at OUT.secret)",
    )
    sealing.add_argument("--force", action="store_true", help="replace what is at --out")
    add_json_flag(parser)


def add_settings_options(parser: ArgumentParser) -> None:
    """Options that decide what is found."""
    text = parser.add_argument_group("text")
    text.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="PATH",
        help="the text, such as text, answer.body or messages[].content (repeatable; default: the obvious one)",
    )
    text.add_argument(
        "--max-document-bytes",
        type=int,
        default=MAX_DOCUMENT_BYTES,
        metavar="N",
        help=f"longer documents are counted and not read (default {MAX_DOCUMENT_BYTES})",
    )
    text.add_argument("--form", choices=FORMS, help="where names of files do not say it")
    checks = parser.add_argument_group("checks")
    checks.add_argument(
        "--check",
        action="append",
        choices=CHECK_NAMES,
        metavar="NAME",
        help=f"only these: {', '.join(CHECK_NAMES)}",
    )
    checks.add_argument(
        "--bench",
        action="append",
        default=[],
        metavar="SUITE|FILE",
        help="a benchmark to look for: a suite by name, or a file with an item a line (repeatable)",
    )
    checks.add_argument("--mirror", metavar="DIR", help="take suites' data from here instead of the network")
    checks.add_argument(
        "--region",
        action="append",
        metavar="CC",
        help="national telephone numbers of a country (default: US, GB)",
    )
    checks.add_argument(
        "--duplicates",
        choices=("near", "exact"),
        default="near",
        help="near duplicates and equal texts (default), or equal texts alone, which takes half the time",
    )
    checks.add_argument(
        "--sketch", action="store_true", help="keep n-grams by which others can look for benchmarks"
    )
    checks.add_argument(
        "--sample",
        type=int,
        default=1000,
        metavar="N",
        help="documents for costly detectors (default 1000; 0: none)",
    )
    checks.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="JUDGE",
        help="a judge to ask about the sample (repeatable)",
    )
    checks.add_argument(
        "--canaries",
        type=int,
        default=300,
        metavar="N",
        help="values planted of each format (default 300; 0: none)",
    )
    checks.add_argument("--confidence", default="0.95", metavar="P", help="of every bound (default 0.95)")


def settings_of(args: Namespace) -> AuditSettings:
    """The settings that the options say. Raises UsageError for those that make no sense."""
    from verilabel.audit.settings import (
        CHECKS,
        AuditSettings,
        CanarySettings,
        ContaminationSettings,
        DuplicatesSettings,
        PiiSettings,
        SamplingSettings,
        Selection,
    )

    if args.sample < 0 or args.canaries < 0 or args.max_document_bytes < 1:
        raise UsageError("a negative number", where="--sample, --canaries, --max-document-bytes")
    asked = tuple(name for name in CHECKS if not args.check or name in args.check)
    if args.bench and "contamination" not in asked:
        raise UsageError("--bench asks for a check that --check leaves out", hint="--check contamination")
    if args.duplicates == "exact" and "duplicates" not in asked:
        raise UsageError("--duplicates asks for a check that --check leaves out", hint="--check duplicates")
    regions = tuple(region.upper() for region in args.region) if args.region else PiiSettings().regions
    return AuditSettings(
        selection=Selection(tuple(args.column), args.form, args.max_document_bytes),
        checks=asked,
        pii=PiiSettings(regions=regions),
        contamination=ContaminationSettings(tuple(args.bench), args.mirror, args.sketch),
        duplicates=DuplicatesSettings(near=args.duplicates == "near"),
        sampling=SamplingSettings(
            documents=args.sample,
            judges=tuple(args.judge),
            # the detector of toxic texts belongs to the check of that name
            detectors=SamplingSettings().detectors if "toxicity" in asked else (),
        ),
        canaries=CanarySettings(per_format=args.canaries),
        confidence=args.confidence,
    )


def run(args: Namespace) -> ExitStatus:
    """Audit, and say what was found."""
    from verilabel.audit.engine.auditing import Ordered, audit
    from verilabel.audit.engine.opening import open_executor
    from verilabel.audit.engine.watching import Watch
    from verilabel.cli.data_progress import show_audit
    from verilabel.cli.data_text import print_audit

    _check_out(args)
    settings = settings_of(args)
    key = (
        None
        if args.unsigned
        else seal_options.open_signing_key(args, hint="make one: `verilabel keys new`; or --unsigned")
    )
    ordered = Ordered(tuple(args.inputs), settings, args.out, args.secret, args.force)
    watch = Watch()

    async def go() -> None:
        executor = open_executor(args.engine, args.workers)
        try:
            async with show_audit(watch, quiet=args.quiet):
                await audit(ordered, executor, watch, key, _say)
        finally:
            await executor.close()

    asyncio.run(go())
    print_audit(args.out, as_json=args.json)
    return ExitStatus.OK


def _say(words: str) -> None:
    print(plain(words), file=sys.stderr)


def _check_out(args: Namespace) -> None:
    from verilabel.audit.engine.work import check_out, work_folder

    check_out(args.out, args.inputs, force=args.force)
    if args.resume and not work_folder(args.out).is_dir():
        raise UsageError("there is nothing to continue", where=str(work_folder(args.out)))
