"""Conversations that go through two translations come back with their roles, words and calls."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.translation.recorded_upstreams import PAIRS
from gateway.translation.request_shapes import check_request
from gateway.translation.sdk_exchange import (
    REPLIES,
    events_of,
    sse,
    translate_stream,
    translation_between,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6, width=32) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, values, max_size=3)
counts = st.integers(0, 3)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Chat messages that every API can say: a system prompt, turns, calls each with its result, a user at the end."""
    turns: list[dict[str, Any]] = []
    if draw(st.booleans()):
        turns.append({"role": "system", "content": draw(texts)})
    turns.append({"role": "user", "content": draw(texts)})
    number = 0
    for _ in range(draw(counts)):
        answer: dict[str, Any] = {"role": "assistant", "content": draw(texts)}
        calls = [
            {
                "id": f"call_{number + place}",
                "type": "function",
                "function": {"name": draw(names), "arguments": json.dumps(draw(objects))},
            }
            for place in range(draw(counts))
        ]
        number += len(calls)
        if calls:
            answer["tool_calls"] = calls
        turns.append(answer)
        turns += [{"role": "tool", "tool_call_id": call["id"], "content": draw(texts)} for call in calls]
        if not calls or draw(st.booleans()):
            turns.append({"role": "user", "content": draw(texts)})
    return turns


def essence(turns: list[dict[str, Any]]) -> list[Any]:
    """Roles, words and calls, arguments as values."""
    said: list[Any] = []
    for turn in turns:
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in turn.get("tool_calls") or ()
        ]
        said.append((turn["role"], turn.get("content"), calls, turn.get("tool_call_id")))
    return said


@given(conversations())
def test_chat_through_the_messages_api_and_back(turns: list[dict[str, Any]]) -> None:
    body = {"model": "any", "messages": turns}
    there = translation_between("chat", "anthropic").request(body, model="claude-sonnet-5")
    check_request("anthropic", there)
    back = translation_between("messages", "openai").request(there, model="gpt-6")
    check_request("openai", back)
    assert essence(turns) == essence(back["messages"])


@given(conversations())
def test_chat_through_the_responses_api_and_back(turns: list[dict[str, Any]]) -> None:
    body = {"model": "any", "messages": turns}
    there = translation_between("chat", "openai-responses").request(body, model="gpt-6")
    check_request("openai-responses", there)
    back = translation_between("responses", "openai").request(there, model="gpt-6")
    check_request("openai", back)
    assert essence(turns) == essence(back["messages"])


@given(conversations())
def test_every_way_to_google_says_the_same(turns: list[dict[str, Any]]) -> None:
    body = {"model": "any", "messages": turns}
    straight = translation_between("chat", "google").request(body, model="gemini-3-pro")
    check_request("google", straight)
    messages = translation_between("chat", "anthropic").request(body, model="claude-sonnet-5")
    by_messages = translation_between("messages", "google").request(messages, model="gemini-3-pro")
    by_messages.pop("generationConfig")  # that way demands a number of output tokens
    responses = translation_between("chat", "openai-responses").request(body, model="gpt-6")
    by_responses = translation_between("responses", "google").request(responses, model="gemini-3-pro")
    assert straight == by_messages == by_responses


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, dict[str, Any]]]]:
    """Thoughts, words and calls of one answer, each of which may be absent, but not all."""
    thought = draw(st.just("") | texts)
    calls = [(draw(names), draw(objects)) for _ in range(draw(counts))]
    text = draw(texts if not calls else st.just("") | texts)
    return thought, text, calls


Answered = tuple[str, str, list[tuple[str, dict[str, Any]]]]


