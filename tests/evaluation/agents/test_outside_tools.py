"""Tools of real MCP servers beside the world's: bound by digest, a session an episode, failures as failed calls."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from agent_worlds import SumEnvironment, sum_suite, tool
from episode_runs import ADD_TWO, Played, changed, play_moves, playing
from process_children import children
from servers.outside_tools import SERVER, http_server
from servers.tool_calling import Move
from verilabel.errors import ModelError, SandboxError, UsageError
from verilabel.evaluation.agents.mcp_tools import MAX_RESULT_CHARS, McpServers, Place, list_servers
from verilabel.evaluation.agents.replaying import tools_digest
from verilabel.evaluation.agents.solver import AgentSolver, Surroundings
from verilabel.evaluation.agents.tasks import read_task, task_bytes
from verilabel.records.episode import ToolStep

pytest.importorskip("mcp")
STDIO = Place(shlex.join([sys.executable, SERVER]))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server behind HTTP."""
    with http_server() as address:
        yield address


async def around(place: Place) -> Surroundings:
    """What an agent with the server's tools has around it."""
    servers = await list_servers([place])
    return Surroundings(outside=servers.tools, open_outside=servers.open)


async def play_outside(place: Place, *moves: Move) -> Played:
    """Play one episode with the server's tools, its system binding them."""
    surroundings = await around(place)
    played = await play_moves([*moves, Move("done")], surroundings)
    system = msgspec.structs.replace(played.setting.system, tools={"mcp": tools_digest(surroundings.outside)})
    return replace(played, setting=replace(played.setting, system=system))


def steps(played: Played) -> list[ToolStep]:
    """The calls of an episode."""
    return [event for event in played.episode.events if isinstance(event, ToolStep)]


COUNT = Move("", [("count_up", {"by": 2}), ("add", {"n": 1}), ("count_up", {})])


async def test_tools_over_http_are_called_beside_the_worlds(url: str) -> None:
    played = await play_outside(Place(url), COUNT)
    assert [("count_up", False), ("add", False), ("count_up", False)] == [
        (s.tool, s.failed) for s in steps(played)
    ]
    assert "total 1" == steps(played)[1].result
    assert [] == played.check()


async def test_a_server_that_is_a_command_is_started_anew_for_every_episode() -> None:
    before, surroundings = children(), await around(STDIO)
    for _ in range(2):
        played = await play_moves([COUNT, Move("done")], surroundings)
        assert ["count 2", "total 1", "count 3"] == [step.result for step in steps(played)]
    assert before == children()


async def test_a_tool_that_fails_is_a_failed_call(url: str) -> None:
    (step,) = steps(await play_outside(Place(url), Move("", [("fail", {})])))
    assert step.failed


async def test_arguments_that_the_server_refuses_are_a_failed_call(url: str) -> None:
    (step,) = steps(await play_outside(Place(url), Move("", [("count_up", {"by": "many"})])))
    assert step.failed


async def test_a_flood_is_cut(url: str) -> None:
    (step,) = steps(await play_outside(Place(url), Move("", [("flood", {"size": MAX_RESULT_CHARS + 5})])))
    assert step.result.endswith("[cut: 5 more characters]")
    assert MAX_RESULT_CHARS + 100 > len(step.result)


async def test_a_result_that_no_record_can_hold_is_a_failed_call_and_no_end_of_the_run(url: str) -> None:
    played = await play_outside(Place(url), Move("", [("odd", {}), ("count_up", {})]))
    assert [True, False] == [step.failed for step in steps(played)]
    assert [] == played.check()


async def test_what_the_gateway_says_of_its_decision_is_kept(url: str) -> None:
    (step,) = steps(await play_outside(Place(url), Move("", [("guarded", {})])))
    assert (True, "deny", ("no-exfil",)) == (step.failed, step.verdict, step.rules)


async def test_fractions_in_a_schema_are_left_out_and_in_arguments_kept(url: str) -> None:
    shown = {spec.name: spec for spec in (await around(Place(url))).outside}["scale"]
    assert {"maximum": 2, "title": "Factor", "type": "number"} == shown.parameters["properties"]["factor"]  # type: ignore[index]
    (step,) = steps(await play_outside(Place(url), Move("", [("scale", {"factor": 0.75})])))
    assert ('{"factor":0.75}', "scaled by 0.75") == (step.arguments, step.result)


async def test_a_server_that_is_gone_is_known_before_anything_is_asked() -> None:
    with pytest.raises(ModelError, match="cannot be reached"):
        await list_servers([Place("http://127.0.0.1:1/mcp")])


async def test_a_command_that_is_no_server_is_known_before_anything_is_asked() -> None:
    with pytest.raises(ModelError, match="cannot be reached"):
        await list_servers([Place("true")])
    with pytest.raises(SandboxError, match="cannot be started"):
        await list_servers([Place("/no/such/program")])


async def test_a_server_that_goes_away_later_is_a_failure_and_no_measurement(url: str) -> None:
    listed = await list_servers([Place(url)])
    gone = McpServers((Place("http://127.0.0.1:1/mcp"),), listed.tools, listed.origins)
    played = await play_moves([ADD_TWO], Surroundings(outside=gone.tools, open_outside=gone.open))
    assert played.exchange.failure is not None
    assert ("connection", True, None) == (
        played.exchange.failure.kind,
        played.exchange.failure.retryable,
        played.exchange.output,
    )


async def test_a_result_of_an_outside_tool_may_not_be_given_to_another_call(url: str) -> None:
    played = await play_outside(Place(url), Move("", [("count_up", {"by": 2})]))
    events = list(played.episode.events)
    events[1] = msgspec.structs.replace(events[1], arguments='{"by":3}')
    found = changed(played, msgspec.structs.replace(played.episode, events=tuple(events))).check()
    assert found[0].startswith("event 2 is another call than the model made")


async def test_another_list_of_tools_than_the_bound_one_is_named(url: str) -> None:
    played = await play_outside(Place(url), ADD_TWO)
    task = read_task(played.exchange.request)
    fewer = msgspec.structs.replace(task, tools=task.tools[:-1])
    exchange = msgspec.structs.replace(played.exchange, request=task_bytes(fewer))
    found = replace(played, exchange=exchange).check()
    assert "the request offers tools that the descriptor does not bind" == found[0]


async def test_a_tool_that_the_world_has_too_is_refused() -> None:
    async with playing([]) as (server, model):
        with pytest.raises(UsageError, match="both have a tool 'add'"):
            AgentSolver(sum_suite(), SumEnvironment(), model, Surroundings(outside=(tool("add"),)))
        assert [] == server.bodies


def test_a_token_is_never_shown() -> None:
    assert "sesame" not in repr(Place("http://127.0.0.1:1/mcp", "sesame"))
