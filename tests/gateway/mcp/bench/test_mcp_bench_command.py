"""`verilabel mcp bench` as a command: what it refuses, what it checks, and decisions that `mcp explain` makes again."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from verilabel.cli import main
from verilabel.gateway.mcp.bench.choosing import load_policy
from verilabel.gateway.mcp.bench.interface import Trace
from verilabel.gateway.mcp.bench.keeping import keep_bench
from verilabel.gateway.mcp.bench.running import run_bench
from verilabel.gateway.mcp.policy.reading import load_tool_policy

WORLD = Path(__file__).parents[3] / "servers" / "mini_world.py"
POLICY = b"""\
verilabel: mcp-policy/v1
policy: mini
version: 1.0.0
default: deny
tools:
  - {match: bank/read_file, emits: [untrusted]}
  - {match: bank/balance}
  - {match: bank/directory, trusted_source: true}
  - {match: bank/pay, sink: money}
flows: [{id: unnamed, when: {session_has: [untrusted]}, to: {sink: money}, unless: {args_from: {args: [to]}}}]
"""
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Trace]]:
    """A bench of the small world, kept, and its traces."""
    policy = load_tool_policy(POLICY, "mini.yaml")
    bench = asyncio.run(run_bench([sys.executable, str(WORLD)], policy, attacks="all"))
    folder = tmp_path_factory.mktemp("bench")
    keep_bench(folder, policy, bench.traces, bench.result, force=False)
    return folder, bench.traces


def test_a_kept_bench_is_checked_and_shown(kept: tuple[Path, list[Trace]], capsys: Capture) -> None:
    assert 0 == main(["mcp", "bench", "--check", str(kept[0])])
    shown = capsys.readouterr().out
    assert "0/4 = 0.0 %" in shown and "1/3 = 33.3 %" in shown
    assert "every decision and every count follows" in shown


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--max-attacks", "0"], 0),
        (["--max-questions", "33.4"], 0),
        (["--max-questions", "33.3"], 1),
        (["--max-attacks", "0", "--max-questions", "0"], 1),
    ],
)
def test_a_bound_on_attacks_or_questions_fails_the_command_where_it_is_exceeded(
    kept: tuple[Path, list[Trace]], options: list[str], status: int
) -> None:
    assert status == main(["mcp", "bench", "--check", str(kept[0]), *options])


def test_mcp_explain_makes_the_decisions_of_a_trace_again(
    kept: tuple[Path, list[Trace]], capsys: Capture
) -> None:
    folder, traces = kept
    payments = [(trace, call) for trace in traces for call in trace.calls if call.call == "bank/pay"][:6]
    assert {"allow", "ask"} == {call.action for _, call in payments}
    for trace, call in payments:
        line = ["mcp", "explain", "--policy", str(folder / "policy.yaml"), "--call", call.call, "--json"]
        facts = [
            "--args",
            json.dumps(call.args),
            "--labels",
            ",".join(call.labels),
            "--prompt",
            trace.user_prompt,
        ]
        assert 0 == main([*line, *facts])
        assert call.action == json.loads(capsys.readouterr().out)["decision"]["action"]


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (["--check", "nowhere"], 2, "no such file"),
        (["--policy", "provenence"], 2, "no policy"),
        (["--policy", "bundled:no-such"], 2, "no tool policy"),
        (["--labels", "nowhere.yaml"], 2, "no policy"),
        (["--suite", "other"], 2, "no suite"),
        (["--python", "/nonexistent/python"], 6, "cannot be started"),
        (["--max-attacks", "101"], 2, "no percentage"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_its_status(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    options: list[str],
    status: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status == main(["mcp", "bench", *options])
    error = capsys.readouterr().err
    assert says in error
    assert [] == list(tmp_path.iterdir())


def test_an_interpreter_without_agentdojo_is_told_by_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert 6 == main(["mcp", "bench", "--python", "python3", "--out", "out"])
    assert "ModuleNotFoundError" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_the_bench_s_own_policies_are_found_by_name() -> None:
    assert "agentdojo-provenance" == load_policy("provenance").policy.policy
    assert "agentdojo-coarse" == load_policy("cautious").policy.policy
