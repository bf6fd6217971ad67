"""Replies and streams of chat completions, as clients of OpenAI's API know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

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
    Stopped,
    Text,
    Thought,
)
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.wire.event_json import write_json
from verilabel.gateway.wire.sse import write_event

MEMBERS = {"text": "content", "thought": "reasoning_content", "refusal": "refusal"}
DONE = write_event(b"[DONE]")


def write_chat_reply(reply: Reply, model: str, maker: Maker) -> dict[str, Any]:
    """A chat completion."""
    body: dict[str, Any] = {
        "id": reply.id or f"chatcmpl-{maker.token()}",
        "object": "chat.completion",
        "created": maker.now() if reply.created is None else reply.created,
        "model": reply.model or model,
        "choices": [_write_choice(answer) for answer in reply.answers],
    }
    if reply.fingerprint is not None:
        body["system_fingerprint"] = reply.fingerprint
    if reply.count is not None:
        body["usage"] = write_chat_usage(reply.count)
    return body


def _write_choice(answer: Answer) -> dict[str, Any]:
    texts: list[str] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in answer.parts:
        match part:
            case Text():
                texts.append(part.text)
            case Refusal():
                refusals.append(part.text)
            case Thought():
                thoughts.append(part.text)
            case Call():
                calls.append(_write_call(part))
    if answer.explanation and not refusals:
        refusals.append(answer.explanation)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) or None,
    }
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return {
        "index": answer.index,
        "message": message,
        "logprobs": None if answer.logprobs is None else {"content": answer.logprobs, "refusal": None},
        "finish_reason": answer.stop,
    }


def _write_call(call: Call) -> dict[str, Any]:
    written: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.signature:
        written["extra_content"] = {"google": {"thought_signature": call.signature}}
    return written


def write_chat_usage(count: Count) -> dict[str, Any]:
    """The member `usage`."""
    read: dict[str, int] = {"cached_tokens": count.cached}
    if count.written:
        read["cache_write_tokens"] = count.written
    return {
        "prompt_tokens": count.input,
        "completion_tokens": count.output,
        "total_tokens": count.input + count.output,
        "prompt_tokens_details": read,
        "completion_tokens_details": {"reasoning_tokens": count.reasoning},
    }


class ChatStream:
    """Writes one stream of chat completions."""

    def __init__(self, model: str, maker: Maker, *, include_usage: bool) -> None:
        self._maker = maker
        self._include_usage = include_usage
        self._head = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": model}
        self._roles: set[int] = set()
        self._refused: set[int] = set()
        self._count: Count | None = None
        self._templates: dict[tuple[str, int], bytes] = {}

    def write(self, event: Event) -> bytes:
        """The events that say the same, or nothing."""
        return self._WRITERS[type(event)](self, event)

    def _argue(self, event: Argued) -> bytes:
        delta = {"index": event.index, "function": {"arguments": event.text}}
        return self._delta(event.choice, {"tool_calls": [delta]})

    def _count_tokens(self, event: Counted) -> bytes:
        self._count = event.count
        return b""

    def _fail(self, event: Failed) -> bytes:
        error = {"message": event.message, "type": "server_error", "code": "upstream_failed", "param": None}
        return write_event(write_json({"error": error})) + DONE

    def _pass_over(self, event: Event) -> bytes:
        """This API has no word for it, and needs none."""
        del event
        return b""

    def _begin(self, event: Begun) -> bytes:
        self._head["id"] = event.id or f"chatcmpl-{self._maker.token()}"
        self._head["created"] = self._maker.now() if event.created is None else event.created
        self._head["model"] = event.model or self._head["model"]
        if event.fingerprint is not None:
            self._head["system_fingerprint"] = event.fingerprint
        return b""

    def _say(self, event: Said) -> bytes:
        member = MEMBERS[event.kind]
        if event.kind == "refusal":
            self._refused.add(event.choice)
        if event.choice not in self._roles or event.logprobs is not None:
            return self._delta(event.choice, {member: event.text}, logprobs=event.logprobs)
        template = self._templates.get((member, event.choice))
        if template is None:
            template = self._template(member, event.choice)
        return template + write_json(event.text) + b'},"finish_reason":null}]}\n\n'

    def _template(self, member: str, choice: int) -> bytes:
        head = write_json({**self._head, "choices": []})[:-2]
        template = b'data: %s{"index":%d,"delta":{"%s":' % (head, choice, member.encode())
        self._templates[member, choice] = template
        return template

    def _call(self, event: Called) -> bytes:
        call: dict[str, Any] = {
            "index": event.index,
            "id": event.id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        if event.signature:
            call["extra_content"] = {"google": {"thought_signature": event.signature}}
        return self._delta(event.choice, {"tool_calls": [call]})

    def _stop(self, event: Stopped) -> bytes:
        said = b""
        if event.explanation and event.choice not in self._refused:
            said = self._delta(event.choice, {"refusal": event.explanation})
        return said + self._delta(event.choice, {}, stop=event.stop)

    def _delta(
        self,
        choice: int,
        delta: dict[str, Any],
        *,
        stop: str | None = None,
        logprobs: list[Any] | None = None,
    ) -> bytes:
        if choice not in self._roles:
            self._roles.add(choice)
            delta = {"role": "assistant", **delta}
        written: dict[str, Any] = {"index": choice, "delta": delta, "finish_reason": stop}
        if logprobs is not None:
            written["logprobs"] = {"content": logprobs, "refusal": None}
        return write_event(write_json({**self._head, "choices": [written]}))

    def _end(self, event: Ended) -> bytes:
        del event
        if not self._include_usage or self._count is None:
            return DONE
        usage = {**self._head, "choices": [], "usage": write_chat_usage(self._count)}
        return write_event(write_json(usage)) + DONE

    _WRITERS: ClassVar[dict[type[Event], Callable[[Any, Any], bytes]]] = {
        Said: _say,
        Argued: _argue,
        Called: _call,
        Stopped: _stop,
        Counted: _count_tokens,
        Begun: _begin,
        Failed: _fail,
        Ended: _end,
        Signed: _pass_over,
        PartEnded: _pass_over,
    }
