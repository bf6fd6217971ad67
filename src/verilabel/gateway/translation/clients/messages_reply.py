"""Replies and streams of the Messages API, as Anthropic's clients know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

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
from verilabel.gateway.translation.interface import Untranslatable
from verilabel.gateway.translation.reasoning import seal_signature
from verilabel.gateway.translation.shapes import read_arguments
from verilabel.gateway.wire.event_json import write_json
from verilabel.gateway.wire.interface import MalformedStream
from verilabel.gateway.wire.sse import write_event

STOPS: dict[Stop, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def write_messages_reply(reply: Reply, model: str, maker: Maker) -> dict[str, Any]:
    """A message. Raises MalformedInput for calls whose arguments are no JSON object, and for several answers."""
    if len(reply.answers) != 1:
        raise MalformedInput("the upstream's reply holds several answers where one was asked for")
    answer = reply.answers[0]
    declined = answer.stop == "stop" and any(isinstance(part, Refusal) for part in answer.parts)
    return {
        "id": reply.id or f"msg_{maker.token()}",
        "type": "message",
        "role": "assistant",
        "model": reply.model or model,
        "content": _write_blocks(answer),
        **_write_stop(answer.stop, answer.stop_sequence, answer.explanation, declined=declined),
        "usage": write_messages_usage(reply.count or Count()),
    }


def _write_blocks(answer: Answer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for part in answer.parts:
        match part:
            case Text() | Refusal():
                blocks.append({"type": "text", "text": part.text, "citations": None})
            case Thought():
                blocks.append(_write_thought(part))
            case Call():
                if part.signature:
                    blocks.append(
                        _write_thought(Thought(signature=part.signature, origin="google", hidden=True))
                    )
                blocks.append(_write_call(part))
    return blocks


def _write_thought(thought: Thought) -> dict[str, Any]:
    sealed = (
        seal_signature(thought.origin, thought.signature, hidden=thought.hidden) if thought.origin else ""
    )
    if thought.hidden:
        return {"type": "redacted_thinking", "data": sealed}
    return {"type": "thinking", "thinking": thought.text, "signature": sealed}


def _write_call(call: Call) -> dict[str, Any]:
    try:
        arguments = read_arguments(call.arguments, "$")
    except Untranslatable:
        raise MalformedInput(
            "the upstream's reply calls a tool with arguments that are no JSON object"
        ) from None
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _write_stop(
    stop: Stop, sequence: str | None, explanation: str | None, *, declined: bool
) -> dict[str, Any]:
    reason = "refusal" if declined else STOPS[stop]
    if sequence is not None and stop == "stop" and not declined:
        reason = "stop_sequence"
    written: dict[str, Any] = {"stop_reason": reason, "stop_sequence": sequence}
    if reason == "refusal":
        written["stop_details"] = {"type": "refusal", "category": None, "explanation": explanation}
    return written


def write_messages_usage(count: Count) -> dict[str, Any]:
    """The member `usage`: input without what came from or went into a cache, which is counted apart."""
    return {
        "input_tokens": max(count.input - count.cached - count.written, 0),
        "cache_read_input_tokens": count.cached,
        "cache_creation_input_tokens": count.written,
        "output_tokens": count.output,
        "output_tokens_details": {"thinking_tokens": count.reasoning},
    }


class MessagesStream:
    """Writes one stream of a message: each block begins, grows and ends before the next one begins.

    Input tokens are not known when a message begins: they are said at its end.
    """

    def __init__(self, model: str, maker: Maker) -> None:
        self._model = model
        self._maker = maker
        self._has_begun = False
        self._index = -1
        self._open: str | None = None
        self._call = -1
        self._declined = False
        self._stopped: Stopped | None = None
        self._count = Count()

    def write(self, event: Event) -> bytes:
        """The events that say the same, or nothing. Raises MalformedStream."""
        if getattr(event, "choice", 0) != 0:
            raise MalformedStream("the upstream's stream holds several answers where one was asked for")
        return self._WRITERS[type(event)](self, event)

    def _end_part(self, event: PartEnded) -> bytes:
        del event
        return self._close()

    def _stop(self, event: Stopped) -> bytes:
        self._stopped = event
        return b""

    def _count_tokens(self, event: Counted) -> bytes:
        self._count = event.count
        return b""

    def _fail(self, event: Failed) -> bytes:
        kind = "overloaded_error" if event.is_overload else "api_error"
        return _event({"type": "error", "error": {"type": kind, "message": event.message}})

    def _begin(self, event: Begun) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        message: dict[str, Any] = {
            "id": event.id or f"msg_{self._maker.token()}",
            "type": "message",
            "role": "assistant",
            "model": event.model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return _event({"type": "message_start", "message": message})

    def _say(self, event: Said) -> bytes:
        self._declined = self._declined or event.kind == "refusal"
        if event.kind == "thought":
            opened = self._open_block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            return opened + self._delta({"type": "thinking_delta", "thinking": event.text})
        opened = self._open_block("text", {"type": "text", "text": "", "citations": None})
        return opened + self._delta({"type": "text_delta", "text": event.text})

    def _sign(self, event: Signed) -> bytes:
        sealed = seal_signature(event.origin, event.signature, hidden=event.hidden)
        if event.hidden:
            opened = self._close() + self._open_block("hidden", {"type": "redacted_thinking", "data": sealed})
            return opened + self._close()
        opened = self._open_block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        return opened + self._delta({"type": "signature_delta", "signature": sealed}) + self._close()

    def _begin_call(self, event: Called) -> bytes:
        written = b""
        if event.signature:
            written = self._sign(Signed(0, "google", event.signature, hidden=True))
        written += self._close()
        self._call = event.index
        block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
        return written + self._open_block("call", block)

    def _argue(self, event: Argued) -> bytes:
        if self._open != "call" or event.index != self._call:
            raise MalformedStream("the upstream's stream mixes the arguments of several calls")
        return self._delta({"type": "input_json_delta", "partial_json": event.text})

    def _open_block(self, kind: str, block: dict[str, Any]) -> bytes:
        if self._open == kind:
            return b""
        written = self._close() if self._has_begun else self._begin(Begun())
        self._open = kind
        self._index += 1
        return written + _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return _event({"type": "content_block_stop", "index": self._index})

    def _end(self, event: Ended) -> bytes:
        del event
        stopped = self._stopped
        if stopped is None:
            raise MalformedStream("the upstream's stream ended without a reason")
        begun = b"" if self._has_begun else self._begin(Begun())
        declined = self._declined and stopped.stop == "stop"
        delta = _write_stop(stopped.stop, stopped.stop_sequence, stopped.explanation, declined=declined)
        usage = write_messages_usage(self._count)
        end = _event({"type": "message_delta", "delta": delta, "usage": usage})
        return begun + self._close() + end + _event({"type": "message_stop"})

    _WRITERS: ClassVar[dict[type[Event], Callable[[Any, Any], bytes]]] = {
        Said: _say,
        Argued: _argue,
        Called: _begin_call,
        Signed: _sign,
        PartEnded: _end_part,
        Stopped: _stop,
        Counted: _count_tokens,
        Begun: _begin,
        Failed: _fail,
        Ended: _end,
    }


def _event(value: dict[str, Any]) -> bytes:
    return write_event(write_json(value), value["type"])
