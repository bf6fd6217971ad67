"""Tool calls over real HTTP in every dialect: what is sent, what is read, and what must come back verbatim."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_worlds import tool
from servers.tool_calling import Move, tool_server
from verilabel.errors import UsageError
from verilabel.models.address import open_model
from verilabel.models.interface import Model
from verilabel.models.tools.codec import DecodedTurn, ToolCodec
from verilabel.models.tools.interface import Answered, Returned, Said, ToolAnswer, ToolQuestion, Turn
from verilabel.models.tools.opening import codecs_of, open_tool_model
from verilabel.records.attempt import Failure

ADDRESSES = {
    "chat": "vllm/tool-1",
    "responses": "openai-responses/tool-1",
    "anthropic": "anthropic/tool-1",
    "google": "google/tool-1",
}
TOOLS = (tool("add", n="integer"), tool("say", text="string"))
CODECS = [
    pytest.param(codecs_of(address)[0][0], id=name)
    for name, address in ADDRESSES.items()
    if name != "responses"
]
CODECS.append(pytest.param(codecs_of("openai/x")[1][0], id="responses"))


def question(*turns: Turn, **params: Any) -> ToolQuestion:
    """A question within an episode."""
    return ToolQuestion(key=("test/sums@1.0.0", "s1", 1), turns=turns, tools=TOOLS, params=params)


def model_at(dialect: str, url: str) -> Model:
    """The model of a dialect behind a server."""
    return open_model(ADDRESSES[dialect], base_url=url)


async def converse(dialect: str, url: str, *turns: Turn, **params: Any) -> ToolAnswer:
    """Ask once."""
    async with model_at(dialect, url) as model:
        return await open_tool_model(model).converse(question(*turns, **params))


BEGIN = (Said("system", "Be brief."), Said("user", "Reach 3."))


@pytest.mark.parametrize("dialect", ADDRESSES)
async def test_a_conversation_of_three_turns_is_one_that_a_strict_provider_accepts(dialect: str) -> None:
    moves = [
        Move("Let me see.", [("add", {"n": 1}), ("add", {"n": 2})]),
        Move("", [("say", {"text": "hi"})]),
        Move("3"),
    ]
    async with tool_server(moves) as server, model_at(dialect, server.url) as model:
        tools = open_tool_model(model)
        turns: list[Turn] = list(BEGIN)
        for _ in moves:
            answer = await tools.converse(question(*turns))
            assert answer.exchange.failure is None, answer.exchange.response
            assert answer.turn is not None
            turns.append(answer.turn)
            turns += [Returned(use.id, use.name, "ok", failed=use.name == "say") for use in answer.turn.calls]
    said = [turn for turn in turns if isinstance(turn, Answered)]
    assert ["Let me see.", "", "3"] == [turn.text for turn in said]
    assert [["add", "add"], ["say"], []] == [[use.name for use in turn.calls] for turn in said]
    assert {"n": 2} == json.loads(said[0].calls[1].arguments)
    assert "tool-1" == answer.exchange.served_model
    assert answer.exchange.usage is not None
    assert (10, 3) == (answer.exchange.usage.input_tokens, answer.exchange.usage.output_tokens)


@pytest.mark.parametrize("dialect", ADDRESSES)
async def test_a_thought_that_was_changed_on_the_way_is_refused_by_the_provider(dialect: str) -> None:
    async with tool_server([Move("", [("add", {"n": 1})])]) as server:
        first = await converse(dialect, server.url, *BEGIN)
        assert first.turn is not None
        assert first.turn.kept
        use = first.turn.calls[0]
        without = Answered(first.turn.text, first.turn.calls)
        second = await converse(dialect, server.url, *BEGIN, without, Returned(use.id, use.name, "1"))
        # reasoning items of Responses may be left out, and then count as no turn of the model
        assert second.turn is None or dialect == "responses"


@pytest.mark.parametrize("dialect", ADDRESSES)
async def test_tools_are_offered_with_their_schemas(dialect: str) -> None:
    async with tool_server([]) as server:
        await converse(dialect, server.url, *BEGIN)
        shown = json.dumps(server.bodies[0]["tools"])
    for spec in TOOLS:
        assert json.dumps(spec.name) in shown
        assert json.dumps(spec.parameters) in shown


@pytest.mark.parametrize("dialect", ADDRESSES)
async def test_a_conversation_without_tools_sends_no_list_of_them(dialect: str) -> None:
    async with tool_server([]) as server, model_at(dialect, server.url) as model:
        asked = ToolQuestion(key=("s", "s", 1), turns=BEGIN, tools=(), params={})
        answer = await open_tool_model(model).converse(asked)
        assert "tools" not in server.bodies[0]
        assert answer.turn is not None
        assert "done" == answer.turn.text


@pytest.mark.parametrize("dialect", ADDRESSES)
async def test_a_parameter_travels_as_in_plain_questions(dialect: str) -> None:
    async with tool_server([]) as server:
        await converse(dialect, server.url, *BEGIN, temperature="0.70", max_tokens=9)
        body = server.bodies[0].get("generationConfig", server.bodies[0])
    assert 0.7 == body["temperature"]
    assert 9 in body.values()


async def test_a_tool_list_among_the_parameters_is_refused() -> None:
    async with tool_server([]) as server:
        with pytest.raises(UsageError, match="set by the program"):
            await converse("chat", server.url, *BEGIN, tools="x")


@pytest.mark.parametrize("dialect", ADDRESSES)
async def test_an_empty_turn_with_a_normal_ending_says_nothing_and_is_an_answer(dialect: str) -> None:
    async with tool_server([Move("")]) as server:
        answer = await converse(dialect, server.url, *BEGIN)
    assert answer.turn is not None
    assert ("", ()) == (answer.turn.text, answer.turn.calls)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"choices":[{"message":{"content":null},"finish_reason":"length"}]}', "empty"),
        (b'{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}', "filtered"),
        (b'{"choices":[]}', "empty"),
        (b'{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":""}}]}}]}', "malformed"),
        (
            b'{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"x"}},{"id":"a","function":{"name":"y"}}]}}]}',
            "malformed",
        ),
        (
            b'{"choices":[{"message":{"tool_calls":[{"id":"a","type":"custom","function":{"name":"x"}}]}}]}',
            "malformed",
        ),
        (b'{"choices":[{"message":{"tool_calls":"no"}}]}', "malformed"),
        (b"<html>", "malformed"),
        (b"[" * 100_000, "malformed"),
    ],
)
async def test_a_bad_answer_is_a_failure_and_never_a_turn(body: bytes, kind: str) -> None:
    async with tool_server([Move(raw=body)]) as server:
        answer = await converse("chat", server.url, *BEGIN)
    assert answer.turn is None
    assert answer.exchange.failure is not None
    assert kind == answer.exchange.failure.kind
    assert body == answer.exchange.response


@pytest.mark.parametrize("dialect", ADDRESSES)
async def test_a_provider_that_pushes_back_is_a_failure_with_the_wait_it_asks_for(dialect: str) -> None:
    async with tool_server([Move(status=429, headers=["Retry-After: 7"])]) as server:
        answer = await converse(dialect, server.url, *BEGIN)
    assert answer.exchange.failure is not None
    assert ("rate_limited", 7.0) == (answer.exchange.failure.kind, answer.exchange.retry_after_s)


async def test_arguments_that_a_server_sends_as_an_object_are_kept_as_it_wrote_them() -> None:
    raw = b'{"choices":[{"message":{"tool_calls":[{"function":{"name":"add","arguments":{"n":  1}}}]}}]}'
    async with tool_server([Move(raw=raw)]) as server:
        answer = await converse("chat", server.url, *BEGIN)
    assert answer.turn is not None
    assert [("#0", '{"n":  1}')] == [(use.id, use.arguments) for use in answer.turn.calls]


async def test_arguments_with_a_key_twice_reach_the_reader_of_arguments_untouched() -> None:
    raw = b'{"content":[{"type":"tool_use","id":"t","name":"add","input":{"n":1,"n":2}}],"stop_reason":"tool_use"}'
    async with tool_server([Move(raw=raw)]) as server:
        answer = await converse("anthropic", server.url, *BEGIN)
    assert answer.turn is not None
    assert '{"n":1,"n":2}' == answer.turn.calls[0].arguments


@pytest.mark.parametrize("address", ["simulated", "command:cat", "hf/x"])
def test_a_model_that_cannot_be_shown_tools_is_refused_with_the_ones_that_can(address: str) -> None:
    if address == "hf/x":
        pytest.importorskip("transformers")
    with pytest.raises(UsageError, match="cannot call tools") as caught:
        open_tool_model(open_model(address))
    assert "scripted:oracle" in (caught.value.hint or "")


@pytest.mark.parametrize("codec", CODECS)
@given(body=st.binary(max_size=200))
def test_no_bytes_make_a_codec_raise(codec: ToolCodec, body: bytes) -> None:
    assert isinstance(codec.decode(body), DecodedTurn | Failure)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "choices",
        "message",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "output",
        "content",
        "type",
        "candidates",
        "parts",
    ]
)


@pytest.mark.parametrize("codec", CODECS)
@given(
    body=st.recursive(
        JSON,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    )
)
def test_no_json_of_the_right_words_makes_a_codec_raise(codec: ToolCodec, body: Any) -> None:
    said = codec.decode(json.dumps(body).encode())
    assert isinstance(said, DecodedTurn | Failure)


@pytest.mark.parametrize("codec", CODECS)
@given(text=st.text(max_size=30), arguments=st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_a_turn_that_was_rebuilt_says_the_same_text_and_arguments(
    codec: ToolCodec, text: str, arguments: Any
) -> None:
    written = json.dumps(arguments)
    from verilabel.records.episode import ToolUse

    turn = Answered(text, (ToolUse("c1", "add", written),))
    sent = codec.encode(question(*BEGIN, turn, Returned("c1", "add", "ok")), "m").decode()
    body = json.loads(sent)
    assert text.strip() == "" or json.dumps(text, ensure_ascii=False)[1:-1] in json.dumps(
        body, ensure_ascii=False
    )
    flat = json.dumps(body)
    assert json.dumps(arguments) in flat or json.dumps(written) in flat
