"""Read a bundle: its label as a pair, the rows behind it, what it leaves open, and where it comes from.

The bundle is verified while it is read. What does not hold is shown as a claim, and the exit status says so.

examples:
  verilabel show gpt.bundle
  verilabel show gpt.bundle --html report.html
  verilabel show gpt.bundle --samples 5
  verilabel show gpt.bundle --trust trust.yaml --statements dispute.json
  verilabel show gpt.bundle --trust trust.yaml --json

--html writes one file that needs no network. --samples shows answers of rows that are not met or undetermined;
such texts may be harmful or upsetting, so that none is shown unless it is asked for.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain_error, print_json, print_table
from verilabel.cli.statements import add_statements_option, load_statements, print_statements
from verilabel.cli.training_text import print_training
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.evidence.verification import Verification
    from verilabel.report.view import EpisodeView, ReportView, RowView, SampleView, StatementView

SUMMARY = "read a bundle: the label, its rows, its evidence; --html writes a report"
MAX_PROMPT_CHARS = 600
MAX_OUTPUT_CHARS = 1200


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the bundle: a folder or a .zip")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one HTML file")
    parser.add_argument(
        "--samples",
        type=_count,
        default=0,
        metavar="N",
        help="show up to N answers of rows that are not met or undetermined (at most 200)",
    )
    parser.add_argument("--force", action="store_true", help="replace the file at --html")
    add_statements_option(parser)
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def _count(text: str) -> int:
    from verilabel.report.building import MAX_SAMPLES

    if not text.isascii() or not text.isdecimal() or int(text) > MAX_SAMPLES:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to {MAX_SAMPLES}")
    return int(text)


def run(args: Namespace) -> ExitStatus:
    """Verify the bundle, then show it."""
    from verilabel.cli.baselines_text import print_beside
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.container import open_container
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.report.building import build_view
    from verilabel.report.page import write_report
    from verilabel.suites.loading import find_suite

    now = datetime.now(UTC)
    beside = load_statements(args.statements)
    found = verify_bundle(
        args.bundle,
        trust=seal_options.open_trust(args),
        now=now,
        find_card=find_card,
        find_suite=find_suite,
        statements=beside,
    )
    with open_container(args.bundle) as container:
        view = build_view(
            container,
            found,
            bundle=args.bundle.resolve().name,
            read_at=now,
            samples=args.samples,
            beside=beside,
        )
    if args.html is not None:
        write_report(args.html, view, overwrite=args.force)
    if args.json:
        print_json(view.document())
    else:
        print_view(view)
        print_beside(view.baselines)
        print_training(view.audits)
        _print_what_others_signed(view, found)
        if args.html is not None:
            print(f"\nreport: {args.html}")
    if found.failure is None:
        return ExitStatus.OK
    print(f"error: {plain_error(found.failure)}", file=sys.stderr)
    return found.failure.status


# -- text ------------------------------------------------------------------------------------------


def print_view(view: ReportView) -> None:
    """Print the view: what matters most comes first."""
    if view.warning is not None:
        claims = "" if view.genuine else " What follows is what it claims."
        print(f"WARNING: {_plain(view.warning)}{claims}")
    print(_plain(view.sentence))
    print(_say_steps(view))
    for badge in view.badges:
        print(f"{badge.word}: {_plain(badge.says)}")
    print(f"{view.level_says} {view.level_limit}")
    print()
    _print_rows(view)
    _print_flags(view)
    _print_gaps(view)
    _print_detail(view)
    _print_samples(view)


def _plain(text: str) -> str:
    from verilabel.report.untrusted import show_unseen

    return show_unseen(text, one_line=True)


def _say_steps(view: ReportView) -> str:
    signs = {"passed": "ok", "failed": "FAILED", "skipped": "skipped", "not_reached": "not reached"}
    steps = ", ".join(f"{step.name} {signs[step.outcome]}" for step in view.steps)
    return f"{view.level} ({_plain(view.reason)}). steps: {steps}"


def _print_rows(view: ReportView) -> None:
    from verilabel.report.wording import STATUS_WORDS

    headings = (
        "level",
        "row",
        "status",
        "events",
        "answers",
        "missing",
        "rate",
        "bounds",
        "tested at",
        "requests",
    )
    rows = [
        (
            _plain(f"{row.level} {row.test}" if view.kind == "hazard" else row.level),
            _plain(_name_row(row)),
            STATUS_WORDS[row.status],
            row.events,
            row.n,
            row.missing,
            _plain(row.rate or "-"),
            _plain(f"{row.lower} .. {row.upper}") if row.lower else "-",
            _plain(row.tested_met or "-"),
            row.calls,
        )
        for row in view.rows
    ]
    print_table(headings, rows)


def _name_row(row: RowView) -> str:
    if row.attested is not None:
        return f"attested: {row.attested}"
    return f"{row.measure} {row.op} {row.threshold}"


def _print_flags(view: ReportView) -> None:
    if view.flags:
        print("\nflags")
        for flag in view.flags:
            print(f"  {_plain(flag.flag)}: {flag.meaning}")


def _print_gaps(view: ReportView) -> None:
    if view.gaps:
        print("\nwhat this label does not say")
        for gap in view.gaps:
            print(f"  {gap.kind.replace('_', ' ')}: {_plain(gap.what)}\n      {_plain(gap.why)}")


def _print_detail(view: ReportView) -> None:
    from verilabel.report.wording import say_failure

    totals, seal, plan = view.totals, view.seal, view.plan
    facts = [
        ("system", f"{view.system.name} ({view.system.provider_model}, {view.system.identity})"),
        ("descriptor", view.system.sha256),
        ("rubric", f"{view.rubric.id}@{view.rubric.version} {view.rubric.sha256}"),
        ("plan", f"{plan.sha256} ({view.design} design, seed {plan.seed})"),
    ]
    for suite in view.suites:
        facts.append(
            ("suite", f"{suite.name}: {suite.answered} answers, {suite.license or 'no licence stated'}")
        )
    facts += [("detector", detector.name) for detector in view.detectors]
    facts.append(("spent", f"{totals.requests} requests, {totals.judge_requests} to judges"))
    facts.append(("answers", f"{totals.answers} counted, {totals.surplus_answers} more kept and not counted"))
    facts += [("unanswered", f"{count.count} x {say_failure(count.what)}") for count in totals.unanswered]
    facts += [("not scored", f"{count.count} x {count.what}") for count in totals.unscored]
    facts.append(("evidence", f"{seal.leaves} records under {seal.root}"))
    facts.append(("signed by", f"{seal.signer or 'nobody'}, {view.validity}"))
    print("\nwhere it comes from")
    for name, text in facts:
        print(f"  {name:<11} {_plain(text)}")


def _print_what_others_signed(view: ReportView, found: Verification) -> None:
    from verilabel.report.wording import NOT_JUDGED_SAYS

    if not (view.statements or view.statements_not_judged):
        return
    print("\nwhat others signed about it")
    if view.statements_not_judged:
        print(f"  {NOT_JUDGED_SAYS.format(count=view.statements_not_judged)}")
    findings = {finding.digest: finding for finding in found.statements}
    for statement in view.statements:
        print_statements((findings[statement.digest],))
        _print_words(statement)


def _print_words(statement: StatementView) -> None:
    """What a statement says, in the words of the page; of one that does not count, not its signer's text."""
    from verilabel.report.untrusted import shorten

    print(f"    {_plain(statement.verdict)}")
    print(f"    {_plain(statement.signer)}: {statement.signer_says}")
    if statement.text and statement.counts:
        print(f"    “{_plain(shorten(statement.text, MAX_PROMPT_CHARS))}”")
    for term, value in statement.facts:
        print(f"    {term.lower()}: {_plain(value)}")
    for measure in statement.measures:
        counts = (
            f"{measure.events_original} of {measure.n_original} in the label, "
            f"{measure.events_replica} of {measure.n_replica} in the replica"
        )
        print(f"    {_plain(measure.measure)}: {measure.verdict}; {counts}")


