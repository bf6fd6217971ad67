"""What `label`, `run` and `demo` share: opening what the options name, and carrying out a plan with progress."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from verilabel.cli import agent_options, options, seal_options, signing
from verilabel.cli.progress import show_progress
from verilabel.evaluation.agents.observing import span_of_answer
from verilabel.evaluation.agents.opening import add_solvers, bind_agent
from verilabel.evaluation.describing import SystemChoice, describe_system
from verilabel.evaluation.engine import Run
from verilabel.evaluation.events import open_events
from verilabel.evaluation.labelling import begin_run, open_run
from verilabel.evidence.journal import Store
from verilabel.models.interface import Model
from verilabel.rubric.model import load_rubric, rubric_bytes
from verilabel.suites.loading import Suite


@dataclass(frozen=True)
class Job:
    """What the options opened."""

    choice: SystemChoice
    model: Model
    suites: list[Suite]
    rubric: bytes
    rubric_where: str
    containment: bytes | None = None
    """The containment attestation that is kept with the run."""


def prepare(args: Namespace, store: Path | None = None) -> Job:
    """Open what the options name: the system, its model, the suites and the rubric. `store` is the run's, if any."""
    rubric, where = rubric_bytes(args.rubric)
    choice = options.choose_system(args)
    options.settle_seed(args, store)
    return open_job(args, choice, options.load_chosen_suites(args), rubric, where)


def open_job(args: Namespace, choice: SystemChoice, suites: list[Suite], rubric: bytes, where: str) -> Job:
    """Open the model of a chosen system, with an agent around it where a suite needs one; say what is worth knowing."""
    agent = agent_options.choose_agent(args)
    choice = bind_agent(choice, agent, suites)
    reach = agent_options.reach_of(args)
    model = add_solvers(options.open_chosen_model(choice, args, suites), choice, agent, suites, reach)
    for note in getattr(model, "notes", ()):
        print(f"{choice.model}: {note}", file=sys.stderr)
    kept = None if agent.containment is None else agent.containment.data
    return Job(choice, model, suites, rubric, where, kept)


def store_of(out: Path) -> Path:
    """The folder in which a bundle's run is kept until it is sealed."""
    return out.with_name(out.name + ".run")


async def carry_out(args: Namespace, job: Job, store: Store, seals: seal_options.Seals) -> Run:
    """Steps 1 to 4 of a label's path on a store, with progress on standard error."""
    rubric = load_rubric(job.rubric, job.rubric_where)
    chosen = options.plan_options(args, fixed_outcomes=job.model.fixed_outcomes)
    async with job.model as model:
        begun = begin_run(
            store,
            system=describe_system(job.choice, model),
            system_prompt=job.choice.system_prompt,
            rubric=job.rubric,
            suites=job.suites,
            options=chosen,
            log=seals.log,
            given=signing.load_findings(args),
            containment=job.containment,
        )
        for measure, why in begun.planned.unassessed.items():
            print(f"not assessed: {measure}: {why}", file=sys.stderr)
        events = open_events(
            os.environ,
            rubric=begun.planned.plan.rubric,
            suites={name: suite.entries for name, suite in begun.suites.items()},
            span_of=span_of_answer,
        )
        with closing(events):
            async with open_run(
                store,
                begun,
                model,
                params=job.choice.params,
                system_prompt=job.choice.system_prompt,
                connections=args.connections,
                prices=options.prices_of(args),
                budget=chosen.budget if args.budget else None,
                judge_key_env=args.judge_key_env,
                findings=events,
            ) as run:
                if run.kept and not args.quiet:
                    print(f"continuing: {run.kept} answers are kept", file=sys.stderr)
                async with show_progress(run, rubric, quiet=args.quiet):
                    await run.carry_out()
    return run
