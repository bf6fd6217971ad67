"""Replies and streams of the Messages API, as Anthropic gives them."""

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
    PartEnded,
    Refusal,
    Reply,
    Said,
    Signed,
    Stop,
    Stopped,
    Text,
    Thought,
)
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.translation.shapes import Heard, read_event, read_reply, write_json
from verilabel.gateway.wire.interface import MalformedStream

STOPS: dict[str, Stop] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""`pause_turn` belongs to tools of the provider's own, which are never asked for here."""


class _Block(Heard):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: dict[str, Any] | None = None


class _OutputDetails(Heard):
    thinking_tokens: int | None = None


class _Usage(Heard):
    """Counts may come in two events of a stream, the later one with what has changed."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _StopDetails(Heard):
    explanation: str | None = None


class _Message(Heard):
    content: tuple[_Block, ...] = ()
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: _StopDetails | None = None
    usage: _Usage | None = None


class _Delta(Heard):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: _StopDetails | None = None


class _Error(Heard):
    type: str = ""
    message: str = "the upstream failed"


class _StreamEvent(Heard):
    type: str
    message: _Message | None = None
    index: int = 0
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Error | None = None


_decoder = msgspec.json.Decoder(_StreamEvent)


def read_anthropic_reply(body: dict[str, Any], maker: Maker) -> Reply:
    """A message in the neutral form. Raises MalformedInput."""
    del maker
    message = read_reply(body, _Message)
    stop = STOPS.get(message.stop_reason or "")
    if stop is None:
        raise MalformedInput("the upstream's reply ends for no known reason", where="$.stop_reason")
    answer = Answer(
        parts=[_read_block(block, f"$.content[{index}]") for index, block in enumerate(message.content)],
        stop=stop,
        stop_sequence=message.stop_sequence,
        explanation=message.stop_details.explanation if message.stop_details else None,
    )
    count = _read_usage(message.usage) if message.usage else None
    return Reply(answers=[answer], id=message.id, model=message.model, count=count)


def _read_block(block: _Block, where: str) -> Text | Refusal | Thought | Call:
    match block.type:
        case "text":
            return Text(block.text)
        case "thinking":
            return Thought(text=block.thinking, signature=block.signature, origin="anthropic")
        case "redacted_thinking":
            return Thought(signature=block.data, origin="anthropic", hidden=True)
        case "tool_use" if block.id and block.name:
            return Call(id=block.id, name=block.name, arguments=write_json(block.input or {}))
        case _:
            raise MalformedInput("the upstream's reply holds a block that has no translation", where=where)


def _read_usage(usage: _Usage) -> Count:
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = usage.output_tokens_details or _OutputDetails()
    return Count(
        input=(usage.input_tokens or 0) + cached + written,
        output=usage.output_tokens or 0,
        cached=cached,
        written=written,
        reasoning=details.thinking_tokens or 0,
    )


class AnthropicEvents:
    """Reads the events of one stream of a message."""

    def __init__(self, maker: Maker) -> None:
        del maker
        self._kinds: dict[int, str] = {}
        self._calls = 0
        self._has_argued = False
        self._usage = _Usage()

    def read(self, name: str | None, data: bytes) -> list[Event]:
        """What one event says. Raises MalformedStream."""
        del name
        event = read_event(_decoder, data)
        match event.type:
            case "content_block_delta" if event.delta is not None:
                return self._read_delta(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                return self._start_block(event.index, event.content_block)
            case "content_block_stop":
                return self._stop_block(event.index)
            case "message_start" if event.message is not None:
                self._add_usage(event.message.usage)
                return [Begun(id=event.message.id, model=event.message.model)]
            case "message_delta" if event.delta is not None:
                return self._read_end(event.delta, event.usage)
            case "message_stop":
                return [Ended()]
            case "error":
                error = event.error or _Error()
                return [Failed(error.message, is_overload=error.type == "overloaded_error")]
            case "content_block_start" | "content_block_delta" | "message_start" | "message_delta":
                raise MalformedStream("an event of the upstream's stream lacks what it is about")
            case _:  # ping, and what this API may add
                return []

    def finish(self) -> list[Event]:
        """The connection has ended; this API says its end itself."""
        return []

    def _start_block(self, index: int, block: _Block) -> list[Event]:
        self._kinds[index] = block.type
        match block.type:
            case "text":
                return [Said("text", 0, block.text)] if block.text else []
            case "thinking":
                return [Said("thought", 0, block.thinking)] if block.thinking else []
            case "redacted_thinking":
                return [Signed(0, "anthropic", block.data, hidden=True)]
            case "tool_use" if block.id and block.name:
                self._calls += 1
                called = Called(0, self._calls - 1, block.id, block.name)
                self._has_argued = bool(block.input)
                if block.input:
                    return [called, Argued(0, self._calls - 1, write_json(block.input))]
                return [called]
            case _:
                raise MalformedStream("the upstream's stream holds a block that has no translation")

    def _read_delta(self, index: int, delta: _Delta) -> list[Event]:
        kind = self._kinds.get(index)
        match delta.type:
            case "text_delta" if kind == "text":
                return [Said("text", 0, delta.text)]
            case "thinking_delta" if kind == "thinking":
                return [Said("thought", 0, delta.thinking)]
            case "input_json_delta" if kind == "tool_use":
                if not delta.partial_json:
                    return []
                self._has_argued = True
                return [Argued(0, self._calls - 1, delta.partial_json)]
            case "signature_delta" if kind == "thinking":
                return [Signed(0, "anthropic", delta.signature)]
            case "citations_delta" if kind == "text":
                return []
            case _:
                raise MalformedStream("the upstream's stream has a delta that does not fit its block")

    def _stop_block(self, index: int) -> list[Event]:
        kind = self._kinds.pop(index, None)
        if kind == "tool_use" and not self._has_argued:
            return [Argued(0, self._calls - 1, "{}"), PartEnded(0)]
        return [PartEnded(0)]

    def _read_end(self, delta: _Delta, usage: _Usage | None) -> list[Event]:
        self._add_usage(usage)
        events: list[Event] = []
        if delta.stop_reason is not None:
            stop = STOPS.get(delta.stop_reason)
            if stop is None:
                raise MalformedStream("the upstream's stream ends for no known reason")
            said = delta.stop_details.explanation if delta.stop_details else None
            events.append(Stopped(0, stop, delta.stop_sequence, said))
        events.append(Counted(_read_usage(self._usage)))
        return events

    def _add_usage(self, usage: _Usage | None) -> None:
        if usage is None:
            return
        for member in _Usage.__struct_fields__:
            value = getattr(usage, member)
            if value is not None:
                setattr(self._usage, member, value)
