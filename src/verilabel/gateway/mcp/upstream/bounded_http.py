"""HTTP to a server that may be hostile: answers of bounded size, unpacked by nobody, asked again at a bounded pace.

A compressed answer may be a thousand times what was sent, so that none is asked for and none is taken. The size of an
event of a stream is bounded by the protocol library; an answer that is no stream is bounded here. A server that ends
its stream at once and asks to be called again after 0 ms would keep a processor busy: streams are opened once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2

MAX_ANSWER_BYTES = 8 * 2**20
STREAM_EVERY_S = 1.0


class _TooLarge(httpx2.StreamError):
    """An answer beyond the bound. The protocol library makes an error of the one request of it."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """A transport that reads no more than `max_bytes` of an answer that is no stream of events."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, *, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._inner = inner
        self._max_bytes = max_bytes
        self._next_stream = 0.0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; a compressed answer counts as 502."""
        if request.method == "GET":
            await self._wait_for_turn()
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            await response.aclose()
            return httpx2.Response(502, request=request)
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream, self._max_bytes)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _wait_for_turn(self) -> None:
        now = time.monotonic()
        turn = max(now, self._next_stream)
        self._next_stream = turn + STREAM_EVERY_S
        await asyncio.sleep(turn - now)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, left: int) -> None:
        self._stream = stream
        self._left = left

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise _TooLarge("an answer that is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