def _chat_chunks(answer: Answered, cuts: list[int]) -> bytes:
    thought, text, calls = answer
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = []
    deltas += [{"reasoning_content": piece} for piece in _cut(thought, cuts)]
    deltas += [{"content": piece} for piece in _cut(text, cuts)]
    for index, (name, arguments) in enumerate(calls):
        entry = {"index": index, "id": f"call_{index}", "type": "function"}
        deltas.append({"tool_calls": [{**entry, "function": {"name": name, "arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in _cut(json.dumps(arguments), cuts)
        ]
    chunks: list[Any] = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    finish = "tool_calls" if calls else "stop"
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return sse(*chunks, "[DONE]")


def _cut(text: str, cuts: list[int]) -> list[str]:
    pieces, start = [], 0
    for cut in [*cuts, len(text)]:
        if start < len(text):
            pieces.append(text[start : start + cut])
            start += cut
    return pieces


def _heard_by_messages(content: bytes) -> Answered:
    thought, text = "", ""
    sources: dict[int, tuple[str, str]] = {}
    for event in events_of("messages", content):
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
            sources[event["index"]] = (event["content_block"]["name"], "")
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            thought += delta.get("thinking", "")
            text += delta.get("text", "")
            if "partial_json" in delta:
                name, source = sources[event["index"]]
                sources[event["index"]] = (name, source + delta["partial_json"])
    return thought, text, [(name, json.loads(source)) for name, source in sources.values()]


def _heard_by_responses(content: bytes) -> Answered:
    response = events_of("responses", content)[-1]["response"]
    return _heard_in_response(response)


def _heard_in_response(response: dict[str, Any]) -> Answered:
    thought, text = "", ""
    calls = []
    for item in response["output"]:
        if item["type"] == "reasoning":
            thought += "".join(part["text"] for part in item["content"])
        elif item["type"] == "message":
            text += "".join(part["text"] for part in item["content"])
        else:
            calls.append((item["name"], json.loads(item["arguments"])))
    return thought, text, calls


@given(answers(), st.lists(st.integers(1, 6), max_size=8), st.integers(1, 200))
def test_a_streamed_answer_of_any_content_arrives_as_it_was(
    answer: Answered, cuts: list[int], read_size: int
) -> None:
    stream = _chat_chunks(answer, cuts)
    messages = translate_stream(translation_between("messages", "openai"), stream, cut=read_size)
    assert answer == _heard_by_messages(messages)
    responses = translate_stream(translation_between("responses", "openai"), stream, cut=read_size)
    assert answer == _heard_by_responses(responses)
    # the events made for clients of one API are the events of an upstream of the same: back to chat
    for upstream, made in (("anthropic", messages), ("openai-responses", responses)):
        chat = translate_stream(translation_between("chat", upstream), made, cut=read_size)
        again = translate_stream(translation_between("messages", "openai"), chat, cut=read_size)
        assert answer == _heard_by_messages(again)


@given(answers())
def test_a_whole_answer_of_any_content_arrives_as_it_was(answer: Answered) -> None:
    thought, text, calls = answer
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "reasoning_content": thought}
    message["tool_calls"] = [
        {
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for index, (name, arguments) in enumerate(calls)
    ]
    finish = "tool_calls" if calls else "stop"
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    response = translation_between("responses", "openai").reply(body, model="m")
    REPLIES["responses"].validate_python(response)
    assert answer == _heard_in_response(response)
    made = translation_between("messages", "openai").reply(body, model="m")
    REPLIES["messages"].validate_python(made)
    for upstream, whole in (("anthropic", made), ("openai-responses", response)):
        back = translation_between("chat", upstream).reply(whole, model="m")
        choice = back["choices"][0]
        assert (finish, text or None) == (choice["finish_reason"], choice["message"]["content"])
        assert thought == choice["message"].get("reasoning_content", "")
        heard = [
            (call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in choice["message"].get("tool_calls", ())
        ]
        assert calls == heard


@given(st.binary(max_size=300), st.integers(1, 50))
def test_no_bytes_of_an_upstream_raise_anything_unforeseen(noise: bytes, cut: int) -> None:
    from verilabel.gateway.wire.interface import MalformedStream

    for client, upstream in PAIRS:
        try:
            given_out = translate_stream(
                translation_between(client, upstream), b"data: " + noise + b"\n\n", cut=cut
            )
        except MalformedStream:
            continue
        events_of(client, given_out)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "index",
                    "candidates",
                    "parts",
                    "text",
                    "item",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_values_from_either_side_raise_anything_unforeseen(value: Any) -> None:
    from verilabel.errors import VerilabelError

    body = value if isinstance(value, dict) else {"model": "any", "messages": value, "input": value}
    for client, upstream in PAIRS:
        translation = translation_between(client, upstream)
        for step in (translation.request, translation.reply):
            try:
                step(body, model="any")
            except VerilabelError as error:
                assert error.message
