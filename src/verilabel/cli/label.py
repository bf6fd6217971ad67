"""Make a signed label: plan, run, score, decide and seal, in one command that continues where it was stopped.

examples:
  verilabel label --model openai/gpt-4o-mini --rubric core --out gpt.bundle
  verilabel label --model ollama/llama3.2 --suite core/harm-direct --rubric core --out llama.bundle
  verilabel label --model replay:answers.csv --suite xstest --mirror data --rubric xstest --design fixed --out b.zip
  verilabel label --model openai/gpt-4o --rubric capability-ladder --attestation elicitation.json --out c.bundle
  verilabel label --model openai/gpt-4o --suite cap/planning --suite cap/code --rubric my.yaml --out agent.bundle
  verilabel label --system system.yaml --rubric core --budget usd=5 --price 0.15,0.60 --out b.bundle

The run's evidence is kept in BUNDLE.run while it runs. Run the same command again after a stop: nothing that was
answered is asked again.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verilabel.cli import agent_options, options, seal_options, signing
from verilabel.cli.console import add_json_flag
from verilabel.errors import ExitStatus, Undetermined

if TYPE_CHECKING:
    from verilabel.cli.job import Job
    from verilabel.evaluation.engine import Run
    from verilabel.evidence.sealing import Sealed

SUMMARY = "run, score, decide, seal: a signed label from a model and suites"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    options.add_system_options(parser)
    options.add_plan_options(parser)
    agent_options.add_agent_options(parser)
    signing.add_attestation_option(parser)
    seal_options.add_seal_options(parser)
    parser.add_argument("--keep-run", action="store_true", help="keep BUNDLE.run after sealing")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Make the label."""
    options.require_evaluation()
    from verilabel.cli.job import prepare, store_of
    from verilabel.cli.label_text import print_sealed

    seal_options.check_out(args)
    seals = seal_options.open_seals(args)
    sealed = asyncio.run(make_label(args, prepare(args, store_of(args.out)), seals))
    print_sealed(sealed, as_json=args.json)
    return ExitStatus.OK


async def make_label(args: Namespace, job: Job, seals: seal_options.Seals) -> Sealed:
    """The whole path of a label, from an opened job to a sealed bundle at `args.out`."""
    from verilabel.cli.job import carry_out, store_of
    from verilabel.evaluation.events import send_label
    from verilabel.evaluation.labelling import count_answers, require_complete
    from verilabel.evidence.journal import Store
    from verilabel.evidence.sealing import Sealing, seal_bundle

    folder = store_of(args.out)
    with Store(folder) as store:
        run_ = await carry_out(args, job, store, seals)
        counted = count_answers(store)
        _require_a_question(run_)
        require_complete(run_.plan, counted)
        sealing = Sealing(seals.key, seals.log, datetime.now(UTC))
        sealed = seal_bundle(store, counted, args.out, sealing, force=args.force)
    send_label(os.environ, sealed.label, sealed.manifest)
    if not args.keep_run:
        # Renamed first: a kill while it is removed must not leave half a store under the name that continues a run.
        leftover = folder.rename(folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.old"))
        shutil.rmtree(leftover)
    return sealed


def _require_a_question(run_: Run) -> None:
    """Refuse to label where an anytime plan asked nothing, because no answer could have changed the label.

    Raises Undetermined.
    """
    if run_.plan.design == "anytime" and not run_.spending.requests and not run_.out_of_budget:
        raise Undetermined(
            "nothing was asked: whatever these suites' samples showed, the label would be the same",
            hint="give the suites of the measures that are not assessed, a greater --limit, or --design fixed",
        )
