"""Ask the model and keep the evidence: steps 1 to 4 of a label's path, without deciding or signing.

examples:
  verilabel run --model openai/gpt-4o-mini --rubric core --store gpt.run
  verilabel decide gpt.run --out gpt.bundle

The plan is logged before the first request (unless --unlogged). The same command continues a store that was stopped.
"""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

from verilabel.cli import agent_options, options, seal_options
from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus

SUMMARY = "ask the model, keep the evidence, score it (steps 1 to 4)"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    options.add_system_options(parser)
    options.add_plan_options(parser)
    agent_options.add_agent_options(parser)
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="the run's store")
    seal_options.add_log_options(parser)
    parser.add_argument(
        "--unlogged", action="store_true", help="do not log the plan; the label will verify to V0"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Carry out the plan on the store."""
    options.require_evaluation()
    from verilabel.cli.job import carry_out, prepare
    from verilabel.evidence.journal import Store

    log = None
    if not args.unlogged:
        log = seal_options.open_log(
            args.log, "verilabel", log_key=args.log_key, token_variable=args.log_token_env
        )
    seals = seal_options.Seals(None, log)
    with Store(args.store) as store:
        done = asyncio.run(carry_out(args, prepare(args, args.store), store, seals))
    counted, spent = done.schedule.counted, done.spending
    if args.json:
        print_json(
            {
                "store": str(args.store),
                "counted": counted,
                "requests": spent.requests,
                "input_tokens": spent.input_tokens,
                "output_tokens": spent.output_tokens,
                "usd": str(spent.usd),
                "finished": done.schedule.done,
                "budget_spent": done.out_of_budget,
            }
        )
        return ExitStatus.OK
    state = "finished" if done.schedule.done else "stopped: the budget is spent"
    print(f"{state}: {counted} answers counted, {spent.requests} requests, in {args.store}")
    print(f"decide: verilabel decide {args.store} --out BUNDLE")
    return ExitStatus.OK
