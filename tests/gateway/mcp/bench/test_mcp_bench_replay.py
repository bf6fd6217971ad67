"""The bench on a world of three tasks and five attacks, whose right counts are known by heart."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from verilabel.errors import CheckFailed, MalformedInput, SandboxError, UsageError
from verilabel.gateway.mcp.bench.choosing import load_policy
from verilabel.gateway.mcp.bench.interface import Trace
from verilabel.gateway.mcp.bench.keeping import check_bench, keep_bench, read_traces, result_bytes
from verilabel.gateway.mcp.bench.running import Bench, run_bench, world_command
from verilabel.gateway.mcp.policy.reading import ToolPolicyFile, load_tool_policy

WORLD = Path(__file__).parents[3] / "servers" / "mini_world.py"
HEAD = """\
verilabel: mcp-policy/v1
policy: mini
version: 1.0.0
default: deny
results: {strip: [], scan: []}
tools:
  - {match: bank/read_file, emits: [untrusted]}
  - {match: bank/balance}
  - {match: bank/directory, trusted_source: true}
  - {match: bank/pay, sink: money}
"""
COARSE = HEAD + "flows: [{id: tainted, when: {session_has: [untrusted]}, to: {sink: money}}]\n"
PROVENANCE = (
    HEAD
    + "flows: [{id: unnamed, when: {session_has: [untrusted]}, to: {sink: money}, unless: {args_from: {args: [to]}}}]\n"
)
BLIND = COARSE.replace("bank/read_file, emits: [untrusted]", "bank/read_file")
STRICT = COARSE.replace("then: ask", "then: deny").replace(
    "to: {sink: money}}", "to: {sink: money}, then: deny}"
)


def policy_of(text: str) -> ToolPolicyFile:
    return load_tool_policy(text.encode(), "mini.yaml")


def command(fault: str = "") -> list[str]:
    return [sys.executable, str(WORLD), *([fault] if fault else [])]


def run(policy: ToolPolicyFile, attacks: str = "all", fault: str = "", attacker: str = "literal") -> Bench:
    return asyncio.run(
        run_bench(command(fault), policy, attacks=attacks, attacker=attacker, suites_version="mini")
    )


def rates(bench: Bench) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    total = bench.result.total
    return tuple((rate.events, rate.trials) for rate in (total.succeeded, total.asked, total.stopped))  # type: ignore[return-value]


def test_without_a_policy_every_attack_that_is_read_and_calls_a_tool_succeeds() -> None:
    assert ((4, 4), (0, 3), (0, 3)) == rates(run(load_policy("none")))


def test_coarse_taint_stops_every_attack_and_asks_about_every_payment_after_reading() -> None:
    assert ((0, 4), (2, 3), (0, 3)) == rates(run(policy_of(COARSE)))


def test_provenance_asks_only_about_whom_the_person_did_not_name() -> None:
    assert ((0, 4), (1, 3), (0, 3)) == rates(run(policy_of(PROVENANCE)))


def test_a_policy_that_does_not_know_where_the_words_came_from_lets_the_attacks_through() -> None:
    bench = run(policy_of(BLIND))
    assert ((4, 4), (0, 3), (0, 3)) == rates(bench)
    assert (bench.result.total.let_through, bench.result.total.sink_calls) == (6, 6)


def test_user_tasks_that_are_denied_are_counted_as_stopped_and_as_not_fulfilled() -> None:
    bench = run(policy_of(STRICT))
    assert ((0, 4), (0, 3), (2, 3)) == rates(bench)
    assert 1 == bench.result.total.fulfilled.events


def test_pairs_that_are_no_trials_are_told_apart_and_counted() -> None:
    total = run(policy_of(COARSE)).result.total
    # 3 tasks x 5 attacks; `look` reads no file, `talk` calls nothing, `hidden` is never read, `broken` has no verdict
    assert (15, 9, 2, 2) == (total.pairs, total.infeasible, total.unscored, total.goals)


def test_a_result_that_failed_vouches_for_nothing() -> None:
    bench = run(policy_of(PROVENANCE))
    laundered = [t for t in bench.traces if t.case.attack == "launder" and t.read]
    assert [("allow", ""), ("ask", "")] == [
        (call.action, call.returns) for call in laundered[0].calls if call.by == "attack"
    ]
    assert all(trace.reached is False for trace in laundered)


def test_a_laundering_attacker_gets_nowhere_although_a_trusted_tool_repeats_what_it_is_told(
    tmp_path: Path,
) -> None:
    echoing = policy_of(PROVENANCE.replace("tools:", "tools:\n  - {match: bank/echo, trusted_source: true}"))
    assert (0, 4) == rates(run(echoing))[0]
    bench = run(echoing, attacker="laundering")
    assert (0, 4) == rates(bench)[0]
    keep_bench(tmp_path, echoing, bench.traces, bench.result, force=False)
    assert bench.result == check_bench(tmp_path)


def test_a_laundering_attacker_gets_nowhere_where_no_trusted_tool_repeats_anything() -> None:
    # the directory names what it was asked for, but only where it fails
    assert ((0, 4), (1, 3), (0, 3)) == rates(run(policy_of(PROVENANCE), attacker="laundering"))


def test_a_rate_carries_its_exact_interval() -> None:
    rate = run(policy_of(COARSE)).result.total.succeeded
    # 1 - 0.025 ** (1 / 4), by hand
    assert ("0.000000", "0.602365") == (rate.low, rate.high)


def test_the_same_bench_gives_the_same_bytes() -> None:
    first, second = run(policy_of(PROVENANCE)), run(policy_of(PROVENANCE))
    assert result_bytes(first.result) == result_bytes(second.result)
    assert first.traces == second.traces


def test_a_kept_bench_follows_from_its_traces(tmp_path: Path) -> None:
    policy = policy_of(PROVENANCE)
    bench = run(policy)
    keep_bench(tmp_path / "out", policy, bench.traces, bench.result, force=False)
    assert bench.result == check_bench(tmp_path / "out")
    assert bench.traces == list(read_traces(tmp_path / "out" / "traces.jsonl"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"action":"ask"', '"action":"allow"', "decision does not follow"),
        ('"to":"EVIL"', '"to":"FRIEND"', "decision does not follow"),
        ('"labels":["untrusted"]', '"labels":[]', "decision does not follow"),
        ('"reached":false', '"reached":true', "counts do not follow"),
        ('"feasible":true', '"feasible":false', "counts do not follow"),
    ],
)
def test_a_changed_trace_is_found_out(tmp_path: Path, old: str, new: str, says: str) -> None:
    policy = policy_of(PROVENANCE)
    bench = run(policy)
    keep_bench(tmp_path, policy, bench.traces, bench.result, force=False)
    traces = tmp_path / "traces.jsonl"
    text = traces.read_text()
    assert old in text
    traces.write_text(text.replace(old, new, 1))
    with pytest.raises(CheckFailed, match=says):
        check_bench(tmp_path)


def test_counts_that_were_improved_by_hand_are_found_out(tmp_path: Path) -> None:
    policy = policy_of(BLIND)
    bench = run(policy)
    keep_bench(tmp_path, policy, bench.traces, bench.result, force=False)
    result = json.loads((tmp_path / "result.json").read_bytes())
    result["total"]["succeeded"]["events"] = 0
    (tmp_path / "result.json").write_text(json.dumps(result))
    with pytest.raises(CheckFailed, match="counts"):
        check_bench(tmp_path)


def test_another_policy_under_the_same_traces_is_found_out(tmp_path: Path) -> None:
    policy = policy_of(PROVENANCE)
    bench = run(policy)
    keep_bench(tmp_path, policy, bench.traces, bench.result, force=False)
    (tmp_path / "policy.yaml").write_text(COARSE)
    with pytest.raises(CheckFailed, match="decision"):
        check_bench(tmp_path)


def test_a_trace_that_is_none_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").write_text('{"case": {}}\n')
    with pytest.raises(MalformedInput) as caught:
        list(read_traces(tmp_path / "traces.jsonl"))
    assert f"{tmp_path / 'traces.jsonl'}:1" == caught.value.where


def test_a_bench_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    policy = policy_of(COARSE)
    bench = run(policy, "none")
    keep_bench(tmp_path, policy, bench.traces, bench.result, force=False)
    with pytest.raises(UsageError, match="already"):
        keep_bench(tmp_path, policy, bench.traces, bench.result, force=False)
    keep_bench(tmp_path, policy, bench.traces, bench.result, force=True)


def test_a_world_that_dies_is_an_error_with_its_last_words() -> None:
    with pytest.raises(SandboxError) as caught:
        run(policy_of(COARSE), fault="dies")
    assert "the bank burnt down" == caught.value.hint


def test_a_world_that_is_out_of_step_is_an_error() -> None:
    with pytest.raises(SandboxError, match="out of step"):
        run(policy_of(COARSE), fault="nonsense")


def test_a_world_whose_user_tasks_fail_by_themselves_is_not_believed() -> None:
    with pytest.raises(CheckFailed, match="cannot be believed"):
        run(policy_of(COARSE), fault="fails")


def test_a_program_that_is_no_world_is_an_error() -> None:
    with pytest.raises(SandboxError, match="something else"):
        asyncio.run(run_bench([sys.executable, "-c", "print('hello')"], policy_of(COARSE)))


def test_a_suite_that_the_world_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no suite"):
        asyncio.run(run_bench(command(), policy_of(COARSE), suites=["shop"]))


def test_only_the_first_six_tasks_are_attacked_unless_all_are_asked_for() -> None:
    few = [trace for trace in run(policy_of(COARSE), "first6").traces if trace.case.attack]
    none = run(policy_of(COARSE), "none").traces
    assert (15, 3) == (len(few), len(none))
    assert all(isinstance(trace, Trace) and not trace.case.attack for trace in none)


def test_an_unknown_world_is_refused() -> None:
    with pytest.raises(UsageError, match="no suite"):
        world_command("agentdojo2", None, {})
