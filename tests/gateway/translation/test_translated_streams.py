"""Streams of every upstream: the order of their events, their ends, and what is no stream."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from gateway.translation.recorded_upstreams import PAIRS, RECORDED, TEXT
from gateway.translation.sdk_exchange import (
    Exchange,
    events_of,
    sse,
    translate_stream,
    translation_between,
)
from verilabel.gateway.wire.interface import MalformedStream

CHAT = ["openai-responses", "anthropic", "google"]
RESPONSES = ["openai", "anthropic", "google"]
MESSAGES = ["openai", "openai-responses", "google"]
USER: list[Any] = [{"role": "user", "content": "Why is salt put on roads?"}]


@pytest.mark.parametrize("cut", [1, 2, 3, 64, 100_000])
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_stream_says_the_same_however_its_bytes_were_cut(client: str, upstream: str, cut: int) -> None:
    for recorded in RECORDED[upstream].values():
        whole = translate_stream(
            translation_between(client, upstream), recorded.stream, cut=len(recorded.stream)
        )
        assert whole == translate_stream(translation_between(client, upstream), recorded.stream, cut=cut)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_stream_that_breaks_off_anywhere_never_ends_like_a_whole_one(client: str, upstream: str) -> None:
    stream = RECORDED[upstream]["thought"].stream
    end = stream.rindex(b"data: ")
    for cut in range(1, end, 97):
        translator = translation_between(client, upstream).stream(model="any", include_usage=True)
        given = translator.feed(stream[:cut])
        for mark in (b"[DONE]", b"message_stop", b"response.completed"):
            assert mark not in given
        with pytest.raises(MalformedStream):
            translator.finish()


def test_usage_is_streamed_to_chat_clients_only_where_asked_for() -> None:
    stream = RECORDED["anthropic"]["text"].stream
    translation = translation_between("chat", "anthropic")
    silent = events_of("chat", translate_stream(translation, stream, include_usage=False))
    assert [] == [event for event in silent if event.get("usage")]
    asked = events_of("chat", translate_stream(translation, stream, include_usage=True))
    assert [True] * (len(asked) - 1) + [False] == [bool(event["choices"]) for event in asked]


@pytest.mark.parametrize("upstream", CHAT)
def test_the_first_chunk_of_a_chat_stream_names_the_role_and_only_it(upstream: str) -> None:
    events = events_of(
        "chat", translate_stream(translation_between("chat", upstream), RECORDED[upstream]["text"].stream)
    )
    roles = [choice["delta"].get("role") for event in events for choice in event["choices"]]
    assert ["assistant"] + [None] * (len(roles) - 1) == roles


@pytest.mark.parametrize("upstream", MESSAGES)
def test_blocks_of_a_messages_stream_begin_and_end_one_after_the_other(upstream: str) -> None:
    for recorded in RECORDED[upstream].values():
        events = events_of(
            "messages", translate_stream(translation_between("messages", upstream), recorded.stream)
        )
        kinds = [event["type"] for event in events]
        assert ("message_start", ["message_delta", "message_stop"]) == (kinds[0], kinds[-2:])
        expected = None
        blocks = 0
        for event in events[1:-2]:
            if event["type"] == "content_block_start":
                assert (None, blocks) == (expected, event["index"])
                expected, blocks = event["index"], blocks + 1
            else:
                assert expected == event["index"]
                expected = None if event["type"] == "content_block_stop" else expected
        assert expected is None


@pytest.mark.parametrize("upstream", RESPONSES)
def test_a_responses_stream_says_whole_at_the_end_what_it_said_in_parts(upstream: str) -> None:
    for recorded in RECORDED[upstream].values():
        events = events_of(
            "responses", translate_stream(translation_between("responses", upstream), recorded.stream)
        )
        assert list(range(len(events))) == [event["sequence_number"] for event in events]
        assert ["response.created", "response.in_progress"] == [event["type"] for event in events[:2]]
        deltas: dict[tuple[str, str], str] = {}
        for event in events:
            name = event["type"].rpartition(".")
            key = (event.get("item_id", ""), name[0])
            if name[2] == "delta":
                deltas[key] = deltas.get(key, "") + event["delta"]
            elif name[2] == "done" and key in deltas:
                said = event.get("text", event.get("refusal", event.get("arguments")))
                assert deltas[key] == said
        done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        assert done == events[-1]["response"]["output"]
        added = [event["item"]["id"] for event in events if event["type"] == "response.output_item.added"]
        assert added == [item["id"] for item in done]


def test_an_error_in_an_upstream_stream_reaches_every_sdk_as_an_error() -> None:
    failures = {
        "openai": sse({"error": {"message": "The server had an error", "type": "server_error"}}),
        "openai-responses": sse(
            {
                "type": "error",
                "code": "server_error",
                "message": "The server had an error",
                "sequence_number": 0,
            },
            named=True,
        ),
        "anthropic": sse(
            {"type": "error", "error": {"type": "overloaded_error", "message": "The server had an error"}},
            named=True,
        ),
        "google": sse(
            {"error": {"code": 503, "status": "UNAVAILABLE", "message": "The server had an error"}}
        ),
    }
    for client, upstream in PAIRS:
        exchange = Exchange(client, upstream, failures[upstream])
        if client == "chat":
            with pytest.raises(openai.APIError, match="The server had an error"):
                list(exchange.openai.chat.completions.create(model="any", messages=USER, stream=True))
        elif client == "messages":
            with pytest.raises(anthropic.APIStatusError, match="The server had an error"):
                list(
                    exchange.anthropic.messages.create(model="any", max_tokens=9, messages=USER, stream=True)
                )
        else:
            events = list(exchange.openai.responses.create(model="any", input="Hello", stream=True))
            last = events[-1]
            assert ("response.failed", "failed") == (last.type, last.response.status)
            assert "The server had an error" == last.response.error.message


def test_an_error_after_words_is_the_last_thing_that_is_given() -> None:
    stream = RECORDED["openai"]["text"].stream
    broken = stream[: stream.index(b"\n\n", 900) + 2] + sse({"error": {"message": "gone"}}) + stream
    translator = translation_between("messages", "openai").stream(model="any", include_usage=True)
    events = events_of("messages", translator.feed(broken))
    assert "error" == events[-1]["type"]
    assert b"" == translator.feed(stream) + translator.finish()


HOSTILE = {
    "not json": b"data: {\n\n",
    "not utf-8": b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
    "not a number": b'data: {"created": NaN}\n\n',
    "too deep": b"data: " + b'{"candidates":' * 1 + b"[" * 5_000 + b"]" * 5_000 + b"}\n\n",
    "no object": b"data: [1]\n\n",
    "wrong types": b'data: {"type": 3, "choices": {}, "candidates": "x"}\n\n',
    "half a character": b'data: {"type": "x\\ud83d", "id": "\\ud83d", "responseId": "\\ud83d"}\n\n',
    "endless": b"data: " + b"x" * (2 << 20),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_hostile_stream_is_called_malformed(client: str, upstream: str, name: str) -> None:
    translator = translation_between(client, upstream).stream(model="any", include_usage=True)
    with pytest.raises(MalformedStream):
        translator.feed(HOSTILE[name])
        translator.finish()


def test_calls_of_one_index_with_other_ids_are_several_calls() -> None:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def call(identity: str, city: str) -> dict[str, Any]:
        function = {"name": "lookup_weather", "arguments": json.dumps({"city": city})}
        entry = {"index": 0, "id": identity, "type": "function", "function": function}
        return {**head, "choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]}

    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    exchange = Exchange("messages", "openai", sse(call("a", "Oslo"), call("b", "Bergen"), end, "[DONE]"))
    with exchange.anthropic.messages.stream(model="any", max_tokens=9, messages=USER) as manager:
        message = manager.get_final_message()
    assert [("a", {"city": "Oslo"}), ("b", {"city": "Bergen"})] == [
        (block.id, block.input) for block in message.content if block.type == "tool_use"
    ]


def test_arguments_of_two_calls_that_are_mixed_are_refused_where_blocks_follow_each_other() -> None:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def piece(index: int, **members: Any) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, **members}]}}]}

    stream = sse(
        piece(0, id="a", function={"name": "f", "arguments": "{"}),
        piece(1, id="b", function={"name": "f", "arguments": "{"}),
        piece(0, function={"arguments": "}"}),
    )
    for client in ("messages", "responses"):
        with pytest.raises(MalformedStream, match="mixes"):
            translate_stream(translation_between(client, "openai"), stream)


def test_several_answers_of_google_are_several_choices() -> None:
    def candidate(index: int, text: str, **members: Any) -> dict[str, Any]:
        return {"index": index, "content": {"role": "model", "parts": [{"text": text}]}, **members}

    ended = {"finishReason": "STOP"}
    whole = {"candidates": [candidate(0, "one", **ended), candidate(1, "two", **ended)]}
    exchange = Exchange("chat", "google", whole)
    completion = exchange.openai.chat.completions.create(model="any", messages=USER, n=2)
    assert 2 == exchange.asked["generationConfig"]["candidateCount"]
    assert ["one", "two"] == [choice.message.content for choice in completion.choices]

    half = sse(
        {"candidates": [candidate(0, "o"), candidate(1, "t")]}, {"candidates": [candidate(0, "ne", **ended)]}
    )
    with pytest.raises(MalformedStream):  # the second candidate never ended
        translate_stream(translation_between("chat", "google"), half)
    content = translate_stream(
        translation_between("chat", "google"), half + sse({"candidates": [candidate(1, "wo", **ended)]})
    )
    said = {0: "", 1: ""}
    for event in events_of("chat", content):
        for choice in event["choices"]:
            said[choice["index"]] += choice["delta"].get("content") or ""
    assert {0: "one", 1: "two"} == said


@pytest.mark.parametrize("kind", ["text", "thought", "calls"])
@pytest.mark.parametrize("upstream", RESPONSES)
def test_the_helper_of_the_sdk_puts_a_streamed_response_together(upstream: str, kind: str) -> None:
    exchange = Exchange("responses", upstream, RECORDED[upstream][kind].stream)
    with exchange.openai.responses.stream(model="any", input="Hello") as manager:
        manager.until_done()
        response = manager.get_final_response()
    assert "completed" == response.status
    assert (TEXT if kind != "calls" else "") == response.output_text
    assert ("calls" == kind) == any(item.type == "function_call" for item in response.output)


def test_a_responses_stream_without_end_is_given_up_in_bounded_memory() -> None:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunk = {**head, "choices": [{"index": 0, "delta": {"content": "x" * 900_000}}]}
    translator = translation_between("responses", "openai").stream(model="any", include_usage=True)
    data = sse(chunk)
    with pytest.raises(MalformedStream, match="longer than"):
        for _ in range(40):
            translator.feed(data)


def test_summaries_of_several_parts_are_kept_apart() -> None:
    summary = [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Second."}]
    item = {"type": "reasoning", "id": "rs_1", "summary": summary}
    deltas = [
        {
            "type": "response.reasoning_summary_text.delta",
            "item_id": "rs_1",
            "output_index": 0,
            "summary_index": index,
            "delta": part["text"],
        }
        for index, part in enumerate(summary)
    ]
    whole = RECORDED["openai-responses"]["text"].whole | {"output": [item]}
    ends = [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    for answer in (whole, sse(*deltas, *ends), sse(*ends)):  # an item that is done says what no delta said
        exchange = Exchange("messages", "openai-responses", answer)
        if isinstance(answer, dict):
            message = exchange.anthropic.messages.create(model="any", max_tokens=9, messages=USER)
        else:
            with exchange.anthropic.messages.stream(model="any", max_tokens=9, messages=USER) as manager:
                message = manager.get_final_message()
        assert ["First.\n\nSecond."] == [
            block.thinking for block in message.content if block.type == "thinking"
        ]


def test_words_and_arguments_that_no_delta_brought_come_from_the_items_end() -> None:
    for kind in ("text", "calls", "refused"):
        whole = RECORDED["openai-responses"][kind].whole
        events = [
            {"type": "response.output_item.done", "output_index": index, "item": item}
            for index, item in enumerate(whole["output"])
        ]
        content = translate_stream(
            translation_between("messages", "openai-responses"),
            sse(*events, {"type": "response.completed", "response": whole}),
        )
        streamed = events_of("messages", content)
        expected = translation_between("messages", "openai-responses").reply(whole, model="any")
        texts = "".join(event["delta"].get("text", "") for event in streamed if "delta" in event)
        assert "".join(block.get("text", "") for block in expected["content"]) == texts
        sources = "".join(event["delta"].get("partial_json", "") for event in streamed if "delta" in event)
        inputs = [block["input"] for block in expected["content"] if block["type"] == "tool_use"]
        assert inputs == [json.loads(source) for source in sources.replace("}{", "}\n{").splitlines()]


def test_words_and_a_refusal_in_one_answer_are_two_parts_of_one_message() -> None:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas = [{"content": "Up to here."}, {"refusal": "No "}, {"refusal": "further."}]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    exchange = Exchange("responses", "openai", sse(*chunks, end, "[DONE]"))
    with exchange.openai.responses.stream(model="any", input="Hello") as manager:
        manager.until_done()
        response = manager.get_final_response()
    assert 1 == len(response.output)
    words, refusal = response.output[0].content
    assert ("Up to here.", "No further.") == (words.text, refusal.refusal)
