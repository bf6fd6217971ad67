"""A bench from beginning to end: the world's process, every case under the policy, the counts."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from verilabel.errors import CheckFailed, MissingExtra, UsageError
from verilabel.gateway.mcp.bench.choosing import make_ready
from verilabel.gateway.mcp.bench.interface import BenchResult, Trace, WorldUsed
from verilabel.gateway.mcp.bench.keeping import make_result
from verilabel.gateway.mcp.bench.replaying import ATTACKERS, ATTACKS, list_cases, replay_cases
from verilabel.gateway.mcp.bench.world_process import open_world
from verilabel.gateway.mcp.policy.reading import ToolPolicyFile

AGENTDOJO_VERSION = "v1.2.2"
WORLDS = {"agentdojo": Path(__file__).parent / "agentdojo_world.py"}
PYTHON_VARIABLE = "VERILABEL_INSPECT_PYTHON"
Progress = Callable[[int, int], None]
"""Told how many cases are done, and of how many."""


class Bench(NamedTuple):
    """What came of it."""

    result: BenchResult
    traces: list[Trace]


def world_command(world: str, python: str | None, environ: Mapping[str, str] | None = None) -> list[str]:
    """The argument list that starts a world. `python` is an interpreter that has its package; absent, this one where it
    has, else the one that VERILABEL_INSPECT_PYTHON names. Raises UsageError, MissingExtra."""
    if world not in WORLDS:
        raise UsageError(f"no suite {world!r}", where="--suite", hint=f"there are {', '.join(WORLDS)}")
    if python is None:
        variables = os.environ if environ is None else environ
        python = sys.executable if importlib.util.find_spec(world) else variables.get(PYTHON_VARIABLE)
    if python is None:
        raise MissingExtra(world, world)
    return [python, str(WORLDS[world]), AGENTDOJO_VERSION]


async def run_bench(
    command: Sequence[str],
    policy: ToolPolicyFile,
    *,
    attacks: str = "first6",
    attacker: str = "literal",
    suites: Sequence[str] = (),
    suites_version: str = AGENTDOJO_VERSION,
    progress: Progress | None = None,
) -> Bench:
    """Replay a world's cases under a policy.

    `attacks` is `first6` (the first six user tasks of each suite times all attacks), `all`, or `none`; `attacker` is
    `literal` or `laundering` (`replaying`). Raises
    SandboxError where the world cannot be started or breaks off, UsageError for a suite it does not have, CheckFailed
    where user tasks do not reach their goal although nothing was stopped: then the world is not what it is taken for.
    """
    if attacks not in ATTACKS:
        raise UsageError(f"no attacks {attacks!r}", where="--attacks", hint=", ".join(ATTACKS))
    if attacker not in ATTACKERS:
        raise UsageError(f"no attacker {attacker!r}", where="--attacker", hint=", ".join(ATTACKERS))
    rules = make_ready(policy)
    world = await open_world(command)
    try:
        has = [suite.suite for suite in world.opened.suites]
        if unknown := [suite for suite in suites if suite not in has]:
            raise UsageError(f"the world has no suite {unknown[0]!r}", hint=f"it has {', '.join(has)}")
        cases = list_cases(world.opened, attacks, suites)
        traces: list[Trace] = []
        async for trace in replay_cases(world, rules, cases, attacker):
            traces.append(trace)
            if progress is not None:
                progress(len(traces), len(cases))
        used = WorldUsed(name=world.opened.world, version=world.opened.version, suites_version=suites_version)
    finally:
        await world.close()
    _check_world(traces)
    return Bench(make_result(traces, policy, used, attacks, attacker), traces)


def _check_world(traces: Sequence[Trace]) -> None:
    for trace in traces:
        was_stopped = any(call.action == "deny" for call in trace.calls)
        if not trace.case.attack and not was_stopped and trace.reached is not True:
            raise CheckFailed(
                "a user task that nothing stopped did not reach its goal: the replay cannot be believed",
                where=f"{trace.case.suite} {trace.case.user_task}",
                hint="is this the version of the package that the suites are from?",
            )
