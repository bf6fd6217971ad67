"""Read another tool's results, make its headlines again from its records, and label what they evidence.

Inspect AI (.eval and JSON), lm-eval (results and samples), HELM run folders, promptfoo JSON, garak reports, logs of
OpenAI evals, Every Eval Ever, Moonshot results, and tables of recorded answers. The format is told by the content.
Imported answers are marked so: nobody here saw them being given.

examples:
  verilabel import logs/run.eval
  verilabel import results_2026-01-21T03-44-18.json --json
  verilabel import report.jsonl --format garak --out garak.import
  verilabel import answers.csv --column output=completion --column score=passed --claim passed=0.93
  verilabel import run.eval --out run.import --rubric my-rubric.yaml --measure arithmetic=match
  verilabel decide run.import/store --key default --out run.bundle

exit statuses: 0 evidenced, 1 claimed and not evidenced, 3 not the results of a known tool
"""

from __future__ import annotations

import secrets
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.interchange.importing.judging import Judgement
    from verilabel.interchange.importing.store import StoreRequest

SUMMARY = "read another tool's results, recompute its headlines, and label what they evidence"
MAX_ROWS = 30
"""Headlines that are printed; all are in --json and in import.json."""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("log", type=Path, help="a log, a results file or a run's folder")
    parser.add_argument(
        "--format", metavar="FORMAT", help="the tool that wrote it (default: told by the content)"
    )
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="tables: which column holds prompt, output, score, id, epoch, target, error, group, system (repeatable)",
    )
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="SCORE=NUMBER",
        help="tables: a mean that was published of the score (repeatable)",
    )
    parser.add_argument(
        "--word",
        action="append",
        default=[],
        metavar="WORD=NUMBER",
        help="tables: the number that a word of the score stands for (repeatable)",
    )
    parser.add_argument("--group", metavar="NAME", help="one group of records alone: a task, probe or prompt")
    parser.add_argument(
        "--part",
        action="store_true",
        help="take the records as a suite of their own where the log holds a part of its data set",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write import.json and records.jsonl here")
    parser.add_argument("--force", action="store_true", help="replace the import at --out")
    label = parser.add_argument_group("towards a label")
    label.add_argument("--rubric", metavar="ID|FILE", help="also write a run's store for this rubric")
    label.add_argument(
        "--measure",
        action="append",
        default=[],
        metavar="MEASURE=SCORE",
        help="the score whose 1 is the measure's event; not:SCORE where it is 0 (repeatable)",
    )
    label.add_argument(
        "--suite", metavar="ID|PATH", help="find the prompts in this suite, by their exact text"
    )
    label.add_argument(
        "--mirror", type=Path, metavar="DIR", help="folder in which the suite's data is looked for first"
    )
    label.add_argument("--model", metavar="NAME", help="the model, where the log does not name it")
    label.add_argument(
        "--use-case", default="general-chat", help="what the system is for (default general-chat)"
    )
    label.add_argument("--locale", default="en-US", help="its language and region (default en-US)")
    label.add_argument(
        "--log",
        dest="log_folder",
        type=Path,
        metavar="DIR",
        help="the log that keeps the plan (default: your own)",
    )
    label.add_argument("--unlogged", action="store_true", help="log nothing: the bundle then verifies to V0")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Read, judge, print; write where --out says."""
    from verilabel.interchange.importing.detection import read_run
    from verilabel.interchange.importing.judging import judge_import, select_group
    from verilabel.interchange.importing.table import TableOptions
    from verilabel.interchange.importing.writing import report_document

    _check_options(args)
    table = TableOptions(
        _pairs(args.column, "--column"), _pairs(args.claim, "--claim"), _pairs(args.word, "--word")
    )
    read = read_run(args.log, form=args.format, table=table)
    if args.group is not None:
        groups = sorted({record.group for record in read.records})
        if args.group not in groups:
            raise UsageError(
                f"no group {args.group!r}", hint=f"the log has {', '.join(groups[:20]) or 'none'}"
            )
        read = select_group(read, args.group)
    judgement = judge_import(read, part_is_meant=args.part)
    if args.out is not None:
        _write(judgement, args)
    if args.json:
        print_json(report_document(judgement))
    else:
        _print_report(judgement)
        if args.out is not None:
            _print_written(args)
    return ExitStatus.OK if judgement.evidenced else ExitStatus.CHECK_FAILED


def _check_options(args: Namespace) -> None:
    if args.rubric is not None and args.out is None:
        raise UsageError("where shall the store go?", hint="--out DIR")
    if args.rubric is None and (args.measure or args.suite):
        raise UsageError("--measure and --suite are for a label", hint="--rubric ID or FILE")


def _pairs(values: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for value in values:
        key, sign, rest = value.partition("=")
        if not sign or not key or not rest:
            raise UsageError(f"{value!r} is not of the form NAME=VALUE", where=option)
        if key in pairs:
            raise UsageError(f"{key!r} is given twice", where=option)
        pairs[key] = rest
    return pairs


def _write(judgement: Judgement, args: Namespace) -> None:
    from verilabel.interchange.importing.store import require_evidence, write_store
    from verilabel.interchange.importing.writing import write_import

    if args.rubric is None:
        write_import(judgement, args.out, force=args.force)
        return
    require_evidence(judgement)
    request = _request(args)

    def add_store(folder: Path) -> None:
        write_store(judgement, request, folder)

    write_import(judgement, args.out, force=args.force, add=add_store)


def _request(args: Namespace) -> StoreRequest:
    from verilabel.interchange.importing.store import StoreRequest
    from verilabel.rubric.model import rubric_bytes
    from verilabel.suites.loading import load_suite

    content, _ = rubric_bytes(args.rubric)
    return StoreRequest(
        rubric=content,
        measures=_pairs(args.measure, "--measure"),
        seed=secrets.token_hex(16),
        now=datetime.now(UTC).replace(microsecond=0),
        suite=load_suite(args.suite, mirror=args.mirror) if args.suite else None,
        log=None if args.unlogged else seal_options.open_log(args.log_folder, "import"),
        model=args.model,
        use_case=args.use_case,
        locale=args.locale,
    )


def _print_written(args: Namespace) -> None:
    print(f"written to {args.out}")
    if args.rubric is not None:
        print(f"next: verilabel decide {args.out / 'store'} --out BUNDLE")


def _print_report(judgement: Judgement) -> None:
    from verilabel.interchange.importing.suite import suite_name

    run = judgement.run
    print(plain(f"{judgement.verdict} (imported, not observed)"))
    for reason in judgement.reasons:
        print(plain(f"  because {reason}"))
    facts = {
        "tool": f"{run.tool} {run.tool_version}".strip(),
        "task": run.task,
        "model": run.model,
        "data set": run.dataset,
        "records": f"{len(run.records):,} of {judgement.items:,} samples, {judgement.held}",
        "suite": suite_name(run) if run.records else "",
    }
    for name, value in facts.items():
        if value:
            print(plain(f"{name + ':':<10}{value[:200]}"))
    for note in run.notes:
        print(plain(f"note:     {note}"))
    rows = [
        [
            plain(finding.metric.label[:60]),
            plain(finding.metric.printed[:24]),
            finding.recomputed,
            finding.verdict.replace("_", " "),
            f"{finding.bounds.lower} .. {finding.bounds.upper}" if finding.bounds else "",
            plain(finding.reason[:100]),
        ]
        for finding in judgement.findings[:MAX_ROWS]
    ]
    if rows:
        print()
        print_table(["headline", "claimed", "recomputed", "verdict", "bounds", "reason"], rows)
    if len(judgement.findings) > MAX_ROWS:
        print(f"and {len(judgement.findings) - MAX_ROWS} more headlines, in --json")
