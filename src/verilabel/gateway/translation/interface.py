"""What it takes to serve one API from an upstream that speaks another."""

from __future__ import annotations

from typing import Any, Protocol

from verilabel.errors import VerilabelError


class Untranslatable(VerilabelError):
    """A request uses something the upstream's API has no word for; `where` is the path in the request."""


class StreamTranslator(Protocol):
    """Turns the upstream's event stream into the client's, whole events at a time."""

    def feed(self, data: bytes) -> bytes:
        """Take what one socket read brought. Raises wire.interface.MalformedStream."""
        ...

    def finish(self) -> bytes:
        """The upstream has ended."""
        ...


class Translation(Protocol):
    """Requests one way, replies and streams the other way."""

    def path(self, model: str, *, stream: bool) -> str:
        """Where the upstream is asked, behind its base URL. Raises Untranslatable for a name that cannot be there."""
        ...

    def request(self, body: dict[str, Any], *, model: str) -> dict[str, Any]:
        """A new body for the upstream, of a request in the client's form. Raises Untranslatable."""
        ...

    def reply(self, body: dict[str, Any], *, model: str) -> dict[str, Any]:
        """The upstream's whole reply in the client's form. Raises MalformedInput for what is none."""
        ...

    def failure(self, status: int, body: bytes) -> tuple[int, str]:
        """Status and one sentence of an upstream's error, in the client's terms."""
        ...

    def stream(self, *, model: str, include_usage: bool) -> StreamTranslator:
        """A translator for one stream."""
        ...
