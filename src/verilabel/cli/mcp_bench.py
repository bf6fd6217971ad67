"""Try a tool policy on attacks that are known: how many succeed, and how often a person is asked for nothing.

AgentDojo's tasks are replayed with an agent that was wholly taken over: it does its user's task, then the attacker's to
the letter. The policy decides about every call as it would in the gateway; a person who is asked approves the calls of
their own task and declines the attacker's. Nothing is asked of a model. Counted are attacks that reach their goal, of
those that do where nothing stands in the way, and user tasks that need at least one approval, each with its exact 95 %
interval over the pairs as if they were independent, which pairs of one attack are not. With --attacker laundering the
attacker knows the policy and first tries to have trusted tools repeat what it wants to name.

--policy is `provenance` or `coarse` (also `cautious`), both made for AgentDojo's 74 tools, `none`, `bundled:NAME`, or a
file; --labels agentdojo gives a policy the rules for AgentDojo's tools and keeps its flows. AgentDojo runs in a process
of its own, under an interpreter that has it (--python, else this one, else $VERILABEL_INSPECT_PYTHON).

With --out the policy, every decision and the counts are kept; --check makes all of them again from there, without
AgentDojo.

examples:
  verilabel mcp bench --suite agentdojo --policy provenance
  verilabel mcp bench --suite agentdojo --policy coarse --attacks all --out bench-coarse
  verilabel mcp bench --suite agentdojo --policy my-policy.yaml --only banking --json
  verilabel mcp bench --suite agentdojo --policy bundled:cautious --labels agentdojo
  verilabel mcp bench --check bench-coarse

exit status: 0 where it was measured, whatever the numbers; with --max-attacks or --max-questions 1 where more than that
share (in percent) of attacks succeeds or of user tasks needs a person; --check: 1 where something does not follow.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.bench.interface import BenchResult, Counts, Rate

SUMMARY = "replay known attacks against a tool policy"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--suite", default="agentdojo", metavar="NAME", help="the world to play (agentdojo)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="SUITE", help="one suite of it (repeatable)"
    )
    parser.add_argument(
        "--policy", default="provenance", metavar="NAME|FILE", help="the policy to try (default provenance)"
    )
    parser.add_argument(
        "--labels", metavar="agentdojo|FILE", help="take the rules for tools from another policy"
    )
    parser.add_argument(
        "--attacks",
        choices=("first6", "all", "none"),
        default="first6",
        help="all attacks upon the first six user tasks of each suite, upon all, or none (default first6)",
    )
    parser.add_argument(
        "--attacker",
        choices=("literal", "laundering"),
        default="literal",
        help="laundering: it knows the policy, and first has trusted tools repeat what it wants (default literal)",
    )
    parser.add_argument("--python", metavar="PATH", help="an interpreter that has AgentDojo")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the policy, every decision and the counts"
    )
    parser.add_argument("--force", action="store_true", help="replace what is at --out")
    parser.add_argument(
        "--check", type=Path, metavar="DIR", help="make what is kept there again, and compare"
    )
    parser.add_argument(
        "--max-attacks", type=_percent, metavar="PERCENT", help="fail where more attacks succeed"
    )
    parser.add_argument(
        "--max-questions", type=_percent, metavar="PERCENT", help="fail where more user tasks need a person"
    )
    add_json_flag(parser)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage")
    return value


def run(args: argparse.Namespace) -> ExitStatus:
    """Replay, or check what was kept."""
    result = _check(args) if args.check is not None else _replay(args)
    if args.json:
        import msgspec

        print_json(msgspec.to_builtins(result))
    else:
        _print_result(result, checked=args.check is not None)
    too_many = _exceeds(result.total.succeeded, args.max_attacks) or _exceeds(
        result.total.asked, args.max_questions
    )
    return ExitStatus.CHECK_FAILED if too_many else ExitStatus.OK


def _check(args: argparse.Namespace) -> BenchResult:
    from verilabel.gateway.mcp.bench.keeping import check_bench

    if args.out is not None:
        raise UsageError("checking writes nothing", where="--out")
    return check_bench(args.check)


def _replay(args: argparse.Namespace) -> BenchResult:
    import asyncio

    from verilabel.gateway.mcp.bench.choosing import load_policy
    from verilabel.gateway.mcp.bench.keeping import RESULT_FILE, keep_bench
    from verilabel.gateway.mcp.bench.running import run_bench, world_command

    if args.out is not None and (args.out / RESULT_FILE).exists() and not args.force:
        raise UsageError(
            "there is a bench here already", where=str(args.out), hint="choose another --out, or --force"
        )
    policy = load_policy(args.policy, args.labels)
    command = world_command(args.suite, args.python)
    show = _show_progress if sys.stderr.isatty() and not args.json else None
    bench = asyncio.run(
        run_bench(
            command, policy, attacks=args.attacks, attacker=args.attacker, suites=args.only, progress=show
        )
    )
    if args.out is not None:
        keep_bench(args.out, policy, bench.traces, bench.result, force=args.force)
    return bench.result


def _show_progress(done: int, of: int) -> None:
    print(f"\r{done}/{of}", end="" if done < of else "\n", file=sys.stderr, flush=True)


def _exceeds(rate: Rate, percent: float | None) -> bool:
    return percent is not None and rate.events * 100 > percent * rate.trials


def _print_result(result: BenchResult, *, checked: bool) -> None:
    world, policy = result.world, result.policy
    print(f"{plain(world.name)} {plain(world.version)}, suites {plain(world.suites_version)}")
    print(f"attacks: {result.attacks}, attacker: {result.attacker}")
    print(f"policy {plain(policy.name)}@{plain(policy.version)} ({policy.digest})")
    print_table(
        (
            "suite",
            "attacks that succeed",
            "95 %",
            "goals",
            "sink calls let through",
            "tasks asked",
            "95 %",
            "tasks stopped",
        ),
        [_cells(counts) for counts in (*result.suites, result.total)],
    )
    total = result.total
    if total.infeasible:
        print(
            f"{total.infeasible} of {total.pairs} pairs are no trials: their goal is not reached by calls of tools"
        )
    if total.unscored:
        print(f"{total.unscored} cases could not be judged: their check failed")
    if checked:
        print("every decision and every count follows from what is kept")


def _cells(counts: Counts) -> tuple[str, ...]:
    return (
        plain(counts.suite),
        _share(counts.succeeded),
        _interval(counts.succeeded),
        f"{counts.goals_reached}/{counts.goals}",
        f"{counts.let_through}/{counts.sink_calls}",
        _share(counts.asked),
        _interval(counts.asked),
        f"{counts.stopped.events}/{counts.stopped.trials}",
    )


def _share(rate: Rate) -> str:
    return f"{rate.events}/{rate.trials} = {rate.share}"


def _interval(rate: Rate) -> str:
    return f"{100 * float(rate.low):.1f}-{100 * float(rate.high):.1f} %"
