"""Which API can be served from which upstream, and the translations that are needed for it."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from verilabel.errors import UsageError
from verilabel.gateway.translation.clients.chat_reply import ChatStream, write_chat_reply
from verilabel.gateway.translation.clients.chat_request import read_chat_request
from verilabel.gateway.translation.clients.messages_reply import MessagesStream, write_messages_reply
from verilabel.gateway.translation.clients.messages_request import read_messages_request
from verilabel.gateway.translation.clients.responses_reply import write_responses_reply
from verilabel.gateway.translation.clients.responses_request import read_responses_request
from verilabel.gateway.translation.clients.responses_stream import ResponsesStream
from verilabel.gateway.translation.conversation import Ended, Event, Failed, Reply, Request
from verilabel.gateway.translation.failures import read_failure
from verilabel.gateway.translation.identity import Maker
from verilabel.gateway.translation.interface import StreamTranslator, Translation, Untranslatable
from verilabel.gateway.translation.upstreams.anthropic_reply import AnthropicEvents, read_anthropic_reply
from verilabel.gateway.translation.upstreams.anthropic_request import write_anthropic_request
from verilabel.gateway.translation.upstreams.google_reply import GoogleEvents, read_google_reply
from verilabel.gateway.translation.upstreams.google_request import write_google_request
from verilabel.gateway.translation.upstreams.openai_reply import OpenaiEvents, read_openai_reply
from verilabel.gateway.translation.upstreams.openai_request import write_openai_request
from verilabel.gateway.translation.upstreams.responses_reply import ResponsesEvents, read_responses_reply
from verilabel.gateway.translation.upstreams.responses_request import write_responses_request
from verilabel.gateway.wire.interface import MalformedStream
from verilabel.gateway.wire.sse import EventReader, read_event


class EventSource(Protocol):
    """Reads the upstream's events."""

    def read(self, name: str | None, data: bytes) -> list[Event]:
        """What one event says."""
        ...

    def finish(self) -> list[Event]:
        """What the end of the connection says."""
        ...


class EventSink(Protocol):
    """Writes the client's events."""

    def write(self, event: Event) -> bytes:
        """The client's events that say the same."""
        ...


class Client(NamedTuple):
    """How an API is read and written that clients speak."""

    read_request: Callable[[dict[str, Any]], Request]
    write_reply: Callable[[Reply, str, Maker], dict[str, Any]]
    open_sink: Callable[[str, Maker, bool], EventSink]


class Upstream(NamedTuple):
    """How an API is written and read that an upstream speaks; `path` of a model, for whole replies and streams."""

    write_request: Callable[[Request, str], dict[str, Any]]
    read_reply: Callable[[dict[str, Any], Maker], Reply]
    open_source: Callable[[Maker], EventSource]
    path: Callable[[str, bool], str]


_IN_A_PATH = frozenset(string.ascii_letters + string.digits + "._-@")
"""Of what names of models consist that stand in the upstream's path: nothing that a path is divided or left by."""


def _google_path(model: str, stream: bool) -> str:
    name = model.removeprefix("models/")
    if not name or ".." in name or not _IN_A_PATH.issuperset(name):
        raise Untranslatable(
            "the model's name is part of the address that the upstream is asked at, and cannot stand there",
            where="$.model",
            hint="letters, digits, and single . _ - @ between them",
        )
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/models/{name}:{verb}"


CLIENTS = {
    "chat": Client(
        read_chat_request,
        write_chat_reply,
        lambda model, maker, include: ChatStream(model, maker, include_usage=include),
    ),
    "responses": Client(
        read_responses_request, write_responses_reply, lambda model, maker, _: ResponsesStream(model, maker)
    ),
    "messages": Client(
        read_messages_request, write_messages_reply, lambda model, maker, _: MessagesStream(model, maker)
    ),
}
UPSTREAMS = {
    "openai": Upstream(
        write_openai_request, read_openai_reply, OpenaiEvents, lambda _model, _stream: "/chat/completions"
    ),
    "openai-responses": Upstream(
        write_responses_request, read_responses_reply, ResponsesEvents, lambda _model, _stream: "/responses"
    ),
    "anthropic": Upstream(
        write_anthropic_request, read_anthropic_reply, AnthropicEvents, lambda _model, _stream: "/messages"
    ),
    "google": Upstream(write_google_request, read_google_reply, GoogleEvents, _google_path),
}
SAME = frozenset(
    {
        ("chat", "openai"),
        ("completions", "openai"),
        ("embeddings", "openai"),
        ("responses", "openai-responses"),
        ("messages", "anthropic"),
    }
)
"""Clients and upstreams that speak one API: bytes pass."""