def _print_samples(view: ReportView) -> None:
    if not view.samples_asked_for:
        return
    if not view.samples:
        print("\nno answers to show: no row is undetermined or not met for want of one")
        return
    print("\nanswers of rows that are not met or undetermined (they may be harmful or upsetting)")
    for sample in view.samples:
        _print_sample(sample)


def _print_sample(sample: SampleView) -> None:
    output = sample.output if sample.output is not None else f"(no answer) {sample.failure}"
    print(
        f"\n  {_plain(sample.measure)}: {_plain(sample.suite)} {_plain(sample.sample)}, epoch {sample.epoch}"
    )
    for finding in sample.findings:
        print(f"    {_plain(finding)}")
    _print_text("prompt", sample.prompt, MAX_PROMPT_CHARS)
    if sample.episode is None:
        _print_text("answer", output, MAX_OUTPUT_CHARS)
    else:
        _print_episode(sample.episode)


def _print_text(name: str, text: str, limit: int, *, indent: str = "    ") -> None:
    from verilabel.report.untrusted import shorten, show_unseen

    lines = show_unseen(shorten(text, limit)).split("\n")
    print(f"{indent}{name}: " + f"\n{indent}        ".join(lines))


def _print_episode(episode: EpisodeView) -> None:
    for number, step in enumerate(episode.steps, 1):
        notes = f" ({_plain('; '.join(step.notes))})" if step.notes else ""
        print(f"    {number:>3}. {_plain(step.heading)}{notes}")
        for name, text in step.texts:
            _print_text(_plain(name) or "text", text, MAX_PROMPT_CHARS, indent="         ")
    more = f"{episode.left_out:,} more steps are in the record. " if episode.left_out else ""
    held = f" Sandbox: {episode.containment}." if episode.containment else ""
    print(f"    ending: {more}{_plain(episode.ending)}{_plain(held)}")
