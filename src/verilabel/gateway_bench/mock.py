"""The mock upstream: one asyncio protocol that answers as it is told, fast enough not to be what is measured.

`python -m verilabel.gateway_bench.mock` takes a free port, prints `ready PORT` and serves. PUT /scenario sets what is
answered (`Scenario` as JSON), GET /seen counts requests; every POST is answered, as a stream where it asks for one.
"""

from __future__ import annotations

import asyncio
from typing import cast

import msgspec

from verilabel.gateway_bench.scenario import MODEL, Scenario, stream_events, whole_reply

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_STREAM_END = b"0\r\n\r\n"


class Answers:
    """The answers of the present scenario, encoded once."""

    def __init__(self, scenario: Scenario) -> None:
        self.set(scenario)
        self.requests = 0

    def set(self, scenario: Scenario) -> None:
        """Answer so from now on."""
        self.pause_s = scenario.pause_ms / 1000
        self.whole = json_response(whole_reply(scenario))
        self.chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in stream_events(scenario)]
        self.burst = _STREAM_HEAD + b"".join(self.chunks) + _STREAM_END if scenario.burst else b""


def json_response(body: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole HTTP/1.1 response."""
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
        + body
    )


_MODELS = json_response(msgspec.json.encode({"object": "list", "data": [{"id": MODEL, "object": "model"}]}))


def asks_for_stream(body: bytes) -> bool:
    """True if a request's body asks for a stream, as clients write it."""
    return b'"stream":true' in body or b'"stream": true' in body


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests are answered in the order they come."""

    def __init__(self, answers: Answers, loop: asyncio.AbstractEventLoop) -> None:
        self._answers = answers
        self._loop = loop
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        # other event loops' transports are no subclass of asyncio's
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: what is being streamed ends."""
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take as many requests as have come."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        body, rest = split_body(buffer, end)
        if body is None:
            return False
        self._buffer = rest
        self._answer(buffer[:16], body)
        return True

    def _answer(self, start: bytes, body: bytes) -> None:
        answers, transport = self._answers, self._transport
        if transport is None:
            return
        if start.startswith(b"POST"):
            answers.requests += 1
            if not asks_for_stream(body):
                transport.write(answers.whole)
            elif answers.burst and not answers.pause_s:
                transport.write(answers.burst)
            else:
                transport.write(_STREAM_HEAD)
                self._write_chunk(answers.chunks, answers.pause_s, 0)
        elif start.startswith(b"PUT"):
            answers.set(msgspec.json.decode(body, type=Scenario))
            transport.write(json_response(b"{}"))
        elif start.startswith(b"GET /seen"):
            transport.write(json_response(b'{"requests":%d}' % answers.requests))
        else:
            transport.write(_MODELS)

    def _write_chunk(self, chunks: list[bytes], pause_s: float, at: int) -> None:
        transport = self._transport
        if transport is None:
            return
        transport.write(chunks[at])
        at += 1
        if at == len(chunks):
            transport.write(_STREAM_END)
        elif pause_s and at > 1:  # the role and the first text come together, as from a model that has begun
            self._loop.call_later(pause_s, self._write_chunk, chunks, pause_s, at)
        else:
            self._loop.call_soon(self._write_chunk, chunks, pause_s, at)


def split_body(buffer: bytes, end: int) -> tuple[bytes | None, bytes]:
    """The body of the request whose head ends at `end`, and what follows it; None where it has not come yet."""
    head = buffer[:end].lower()
    at = head.find(b"content-length:")
    if at >= 0:
        size = int(head[at + 15 :].split(b"\r\n", 1)[0])
        stop = end + 4 + size
        return (buffer[end + 4 : stop], buffer[stop:]) if len(buffer) >= stop else (None, buffer)
    if b"transfer-encoding: chunked" in head:
        return _split_chunked(buffer, end + 4)
    return b"", buffer[end + 4 :]


def _split_chunked(buffer: bytes, at: int) -> tuple[bytes | None, bytes]:
    parts: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None, buffer
        size = int(buffer[at:line].split(b";", 1)[0], 16)
        stop = line + 2 + size + 2
        if len(buffer) < stop:
            return None, buffer
        if size == 0:
            return b"".join(parts), buffer[stop:]
        parts.append(buffer[line + 2 : stop - 2])
        at = stop


async def serve() -> None:
    """Serve on a free port of the loopback until ended."""
    loop = asyncio.get_running_loop()
    answers = Answers(Scenario())
    server = await loop.create_server(lambda: Connection(answers, loop), "127.0.0.1", 0, backlog=4096)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Run on uvloop where it is installed."""
    from verilabel.gateway_bench.loops import run_fast

    run_fast(serve())


if __name__ == "__main__":
    main()
