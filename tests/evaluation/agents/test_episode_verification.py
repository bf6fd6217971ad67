"""A recorded episode held against its suite, its system and itself: what was changed is named by its event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_worlds import SumEnvironment
from episode_runs import ADD_ONE, ADD_TWO, Played, changed, play_moves
from servers.tool_calling import Move
from verilabel.evaluation.agents.replaying import check_episode
from verilabel.evaluation.agents.roles import open_panels
from verilabel.evaluation.agents.solver import Surroundings
from verilabel.evaluation.agents.tasks import read_task, task_bytes
from verilabel.records.attempt import Failure
from verilabel.records.episode import AchievedContainment, Episode, ModelStep, ToolStep, ToolUse, output_of
from verilabel.records.sample import Message

MARK = {"mark": ("scripted:mark",)}


@pytest.fixture(scope="module")
def sound() -> Played:
    """An episode of three questions, a failed one and a role among its events."""
    around = Surroundings(roles=open_panels(MARK), addresses=MARK)
    moves = [ADD_ONE, Move("And ask.", [("ask", {"text": "Well?"})]), Move("I stop.")]
    return asyncio.run(
        play_moves(moves, around, SumEnvironment(roles=("mark",)), failures=[Move(status=503)])
    )


def with_event(episode: Episode, number: int, **changes: Any) -> Episode:
    """An episode with one event changed, numbered from 1."""
    events = list(episode.events)
    events[number - 1] = msgspec.structs.replace(events[number - 1], **changes)
    return msgspec.structs.replace(episode, events=tuple(events))


def without_event(episode: Episode, number: int) -> Episode:
    """An episode with one event left out."""
    events = [event for n, event in enumerate(episode.events, 1) if n != number]
    return msgspec.structs.replace(episode, events=tuple(events))


def test_an_untouched_episode_holds(sound: Played) -> None:
    kinds = [f"{type(e).__name__}:{getattr(e, 'role', '')}" for e in sound.episode.events]
    assert [
        "ModelStep:mark",
        "ModelStep:",
        "ModelStep:",
        "ToolStep:",
        "ModelStep:",
        "ModelStep:mark",
        "ToolStep:",
        "ModelStep:",
        "ModelStep:mark",
    ] == kinds
    assert [] == sound.check()


def swap(field: str, old: str, new: str) -> Callable[[Any], dict[str, Any]]:
    """A change of one field's text."""
    return lambda event: {field: getattr(event, field).replace(old, new)}


def put(**fields: Any) -> Callable[[Any], dict[str, Any]]:
    """A change of whole fields."""
    return lambda event: fields


