"""`verilabel detectors audit`: recorded answers graded again, and whether the detector still grades as it did."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import print_json
from verilabel.cli.detector_answers import add_reading_options, find_all, read_tags, refuse_overwriting
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.detectors.drift import Audit, Grades
    from verilabel.detectors.interface import AskingDetector, Detector, Finding
    from verilabel.detectors.measure import Answer


def configure_audit(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the audit."""
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="a bundle, or a CSV, JSONL or JSON file of answers")
    add(
        "--baseline", type=Path, metavar="FILE", help="recorded grades to compare with (a bundle has its own)"
    )
    add("--record", type=Path, metavar="FILE", help="write the grades given now, a baseline for later")
    add("--force", action="store_true", help="overwrite --record")
    add("--output-column", metavar="NAME", help="column of the answers in a file")
    add_reading_options(parser)
    add("--suite", action="append", default=[], metavar="PATH", help="where a suite of the bundle lies")
    add("--mirror", type=Path, metavar="DIR", help="folder in which suites' data is looked for first")
    add("--limit", type=int, metavar="N", help="grade N answers again, the same ones at every audit")
    add("--margin", default="0.02", metavar="RATE", help="share of changed grades that is stable (0.02)")


def audit_detector(args: argparse.Namespace) -> ExitStatus:
    """Grade again, compare, print; the exit status says stable, drifted or inconclusive."""
    from decimal import Decimal, InvalidOperation

    from verilabel.detectors.catalogue import open_detector
    from verilabel.detectors.drift import choose_items, collect_grades, compare_grades, item_key, read_grades

    refuse_overwriting(args.record, force=args.force)
    try:
        margin = Decimal(args.margin)
    except InvalidOperation:
        raise UsageError(f"{args.margin!r} is not a number", where="--margin", hint="such as 0.02") from None
    detector = open_detector(args.detector)
    is_bundle = args.source.is_dir() or args.source.suffix.lower() == ".zip"
    if not is_bundle and not args.baseline and not args.record:
        raise UsageError(
            "no recorded grades to compare with", hint="--baseline FILE, or --record FILE to make some"
        )
    before = read_grades(args.baseline) if args.baseline else None
    if is_bundle:
        answers, recorded = _bundle_answers(args, detector)
        before = before or recorded
    else:
        answers = _file_answers(args)
    keys = [item_key(answer.sample.prompt, answer.output) for answer in answers]
    places = choose_items(keys, args.limit)
    chosen = [answers[place] for place in places]
    now = collect_grades(detector.card, [keys[place] for place in places], find_all(detector, chosen))
    if args.record:
        _record(now, args.record)
    if before is None:
        print(f"{len(now.grades)} grades recorded in {args.record}")
        return ExitStatus.OK
    return _report_audit(compare_grades(before, now, margin=margin), args, len(chosen), len(now.grades))


def _file_answers(args: argparse.Namespace) -> list[Answer]:
    from verilabel.detectors.labelled import LabelledRow, cell_text, read_table
    from verilabel.detectors.measure import answers_of

    if not args.output_column:
        raise UsageError("which column holds the answers?", hint="--output-column NAME")
    columns = [args.output_column, *([args.prompt_column] if args.prompt_column else [])]
    table = read_table(args.source, columns=columns)
    prompts = [cell_text(row.get(args.prompt_column)) if args.prompt_column else "" for row in table.rows]
    outputs = [cell_text(row[args.output_column]) for row in table.rows]
    rows = [LabelledRow(prompt, output, False) for prompt, output in zip(prompts, outputs, strict=True)]
    return answers_of(rows, read_tags(args.tag))