def can_serve(client: str, upstream: str) -> bool:
    """True if clients of this API can be served from such an upstream, as they are or translated."""
    return (client, upstream) in SAME or (client in CLIENTS and upstream in UPSTREAMS)


def find_translation(client: str, upstream: str, maker: Maker | None = None) -> Translation | None:
    """The translation between two APIs; None where both are the same, and bytes pass.

    Raises UsageError where the one cannot be served from the other.
    """
    if (client, upstream) in SAME:
        return None
    if not can_serve(client, upstream):
        raise UsageError(
            f"the {client} API cannot be served from an upstream that speaks {upstream}",
            hint="completions and embeddings need an upstream of the dialect openai",
        )
    if maker is None:
        return _TRANSLATIONS[client, upstream]
    return Exchange(client, CLIENTS[client], UPSTREAMS[upstream], maker)


class Exchange:
    """A translation: a reader and a writer on each side, with the neutral form between them. It keeps nothing."""

    def __init__(self, name: str, client: Client, upstream: Upstream, maker: Maker) -> None:
        self._name = name
        self._client = client
        self._upstream = upstream
        self._maker = maker

    def path(self, model: str, *, stream: bool) -> str:
        """Where the upstream is asked, behind its base URL, which ends in the version (/v1, /v1beta).

        Raises Untranslatable for a model's name that cannot stand there.
        """
        return self._upstream.path(model, stream)

    def request(self, body: dict[str, Any], *, model: str) -> dict[str, Any]:
        """A new body for the upstream. Raises Untranslatable."""
        return self._upstream.write_request(self._client.read_request(body), model)

    def reply(self, body: dict[str, Any], *, model: str) -> dict[str, Any]:
        """The upstream's whole reply in the client's form. Raises MalformedInput."""
        return self._client.write_reply(self._upstream.read_reply(body, self._maker), model, self._maker)

    def failure(self, status: int, body: bytes) -> tuple[int, str]:
        """Status and one sentence of an upstream's error, in the client's terms."""
        return read_failure(status, body, client=self._name)

    def stream(self, *, model: str, include_usage: bool) -> StreamTranslator:
        """A translator for one stream; `include_usage` counts for chat, the others always say their usage."""
        sink = self._client.open_sink(model, self._maker, include_usage)
        return StreamExchange(self._upstream.open_source(self._maker), sink)


class StreamExchange:
    """Translates one stream. What comes after the stream's own end, or after an error in it, is not looked at."""

    __slots__ = ("_has_ended", "_reader", "_sink", "_source")

    def __init__(self, source: EventSource, sink: EventSink) -> None:
        self._reader = EventReader()
        self._source = source
        self._sink = sink
        self._has_ended = False

    def feed(self, data: bytes) -> bytes:
        """Take what one read brought; give the client's events. Raises MalformedStream."""
        if self._has_ended:
            return b""
        written: list[bytes] = []
        for raw in self._reader.feed(data):
            event = read_event(raw)
            if event.data is None:
                continue
            self._write(self._source.read(event.name, event.data), written)
            if self._has_ended:
                break
        return b"".join(written)

    def finish(self) -> bytes:
        """The upstream has ended. Raises MalformedStream unless its stream had come to its proper end."""
        if self._has_ended:
            return b""
        if self._reader.finish().strip():
            raise MalformedStream("the upstream's stream broke off in the middle of an event")
        written: list[bytes] = []
        self._write(self._source.finish(), written)
        if not self._has_ended:
            raise MalformedStream("the upstream's stream broke off before its end")
        return b"".join(written)

    def _write(self, events: list[Event], written: list[bytes]) -> None:
        for event in events:
            written.append(self._sink.write(event))
            if isinstance(event, Ended | Failed):
                self._has_ended = True
                return


_TRANSLATIONS: dict[tuple[str, str], Translation] = {
    (name, dialect): Exchange(name, client, upstream, Maker())
    for name, client in CLIENTS.items()
    for dialect, upstream in UPSTREAMS.items()
    if (name, dialect) not in SAME
}
