"""Real SDKs on one side, recorded answers of an upstream on the other, and a translation between them, in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types import Message, RawMessageStreamEvent
from openai._streaming import SSEDecoder
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from verilabel.gateway.translation.catalogue import find_translation
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.translation.interface import Translation

REPLIES: dict[str, TypeAdapter[Any]] = {
    "chat": TypeAdapter(ChatCompletion),
    "messages": TypeAdapter(Message),
    "responses": TypeAdapter(Response),
}
EVENTS: dict[str, TypeAdapter[Any]] = {
    "chat": TypeAdapter(ChatCompletionChunk),
    "messages": TypeAdapter(RawMessageStreamEvent),
    "responses": TypeAdapter(ResponseStreamEvent),
}


def counting_maker() -> Maker:
    """Ids counted from 1 and a clock that stands still."""
    counter = iter(range(1, 1_000_000))
    return Maker(token=lambda: f"{next(counter):024x}", clock=lambda: 1_790_000_000.5)


def translation_between(client: str, upstream: str) -> Translation:
    """A translation with ids that are the same in every run."""
    found = find_translation(client, upstream, counting_maker())
    assert found is not None
    return found


class Exchange:
    """An upstream that gives one recorded answer to clients of another API; `asked` is what it was asked."""

    def __init__(self, client: str, upstream: str, answer: dict[str, Any] | bytes, *, cut: int = 7) -> None:
        self.translation = translation_between(client, upstream)
        self.asked: dict[str, Any] = {}
        self._client = client
        self._answer = answer
        self._cut = cut
        transport = httpx2.Client(transport=httpx2.MockTransport(self._answer_request))
        self.openai = openai.OpenAI(
            api_key="none", base_url="http://gateway.invalid/v1", http_client=transport, max_retries=0
        )
        self.anthropic = anthropic.Anthropic(
            api_key="none", base_url="http://gateway.invalid", http_client=transport, max_retries=0
        )

    def _answer_request(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        self.asked = self.translation.request(body, model="upstream-model")
        if isinstance(self._answer, dict):
            reply = self.translation.reply(self._answer, model="upstream-model")
            REPLIES[self._client].validate_python(reply)
            return httpx2.Response(200, json=reply)
        include = bool((body.get("stream_options") or {}).get("include_usage"))
        content = translate_stream(self.translation, self._answer, include_usage=include, cut=self._cut)
        events_of(self._client, content)
        return httpx2.Response(200, content=content, headers={"content-type": "text/event-stream"})


def translate_stream(
    translation: Translation, stream: bytes, *, include_usage: bool = True, cut: int = 7
) -> bytes:
    """A whole stream, fed in reads of `cut` bytes."""
    translator = translation.stream(model="upstream-model", include_usage=include_usage)
    written = [translator.feed(stream[start : start + cut]) for start in range(0, len(stream), cut)]
    return b"".join(written) + translator.finish()


def read_sse(content: bytes) -> Iterator[tuple[str | None, str]]:
    """Name and data of each event, as OpenAI's SDK reads them."""
    for event in SSEDecoder().iter_bytes(iter([content])):
        yield event.event, event.data


def events_of(client: str, content: bytes) -> list[dict[str, Any]]:
    """The events of a client's stream, each checked against the SDK's own types."""
    events: list[dict[str, Any]] = []
    for name, data in read_sse(content):
        if data == "[DONE]":
            continue
        value = json.loads(data)
        if client != "chat":
            assert name == value["type"]
        if "error" not in value or client == "responses":
            EVENTS[client].validate_python(value)
        events.append(value)
    return events


def sse(*events: dict[str, Any] | str, named: bool = False) -> bytes:
    """A stream of these events, as an upstream sends it; `named` gives each the name of its type."""
    written = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
        written.append(f"{name}data: {data}\n\n")
    return "".join(written).encode()
