"""What asking an upstream gives: a reply whose body is still to be read, or a failure that is a value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

FailureKind = Literal["connection", "timeout", "status", "malformed", "too_large"]


class UpstreamFailure(Exception):
    """An upstream that gave no usable answer. `detail` names no host, key or content.

    `status` and `body` are the upstream's where it answered with an error; `may_retry` says that asking again or
    elsewhere can help, `retry_after_s` when.
    """

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        *,
        may_retry: bool,
        status: int | None = None,
        body: bytes = b"",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.may_retry = may_retry
        self.status = status
        self.body = body
        self.retry_after_s = retry_after_s


class UpstreamReply(Protocol):
    """A reply with status 200, its body not read yet. End it with `close` on every path."""

    is_stream: bool
    """True for `text/event-stream`."""

    async def read(self) -> bytes:
        """The whole body, decompressed. Raises UpstreamFailure (too large, broken off)."""
        ...

    def parts(self) -> AsyncIterator[bytes]:
        """What each socket read brings, decompressed. Raises UpstreamFailure for a stream that breaks off or rests."""
        ...

    def close(self) -> None:
        """Let go of the connection; an unread rest cancels the upstream's work."""
        ...


class UpstreamClient(Protocol):
    """The one door to an upstream: five methods, so that another HTTP library can take its place."""

    async def open(self) -> None:
        """Make the connection pool. Raises MissingExtra."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...

    async def ask(self, path: str, body: bytes, *, trace: str | None = None) -> UpstreamReply:
        """Ask once; no redirect is followed. `trace` is a W3C traceparent. Raises UpstreamFailure."""
        ...

    async def probe(self, path: str) -> bool:
        """True if a GET of the path answers with a status below 500."""
        ...
