"""Replies and streams of OpenAI's Responses API, as an upstream gives them."""

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
from verilabel.gateway.translation.shapes import Heard, read_event, read_reply
from verilabel.gateway.wire.interface import MalformedStream

CUT: dict[str, Stop] = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Reasons of incomplete replies."""


class _Content(Heard):
    type: str
    text: str = ""
    refusal: str = ""
    logprobs: list[Any] | None = None


class _Item(Heard):
    type: str
    id: str | None = None
    content: list[_Content] | None = None
    summary: list[_Content] | None = None
    encrypted_content: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _Incomplete(Heard):
    reason: str | None = None


class _Error(Heard):
    message: str = "the upstream failed"


class _InputDetails(Heard):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _OutputDetails(Heard):
    reasoning_tokens: int | None = None


class _Usage(Heard):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Response(Heard):
    id: str = ""
    model: str = ""
    created_at: int | float | None = None
    status: str | None = None
    output: tuple[_Item, ...] = ()
    incomplete_details: _Incomplete | None = None
    error: _Error | None = None
    usage: _Usage | None = None


class _StreamEvent(Heard):
    type: str
    response: _Response | None = None
    item: _Item | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: Any = None
    logprobs: list[Any] | None = None
    message: str | None = None


_decoder = msgspec.json.Decoder(_StreamEvent)


def read_responses_reply(body: dict[str, Any], maker: Maker) -> Reply:
    """A response in the neutral form. Raises MalformedInput, also for one that says that it failed."""
    del maker
    response = read_reply(body, _Response)
    parts: list[Text | Refusal | Thought | Call] = []
    logprobs: list[Any] | None = None
    for index, item in enumerate(response.output):
        parts.extend(_read_item(item, f"$.output[{index}]"))
        for content in item.content or ():
            if content.logprobs:
                logprobs = (logprobs or []) + content.logprobs
    stop = _stop_of(response, has_called=any(isinstance(part, Call) for part in parts))
    if stop is None:
        raise MalformedInput("the upstream's reply is not complete, for no known reason", where="$.status")
    created = None if response.created_at is None else int(response.created_at)
    return Reply(
        answers=[Answer(parts=parts, stop=stop, logprobs=logprobs)],
        id=response.id,
        model=response.model,
        created=created,
        count=_read_usage(response.usage) if response.usage else None,
    )


def _stop_of(response: _Response, *, has_called: bool) -> Stop | None:
    if response.status == "completed":
        return "tool_calls" if has_called else "stop"
    if response.status == "incomplete" and response.incomplete_details:
        return CUT.get(response.incomplete_details.reason or "")
    return None


def _read_item(item: _Item, where: str) -> list[Text | Refusal | Thought | Call]:
    match item.type:
        case "message":
            return [_read_content(content, where) for content in item.content or ()]
        case "function_call" if item.call_id and item.name:
            return [Call(id=item.call_id, name=item.name, arguments=item.arguments or "{}")]
        case "reasoning":
            said = "".join(content.text for content in item.content or ()) or "\n\n".join(
                content.text for content in item.summary or ()
            )
            signature = _signature_of(item)
            return [Thought(text=said, signature=signature, origin="openai" if signature else None)]
        case _:
            raise MalformedInput("the upstream's reply holds an item that has no translation", where=where)


def _read_content(content: _Content, where: str) -> Text | Refusal:
    if content.type == "output_text":
        return Text(content.text)
    if content.type == "refusal":
        return Refusal(content.refusal)
    raise MalformedInput("the upstream's reply holds content that has no translation", where=where)


def _signature_of(item: _Item) -> str:
    return f"{item.id}:{item.encrypted_content}" if item.id and item.encrypted_content else ""


def _read_usage(usage: _Usage) -> Count:
    read = usage.input_tokens_details or _InputDetails()
    written = usage.output_tokens_details or _OutputDetails()
    return Count(
        input=usage.input_tokens or 0,
        output=usage.output_tokens or 0,
        cached=read.cached_tokens or 0,
        written=read.cache_write_tokens or 0,
        reasoning=written.reasoning_tokens or 0,
    )


class ResponsesEvents:
    """Reads the events of one stream of a response.

    Texts come from deltas; an item that is done gives what no delta has brought.
    """

    def __init__(self, maker: Maker) -> None:
        del maker
        self._calls: dict[int, int] = {}
        self._heard: set[tuple[str, int]] = set()
        self._summary: tuple[int, int] | None = None

    def read(self, name: str | None, data: bytes) -> list[Event]:
        """What one event says. Raises MalformedStream."""
        del name
        event = read_event(_decoder, data)
        match event.type:
            case (
                "response.output_text.delta"
                | "response.refusal.delta"
                | "response.reasoning_text.delta"
                | "response.reasoning_summary_text.delta"
                | "response.function_call_arguments.delta"
            ):
                return self._read_delta(event)
            case "response.output_item.added" if event.item is not None:
                return self._add_item(event.output_index, event.item)
            case "response.output_item.done" if event.item is not None:
                return self._end_item(event.output_index, event.item)
            case "response.created" if event.response is not None:
                created = event.response.created_at
                return [
                    Begun(
                        id=event.response.id,
                        model=event.response.model,
                        created=None if created is None else int(created),
                    )
                ]
            case "response.completed" | "response.incomplete" | "response.failed":
                return self._read_end(event.response)
            case "error":
                return [Failed(event.message or "the upstream failed")]
            case _:  # what repeats, and what this API may add: nothing of it reaches the client
                return []

    def finish(self) -> list[Event]:
        """The connection has ended; this API says its end itself."""
        return []

    def _read_delta(self, event: _StreamEvent) -> list[Event]:
        if not isinstance(event.delta, str):
            raise MalformedStream("an event of the upstream's stream lacks what it is about")
        index = event.output_index
        match event.type:
            case "response.output_text.delta":
                self._heard.add(("text", index))
                return [Said("text", 0, event.delta, event.logprobs or None)]
            case "response.refusal.delta":
                self._heard.add(("refusal", index))
                return [Said("refusal", 0, event.delta)]
            case "response.function_call_arguments.delta":
                if index not in self._calls:
                    raise MalformedStream("the upstream's stream argues for a call that has not begun")
                self._heard.add(("call", index))
                return [Argued(0, self._calls[index], event.delta)]
            case _:
                return self._read_thought(event)

    def _read_thought(self, event: _StreamEvent) -> list[Event]:
        index = event.output_index
        self._heard.add(("thought", index))
        text: str = event.delta
        if event.type == "response.reasoning_summary_text.delta":
            place = (index, event.summary_index)
            if self._summary is not None and self._summary[0] == index and self._summary != place:
                text = "\n\n" + text
            self._summary = place
        return [Said("thought", 0, text)]

    def _add_item(self, index: int, item: _Item) -> list[Event]:
        if item.type in ("message", "reasoning"):
            return []
        if item.type != "function_call" or not item.call_id or not item.name:
            raise MalformedStream("the upstream's stream holds an item that has no translation")
        place = self._calls[index] = len(self._calls)
        return [Called(0, place, item.call_id, item.name)]

    def _end_item(self, index: int, item: _Item) -> list[Event]:
        events: list[Event] = []
        if item.type == "function_call":
            if index not in self._calls:
                events += self._add_item(index, item)
            if ("call", index) not in self._heard:
                events.append(Argued(0, self._calls[index], item.arguments or "{}"))
        else:
            events += self._end_texts(index, item)
        events.append(PartEnded(0))
        return events

    def _end_texts(self, index: int, item: _Item) -> list[Event]:
        events: list[Event] = []
        try:
            parts = _read_item(item, f"$.output[{index}]")
        except MalformedInput as error:
            raise MalformedStream(error.message, where=error.where) from None
        for part in parts:
            match part:
                case Text() if ("text", index) not in self._heard:
                    events.append(Said("text", 0, part.text))
                case Refusal() if ("refusal", index) not in self._heard:
                    events.append(Said("refusal", 0, part.text))
                case Thought():
                    if part.text and ("thought", index) not in self._heard:
                        events.append(Said("thought", 0, part.text))
                    if part.signature:
                        events.append(Signed(0, "openai", part.signature))
        return events

    def _read_end(self, response: _Response | None) -> list[Event]:
        if response is None:
            raise MalformedStream("an event of the upstream's stream lacks what it is about")
        if response.status == "failed":
            return [Failed((response.error or _Error()).message)]
        stop = _stop_of(response, has_called=bool(self._calls))
        if stop is None:
            raise MalformedStream("the upstream's stream ends for no known reason")
        events: list[Event] = [Stopped(0, stop)]
        if response.usage is not None:
            events.append(Counted(_read_usage(response.usage)))
        events.append(Ended())
        return events
