"""Whole replies and streams of every upstream, read by the real SDKs of the client's API."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from gateway.translation.recorded_upstreams import CALLS, IDS, PAIRS, RECORDED, TEXT, THOUGHT
from gateway.translation.sdk_exchange import Exchange, events_of, sse, translate_stream, translation_between
from verilabel.errors import MalformedInput
from verilabel.gateway.wire.interface import MalformedStream

CHAT = ["openai-responses", "anthropic", "google"]
RESPONSES = ["openai", "anthropic", "google"]
MESSAGES = ["openai", "openai-responses", "google"]
USER: list[Any] = [{"role": "user", "content": "Why is salt put on roads?"}]


def ask_chat(upstream: str, kind: str, *, stream: bool) -> Any:
    """The choice and usage that OpenAI's SDK puts together."""
    recorded = RECORDED[upstream][kind]
    exchange = Exchange("chat", upstream, recorded.stream if stream else recorded.whole)
    completions = exchange.openai.chat.completions
    if not stream:
        return completions.create(model="any", messages=USER)
    with completions.stream(model="any", messages=USER, stream_options={"include_usage": True}) as manager:
        manager.until_done()
        return manager.get_final_completion()


def ask_responses(upstream: str, kind: str, *, stream: bool) -> Any:
    """The response that OpenAI's SDK puts together."""
    recorded = RECORDED[upstream][kind]
    exchange = Exchange("responses", upstream, recorded.stream if stream else recorded.whole)
    if not stream:
        return exchange.openai.responses.create(model="any", input="Why is salt put on roads?")
    final = None
    events = exchange.openai.responses.create(model="any", input="Why is salt put on roads?", stream=True)
    for number, event in enumerate(events):
        assert number == event.sequence_number
        if event.type in ("response.completed", "response.incomplete"):
            final = event.response
    return final


def ask_messages(upstream: str, kind: str, *, stream: bool) -> Any:
    """The message that Anthropic's SDK puts together."""
    recorded = RECORDED[upstream][kind]
    exchange = Exchange("messages", upstream, recorded.stream if stream else recorded.whole)
    messages = exchange.anthropic.messages
    if not stream:
        return messages.create(model="any", max_tokens=100, messages=USER)
    with messages.stream(model="any", max_tokens=100, messages=USER) as manager:
        return manager.get_final_message()


