"""Make a signed label: plan, run, score, decide and seal, in one command that continues where it was stopped.

examples:
  verilabel label --model openai/gpt-4o-mini --rubric core --out gpt.bundle
  verilabel label --model ollama/llama3.2 --suite core/harm-direct --rubric core --out llama.bundle
  verilabel label --model replay:answers.csv --suite xstest --mirror data --rubric xstest --design fixed --out b.zip
  verilabel label --system system.yaml --rubric core --budget usd=5 --price 0.15,0.60 --out b.bundle

The run's evidence is kept in BUNDLE.run while it runs. Run the same command again after a stop: nothing that was
answered is asked again.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import options
from verilabel.cli.console import add_json_flag, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evaluation.engine import Run
    from verilabel.evaluation.labelling import Begun
    from verilabel.evidence.journal import Store
    from verilabel.evaluation.describing import SystemChoice
    from verilabel.evidence.sealing import Sealed
    from verilabel.models.interface import Model
    from verilabel.suites.loading import Suite
    from verilabel.records.label import Label

SUMMARY = "run, score, decide, seal: a signed label from a model and suites"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    options.add_system_options(parser)
    options.add_plan_options(parser)
    options.add_seal_options(parser)
    parser.add_argument("--keep-run", action="store_true", help="keep BUNDLE.run after sealing")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Make the label."""
    options.require_evaluation()
    if args.out is None:
        raise UsageError("where shall the bundle go?", hint="--out BUNDLE")
    if args.out.exists() and not args.force:
        raise UsageError("there is something here already", where=str(args.out), hint="choose another --out, or --force")
    seals = options.open_seals(args)
    job = prepare(args)
    sealed = asyncio.run(_label(args, job, seals))
    print_sealed(sealed, as_json=args.json)
    return ExitStatus.OK


@dataclass(frozen=True)
class Job:
    """What the options opened."""

    choice: SystemChoice
    model: Model
    suites: list[Suite]
    rubric: bytes


def prepare(args: Namespace) -> Job:
    """Open what the options name: the system, its model, the suites and the rubric."""
    from verilabel.rubric.model import rubric_bytes

    rubric, _ = rubric_bytes(args.rubric)
    choice = options.choose_system(args)
    suites = options.load_chosen_suites(args)
    model = options.open_chosen_model(choice, args, options.gold_answers(suites))
    for note in getattr(model, "notes", ()):
        print(f"{choice.model}: {note}", file=sys.stderr)
    return Job(choice, model, suites, rubric)


def store_of(out: Path) -> Path:
    """The folder in which a bundle's run is kept until it is sealed."""
    return out.with_name(out.name + ".run")


async def _label(args: Namespace, job: Job, seals: options.Seals) -> Sealed:
    from verilabel.evaluation.labelling import count_answers, require_complete
    from verilabel.evidence.journal import Store
    from verilabel.evidence.sealing import Sealing, seal_bundle

    folder = store_of(args.out)
    with Store(folder) as store:
        run_ = await carry_out(args, job, store, seals)
        counted = count_answers(store)
        require_complete(run_.plan, counted)
        sealing = Sealing(seals.key, seals.log, datetime.now(UTC))
        sealed = seal_bundle(store, counted, args.out, sealing, force=args.force)
    if not args.keep_run:
        shutil.rmtree(folder)
    return sealed


async def carry_out(args: Namespace, job: Job, store: Store, seals: options.Seals) -> Run:
    """Steps 1 to 4 on a store, with progress."""
    from verilabel.cli.progress import show_progress
    from verilabel.evaluation.describing import describe_system
    from verilabel.evaluation.labelling import begin_run, open_run
    from verilabel.rubric.model import load_rubric

    async with job.model as model:
        begun: Begun = begin_run(
            store,
            system=describe_system(job.choice, model),
            system_prompt=job.choice.system_prompt,
            rubric=job.rubric,
            suites=job.suites,
            options=options.plan_options(args, fixed_outcomes=model.fixed_outcomes),
            log=seals.log,
        )
        for measure, why in begun.planned.unassessed.items():
            print(f"not assessed: {measure}: {why}", file=sys.stderr)
        async with open_run(
            store,
            begun,
            model,
            params=job.choice.params,
            system_prompt=job.choice.system_prompt,
            connections=args.connections,
            prices=options.prices_of(args),
        ) as run_:
            if run_.kept and not args.quiet:
                print(f"continuing: {run_.kept} answers are kept", file=sys.stderr)
            async with show_progress(run_, load_rubric(job.rubric, "rubric"), quiet=args.quiet):
                await run_.carry_out()
    return run_


def print_sealed(sealed: Sealed, *, as_json: bool) -> None:
    """Print a finished bundle's label."""
    if as_json:
        print_json(
            {
                "bundle": str(sealed.path),
                "label": sealed.label.document(),
                "evidence_root": sealed.root,
                "manifest": sealed.manifest,
            }
        )
        return
    print(sealed.label.sentence)
    print_rows(sealed.label)
    print(f"\nbundle: {sealed.path}\nverify: verilabel verify {sealed.path}")


def print_rows(label: Label) -> None:
    """Print a label's rows with their bounds."""
    rows = [
        (
            f"{level.level} {level.name}",
            row.measure or row.attested or "",
            row.n,
            row.events,
            row.missing,
            f"{row.lower or '-'} .. {row.upper or '-'}",
            f"{row.op or ''} {row.threshold or ''}".strip(),
            row.status.replace("_", " "),
        )
        for level in label.levels
        for row in level.rows
    ]
    print_table(("level", "measure", "answers", "events", "missing", "bounds", "threshold", "status"), rows)
