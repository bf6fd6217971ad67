"""One HTTP/1.1 request at a time over one loopback connection: just enough of a client to time and to read replies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from verilabel.errors import ModelError

MAX_BODY_BYTES = 64 * 2**20
TIMEOUT_S = 60.0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. Times are in seconds from the request's first byte; `first_text_s` is that of the first event
    with text in it (streams alone). `is_whole` is false where the connection ended before the reply did."""

    status: int
    body: bytes
    is_whole: bool
    total_s: float
    first_text_s: float | None = None


def request_bytes(
    url: str, path: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
) -> bytes:
    """The bytes of a request."""
    host = urlsplit(url).netloc
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Exchanger:
    """A connection that is opened when needed and kept while the server keeps it."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._timeout_s = timeout_s
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, request: bytes) -> Reply:
        """Send one request and read its reply. Raises ModelError where no reply comes within the time."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._send(request)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self.close()
            reason = "no reply in time" if isinstance(error, TimeoutError) else f"no reply: {error}"
            raise ModelError(reason, where="{}:{}".format(*self._address)) from error

    async def _send(self, request: bytes) -> Reply:
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(*self._address, limit=2**20)
        reader, writer = self._reader, self._writer
        assert reader is not None
        began = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        reading = _Reading(reader, began)
        length = _header(head, b"content-length")
        if length is not None:
            is_whole = await reading.fixed(int(length))
        elif _header(head, b"transfer-encoding") == b"chunked":
            is_whole = await reading.chunked()
        else:
            is_whole = await reading.to_the_end()
            self.close()
        if _header(head, b"connection") == b"close" or not is_whole:
            self.close()
        return Reply(
            status=status,
            body=b"".join(reading.parts),
            is_whole=is_whole,
            total_s=time.perf_counter() - began,
            first_text_s=reading.first_text_s,
        )

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _header(head: bytes, name: bytes) -> bytes | None:
    at = head.find(b"\r\n" + name + b":")
    return None if at < 0 else head[at + len(name) + 3 :].split(b"\r\n", 1)[0].strip()


class _Reading:
    """A body as it comes, with the moment of its first event that holds text."""

    def __init__(self, reader: asyncio.StreamReader, began: float) -> None:
        self._reader = reader
        self._began = began
        self._size = 0
        self._seen = b""
        self.parts: list[bytes] = []
        self.first_text_s: float | None = None

    async def fixed(self, size: int) -> bool:
        if size > MAX_BODY_BYTES:
            raise ValueError("a body beyond the limit")
        self.parts.append(await self._reader.readexactly(size))
        return True

    async def chunked(self) -> bool:
        try:
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";", 1)[0], 16):
                self._take((await self._reader.readexactly(size + 2))[:-2])
            await self._reader.readuntil(b"\r\n")
        except asyncio.IncompleteReadError as error:
            self.parts.append(error.partial)
            return False
        return True

    async def to_the_end(self) -> bool:
        while data := await self._reader.read(65536):
            self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            raise ValueError("a body beyond the limit")
        if self.first_text_s is None:
            self._seen += data
            if has_text(self._seen):
                self.first_text_s = time.perf_counter() - self._began
                self._seen = b""
        self.parts.append(data)


def has_text(stream: bytes) -> bool:
    """True if the beginning of a stream holds an event with text in its content."""
    for spaced in (b'"content": "', b'"content":"'):
        at = stream.find(spaced)
        while at >= 0:
            following = stream[at + len(spaced) : at + len(spaced) + 1]
            if following not in (b'"', b""):
                return True
            at = stream.find(spaced, at + 1)
    return False
