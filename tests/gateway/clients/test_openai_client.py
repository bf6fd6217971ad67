"""OpenAI's Python SDK against the gateway, unchanged but for base URL and key."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from gateway.clients.wired import Wired, route_of

FAMILIES = ("gpt", "o", "claude", "gemini")
"""Upstreams that speak chat completions, Responses, Messages and generateContent."""
SPOKEN_BY = {
    "gpt": "/v1/chat/completions",
    "o": "/v1/responses",
    "claude": "/v1/messages",
    "gemini": "/v1/models/gemini-open:generateContent",
}
QUESTION: list[Any] = [{"role": "user", "content": "What is the answer?"}]
CALLS = [("lookup", '{"city": "Oslo", "days": 2}'), ("lookup", '{"city": "Bergen", "days": 1}')]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {"name": "lookup", "description": "The weather.", "parameters": PARAMETERS},
    }
]
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Capital(BaseModel):
    """What structured answers are parsed into."""

    city: str
    people: int


@pytest.mark.parametrize("family", FAMILIES)
def test_a_chat_is_answered_whole(wired: Wired, family: str) -> None:
    done = wired.openai().chat.completions.create(model=route_of(family), messages=QUESTION)
    assert ("The answer is 42.", "stop") == (done.choices[0].message.content, done.choices[0].finish_reason)
    assert done.usage is not None
    assert (11, 7) == (done.usage.prompt_tokens, done.usage.completion_tokens)
    assert SPOKEN_BY[family] == wired.upstream.paths[-1]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_chat_is_answered_in_a_stream(wired: Wired, family: str) -> None:
    stream = wired.openai().chat.completions.create(
        model=route_of(family), messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    said = [choice for chunk in chunks for choice in chunk.choices]
    assert "The answer is 42." == "".join(choice.delta.content or "" for choice in said)
    assert ["stop"] == [choice.finish_reason for choice in said if choice.finish_reason]
    assert [(11, 7)] == [
        (chunk.usage.prompt_tokens, chunk.usage.completion_tokens) for chunk in chunks if chunk.usage
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_parallel_tool_calls_come_whole_and_their_results_go_back(wired: Wired, family: str) -> None:
    wired.upstream.calls = CALLS
    client = wired.openai().chat.completions
    first = client.create(model=route_of(family), messages=QUESTION, tools=TOOLS)
    calls = first.choices[0].message.tool_calls
    assert calls is not None and "tool_calls" == first.choices[0].finish_reason
    asked = [(call.function.name, json.loads(call.function.arguments)) for call in calls]  # type: ignore[union-attr]
    assert [(name, json.loads(arguments)) for name, arguments in CALLS] == asked
    wired.upstream.reset(answer="Rain in both.")
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": f"rain {i}"} for i, call in enumerate(calls)
    ]
    history = [*QUESTION, first.choices[0].message.model_dump(exclude_none=True), *results]
    second = client.create(model=route_of(family), messages=history, tools=TOOLS)
    assert "Rain in both." == second.choices[0].message.content
    sent = json.dumps(wired.upstream.last)
    assert ("rain 0" in sent, "rain 1" in sent, "Bergen" in sent) == (True, True, True)


@pytest.mark.parametrize("family", FAMILIES)
def test_parallel_tool_calls_come_in_a_stream(wired: Wired, family: str) -> None:
    wired.upstream.reset(calls=CALLS, chunk=3)
    with wired.openai().chat.completions.stream(
        model=route_of(family), messages=QUESTION, tools=TOOLS
    ) as stream:
        for _ in stream:
            pass
        done = stream.get_final_completion()
    calls = done.choices[0].message.tool_calls
    assert calls is not None and "tool_calls" == done.choices[0].finish_reason
    asked = [(call.function.name, json.loads(call.function.arguments)) for call in calls]
    assert [(name, json.loads(arguments)) for name, arguments in CALLS] == asked


@pytest.mark.parametrize("stream", [False, True])
def test_several_choices_are_kept_apart(wired: Wired, stream: bool) -> None:
    client = wired.openai().chat.completions
    if not stream:
        done = client.create(model=route_of("gpt"), messages=QUESTION, n=2)
        assert [(0, "The answer is 42."), (1, "The answer is 42.")] == [
            (choice.index, choice.message.content) for choice in done.choices
        ]
        return
    texts = {0: "", 1: ""}
    for chunk in client.create(model=route_of("gpt"), messages=QUESTION, n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert {0: "The answer is 42.", 1: "The answer is 42."} == texts


@pytest.mark.parametrize("family", FAMILIES)
def test_a_structured_answer_is_parsed(wired: Wired, family: str) -> None:
    wired.upstream.answer = '{"city": "Lisbon", "people": 545923}'
    done = wired.openai().chat.completions.parse(
        model=route_of(family), messages=QUESTION, response_format=Capital
    )
    assert Capital(city="Lisbon", people=545923) == done.choices[0].message.parsed
    assert "people" in json.dumps(wired.upstream.last)


@pytest.mark.parametrize("family", FAMILIES)
def test_thoughts_come_as_reasoning_content(wired: Wired, family: str) -> None:
    wired.upstream.reasoning = "Six times seven."
    client = wired.openai().chat.completions
    done = client.create(model=route_of(family), messages=QUESTION)
    assert "Six times seven." == done.choices[0].message.reasoning_content  # type: ignore[attr-defined]
    stream = client.create(model=route_of(family), messages=QUESTION, stream=True)
    deltas = [choice.delta for chunk in stream for choice in chunk.choices]
    assert "Six times seven." == "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_reaches_the_provider(wired: Wired, family: str) -> None:
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    messages: list[Any] = [{"role": "user", "content": content}]
    wired.openai().chat.completions.create(model=route_of(family), messages=messages)
    assert PIXEL.partition(",")[2] in json.dumps(wired.upstream.last)
    with pytest.raises(openai.PermissionDeniedError) as refused:
        wired.openai().chat.completions.create(model=route_of(family, "no-images"), messages=messages)
    assert "media_blocked" == refused.value.code


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_come_through_where_nobody_looks(wired: Wired, stream: bool) -> None:
    client = wired.openai().chat.completions
    if stream:
        chunks = client.create(model=route_of("gpt"), messages=QUESTION, logprobs=True, stream=True)
        found: list[Any] = [choice.logprobs for chunk in chunks for choice in chunk.choices]
    else:
        done = client.create(model=route_of("gpt"), messages=QUESTION, logprobs=True)
        found = [choice.logprobs for choice in done.choices]
    tokens = [token.token for each in found if each is not None for token in each.content or ()]
    assert "The answer is 42." == "".join(tokens)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_response_is_answered_whole_and_in_a_stream(wired: Wired, family: str) -> None:
    client = wired.openai().responses
    done = client.create(model=route_of(family), input="What is the answer?", instructions="Be brief.")
    assert ("The answer is 42.", "completed") == (done.output_text, done.status)
    with client.stream(model=route_of(family), input="What is the answer?") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert ("The answer is 42.", "The answer is 42.") == ("".join(deltas), final.output_text)
    assert final.usage is not None and (11, 7) == (final.usage.input_tokens, final.usage.output_tokens)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_response_calls_tools_whole_and_in_a_stream(wired: Wired, family: str) -> None:
    wired.upstream.calls = CALLS
    tools: list[Any] = [{"type": "function", "name": "lookup", "parameters": PARAMETERS, "strict": True}]
    client = wired.openai().responses
    if family == "gemini":
        tools[0]["strict"] = False
    done = client.create(model=route_of(family), input="Weather?", tools=tools)
    with client.stream(model=route_of(family), input="Weather?", tools=tools) as stream:
        for _ in stream:
            pass
        streamed = stream.get_final_response()
    for output in (done.output, streamed.output):
        asked = [(each.name, json.loads(each.arguments)) for each in output if each.type == "function_call"]
        assert [(name, json.loads(arguments)) for name, arguments in CALLS] == asked
    answers: list[Any] = [
        {"type": "function_call_output", "call_id": each.call_id, "output": "rain"}
        for each in done.output
        if each.type == "function_call"
    ]
    wired.upstream.calls = []
    history: list[Any] = [
        {"role": "user", "content": "Weather?"},
        *[each.model_dump(exclude_none=True) for each in done.output],
    ]
    again = client.create(model=route_of(family), input=[*history, *answers], tools=tools)
    assert "The answer is 42." == again.output_text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_structured_response_is_parsed(wired: Wired, family: str) -> None:
    wired.upstream.answer = '{"city": "Lisbon", "people": 545923}'
    done = wired.openai().responses.parse(model=route_of(family), input="?", text_format=Capital)
    assert Capital(city="Lisbon", people=545923) == done.output_parsed


def test_completions_come_whole_and_in_a_stream(wired: Wired) -> None:
    client = wired.openai().completions
    done = client.create(model=route_of("gpt"), prompt="The answer")
    streamed = client.create(model=route_of("gpt"), prompt="The answer", stream=True)
    texts = "".join(choice.text for chunk in streamed for choice in chunk.choices)
    assert ("The answer is 42.", "The answer is 42.") == (done.choices[0].text, texts)


def test_embeddings_come_as_numbers(wired: Wired) -> None:
    done = wired.openai().embeddings.create(model=route_of("gpt"), input=["one", "two"])
    assert [[0.5, -0.25], [0.5, -0.25]] == [each.embedding for each in done.data]
    assert "base64" == wired.upstream.last["encoding_format"]


def test_models_are_those_of_the_key(wired: Wired) -> None:
    names = {each.id for each in wired.openai().models.list()}
    assert {route_of("gpt"), route_of("claude", "held")} <= names
    only = wired.openai(api_key=wired.make_key("narrow", "user", models=["gpt-*"]))
    assert all(each.id.startswith("gpt-") for each in only.models.list())
    assert route_of("gpt") == only.models.retrieve(route_of("gpt")).id
    with pytest.raises(openai.NotFoundError):
        only.models.retrieve(route_of("claude"))
    with pytest.raises(openai.NotFoundError) as refused:
        only.chat.completions.create(model=route_of("claude"), messages=QUESTION)
    assert "model_not_found" == refused.value.code


async def test_the_asynchronous_client_works_as_the_other(wired: Wired) -> None:
    async with wired.async_openai() as client:
        done = await client.chat.completions.create(model=route_of("gpt"), messages=QUESTION)
        stream = await client.chat.completions.create(
            model=route_of("claude"), messages=QUESTION, stream=True
        )
        text = "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])
        response = await client.responses.create(model=route_of("gemini"), input="What is the answer?")
    assert ("The answer is 42.",) * 3 == (done.choices[0].message.content, text, response.output_text)


def test_headers_can_be_read_beside_the_answer(wired: Wired) -> None:
    raw = wired.openai().chat.completions.with_raw_response.create(model=route_of("gpt"), messages=QUESTION)
    assert "The answer is 42." == raw.parse().choices[0].message.content
    assert raw.headers["x-verilabel-policy"].startswith("sha256:")
    assert raw.request_id == raw.headers["x-request-id"] == wired.gateway.records()[-1]["id"]