def _bundle_answers(
    args: argparse.Namespace, detector: Detector | AskingDetector
) -> tuple[list[Answer], Grades]:
    """The answers of a verified bundle that a detector graded, and its grades. Raises what the verifier finds."""
    from datetime import UTC, datetime

    from verilabel.detectors.catalogue import find_card
    from verilabel.detectors.drift import collect_grades, item_key
    from verilabel.detectors.measure import Answer
    from verilabel.evaluation.finding import enclosed_suites, find_suites
    from verilabel.evidence.container import open_container
    from verilabel.evidence.reading import evidence_lines
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.records.attempt import Attempt
    from verilabel.records.score import Scored, Unscored
    from verilabel.suites.loading import find_suite

    now = datetime.now(UTC)
    found = verify_bundle(args.source, now=now, find_card=find_card, find_suite=find_suite)
    if found.failure is not None:
        raise found.failure
    assert found.plan is not None, "a verification without failure has its plan"
    card = next((card for card in found.plan.detectors if card.id == detector.card.id), None)
    if card is None:
        names = ", ".join(card.id for card in found.plan.detectors)
        raise UsageError(f"the bundle has no grades of {detector.card.id}", hint=f"it has grades of {names}")
    with open_container(args.source) as container:
        enclosed = enclosed_suites(container, found.plan)
    suites = find_suites(found.plan, args.suite, mirror=args.mirror, enclosed=enclosed)
    samples = {(name, sample.id): sample for name, suite in suites.items() for sample in suite.samples}
    outputs: dict[tuple[str, str, int], str] = {}
    answers: list[Answer] = []
    findings: list[Finding] = []
    with open_container(args.source) as container:
        for record in evidence_lines(container):
            key = (record.suite, record.sample, record.epoch)
            if isinstance(record, Attempt):
                if record.judge is None and record.output is not None:
                    outputs[key] = record.output
            elif not isinstance(record, Scored | Unscored):
                continue  # a sealed record shows no answer
            elif record.detector == card.name and key in outputs and key[:2] in samples:
                answers.append(Answer(record.suite, samples[key[:2]], record.epoch, outputs[key]))
                findings.append(record)
    if not answers:
        asked = ", ".join(stream.suite for stream in found.plan.streams)
        raise UsageError(
            f"none of the bundle's suites is at hand ({asked})",
            hint="--suite PATH says where one lies, --mirror its data",
        )
    return answers, collect_grades(card, [item_key(a.sample.prompt, a.output) for a in answers], findings)


def _record(grades: Grades, path: Path) -> None:
    from verilabel.detectors.drift import encode_grades
    from verilabel.detectors.measured_card import write_whole

    write_whole(encode_grades(grades), path)


def _report_audit(audit: Audit, args: argparse.Namespace, answers: int, different: int) -> ExitStatus:
    drift = audit.drift
    if args.json:
        counted = {"answers": answers, "different_answers": different, "margin": args.margin}
        document = {**audit._asdict(), "drift": drift._asdict(), **counted}
        print_json(document)
    else:
        _print_audit(audit, args.margin)
        if different < answers:
            print(f"{answers} answers, {different} different ones: the same prompt and answer counts once")
    return {
        "stable": ExitStatus.OK,
        "drifted": ExitStatus.CHECK_FAILED,
        "inconclusive": ExitStatus.UNDETERMINED,
    }[drift.verdict]


def _print_audit(audit: Audit, margin: str) -> None:
    drift = audit.drift
    print(
        f"{drift.verdict}: {drift.changed} of {drift.n} grades changed "
        f"({audit.gained} gained the event, {audit.lost} lost it)"
    )
    if drift.ungraded:
        print(f"{drift.ungraded} answers were graded one time only; they count against stability")
    print(f"share of changed grades: {drift.lower:.4f} .. {drift.upper:.4f}, stable up to {margin}")
    print(f"exact McNemar test that the rate of the event did not move: p = {drift.p_value:.4g}")
    if audit.agreement is not None:
        alpha = "not defined" if audit.alpha is None else f"{audit.alpha:.3f}"
        print(f"agreement {audit.agreement:.4f}, Krippendorff's alpha {alpha}")
    if drift.verdict == "inconclusive":
        needed = "no number of answers" if drift.deciding_n is None else f"about {drift.deciding_n} answers"
        print(f"{needed} would decide at the share seen here")
    if audit.rules_changed:
        print("the recorded grades are by other rules (prompt, settings or version) than the detector's now")
    if audit.only_before or audit.only_now:
        print(f"not compared: {audit.only_before} recorded grades, {audit.only_now} answers without one")
