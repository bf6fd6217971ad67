"""Replies and streams of chat completions, as OpenAI-compatible upstreams give them."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.errors import MalformedInput
from verilabel.gateway.translation.conversation import (
    Answer,
    Argued,
    Begun,
    Call,
    Called,
    Count,
    Counted,
    Ended,
    Event,
    Failed,
    Refusal,
    Reply,
    Said,
    Stop,
    Stopped,
    Text,
    Thought,
)
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.translation.shapes import Heard, read_event, read_reply
from verilabel.gateway.wire.interface import MalformedStream

STOPS: dict[str, Stop] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
MAX_CALLS = 1_024
"""Calls in one choice of a stream."""


class _Function(Heard):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(Heard):
    index: int = 0
    id: str | None = None
    function: _Function | None = None
    type: str | None = None


class _Message(Heard):
    """Of a whole reply, or the part of it that one event of a stream brings."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: None = None


class _Logprobs(Heard):
    content: list[Any] | None = None


class _Choice(Heard):
    index: int = 0
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _InputDetails(Heard):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(Heard):
    reasoning_tokens: int | None = None


class _Usage(Heard):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Completion(Heard):
    """A whole reply or one event of a stream."""

    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    system_fingerprint: str | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Completion)


def read_openai_reply(body: dict[str, Any], maker: Maker) -> Reply:
    """A chat completion in the neutral form. Raises MalformedInput."""
    completion = read_reply(body, _Completion)
    if not completion.choices:
        raise MalformedInput("the upstream's reply has no choices", where="$.choices")
    return Reply(
        answers=[_read_choice(choice, maker) for choice in completion.choices],
        id=completion.id or "",
        model=completion.model or "",
        created=None if completion.created is None else int(completion.created),
        fingerprint=completion.system_fingerprint,
        count=_read_usage(completion.usage) if completion.usage else None,
    )


def _read_choice(choice: _Choice, maker: Maker) -> Answer:
    where = f"$.choices[{choice.index}]"
    if choice.message is None:
        raise MalformedInput("the upstream's reply has a choice without a message", where=where)
    stop = STOPS.get(choice.finish_reason or "")
    if stop is None:
        raise MalformedInput("the upstream's reply ends for no known reason", where=f"{where}.finish_reason")
    message = choice.message
    parts: list[Text | Refusal | Thought | Call] = []
    thought = message.reasoning_content or message.reasoning
    if thought:
        parts.append(Thought(text=thought))
    if message.content:
        parts.append(Text(message.content))
    if message.refusal:
        parts.append(Refusal(message.refusal))
    for place, call in enumerate(message.tool_calls or ()):
        function = call.function
        if function is None or not function.name:
            raise MalformedInput(
                "the upstream's reply calls no function", where=f"{where}.message.tool_calls[{place}]"
            )
        identity = call.id or maker.call_id()
        parts.append(Call(id=identity, name=function.name, arguments=function.arguments or "{}"))
    logprobs = choice.logprobs.content if choice.logprobs else None
    return Answer(parts=parts, stop=stop, index=choice.index, logprobs=logprobs)


def _read_usage(usage: _Usage) -> Count:
    read = usage.prompt_tokens_details or _InputDetails()
    written = usage.completion_tokens_details or _OutputDetails()
    return Count(
        input=usage.prompt_tokens or 0,
        output=usage.completion_tokens or 0,
        cached=read.cached_tokens or 0,
        written=read.cache_write_tokens or 0,
        reasoning=written.reasoning_tokens or 0,
    )


class OpenaiEvents:
    """Reads the events of one stream of chat completions."""

    def __init__(self, maker: Maker) -> None:
        self._maker = maker
        self._has_begun = False
        self._calls: dict[int, dict[int, tuple[int, str]]] = {}
        self._counts: dict[int, int] = {}

    def read(self, name: str | None, data: bytes) -> list[Event]:
        """What one event says. Raises MalformedStream."""
        if data == b"[DONE]":
            return [Ended()]
        chunk = read_event(_decoder, data)
        if chunk.error or name == "error":
            return [Failed(_message_of(chunk.error))]
        events: list[Event] = []
        if not self._has_begun and chunk.id is not None:
            self._has_begun = True
            created = None if chunk.created is None else int(chunk.created)
            events.append(
                Begun(
                    id=chunk.id,
                    model=chunk.model or "",
                    created=created,
                    fingerprint=chunk.system_fingerprint,
                )
            )
        for choice in chunk.choices or ():
            self._read_choice(choice, events)
        if chunk.usage is not None:
            events.append(Counted(_read_usage(chunk.usage)))
        return events

    def finish(self) -> list[Event]:
        """The connection has ended; this API says its end itself."""
        return []

    def _read_choice(self, choice: _Choice, events: list[Event]) -> None:
        index, delta = choice.index, choice.delta
        if delta is not None:
            thought = delta.reasoning_content or delta.reasoning
            if thought:
                events.append(Said("thought", index, thought))
            if delta.content:
                logprobs = choice.logprobs.content if choice.logprobs else None
                events.append(Said("text", index, delta.content, logprobs))
            if delta.refusal:
                events.append(Said("refusal", index, delta.refusal))
            for call in delta.tool_calls or ():
                self._read_call(index, call, events)
        if choice.finish_reason is not None:
            stop = STOPS.get(choice.finish_reason)
            if stop is None:
                raise MalformedStream("the upstream's stream ends for no known reason")
            events.append(Stopped(index, stop))

    def _read_call(self, choice: int, call: _ToolCall, events: list[Event]) -> None:
        calls = self._calls.setdefault(choice, {})
        function = call.function or _Function()
        known = calls.get(call.index)
        # some servers give every parallel call the index 0: another id is another call
        if known is None or (call.id and function.name and call.id != known[1]):
            place = self._counts.get(choice, 0)
            if not function.name or place >= MAX_CALLS:
                raise MalformedStream("the upstream's stream has a call without a name, or too many calls")
            self._counts[choice] = place + 1
            known = calls[call.index] = (place, call.id or self._maker.call_id())
            events.append(Called(choice, place, known[1], function.name))
        if function.arguments:
            events.append(Argued(choice, known[0], function.arguments))


def _message_of(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else "the upstream failed"
