"""The load side as a program of its own: requests at a pace, or as fast as replies come; one JSON line says what came.

`python -m verilabel.gateway_bench.load` reads one `Work` as JSON from its arguments. It counts a request as answered
only where the reply came whole with the status 200.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from typing import Literal, cast
from urllib.parse import urlsplit

import msgspec

from verilabel.errors import ModelError
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.loops import run_fast

COMPLETIONS = "/v1/chat/completions"
QUESTION = (
    "What is the capital of the country where the river flows through the old town, "
    "and how many people live there?"
)


class Work(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do.

    `paced` sends `count` requests on one connection, `every_ms` apart. `closed` keeps `connections` busy for
    `seconds`, `counted` until `count` requests were sent; with `random_names` each is for another model.
    """

    kind: Literal["paced", "closed", "counted"]
    url: str
    token: str = ""
    stream: bool = False
    every_ms: float = 10.0
    count: int = 100
    connections: int = 1
    seconds: float = 1.0
    random_names: bool = False
    renew_after: int = 0
    """Replies after which a connection is closed and another opened; 0 for never."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came. `latencies_ms` and `first_text_ms` are of paced work."""

    seconds: float
    statuses: dict[int, int]
    broken: int
    latencies_ms: tuple[float, ...] = ()
    first_text_ms: tuple[float, ...] = ()

    @property
    def per_second(self) -> float:
        """Good replies a second."""
        return self.statuses.get(200, 0) / self.seconds


def question_body(*, stream: bool, model: str = "mock-1", question: str = QUESTION) -> bytes:
    """A chat request."""
    return msgspec.json.encode(
        {
            "model": model,
            "messages": [
                {"role": "system", "content": "You are helpful."},
                {"role": "user", "content": question},
            ],
            "temperature": 0.7,
            "stream": stream,
        }
    )


def token_headers(token: str) -> dict[str, str]:
    """The header that carries a key, where there is one."""
    return {"authorization": f"Bearer {token}"} if token else {}


async def pace(work: Work) -> Done:
    """One request after another, each begun on its time."""
    request = request_bytes(
        work.url, COMPLETIONS, question_body(stream=work.stream), token_headers(work.token)
    )
    exchanger = Exchanger(work.url)
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    firsts: list[float] = []
    broken = 0
    began = time.perf_counter()
    for turn in range(work.count):
        await asyncio.sleep(max(0.0, began + turn * work.every_ms / 1000 - time.perf_counter()))
        try:
            reply = await exchanger.send(request)
        except ModelError:
            broken += 1
            continue
        statuses[reply.status] = statuses.get(reply.status, 0) + 1
        if reply.status == 200 and reply.is_whole:
            latencies.append(1000 * reply.total_s)
            firsts += [] if reply.first_text_s is None else [1000 * reply.first_text_s]
    exchanger.close()
    return Done(
        seconds=time.perf_counter() - began,
        statuses=statuses,
        broken=broken,
        latencies_ms=tuple(latencies),
        first_text_ms=tuple(firsts),
    )


class _Tally:
    """What all connections of a closed loop share."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.statuses: dict[int, int] = {}
        self.broken = 0
        self.left = work.count if work.kind == "counted" else sys.maxsize
        self.began = time.perf_counter()
        self.ends = self.began + work.seconds if work.kind == "closed" else float("inf")
        self.last = self.began
        self.headers = token_headers(work.token)
        self.fixed = b"" if work.random_names else self._request("mock-1")

    def _request(self, model: str) -> bytes:
        body = question_body(stream=self.work.stream, model=model)
        return request_bytes(self.work.url, COMPLETIONS, body, self.headers)

    def next_request(self) -> bytes | None:
        """The next request to send, or None where the work is done."""
        if self.left <= 0 or time.perf_counter() >= self.ends:
            return None
        self.left -= 1
        return self.fixed or self._request("m-" + secrets.token_hex(8))

    def take(self, status: int) -> None:
        """A reply has come whole."""
        self.last = time.perf_counter()
        self.statuses[status] = self.statuses.get(status, 0) + 1


class _Busy(asyncio.Protocol):
    """One connection of a closed loop: the next request goes out when the reply to the last has come whole."""

    def __init__(self, tally: _Tally, ended: asyncio.Future[None]) -> None:
        self._tally = tally
        self.ended = ended
        self._answered = 0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # other event loops' transports are no subclass of asyncio's
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0 or not is_whole(buffer, end):
            return
        self._buffer = b""
        self._tally.take(int(buffer[9:12]))
        self._answered += 1
        if b"connection: close" in buffer[:end].lower() or self._answered == self._tally.work.renew_after:
            self._close()
        else:
            self._next()

    def _next(self) -> None:
        request = self._tally.next_request()
        if request is None:
            self._close()
        elif self._transport is not None:
            self._transport.write(request)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def is_whole(buffer: bytes, end: int) -> bool:
    """True if the reply whose head ends at `end` has come to its end; a reply must say where that is."""
    head = buffer[:end].lower()
    at = head.find(b"content-length:")
    if at >= 0:
        return len(buffer) >= end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
    return buffer.endswith(b"\r\n0\r\n\r\n")


async def keep_busy(work: Work) -> Done:
    """As many requests as there are connections, all the time; a connection that ends is opened again."""
    tally = _Tally(work)
    async with asyncio.TaskGroup() as group:
        for _ in range(work.connections):
            group.create_task(_keep_one_busy(tally))
    # a request without a reply is not counted, and ends the time no earlier than the last reply
    return Done(seconds=tally.last - tally.began or 1e-9, statuses=tally.statuses, broken=tally.broken)


async def _keep_one_busy(tally: _Tally) -> None:
    """One connection after another until the work is done."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(tally.work.url)
    while tally.left > 0 and time.perf_counter() < tally.ends:
        answered = sum(tally.statuses.values())
        try:
            _, busy = await loop.create_connection(
                lambda: _Busy(tally, loop.create_future()), parts.hostname or "127.0.0.1", parts.port or 80
            )
            await busy.ended
        except OSError:
            tally.broken += 1
        if sum(tally.statuses.values()) == answered:
            await asyncio.sleep(0.01)


async def carry_out(work: Work) -> Done:
    """Do the work."""
    return await (pace(work) if work.kind == "paced" else keep_busy(work))


async def _main() -> None:
    done = await carry_out(msgspec.json.decode(sys.argv[1], type=Work))
    print(msgspec.json.encode(done).decode(), flush=True)


if __name__ == "__main__":
    run_fast(_main())