both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@both_ways
@pytest.mark.parametrize("upstream", CHAT)
def test_chat_clients_read_words_thoughts_and_usage(upstream: str, stream: bool) -> None:
    completion = ask_chat(upstream, "thought", stream=stream)
    choice = completion.choices[0]
    assert (TEXT, "stop", "assistant") == (choice.message.content, choice.finish_reason, choice.message.role)
    assert THOUGHT == choice.message.reasoning_content
    assert "served-model" == completion.model
    usage = completion.usage
    assert (40, 20, 60) == (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert 30 == usage.prompt_tokens_details.cached_tokens
    assert 5 == usage.completion_tokens_details.reasoning_tokens


@both_ways
@pytest.mark.parametrize("upstream", CHAT)
def test_chat_clients_read_parallel_calls(upstream: str, stream: bool) -> None:
    choice = ask_chat(upstream, "calls", stream=stream).choices[0]
    assert "tool_calls" == choice.finish_reason
    calls = choice.message.tool_calls
    assert list(IDS) == [call.id for call in calls]
    assert list(CALLS) == [(call.function.name, json.loads(call.function.arguments)) for call in calls]


@both_ways
@pytest.mark.parametrize("upstream", CHAT)
def test_chat_clients_see_what_was_cut_and_what_was_withheld(upstream: str, stream: bool) -> None:
    if stream:  # the SDK's helper raises its own errors for these two ends, which is what its users see
        with pytest.raises(openai.LengthFinishReasonError):
            ask_chat(upstream, "length", stream=True)
        with pytest.raises(openai.ContentFilterFinishReasonError):
            ask_chat(upstream, "filtered", stream=True)
        return
    assert "length" == ask_chat(upstream, "length", stream=False).choices[0].finish_reason
    assert "content_filter" == ask_chat(upstream, "filtered", stream=False).choices[0].finish_reason


@both_ways
@pytest.mark.parametrize("upstream", RESPONSES)
def test_responses_clients_read_words_thoughts_and_usage(upstream: str, stream: bool) -> None:
    response = ask_responses(upstream, "thought", stream=stream)
    assert ("completed", TEXT, "served-model") == (response.status, response.output_text, response.model)
    assert ["reasoning", "message"] == [item.type for item in response.output]
    assert THOUGHT == response.output[0].content[0].text
    usage = response.usage
    assert (40, 20, 60) == (usage.input_tokens, usage.output_tokens, usage.total_tokens)
    assert (30, 5) == (usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens)


@both_ways
@pytest.mark.parametrize("upstream", RESPONSES)
def test_responses_clients_read_parallel_calls(upstream: str, stream: bool) -> None:
    response = ask_responses(upstream, "calls", stream=stream)
    calls = [item for item in response.output if item.type == "function_call"]
    assert list(IDS) == [call.call_id for call in calls]
    assert list(CALLS) == [(call.name, json.loads(call.arguments)) for call in calls]
    assert len({call.id for call in calls}) == len(calls)


@both_ways
@pytest.mark.parametrize(
    ("kind", "reason"), [("length", "max_output_tokens"), ("filtered", "content_filter")]
)
@pytest.mark.parametrize("upstream", RESPONSES)
def test_responses_clients_see_why_a_reply_is_incomplete(
    upstream: str, kind: str, reason: str, stream: bool
) -> None:
    response = ask_responses(upstream, kind, stream=stream)
    assert ("incomplete", reason) == (response.status, response.incomplete_details.reason)


@both_ways
@pytest.mark.parametrize("upstream", MESSAGES)
def test_messages_clients_read_words_thoughts_and_usage(upstream: str, stream: bool) -> None:
    message = ask_messages(upstream, "thought", stream=stream)
    assert ["thinking", "text"] == [block.type for block in message.content]
    assert (THOUGHT, TEXT) == (message.content[0].thinking, message.content[1].text)
    assert ("end_turn", "served-model") == (message.stop_reason, message.model)
    usage = message.usage
    assert (10, 30, 20) == (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens)


@both_ways
@pytest.mark.parametrize("upstream", MESSAGES)
def test_messages_clients_read_parallel_calls(upstream: str, stream: bool) -> None:
    message = ask_messages(upstream, "calls", stream=stream)
    assert "tool_use" == message.stop_reason
    assert ["tool_use", "tool_use"] == [block.type for block in message.content]
    assert list(IDS) == [block.id for block in message.content]
    assert list(CALLS) == [(block.name, block.input) for block in message.content]


@both_ways
@pytest.mark.parametrize(("kind", "reason"), [("length", "max_tokens"), ("filtered", "refusal")])
@pytest.mark.parametrize("upstream", MESSAGES)
def test_messages_clients_see_why_a_reply_ended(upstream: str, kind: str, reason: str, stream: bool) -> None:
    assert reason == ask_messages(upstream, kind, stream=stream).stop_reason


@both_ways
def test_a_refusal_in_words_is_a_refusal_in_every_api(stream: bool) -> None:
    chat = ask_chat("openai-responses", "refused", stream=stream).choices[0].message
    assert (None, "No, I will not.") == (chat.content, chat.refusal)
    response = ask_responses("openai", "refused", stream=stream)
    assert ["refusal"] == [part.type for part in response.output[0].content]
    for upstream in ("openai", "openai-responses"):
        message = ask_messages(upstream, "refused", stream=stream)
        assert ("refusal", "No, I will not.") == (message.stop_reason, message.content[0].text)


@both_ways
def test_a_prompt_that_google_blocks_says_so_to_its_asker(stream: bool) -> None:
    message = ask_messages("google", "blocked", stream=stream)
    assert "refusal" == message.stop_reason
    assert "the provider blocked the prompt: SAFETY" == message.stop_details.explanation
    response = ask_responses("google", "blocked", stream=stream)
    assert "content_filter" == response.incomplete_details.reason
    assert "SAFETY" in response.output[0].content[0].refusal
    if not stream:
        choice = ask_chat("google", "blocked", stream=False).choices[0]
        assert ("content_filter", None) == (choice.finish_reason, choice.message.content)
        assert "SAFETY" in choice.message.refusal


@both_ways
def test_a_call_without_arguments_has_an_empty_object(stream: bool) -> None:
    call = ask_chat("anthropic", "no_arguments", stream=stream).choices[0].message.tool_calls[0]
    assert "{}" == call.function.arguments
    assert "{}" == ask_responses("anthropic", "no_arguments", stream=stream).output[0].arguments


def test_a_signature_of_google_comes_back_in_the_next_request() -> None:
    for client in ("chat", "responses", "messages"):
        for stream in (False, True):
            recorded = RECORDED["google"]["signed"]
            exchange = Exchange(client, "google", recorded.stream if stream else recorded.whole)
            history = _history_after_calls(exchange, client, stream=stream)
            asked = exchange.translation.request({"model": "any", **history}, model="gemini-3-pro")
            parts = asked["contents"][1]["parts"]
            assert ["Z29vZ2xl", None] == [part.get("thoughtSignature") for part in parts], (client, stream)
            assert list(CALLS) == [
                (part["functionCall"]["name"], part["functionCall"]["args"]) for part in parts
            ]


def _history_after_calls(exchange: Exchange, client: str, *, stream: bool) -> dict[str, Any]:
    """The next request of a client that gives the model's turn back as its SDK holds it."""
    if client == "chat":
        completions = exchange.openai.chat.completions
        if stream:
            with completions.stream(model="any", messages=USER) as manager:
                turn = manager.get_final_completion().choices[0].message
        else:
            turn = completions.create(model="any", messages=USER).choices[0].message
        said = turn.model_dump(exclude_none=True, exclude={"parsed"})
        for call in said["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
        results = [{"role": "tool", "tool_call_id": identity, "content": "rain"} for identity in IDS]
        return {"messages": [*USER, said, *results]}
    if client == "messages":
        with exchange.anthropic.messages.stream(model="any", max_tokens=9, messages=USER) as manager:
            message = manager.get_final_message() if stream else None
        if message is None:
            message = exchange.anthropic.messages.create(model="any", max_tokens=9, messages=USER)
        turn_content = [block.model_dump(exclude_none=True) for block in message.content]
        results = [{"type": "tool_result", "tool_use_id": identity, "content": "rain"} for identity in IDS]
        return {
            "max_tokens": 9,
            "messages": [
                *USER,
                {"role": "assistant", "content": turn_content},
                {"role": "user", "content": results},
            ],
        }
    if stream:
        events = exchange.openai.responses.create(model="any", input="Weather?", stream=True)
        response = next(event.response for event in events if event.type == "response.completed")
    else:
        response = exchange.openai.responses.create(model="any", input="Weather?")
    items = [item.model_dump(exclude_none=True) for item in response.output]
    results = [{"type": "function_call_output", "call_id": identity, "output": "rain"} for identity in IDS]
    return {"input": [{"role": "user", "content": "Weather?"}, *items, *results]}


@pytest.mark.parametrize("stream", [False, True])
def test_signed_thoughts_of_anthropic_come_back_through_the_responses_api(stream: bool) -> None:
    for kind, expected in (
        ("thought", {"type": "thinking", "thinking": THOUGHT, "signature": "c2lnbmVk"}),
        ("hidden", {"type": "redacted_thinking", "data": "b3BhcXVl"}),
    ):
        response = ask_responses("anthropic", kind, stream=stream)
        items = [item.model_dump(exclude_none=True) for item in response.output]
        body = {"model": "any", "input": [*items, {"role": "user", "content": "And sand?"}]}
        asked = translation_between("responses", "anthropic").request(body, model="claude-sonnet-5")
        assert [expected, {"type": "text", "text": TEXT}] == asked["messages"][0]["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_encrypted_reasoning_of_openai_comes_back_through_the_messages_api(stream: bool) -> None:
    message = ask_messages("openai-responses", "thought", stream=stream)
    turn = [block.model_dump(exclude_none=True) for block in message.content]
    messages = [*USER, {"role": "assistant", "content": turn}, {"role": "user", "content": "And sand?"}]
    body = {"model": "any", "max_tokens": 9, "messages": messages}
    asked = translation_between("messages", "openai-responses").request(body, model="gpt-6")
    reasoning = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": THOUGHT}],
        "encrypted_content": "ZW5j",
    }
    assert reasoning == asked["input"][1]
    assert (False, ["reasoning.encrypted_content"]) == (asked["store"], asked["include"])
    # another provider cannot read it: there it is left out, with its words
    elsewhere = translation_between("messages", "openai").request(body, model="other")
    assert {"role": "assistant", "content": TEXT} == elsewhere["messages"][1]


def test_the_stop_sequence_that_ended_an_answer_is_a_stop() -> None:
    assert "stop" == ask_chat("anthropic", "sequence", stream=True).choices[0].finish_reason


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


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_reply_without_an_answer_is_malformed(client: str, upstream: str) -> None:
    translation = translation_between(client, upstream)
    for body in (
        {},
        {"choices": []},
        {"choices": [{"finish_reason": "stop"}]},
        {"candidates": []},
        {"candidates": [{"content": {"parts": [{"executableCode": {}}]}, "finishReason": "STOP"}]},
        {"content": [{"type": "server_tool_use"}], "stop_reason": "end_turn"},
        {"status": "completed", "output": [{"type": "web_search_call"}]},
        {"status": "failed", "error": {"message": "no"}},
        {"error": {"message": "no"}},
    ):
        with pytest.raises(MalformedInput):
            translation.reply(body, model="any")


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


def test_log_probabilities_of_google_and_responses_reach_chat_clients() -> None:
    token = {"token": "Hi", "logProbability": -0.1}
    generated = {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "Hi"}]},
                "finishReason": "STOP",
                "logprobsResult": {"chosenCandidates": [token], "topCandidates": [{"candidates": [token]}]},
            }
        ]
    }
    for answer in (generated, sse(generated)):
        exchange = Exchange("chat", "google", answer)
        if isinstance(answer, dict):
            completion = exchange.openai.chat.completions.create(
                model="any", messages=USER, logprobs=True, top_logprobs=1
            )
            entry = completion.choices[0].logprobs.content[0]
        else:
            chunks = exchange.openai.chat.completions.create(
                model="any", messages=USER, logprobs=True, top_logprobs=1, stream=True
            )
            entry = next(
                chunk.choices[0].logprobs.content[0] for chunk in chunks if chunk.choices[0].logprobs
            )
        assert ("Hi", -0.1, [72, 105]) == (entry.token, entry.logprob, entry.bytes)
        assert "Hi" == entry.top_logprobs[0].token
        config = exchange.asked["generationConfig"]
        assert (True, 1) == (config["responseLogprobs"], config["logprobs"])


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


def test_the_stop_sequence_is_named_where_the_api_has_a_place_for_it() -> None:
    # Anthropic's clients are served by translation from Anthropic-like events of other upstreams only: a second way
    from gateway.translation.sdk_exchange import counting_maker

    from verilabel.gateway.translation.clients.messages_reply import write_messages_reply
    from verilabel.gateway.translation.upstreams.anthropic_reply import read_anthropic_reply

    recorded = RECORDED["anthropic"]["sequence"].whole
    maker = counting_maker()
    message = write_messages_reply(read_anthropic_reply(recorded, maker), "any", maker)
    assert ("stop_sequence", "END") == (message["stop_reason"], message["stop_sequence"])
