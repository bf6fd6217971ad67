"""Anthropic's Python SDK against the gateway, unchanged but for base URL and key."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from gateway.clients.wired import Wired, route_of

FAMILIES = ("claude", "gpt", "o", "gemini")
SPOKEN_BY = {
    "gpt": "/v1/chat/completions",
    "o": "/v1/responses",
    "claude": "/v1/messages",
    "gemini": "/v1/models/gemini-open:generateContent",
}
QUESTION: list[Any] = [{"role": "user", "content": "What is the answer?"}]
CALLS = [("lookup", '{"city": "Oslo", "days": 2}'), ("lookup", '{"city": "Bergen", "days": 1}')]
TOOLS: list[Any] = [
    {
        "name": "lookup",
        "description": "The weather.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    }
]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def _texts(message: anthropic.types.Message) -> list[str]:
    return [block.text for block in message.content if block.type == "text"]


def _calls(message: anthropic.types.Message) -> list[tuple[str, Any]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_message_is_answered_whole(wired: Wired, family: str) -> None:
    done = wired.anthropic().messages.create(
        model=route_of(family), max_tokens=100, system="Be brief.", messages=QUESTION
    )
    assert (["The answer is 42."], "end_turn") == (_texts(done), done.stop_reason)
    assert (11, 7) == (done.usage.input_tokens, done.usage.output_tokens)
    assert (SPOKEN_BY[family], True) == (
        wired.upstream.paths[-1],
        "Be brief." in json.dumps(wired.upstream.last),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_message_is_answered_in_a_stream(wired: Wired, family: str) -> None:
    with wired.anthropic().messages.stream(
        model=route_of(family), max_tokens=100, messages=QUESTION
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert ("The answer is 42.", ["The answer is 42."], "end_turn") == (
        text,
        _texts(final),
        final.stop_reason,
    )
    assert 7 == final.usage.output_tokens


@pytest.mark.parametrize("family", FAMILIES)
def test_parallel_tools_are_called_and_their_results_go_back(wired: Wired, family: str) -> None:
    expected = [(name, json.loads(arguments)) for name, arguments in CALLS]
    wired.upstream.reset(calls=CALLS, chunk=3)
    client = wired.anthropic().messages
    first = client.create(model=route_of(family), max_tokens=100, messages=QUESTION, tools=TOOLS)
    assert (expected, "tool_use") == (_calls(first), first.stop_reason)
    with client.stream(model=route_of(family), max_tokens=100, messages=QUESTION, tools=TOOLS) as stream:
        assert expected == _calls(stream.get_final_message())
    wired.upstream.reset(answer="Rain in both.")
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"rain in {block.input['city']}"}
        for block in first.content
        if block.type == "tool_use"
    ]
    history: list[Any] = [
        *QUESTION,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
        {"role": "user", "content": results},
    ]
    second = client.create(model=route_of(family), max_tokens=100, messages=history, tools=TOOLS)
    assert ["Rain in both."] == _texts(second)
    assert "rain in Bergen" in json.dumps(wired.upstream.last)


@pytest.mark.parametrize("family", FAMILIES)
def test_thinking_comes_in_blocks_of_its_own(wired: Wired, family: str) -> None:
    wired.upstream.reasoning = "Six times seven."
    client = wired.anthropic().messages
    done = client.create(
        model=route_of(family),
        max_tokens=8000,
        thinking={"type": "enabled", "budget_tokens": 2000},
        messages=QUESTION,
    )
    assert ["Six times seven."] == [block.thinking for block in done.content if block.type == "thinking"]
    with client.stream(model=route_of(family), max_tokens=8000, messages=QUESTION) as stream:
        thoughts = "".join(event.thinking for event in stream if event.type == "thinking")
        final = stream.get_final_message()
    assert ("Six times seven.", ["The answer is 42."]) == (thoughts, _texts(final))


def test_a_signed_thought_goes_back_as_it_came(wired: Wired) -> None:
    wired.upstream.reasoning = "Six times seven."
    client = wired.anthropic().messages
    first = client.create(model=route_of("claude"), max_tokens=8000, messages=QUESTION)
    said: Any = [block.model_dump(exclude_none=True) for block in first.content]
    again: list[Any] = [
        *QUESTION,
        {"role": "assistant", "content": said},
        {"role": "user", "content": "And?"},
    ]
    client.create(model=route_of("claude"), max_tokens=8000, messages=again)
    assert {
        "type": "thinking",
        "thinking": "Six times seven.",
        "signature": "c2lnbmVk",
    } == wired.upstream.last["messages"][1]["content"][0]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_reaches_the_provider(wired: Wired, family: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    messages: list[Any] = [{"role": "user", "content": content}]
    wired.anthropic().messages.create(model=route_of(family), max_tokens=100, messages=messages)
    assert PIXEL in json.dumps(wired.upstream.last)
    with pytest.raises(anthropic.PermissionDeniedError) as refused:
        wired.anthropic().messages.create(
            model=route_of(family, "no-images"), max_tokens=100, messages=messages
        )
    assert "media_blocked" == refused.value.body["verilabel"]["code"]  # type: ignore[index]


def test_models_are_listed_in_the_form_of_anthropic(wired: Wired) -> None:
    page = wired.anthropic().models.list()
    assert {route_of("claude"), route_of("gpt")} <= {each.id for each in page}
    assert "model" == wired.anthropic().models.retrieve(route_of("claude")).type


def test_a_bearer_token_is_taken_as_well(wired: Wired) -> None:
    client = wired.anthropic(api_key=None, auth_token=wired.key)
    done = client.messages.create(model=route_of("claude"), max_tokens=100, messages=QUESTION)
    assert ["The answer is 42."] == _texts(done)


async def test_the_asynchronous_client_works_as_the_other(wired: Wired) -> None:
    async with wired.async_anthropic() as client:
        done = await client.messages.create(model=route_of("claude"), max_tokens=100, messages=QUESTION)
        async with client.messages.stream(model=route_of("gpt"), max_tokens=100, messages=QUESTION) as stream:
            text = "".join([piece async for piece in stream.text_stream])
    assert (["The answer is 42."], "The answer is 42.") == (_texts(done), text)


def test_headers_can_be_read_beside_the_answer(wired: Wired) -> None:
    raw = wired.anthropic().messages.with_raw_response.create(
        model=route_of("claude"), max_tokens=100, messages=QUESTION
    )
    assert raw.headers["request-id"] == raw.parse()._request_id == wired.gateway.records()[-1]["id"]
