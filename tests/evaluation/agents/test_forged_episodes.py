"""What an issuer who signs for themselves may try with an episode: each forgery is named when it is played again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from agent_worlds import SumEnvironment, tool
from episode_runs import ADD_ONE, Played, changed, play_moves
from servers.tool_calling import Move
from verilabel.evaluation.agents.replaying import MAX_NOTED, check_episode, count_hidden_answers, tools_digest
from verilabel.evaluation.agents.tasks import read_task, task_bytes
from verilabel.records.attempt import Attempt, Failure
from verilabel.records.canonical import jcs
from verilabel.records.episode import (
    AchievedContainment,
    CallSummary,
    Episode,
    EpisodeSummary,
    ModelStep,
    ToolSpec,
    ToolStep,
    output_of,
)

SANDBOX = Failure("sandbox", "the sandbox failed", retryable=True)
CONNECTION = Failure("connection", "the server of the outside tools cannot be reached", retryable=True)
NOTHING = {"output": None, "finish": None, "usage": None, "served_model": None}
"""What an attempt says that measured nothing."""
UNREAD: dict[str, Any] = {"text": "", "calls": (), "usage": None, "finish": None, "served_model": None}
"""What a question says that went unanswered."""


@pytest.fixture(scope="module")
def sound() -> Played:
    """An episode of two questions that reached its sum."""
    return asyncio.run(play_moves([ADD_ONE, ADD_ONE]))


def check(played: Played, episode: Episode, **changes: Any) -> list[str]:
    """What is said of another episode in the same attempt, with these fields of the attempt."""
    attempt: Attempt = changed(played, episode).attempt
    return check_episode(msgspec.structs.replace(attempt, **changes), played.setting)


def cut(episode: Episode, count: int, **changes: Any) -> Episode:
    """The first events of an episode, as if it had broken off there."""
    return msgspec.structs.replace(
        episode, events=episode.events[:count], ending="failed", answer="", **changes
    )


def test_an_episode_that_broke_off_carries_no_answer_of_its_own(sound: Played) -> None:
    invented = EpisodeSummary(
        ending="finished", answer="I win.", calls=(CallSummary("add", '{"n":2}', "total 2"),)
    )
    output = jcs(msgspec.to_builtins(invented)).decode()
    for count in range(len(sound.episode.events)):
        assert check(sound, cut(sound.episode, count), output=output, finish="finished"), count


async def test_an_episode_whose_model_failed_carries_no_answer_of_its_own() -> None:
    played = await play_moves([ADD_ONE], failures=[Move(status=503)] * 3)
    assert played.exchange.failure is not None
    assert [] == played.check()
    forged = msgspec.structs.replace(played.attempt, output=output_of(played.episode))
    assert ["the output is not the episode's summary"] == check_episode(forged, played.setting)


@pytest.mark.parametrize("failure", [SANDBOX, CONNECTION, Failure("server_error", "x", retryable=True)])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_an_episode_without_a_box_does_not_break_off(sound: Played, count: int, failure: Failure) -> None:
    found = check(sound, cut(sound.episode, count), failure=failure, **NOTHING)
    assert any("breaks off" in what or "is missing" in what for what in found)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_box_breaks_off_where_a_program_is_to_run_and_nowhere_else(sound: Played, count: int) -> None:
    setting = replace(sound.setting, environment=SumEnvironment(needs_box=True))
    episode = cut(sound.episode, count, containment=AchievedContainment("C2", "bubblewrap"))
    found = check(replace(sound, setting=setting), episode, failure=SANDBOX, **NOTHING)
    assert any("breaks off" in what or "is missing" in what for what in found)


def test_a_tool_from_outside_does_not_stand_before_a_tool_of_the_world(sound: Played) -> None:
    shadow = ToolSpec("add", "The tool add.", {"type": "object"})
    task = read_task(sound.exchange.request)
    more = msgspec.structs.replace(task, tools=(*task.tools, shadow))
    events = tuple(
        msgspec.structs.replace(event, failed=True) if isinstance(event, ToolStep) else event
        for event in sound.episode.events
    )
    episode = msgspec.structs.replace(sound.episode, events=events)
    forged = changed(sound, episode)
    exchange = msgspec.structs.replace(forged.exchange, request=task_bytes(more))
    system = msgspec.structs.replace(sound.setting.system, tools={"mcp": tools_digest([shadow])})
    setting = replace(sound.setting, system=system)
    found = replace(forged, exchange=exchange, setting=setting).check()
    assert "the request offers a tool from outside under a name of the world's" in found


def test_tools_that_the_descriptor_binds_and_the_request_leaves_out_are_named(sound: Played) -> None:
    bound = {"mcp": tools_digest([tool("post", text="string")])}
    system = msgspec.structs.replace(sound.setting.system, tools=bound)
    found = replace(sound, setting=replace(sound.setting, system=system)).check()
    assert "the request does not offer the tools from outside that the descriptor binds" in found


@pytest.mark.parametrize("kind", ["timeout", "truncated", "connection"])
def test_a_whole_answer_that_came_with_a_failure_is_counted(sound: Played, kind: str) -> None:
    first = sound.episode.events[0]
    assert isinstance(first, ModelStep)
    hidden = msgspec.structs.replace(first, failure=Failure(kind, "x", retryable=True), **UNREAD)
    assert 0 == count_hidden_answers(sound.attempt, sound.setting.system)
    forged = changed(sound, msgspec.structs.replace(sound.episode, events=(hidden, *sound.episode.events)))
    assert 1 == count_hidden_answers(forged.attempt, sound.setting.system)


def test_an_answer_under_a_status_that_means_no_failure_hides_behind_none(sound: Played) -> None:
    first = sound.episode.events[0]
    assert isinstance(first, ModelStep)
    failure = Failure("rate_limited", "x", retryable=True)
    hidden = msgspec.structs.replace(first, status=418, failure=failure, **UNREAD)
    found = check(sound, msgspec.structs.replace(sound.episode, events=(hidden, *sound.episode.events)))
    assert found and "event 1" in found[0]


def test_more_than_enough_mismatches_end_the_replay(sound: Played) -> None:
    events = list(sound.episode.events)
    wrong = [msgspec.structs.replace(events[0], request="{}"), events[1]] * 40
    episode = msgspec.structs.replace(sound.episode, events=(*wrong, *events[2:]))
    assert MAX_NOTED >= len(check(sound, episode))
