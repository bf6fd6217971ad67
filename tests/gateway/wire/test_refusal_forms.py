"""Refusals as the real SDKs read them, in answers and in the middle of streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from gateway.wire.stream_makers import chunk, sse
from verilabel.gateway.verdicts import Refusal
from verilabel.gateway.wire.catalogue import DIALECTS

BLOCKED = Refusal(
    status=403,
    kind="policy",
    code="guard_blocked",
    message="the request was refused",
    where="$.messages[0].content",
    retry_after_s=2.5,
    approval="ap-1",
)
CHAT = DIALECTS["/v1/chat/completions"]
RESPONSES = DIALECTS["/v1/responses"]
MESSAGES = DIALECTS["/v1/messages"]


def answer(body: bytes, status: int = 200) -> httpx2.Client:
    """An HTTP client to which everything is answered from memory."""
    kind = "application/json" if status != 200 else "text/event-stream"
    return httpx2.Client(
        transport=httpx2.MockTransport(
            lambda _: httpx2.Response(status, content=body, headers={"content-type": kind})
        )
    )


def open_openai(client: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=client, max_retries=0)


def open_anthropic(client: httpx2.Client) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url="http://x", http_client=client, max_retries=0)


STATUSES: list[tuple[int, Any, str]] = [
    (400, "invalid_request", "BadRequestError"),
    (401, "authentication", "AuthenticationError"),
    (403, "policy", "PermissionDeniedError"),
    (404, "not_found", "NotFoundError"),
    (429, "rate_limit", "RateLimitError"),
    (502, "upstream", "InternalServerError"),
]


@pytest.mark.parametrize(("status", "kind", "name"), STATUSES)
def test_the_sdks_raise_the_error_of_the_status(status: int, kind: Any, name: str) -> None:
    refusal = Refusal(status=status, kind=kind, code="some_code", message="words")
    with pytest.raises(getattr(openai, name)) as raised:
        open_openai(answer(CHAT.refusal_body(refusal, "req-1"), status)).chat.completions.create(
            model="m", messages=[]
        )
    assert "some_code" == raised.value.code
    with pytest.raises(getattr(anthropic, name)) as also:
        open_anthropic(answer(MESSAGES.refusal_body(refusal, "req-1"), status)).messages.create(
            model="m", max_tokens=1, messages=[]
        )
    assert "words" == also.value.body["error"]["message"]


def test_a_refusal_says_where_and_what_can_be_done() -> None:
    body = json.loads(CHAT.refusal_body(BLOCKED, "req-1"))
    assert {
        "message": "the request was refused",
        "type": "policy_error",
        "param": "$.messages[0].content",
        "code": "guard_blocked",
    } == body["error"]
    assert {"request_id": "req-1", "approval": "ap-1", "retry_after_s": 2.5} == body["verilabel"]
    body = json.loads(MESSAGES.refusal_body(BLOCKED, "req-1"))
    assert ("error", "permission_error", "req-1") == (body["type"], body["error"]["type"], body["request_id"])
    assert ("guard_blocked", "$.messages[0].content") == (
        body["verilabel"]["code"],
        body["verilabel"]["where"],
    )


def read(stream: Iterator[Any]) -> list[Any]:
    return list(stream)


def test_a_refusal_in_a_chat_stream_is_raised_after_what_came_before() -> None:
    data = sse(chunk({"content": "hello"})) + CHAT.keep_alive() + CHAT.refusal_event(BLOCKED, "req-1")
    stream = open_openai(answer(data)).chat.completions.create(model="m", messages=[], stream=True)
    assert "hello" == next(stream).choices[0].delta.content
    with pytest.raises(openai.APIError, match="the request was refused") as raised:
        next(stream)
    assert "guard_blocked" == raised.value.code
    assert data.endswith(b"data: [DONE]\n\n")


def test_a_refusal_in_a_completions_stream_is_raised() -> None:
    data = DIALECTS["/v1/completions"].refusal_event(BLOCKED, "req-1")
    with pytest.raises(openai.APIError, match="the request was refused"):
        read(open_openai(answer(data)).completions.create(model="m", prompt="x", stream=True))


def test_a_refusal_in_a_stream_of_responses_is_raised() -> None:
    data = RESPONSES.keep_alive() + RESPONSES.refusal_event(BLOCKED, "req-1")
    with pytest.raises(openai.APIError, match="the request was refused"):
        read(open_openai(answer(data)).responses.create(model="m", input="x", stream=True))


def test_a_refusal_in_a_stream_of_messages_is_raised() -> None:
    data = MESSAGES.keep_alive() + MESSAGES.refusal_event(BLOCKED, "req-1")
    with pytest.raises(anthropic.APIStatusError, match="the request was refused"):
        read(open_anthropic(answer(data)).messages.create(model="m", max_tokens=1, messages=[], stream=True))
