"""Run a bundle's own plan against the model again, into a bundle of one's own, and compare the two.

The plan is the bundle's: its suites and detectors by their digests, its design, limits, seed, parameters and enclosed
system prompt. What is not here under the same digest is named, and nothing is asked. The new plan is logged first, as
for `verilabel label`. What comes out is printed as by `verilabel replicate`, which also signs it.

With the same seed the same questions come in the same order, which compares the most answers. A model that gives the
same answers to the byte then leaves the same records; to sign that as a replication, ask in an order of your own
(--seed).

examples:
  verilabel reproduce theirs.bundle --model openai/gpt-4o --out mine.bundle
  verilabel reproduce theirs.bundle --model vllm/llama --suite ./suite --mirror data --seed mine --out mine.bundle
  verilabel replicate theirs.bundle mine.bundle --key default --independence "..." --out replication.json

exit status: as for replicate: 0 replicated; 1 not replicated, or not comparable; 8 underpowered.
"""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import agent_options, options, seal_options, signing
from verilabel.cli.console import add_json_flag, print_json
from verilabel.cli.replicate import STATUS, add_test_options, document_of_comparison, print_comparison
from verilabel.errors import ExitStatus

if TYPE_CHECKING:
    from verilabel.cli.job import Job
    from verilabel.evaluation.reproducing import Reproducible

SUMMARY = "run a bundle's own plan against the model again"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the bundle whose plan is run again")
    options.add_system_options(parser)
    group = parser.add_argument_group("what is measured")
    group.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="ID|PATH",
        help="where a suite of the bundle lies (repeatable; default: by its id)",
    )
    group.add_argument(
        "--mirror", type=Path, metavar="DIR", help="folder in which suites' data is looked for first"
    )
    group.add_argument("--seed", help="ask in another order than the bundle's")
    seal_options.add_reference_option(group)
    group.add_argument(
        "--detector",
        action="append",
        default=[],
        metavar="EVENT=NAME",
        help="what opens a detector of the bundle where its card does not say it, as for a guard model's server "
        "(repeatable)",
    )
    group.add_argument(
        "--detector-card",
        action="append",
        default=[],
        metavar="EVENT=FILE",
        help="measured errors of a detector that the bundle was made with (repeatable)",
    )
    group.add_argument(
        "--judge-key-env", metavar="VARIABLE", help="environment variable with the key of judges' servers"
    )
    group.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar="WHAT=N",
        help="requests=N, tokens=N or usd=N (repeatable)",
    )
    agent_options.add_agent_options(parser)
    add_test_options(parser)
    signing.add_attestation_option(parser)
    seal_options.add_seal_options(parser)
    seal_options.add_trust_option(parser)
    parser.add_argument("--keep-run", action="store_true", help="keep BUNDLE.run after sealing")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Run the plan again, seal a bundle, and compare it."""
    options.require_evaluation()
    from verilabel.cli.label import make_label
    from verilabel.comparison.pairing import open_party
    from verilabel.comparison.replication import compare_parties
    from verilabel.evaluation.reproducing import read_reproducible

    seal_options.check_out(args)
    found = signing.verify_for(args, args.bundle)
    original = open_party(args.bundle, found, in_force=False)
    source = read_reproducible(args.bundle)
    job = _prepare(args, source)
    seals = seal_options.open_seals(args)
    asyncio.run(make_label(args, job, seals))
    replica = open_party(args.out, signing.verify_for(args, args.out, trusted=False))
    comparison = compare_parties(original, replica, margin=args.margin, alpha=args.alpha)
    if args.json:
        print_json(document_of_comparison(original, replica, comparison))
    else:
        print_comparison(original, replica, comparison)
        print(
            f"\nbundle: {args.out}\nsign: verilabel replicate {args.bundle} {args.out} --key {args.key} ..."
        )
    return STATUS[comparison.verdict]


def _prepare(args: Namespace, source: Reproducible) -> Job:
    """Open the model, suites and detectors of the bundle's plan, and check that the same plan comes out."""
    from verilabel.cli.job import open_job
    from verilabel.evaluation.describing import describe_system
    from verilabel.evaluation.planning import make_plan
    from verilabel.evaluation.reproducing import (
        choose_same_system,
        find_same_suites,
        require_same_plan,
        require_same_scope,
    )

    suites = find_same_suites(source, args.suite, args.mirror)
    fields = ("name", "system_prompt", "use_case", "locale")
    given = {name: getattr(args, name) is not None for name in fields} | {"params": bool(args.param)}
    choice = options.choose_system(args)
    if args.system is None:
        choice = choose_same_system(source, choice, given)
    args.seed = args.seed or source.plan.seed
    job = open_job(args, choice, suites, source.rubric_bytes, str(args.bundle))
    system = describe_system(job.choice, job.model)
    require_same_scope(source, system)
    _plan_as(args, source)
    planned = make_plan(
        system, source.rubric, suites, options.plan_options(args, fixed_outcomes=job.model.fixed_outcomes)
    )
    require_same_plan(source, planned.plan)
    return job


def _plan_as(args: Namespace, source: Reproducible) -> None:
    """Give the options that a plan is made by the values that make the bundle's plan again."""
    from verilabel.evaluation.reproducing import detector_references, epochs_of, limit_of

    args.design = source.plan.design
    args.seed = args.seed or source.plan.seed
    args.limit, args.epochs = limit_of(source.plan), epochs_of(source.plan)
    args.max_attempts = source.plan.max_attempts
    named = dict(options.name_values(args.detector, "--detector"))
    args.detector = [f"{measure}={name}" for measure, name in detector_references(source, named).items()]