OTHER_FAILURE = Failure("timeout2", "x", retryable=True)
OTHER_CALLS = (ToolUse("x", "add", '{"n":2}'),)
NOT_SAID = "its response does not say"
CHANGES: dict[str, tuple[int, Callable[[Any], dict[str, Any]], str]] = {
    "another request": (3, swap("request", "Reach 2", "Reach 9"), "its request differs in 'messages'"),
    "a request with another tool": (
        5,
        swap("request", '"name":"run"', '"name":"r"'),
        "its request differs in 'tools'",
    ),
    "another parameter": (3, swap("request", "64", "65"), "its request differs in 'max_tokens'"),
    "a text that was not said": (8, put(text="I win."), NOT_SAID),
    "a call that was not made": (3, put(calls=OTHER_CALLS), NOT_SAID),
    "tokens that were not used": (3, put(usage=None), NOT_SAID),
    "another served model": (8, put(served_model="better"), NOT_SAID),
    "no response": (8, put(response=None), "its response holds no turn"),
    "a base64 that is none": (8, put(response=None, response_base64="?"), "its response is not base64"),
    "another result": (4, put(result="total 2"), "is not what the world gives"),
    "a call made to fail": (4, put(failed=True), "is not what the world gives"),
    "other arguments": (4, put(arguments='{"n":2}'), "is not what the world gives"),
    "another failure": (2, put(failure=OTHER_FAILURE), "its response means 'server_error'"),
    "what the mark did not say": (1, put(text="99"), NOT_SAID),
    "what the mark was not asked": (
        6,
        swap("request", "Well?", "Really?"),
        "its request is not what the role",
    ),
    "another role": (6, put(role="judge"), "is of another kind"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_event_is_named_by_its_number(sound: Played, name: str) -> None:
    number, change, expected = CHANGES[name]
    event = sound.episode.events[number - 1]
    found = changed(sound, with_event(sound.episode, number, **change(event))).check()
    assert any(what.startswith(f"event {number} {expected}") for what in found), found


def test_a_thought_that_was_changed_shows_in_the_next_request(sound: Played) -> None:
    event = sound.episode.events[2]
    assert isinstance(event, ModelStep)
    response = (event.response or "").replace("thought 1", "thought 2")
    found = changed(sound, with_event(sound.episode, 3, response=response)).check()
    assert found[0].startswith("event 5 its request differs in 'messages'")


@pytest.mark.parametrize("number", range(1, 10))
def test_an_event_that_was_left_out_is_noticed(sound: Played, number: int) -> None:
    found = changed(sound, without_event(sound.episode, number)).check()
    if (
        number == 2
    ):  # a failed question leaves no trace in what follows: only more of them would be suspicious
        assert [] == found
    else:
        assert found


@pytest.mark.parametrize("number", range(1, 10))
def test_an_event_that_was_put_in_twice_is_noticed(sound: Played, number: int) -> None:
    events = (*sound.episode.events[:number], *sound.episode.events[number - 1 :])
    found = changed(sound, msgspec.structs.replace(sound.episode, events=events)).check()
    assert found or number == 2


def test_an_answer_that_hides_behind_a_failure_is_noticed(sound: Played) -> None:
    failure = Failure("server_error", "busy", retryable=True)
    found = changed(sound, with_event(sound.episode, 8, failure=failure, text="")).check()
    assert found[0].startswith("event 8 its response holds a turn, the event a failure")


def test_an_ending_that_does_not_follow_is_noticed(sound: Played) -> None:
    assert changed(sound, msgspec.structs.replace(sound.episode, ending="steps")).check()
    assert changed(sound, msgspec.structs.replace(sound.episode, answer="I win.")).check()


def test_an_output_that_is_not_the_summary_is_noticed(sound: Played) -> None:
    other = output_of(msgspec.structs.replace(sound.episode, answer="I win."))
    exchange = msgspec.structs.replace(sound.exchange, output=other)
    assert ["the output is not the episode's summary"] == replace(sound, exchange=exchange).check()


@pytest.mark.parametrize(
    "changes", [{"finish": "steps"}, {"served_model": "better"}, {"fingerprint": "x"}, {"usage": None}]
)
def test_facts_of_the_record_that_are_not_the_episodes_are_noticed(
    sound: Played, changes: dict[str, Any]
) -> None:
    exchange = msgspec.structs.replace(sound.exchange, **changes)
    found = replace(sound, exchange=exchange).check()
    assert ["the record's ending, served model or tokens are not the episode's"] == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("environment", "test/sums@2.0.0"),
        ("sample", "s1"),
        ("epoch", 2),
        ("model", "openai/other"),
        ("messages", (Message("user", "Be kind to me."),)),
        ("tools", ()),
        ("params", {"max_tokens": 64, "temperature": "1"}),
        ("roles", {"mark": "openai/friend"}),
    ],
)
def test_another_task_than_the_samples_is_named(sound: Played, field: str, value: Any) -> None:
    task = msgspec.structs.replace(read_task(sound.exchange.request), **{field: value})
    exchange = msgspec.structs.replace(sound.exchange, request=task_bytes(task))
    found = replace(sound, exchange=exchange).check()
    assert f"the request is not the sample's: it differs in {field!r}" == found[0]


