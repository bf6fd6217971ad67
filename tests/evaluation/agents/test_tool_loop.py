"""The tool loop against real servers: events in order, retries in the open, limits, bad arguments, other models."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_worlds import SumEnvironment, sum_suite
from episode_runs import ADD_ONE, ADD_TWO, play, play_moves, playing
from servers.tool_calling import Move
from verilabel.errors import UsageError
from verilabel.evaluation.agents.playing import MAX_TRIES
from verilabel.evaluation.agents.roles import open_panels
from verilabel.evaluation.agents.solver import AgentSolver, Surroundings
from verilabel.evaluation.agents.tasks import read_task
from verilabel.records.episode import AgentSettings, EpisodeSummary, ModelStep, ToolStep, output_of

MARK = {"mark": ("scripted:mark",)}
DIALECTS = ("vllm/tool-1", "openai-responses/tool-1", "anthropic/tool-1", "google/tool-1")
CALLS = st.tuples(st.sampled_from(["add", "ask", "gone"]), st.text(max_size=12))
PUSH_BACK = Move(status=503, raw=b'{"error":{"message":"busy"}}')


@pytest.mark.parametrize("address", DIALECTS)
async def test_an_episode_in_every_dialect_is_answered_and_verified(address: str) -> None:
    moves = [ADD_TWO, Move("", [("add", {"n": -1}), ("add", {"n": 1})])]
    played = await play_moves(moves, address=address)
    assert "finished" == played.episode.ending
    assert ["total 2"] == [e.result for e in played.episode.events if isinstance(e, ToolStep)]
    assert [] == played.check()


async def test_events_stand_in_the_order_in_which_they_happened() -> None:
    played = await play_moves(
        [ADD_ONE, Move("", [("add", {"n": 3}), ("add", {"n": -2})]), Move("nothing left")]
    )
    kinds = ["tool" if isinstance(event, ToolStep) else "model" for event in played.episode.events]
    assert ["model", "tool", "model", "tool", "tool"] == kinds
    assert ["call_1_0", "call_2_0", "call_2_1"] == [
        e.call for e in played.episode.events if isinstance(e, ToolStep)
    ]


async def test_the_output_is_the_episodes_summary_and_the_request_its_task() -> None:
    played = await play_moves([ADD_ONE, Move("I stop here.")])
    assert output_of(played.episode) == played.exchange.output
    task = read_task(played.exchange.request)
    assert ("test/sums@1.0.0", "s0", 1) == (task.suite, task.sample, task.epoch)
    assert ["add", "run", "ask"] == [tool.name for tool in task.tools]
    assert ("answered", "I stop here.") == (played.episode.ending, played.episode.answer)


async def test_tokens_of_all_questions_are_counted_together() -> None:
    played = await play_moves([ADD_ONE, ADD_ONE])
    assert played.exchange.usage is not None
    assert (20, 6) == (played.exchange.usage.input_tokens, played.exchange.usage.output_tokens)


async def test_a_question_that_failed_is_asked_again_in_the_open() -> None:
    played = await play_moves([ADD_TWO], failures=[PUSH_BACK])
    first, second = [event for event in played.episode.events if isinstance(event, ModelStep)]
    assert first.failure is not None
    assert (503, "server_error", None) == (first.status, first.failure.kind, second.failure)
    assert first.request == second.request
    assert "finished" == played.episode.ending
    assert [] == played.check()


async def test_an_episode_whose_model_stays_away_is_a_failure_and_no_answer() -> None:
    played = await play_moves([ADD_ONE], failures=[Move(status=500)] * MAX_TRIES)
    assert played.exchange.failure is not None
    assert ("server_error", True, None) == (
        played.exchange.failure.kind,
        played.exchange.failure.retryable,
        played.exchange.output,
    )
    assert ("failed", MAX_TRIES) == (played.episode.ending, len(played.episode.events))
    assert [] == played.check()


async def test_a_refused_key_ends_the_episode_at_once() -> None:
    played = await play_moves([ADD_ONE], failures=[Move(status=401)])
    assert played.exchange.failure is not None
    assert (True, 1) == (played.exchange.failure.fatal, len(played.episode.events))


async def test_the_limit_of_steps_ends_an_episode_that_would_go_on() -> None:
    played = await play_moves([ADD_ONE] * 9, Surroundings(settings=AgentSettings(max_steps=1)))
    assert ("steps", ["total 1"]) == (
        played.episode.ending,
        [e.result for e in played.episode.events if isinstance(e, ToolStep)],
    )
    assert [] == played.check()


async def test_the_limit_of_calls_holds_within_one_turn() -> None:
    many = Move("", [("add", {"n": 0})] * 5)
    played = await play_moves([many, many], Surroundings(settings=AgentSettings(max_calls=7)))
    assert ("calls", 7) == (
        played.episode.ending,
        sum(isinstance(e, ToolStep) for e in played.episode.events),
    )
    assert [] == played.check()


@pytest.mark.parametrize(
    "arguments",
    ['{"n":1,"n":2}', '{"n":NaN}', "{", "[1]", '"1"', '{"n":"one"}', '{"n":1.5}', "{}", '{"n":true}x'],
)
async def test_bad_arguments_are_a_failed_call_that_changes_nothing(arguments: str) -> None:
    played = await play_moves([Move("", [("add", arguments)]), ADD_TWO])
    steps = [event for event in played.episode.events if isinstance(event, ToolStep)]
    assert [True, False] == [step.failed for step in steps]
    assert "total 2" == steps[1].result
    assert [] == played.check()
    assert played.setting.environment.judge(played.setting.sample, _summary(played.exchange.output))["solved"]


async def test_a_tool_that_was_not_offered_is_a_failed_call() -> None:
    played = await play_moves([Move("", [("rm_rf", {})]), Move("sorry")])
    assert [True] == [event.failed for event in played.episode.events if isinstance(event, ToolStep)]


async def test_other_models_are_asked_before_during_and_after() -> None:
    around = Surroundings(roles=open_panels(MARK), addresses=MARK)
    environment = SumEnvironment(roles=("mark",))
    played = await play_moves([Move("", [("ask", {"text": "Well?"})]), Move("bye")], around, environment)
    roles = [event.role for event in played.episode.events if isinstance(event, ModelStep)]
    assert ["mark", "", "mark", "", "mark"] == roles
    assert {"mark": "scripted:mark"} == read_task(played.exchange.request).roles
    assert [] == played.check()


async def test_a_panel_takes_turns_over_the_samples() -> None:
    panel = {"mark": ("scripted:mark", "vllm/other@http://127.0.0.1:1/v1")}
    around = Surroundings(roles=open_panels(panel), addresses=panel)
    environment = SumEnvironment(roles=("mark",))
    chosen = [
        read_task((await play_moves([Move("bye")], around, environment, number=n)).exchange.request).roles[
            "mark"
        ]
        for n in (0, 2)
    ]
    assert ["scripted:mark", "scripted:mark"] == chosen
    other = read_task((await play_moves([Move("x")], around, environment, number=1)).exchange.request)
    assert "vllm/other@http://127.0.0.1:1/v1" == other.roles["mark"]


async def test_a_role_that_nobody_plays_is_refused_before_anything_is_asked() -> None:
    async with playing([]) as (server, model):
        with pytest.raises(UsageError, match="nobody plays"):
            AgentSolver(sum_suite(), SumEnvironment(roles=("mark",)), model, Surroundings())
        assert [] == server.bodies


async def test_an_empty_turn_ends_the_episode_with_an_empty_answer() -> None:
    played = await play_moves([Move("")])
    assert ("answered", "") == (played.episode.ending, played.episode.answer)
    assert [] == played.check()


async def test_a_filtered_turn_is_a_failure_about_the_sample() -> None:
    raw = b'{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}'
    played = await play_moves([ADD_ONE, Move(raw=raw)])
    assert played.exchange.failure is not None
    assert ("filtered", True) == (played.exchange.failure.kind, played.exchange.failure.is_final)
    assert [] == played.check()


async def test_the_agents_limits_are_not_sent_to_the_model() -> None:
    async with playing([Move("x")]) as (server, model):
        await play(model, Surroundings(settings=AgentSettings(max_steps=3)))
        assert {"model", "messages", "tools", "max_tokens"} == set(server.bodies[0])


@settings(max_examples=25)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(["add", "ask", "gone"]), st.text(max_size=12)), max_size=3),
        max_size=4,
    )
)
def test_whatever_a_model_calls_the_episode_ends_and_is_verified(turns: list[list[tuple[str, str]]]) -> None:
    moves = [Move("", [(name, text) for name, text in calls]) for calls in turns]
    played = asyncio.run(play_moves(moves, Surroundings(settings=AgentSettings(max_steps=5, max_calls=6))))
    assert played.exchange.failure is None
    assert [] == played.check()


def _summary(output: str | None) -> EpisodeSummary:
    return msgspec.convert(json.loads(output or ""), EpisodeSummary)


async def test_an_episode_too_large_for_a_record_is_a_failure_of_its_sample() -> None:
    flood = json.dumps(
        {"choices": [{"message": {"content": '"' * 3_200_000}, "finish_reason": "stop"}]}
    ).encode()
    played = await play_moves([Move(raw=flood)])
    assert played.exchange.failure is not None
    assert ("too_large", True, b"") == (
        played.exchange.failure.kind,
        played.exchange.failure.is_final,
        played.exchange.response,
    )


async def test_a_conversation_that_grows_without_end_is_ended() -> None:
    text = "x" * 600_000
    played = await play_moves([Move(text, [("add", {"n": 0})])] * 20)
    assert "tokens" == played.episode.ending
    assert 20 > len(played.episode.events)
    assert [] == played.check()


async def test_calls_of_one_turn_that_grow_without_end_are_ended_too() -> None:
    pad = "x" * 900_000
    played = await play_moves([Move("", [("add", {"n": 0, "pad": pad})] * 3)], number=2)
    assert ("tokens", 2) == (
        played.episode.ending,
        sum(isinstance(event, ToolStep) for event in played.episode.events),
    )
    assert [] == played.check()
