"""Whole replies and streams of every upstream, read by the real SDKs of the client's API."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from gateway.translation.recorded_upstreams import CALLS, IDS, PAIRS, RECORDED, TEXT, THOUGHT
from gateway.translation.sdk_exchange import (
    Exchange,
    counting_maker,
    sse,
    translation_between,
)
from verilabel.errors import MalformedInput
from verilabel.gateway.translation.clients.messages_reply import write_messages_reply
from verilabel.gateway.translation.upstreams.anthropic_reply import read_anthropic_reply

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
    first = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Oh. "}]}}]}
    for answer in (generated, sse(first, generated)):
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


def test_the_stop_sequence_is_named_where_the_api_has_a_place_for_it() -> None:
    recorded = RECORDED["anthropic"]["sequence"].whole
    maker = counting_maker()
    message = write_messages_reply(read_anthropic_reply(recorded, maker), "any", maker)
    assert ("stop_sequence", "END") == (message["stop_reason"], message["stop_sequence"])
