"""Streams of OpenAI's Responses API, as its clients know them: numbered events, and whole texts where parts end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from verilabel.gateway.translation.clients.responses_reply import (
    end_response,
    write_call_item,
    write_message_item,
    write_reasoning_item,
    write_refusal_part,
    write_response_head,
    write_text_part,
)
from verilabel.gateway.translation.conversation import (
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
    Said,
    Signed,
    Stopped,
    Thought,
)
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.wire.event_json import write_json
from verilabel.gateway.wire.interface import MalformedStream
from verilabel.gateway.wire.sse import write_event

MAX_CHARS = 32 * 2**20
"""Of all texts of a stream, which this API repeats at its end."""
Kind = Literal["text", "refusal", "thought", "call"]
DELTAS: dict[Kind, str] = {
    "text": "response.output_text.delta",
    "refusal": "response.refusal.delta",
    "thought": "response.reasoning_text.delta",
    "call": "response.function_call_arguments.delta",
}


class ResponsesStream:
    """Writes one stream of a response: each item begins, grows and ends before the next one begins."""

    def __init__(self, model: str, maker: Maker) -> None:
        self._model = model
        self._maker = maker
        self._sequence = 0
        self._response: dict[str, Any] = {}
        self._count: Count | None = None
        self._stopped: Stopped | None = None
        self._chars = 0
        self._kind: Kind | None = None
        self._item = ""
        self._texts: list[str] = []
        self._logprobs: list[Any] = []
        self._content: list[dict[str, Any]] = []
        self._thought = Thought()
        self._call: Called | None = None

    def write(self, event: Event) -> bytes:
        """The events that say the same, or nothing. Raises MalformedStream."""
        if getattr(event, "choice", 0) != 0:
            raise MalformedStream("the upstream's stream holds several answers where one was asked for")
        return self._WRITERS[type(event)](self, event)

    def _hear(self, event: Said) -> bytes:
        return self._say(event.kind, event.text, event.logprobs)

    def _end_sent_item(self, event: PartEnded) -> bytes:
        del event
        return self._end_item()

    def _stop(self, event: Stopped) -> bytes:
        self._stopped = event
        return b""

    def _count_tokens(self, event: Counted) -> bytes:
        self._count = event.count
        return b""

    def _emit(self, kind: str, **members: Any) -> bytes:
        value = {"type": kind, "sequence_number": self._sequence, **members}
        self._sequence += 1
        return write_event(write_json(value), kind)

    @property
    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item, "output_index": len(self._response["output"])}

    def _begin(self, event: Begun) -> bytes:
        if self._response:
            return b""
        created = self._maker.now() if event.created is None else event.created
        self._response = write_response_head(
            event.id or f"resp_{self._maker.token()}", event.model or self._model, created
        )
        head = self._emit("response.created", response=self._response)
        return head + self._emit("response.in_progress", response=self._response)

    def _say(self, kind: Kind, text: str, logprobs: list[Any] | None) -> bytes:
        opened = b"" if self._kind == kind else self._open(kind)
        self._keep(text)
        members = {**self._place, "content_index": len(self._content), "delta": text}
        if kind == "text":
            members["logprobs"] = logprobs or []
            self._logprobs += logprobs or []
        return opened + self._emit(DELTAS[kind], **members)

    def _keep(self, text: str) -> None:
        self._chars += len(text)
        if self._chars > MAX_CHARS:
            raise MalformedStream(f"the upstream's stream is longer than {MAX_CHARS} characters")
        self._texts.append(text)

    def _open(self, kind: Kind) -> bytes:
        written = b"" if self._response else self._begin(Begun())
        goes_on = self._kind in ("text", "refusal") and kind in ("text", "refusal")
        written += self._end_part() if goes_on else self._end_item()
        self._kind = kind
        if not goes_on:
            written += self._add_item(kind)
        if kind == "call":
            return written
        part = {
            "text": write_text_part("", None),
            "refusal": write_refusal_part(""),
            "thought": {"type": "reasoning_text", "text": ""},
        }[kind]
        index = len(self._content)
        return written + self._emit(
            "response.content_part.added", **self._place, content_index=index, part=part
        )

    def _add_item(self, kind: Kind) -> bytes:
        prefix = {"thought": "rs", "call": "fc"}.get(kind, "msg")
        self._item = f"{prefix}_{self._maker.token()}"
        index = len(self._response["output"])
        return self._emit(
            "response.output_item.added", output_index=index, item=self._written_item("in_progress")
        )

    def _written_item(self, status: str) -> dict[str, Any]:
        if self._kind == "call" and self._call is not None:
            arguments = "" if status == "in_progress" else "".join(self._texts)
            call = Call(id=self._call.id, name=self._call.name, arguments=arguments)
            return write_call_item(self._item, call, status)
        if self._kind == "thought":
            return write_reasoning_item(self._item, self._thought)
        return write_message_item(self._item, list(self._content), status)

    def _end_part(self) -> bytes:
        """End the part of a message or thought that is open, with its whole text."""
        text = "".join(self._texts)
        place = {**self._place, "content_index": len(self._content)}
        match self._kind:
            case "text":
                part = write_text_part(text, self._logprobs)
                done = self._emit("response.output_text.done", **place, text=text, logprobs=self._logprobs)
            case "refusal":
                part = write_refusal_part(text)
                done = self._emit("response.refusal.done", **place, refusal=text)
            case _:
                part = {"type": "reasoning_text", "text": text}
                done = self._emit("response.reasoning_text.done", **place, text=text)
                self._thought.text = text
        done += self._emit("response.content_part.done", **place, part=part)
        self._content.append(part)
        self._texts, self._logprobs = [], []
        return done

    def _end_item(self) -> bytes:
        if self._kind is None:
            return b""
        if self._kind == "call":
            text = "".join(self._texts)
            name = self._call.name if self._call else ""
            done = self._emit(
                "response.function_call_arguments.done", **self._place, arguments=text, name=name
            )
        else:
            done = self._end_part()
        item = self._written_item("completed")
        index = len(self._response["output"])
        done += self._emit("response.output_item.done", output_index=index, item=item)
        self._response["output"].append(item)
        self._kind, self._call, self._thought = None, None, Thought()
        self._texts, self._content = [], []
        return done

    def _sign(self, event: Signed) -> bytes:
        if self._kind == "thought" and not event.hidden:
            self._thought.signature, self._thought.origin = event.signature, event.origin
            return self._end_item()
        written = self._begin(Begun()) + self._end_item()
        signed = Thought(signature=event.signature, origin=event.origin, hidden=event.hidden)
        item = write_reasoning_item(f"rs_{self._maker.token()}", signed)
        index = len(self._response["output"])
        written += self._emit("response.output_item.added", output_index=index, item=item)
        written += self._emit("response.output_item.done", output_index=index, item=item)
        self._response["output"].append(item)
        return written

    def _begin_call(self, event: Called) -> bytes:
        written = b""
        if event.signature:
            written = self._sign(Signed(0, "google", event.signature, hidden=True))
        written += self._end_item()
        self._call = event
        return written + self._open("call")

    def _argue(self, event: Argued) -> bytes:
        if self._kind != "call" or self._call is None or event.index != self._call.index:
            raise MalformedStream("the upstream's stream mixes the arguments of several calls")
        self._keep(event.text)
        return self._emit(DELTAS["call"], **self._place, delta=event.text)

    def _fail(self, event: Failed) -> bytes:
        written = self._begin(Begun())
        self._response["status"] = "failed"
        self._response["error"] = {"code": "server_error", "message": event.message}
        return written + self._emit("response.failed", response=self._response)

    def _end(self, event: Ended) -> bytes:
        del event
        stopped = self._stopped
        if stopped is None:
            raise MalformedStream("the upstream's stream ended without a reason")
        written = self._begin(Begun())
        if stopped.explanation:
            written += self._end_item() + self._say("refusal", stopped.explanation, None)
        written += self._end_item()
        response = end_response(self._response, stopped.stop, self._count)
        return written + self._emit(f"response.{response['status']}", response=response)

    _WRITERS: ClassVar[dict[type[Event], Callable[[Any, Any], bytes]]] = {
        Said: _hear,
        Argued: _argue,
        Called: _begin_call,
        Signed: _sign,
        PartEnded: _end_sent_item,
        Stopped: _stop,
        Counted: _count_tokens,
        Begun: _begin,
        Failed: _fail,
        Ended: _end,
    }
