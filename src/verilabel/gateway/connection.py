"""A client's connection: uvicorn's own, with bounds on what is read before a request is whole.

1. a head, or the trailers behind a body, longer than `HEAD_LIMIT` bytes ends the connection (431)
2. whoever sends less than `LEAST_BYTES` in `LOOK_EVERY_S` while a request is awaited or half sent is given one more
   such while, then the connection ends (408)
3. whoever takes nothing of an answer for `UNREAD_LOOKS` such whiles loses the connection, and the upstream is let go
4. trailers are not headers (RFC 9110, 6.5.1): they are read and dropped
5. an offer to change to another protocol is not taken up (RFC 9110, 7.8): the request is answered in HTTP/1.1, and its
   body is read as one; httptools by itself would read the body as the next request
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_LIMIT = 1 << 16
LOOK_EVERY_S = 10.0
LEAST_BYTES = 5000
UNREAD_LOOKS = 6

_NOWHERE: deque[tuple[bytes, bytes]] = deque(maxlen=0)
_MALFORMED = (400, "malformed_http", "the request is not HTTP as it should be")
_HEAD_TOO_LARGE = (431, "head_too_large", f"the request's head is larger than {HEAD_LIMIT} bytes")
_TOO_SLOW = (408, "request_too_slow", "the request did not come in time")


class ClientConnection(HttpToolsProtocol):
    """The protocol that uvicorn makes for each connection."""

    look_every_s = LOOK_EVERY_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._is_awaited = True
        self._has_moved = False
        self._is_offer = False
        self._framing_bytes = 0
        self._received = 0
        self._slow_looks = 0
        self._unread_looks = 0
        self._unread_bytes = 0
        self._watch = self.loop.call_later(self.look_every_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what one read brought."""
        self._received += len(data)
        self._has_moved = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
            return
        except httptools.HttpParserError:
            self._end(*_MALFORMED)
            return
        if self._has_moved:
            self._framing_bytes = 0
            return
        self._framing_bytes += len(data)
        if self._framing_bytes > HEAD_LIMIT:
            self._end(*_HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._unset_keepalive_if_required()
        self._is_awaited = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._has_moved = True
        if self.parser.should_upgrade():
            self._is_offer = True
            return
        super().on_headers_complete()
        self.headers = cast(list[Any], _NOWHERE)

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._has_moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._is_offer:
            return
        self._is_awaited = False
        self._slow_looks = 0
        super().on_message_complete()

    def _decline(self, rest: bytes) -> None:
        """Read the request again without the offer to change protocols, then go on with the bytes behind its head."""
        self._is_offer = False
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._end(*_MALFORMED)
            return
        kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
        lines = [
            method + b" " + self.url + b" HTTP/1.1",
            *(name + b": " + value for name, value in kept),
            b"",
            b"",
        ]
        self.data_received(b"\r\n".join(lines) + rest)

    def _look(self) -> None:
        """Whether what is awaited comes; called every `look_every_s` seconds."""
        received, self._received = self._received, 0
        if self._is_awaited and not self.flow.read_paused and received < LEAST_BYTES:
            self._slow_looks += 1
            if self._slow_looks == 2:
                self._end(*_TOO_SLOW)
                return
        else:
            self._slow_looks = 0
        if self._is_unread():
            self.transport.abort()
            return
        self._watch = self.loop.call_later(self.look_every_s, self._look)

    def _is_unread(self) -> bool:
        """True where an answer waits to be taken, and not a byte of it was taken for `UNREAD_LOOKS` looks."""
        before, self._unread_bytes = self._unread_bytes, self.transport.get_write_buffer_size()
        if self.flow.write_paused and self._unread_bytes == before:
            self._unread_looks += 1
        else:
            self._unread_looks = 0
        return self._unread_looks >= UNREAD_LOOKS

    def _end(self, status: int, code: str, message: str) -> None:
        """Close the connection; the client is told why unless an answer is on its way."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
            body = msgspec.json.encode({"error": error})
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
                body
            )
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