async def test_more_steps_than_the_descriptor_binds_are_named() -> None:
    played = await play_moves([ADD_ONE, ADD_TWO])
    system = msgspec.structs.replace(
        played.setting.system, params={**played.setting.system.params, "agent.max_steps": 7}
    )
    found = replace(played, setting=replace(played.setting, system=system)).check()
    assert ["the request is not the sample's: it differs in 'agent'"] == found


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"agent.max_steps": "many"},
        {"agent.role.mark": 7},
        {"agent.version": "0"},
        {"agent.role.mark": ""},
    ],
)
def test_a_descriptor_that_makes_no_agent_is_a_mismatch_and_no_crash(
    sound: Played, params: dict[str, Any]
) -> None:
    system = msgspec.structs.replace(sound.setting.system, params=params)
    found = replace(sound, setting=replace(sound.setting, system=system)).check()
    assert found[0].startswith(("the episode cannot be played again", "the request is not the sample's"))


async def test_tools_that_the_descriptor_does_not_bind_are_named() -> None:
    played = await play_moves([ADD_TWO])
    task = read_task(played.exchange.request)
    more = msgspec.structs.replace(task, tools=(*task.tools, task.tools[0]))
    exchange = msgspec.structs.replace(played.exchange, request=task_bytes(more))
    assert (
        "the request offers tools that the descriptor does not bind"
        in replace(played, exchange=exchange).check()
    )


async def test_a_sandbox_that_nobody_needed_is_named() -> None:
    played = await play_moves([ADD_TWO])
    claimed = msgspec.structs.replace(played.episode, containment=AchievedContainment("C4", "gvisor"))
    assert ["a sandbox is claimed where none is needed"] == changed(played, claimed).check()


@pytest.mark.parametrize(
    "request_text",
    ["", "{}", "[]", '{"format":"verilabel/episode-task/v1"}', "null", "[" * 100_000, "\ud800"],
)
def test_a_request_that_is_no_task_is_a_mismatch_and_no_crash(sound: Played, request_text: str) -> None:
    attempt = msgspec.structs.replace(sound.attempt, request=request_text)
    assert check_episode(attempt, sound.setting)[0].startswith("no episode can be read")


@settings(max_examples=60)
@given(data=st.data())
def test_a_changed_text_anywhere_in_a_bound_field_is_noticed(sound: Played, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(sound.episode.events)))
    event = sound.episode.events[number - 1]
    names = {ModelStep: ("request", "text", "response"), ToolStep: ("call", "tool", "arguments", "result")}
    name = data.draw(st.sampled_from(names[type(event)]))
    text = getattr(event, name)
    if not text or number == 2:
        return
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from('ax"{ 7'))
    tampered = text[:place] + other + text[place + 1 :]
    if _same_json(tampered, text):
        return
    found = changed(sound, with_event(sound.episode, number, **{name: tampered})).check()
    # what stands in a response beside the turn (a usage's other fields) is not read, and binds nothing
    assert found or (name == "response" and type(event) is ModelStep)


def _same_json(a: str, b: str) -> bool:
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return a == b


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.text(max_size=8)
    | st.sampled_from(["model", "tool"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=120)
@given(data=st.data())
def test_no_episode_however_broken_makes_the_verifier_raise(sound: Played, data: st.DataObject) -> None:
    which = data.draw(st.sampled_from(["request", "response"]))
    text = getattr(sound.attempt, which)
    document = json.loads(text)
    node, steps = document, data.draw(st.integers(0, 4))
    for _ in range(steps):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        inner = [key for key in keys if isinstance(node[key], dict | list) and node[key]]
        if not inner:
            break
        node = node[data.draw(st.sampled_from(inner))]
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    node[data.draw(st.sampled_from(keys))] = data.draw(VALUES)
    broken = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    attempt = msgspec.structs.replace(sound.attempt, **{which: broken})
    assert all(isinstance(what, str) for what in check_episode(attempt, sound.setting))
