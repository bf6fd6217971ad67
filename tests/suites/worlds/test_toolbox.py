"""Arguments of calls: what fits a tool's schema reaches the world, all else is a failed reply that says why."""

from __future__ import annotations

from collections.abc import Generator

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.records.episode import AgentSettings
from verilabel.suites.worlds.catalogue import environments
from verilabel.suites.worlds.interface import Effect, Outcome, ToolReply
from verilabel.suites.worlds.playing import call_of, play_script
from verilabel.suites.worlds.toolbox import (
    MAX_TEXT,
    BadArguments,
    Given,
    Parameter,
    ToolWorld,
    read_arguments,
    tool_of,
)

TOOL = tool_of(
    "order",
    "Order something.",
    Parameter("what", "the thing"),
    Parameter("size", "its size", enum=("small", "large")),
    Parameter("count", "how many", "integer"),
)


class Shop(ToolWorld):
    tools = (TOOL,)

    def answer(self, tool: str, given: Given) -> Generator[Effect, Outcome, ToolReply]:
        yield from ()
        return ToolReply(f"{tool}: {given.texts['what']} x {given.numbers['count']}")


def reply(tool: str, arguments: dict[str, object]) -> ToolReply:
    steps = Shop().call(tool, arguments)
    with pytest.raises(StopIteration) as done:
        next(steps)
    answer: ToolReply = done.value.value
    return answer


def test_arguments_that_fit_reach_the_world() -> None:
    assert ToolReply("order: tea x 2") == reply("order", {"what": "tea", "size": "small", "count": 2})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"what": "tea", "size": "small"}, "argument 'count' is missing"),
        ({"what": "tea", "size": "small", "count": "2"}, "argument 'count' must be an integer"),
        ({"what": "tea", "size": "small", "count": True}, "argument 'count' must be an integer"),
        ({"what": "tea", "size": "small", "count": 10**13}, "argument 'count' is out of range"),
        ({"what": 3, "size": "small", "count": 2}, "argument 'what' must be a string"),
        ({"what": "tea", "size": "huge", "count": 2}, "argument 'size' must be one of small, large"),
        ({"what": "x" * (MAX_TEXT + 1), "size": "small", "count": 2}, "longer than 20000"),
        (
            {"what": "tea", "size": "small", "count": 2, "why": ""},
            "unknown argument 'why'; the arguments are",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_a_failed_reply(arguments: dict[str, object], message: str) -> None:
    answer = reply("order", arguments)
    assert answer.failed and message in answer.text


def test_a_tool_that_is_not_there_is_a_failed_reply_that_names_those_that_are() -> None:
    answer = reply("steal", {})
    assert answer.failed and "the tools are order" in answer.text


VALUES = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.sampled_from(["", "small", "tea"])


@given(st.dictionaries(st.sampled_from(["what", "size", "count", "more"]), VALUES))
def test_what_is_read_is_what_the_schema_allows(arguments: dict[str, object]) -> None:
    allowed = jsonschema.Draft202012Validator(TOOL.parameters).is_valid(arguments)
    try:
        read_arguments(TOOL, arguments)
    except BadArguments as error:
        assert not allowed or "out of range" in str(error)
    else:
        assert allowed


def test_scripted_agents_have_the_limits_that_agents_around_models_have() -> None:
    environment = environments()["cap/planning"]
    (sample,) = environment.generate("5eed", 1)
    look = call_of("look")
    for settings, ending, count in (
        (AgentSettings(max_steps=3), "steps", 3),
        (AgentSettings(max_calls=2), "calls", 2),
        (AgentSettings(), "steps", 30),
    ):
        episode = play_script(environment, sample, lambda *_: look, settings=settings)
        assert (ending, count) == (episode.ending, len(episode.calls))
