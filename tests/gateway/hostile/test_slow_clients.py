"""Clients that are slow, go away or stop listening: none holds a connection, an upstream or memory for ever."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest
import uvicorn

from gateway.hostile.raw_client import BODY, CHAT, connect, head, peak_bytes, read_answers, whole
from gateway.hostile.waiting import until
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.rough_upstream import RoughUpstream, chunk, rough_upstream, streamed
from servers.upstream import Upstream, upstream_server
from verilabel.gateway.connection import ClientConnection

MIB = 2**20


class Served(NamedTuple):
    """Where the application is, and whether an endless answer of it has ended."""

    url: str
    ended: threading.Event


class Impatient(ClientConnection):
    """The gateway's own connection, looked after more often, so that a test need not wait."""

    look_every_s = 0.05


async def _wait_for_end(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def served() -> Iterator[Served]:
    """An application that answers with the length of the body, behind the gateway's own connections."""
    ended = threading.Event()

    async def count_body(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            watching = asyncio.create_task(_wait_for_end(receive))
            while not watching.done():
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            ended.set()
            return
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message["body"])
            more = message["more_body"]
        said = str(size).encode()
        length = (b"content-length", b"%d" % len(said))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": said})

    config = uvicorn.Config(count_body, http=Impatient, lifespan="off", log_level="error", ws="none")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", ended)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def impatient() -> Iterator[Served]:
    with served() as url:
        yield url


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST ",
        head()[:-2],
        head("content-length: 100"),
        head("content-length: 100") + b"{",
        head("transfer-encoding: chunked") + b"5\r\nhello",
    ],
    ids=["nothing", "half a line", "half a head", "no body", "half a body", "half the chunks"],
)
def test_a_client_that_stops_in_the_middle_of_its_request_is_let_go(impatient: Served, begun: bytes) -> None:
    with connect(impatient.url) as connection:
        connection.sendall(begun)
        (answer,) = read_answers(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"request_too_slow" in answer


@pytest.mark.parametrize("begun", [head()[:-2] + b"x-slow: ", head("content-length: 1000000")])
def test_a_client_that_drips_its_request_is_let_go(impatient: Served, begun: bytes) -> None:
    with connect(impatient.url, timeout_s=0.02) as connection:
        connection.sendall(begun)
        heard = b""
        with suppress(ConnectionError):
            while True:
                with suppress(TimeoutError):
                    connection.sendall(b"y")
                    if not (part := connection.recv(65536)):
                        break
                    heard += part
    assert heard.startswith(b"HTTP/1.1 408 ") or not heard


def test_a_connection_that_was_answered_may_rest(impatient: Served) -> None:
    with connect(impatient.url) as connection:
        for _ in range(3):
            connection.sendall(whole(body=b"12345"))
            heard = b""
            while not heard.endswith(b"\r\n\r\n5"):
                heard += connection.recv(65536)
            with connect(impatient.url) as other:  # time passes until this one is let go
                assert read_answers(other)
        connection.sendall(whole(body=b"1234"))
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_client_that_takes_nothing_of_its_answer_is_let_go(impatient: Served) -> None:
    with connect(impatient.url, receive_buffer=4096) as connection:
        connection.sendall(head(path="/endless", method="GET"))
        assert impatient.ended.wait(20)


# --- clients of a real gateway


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def rough() -> Iterator[RoughUpstream]:
    with rough_upstream({}) as running:
        piece = chunk("word " * 200)
        running.answers["endless"] = lambda connection, _: running.pour(
            connection, "endless", streamed(b""), piece, 2**30
        )
        yield running


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, rough: RoughUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    config = write_gateway(
        tmp_path_factory.mktemp("slow"),
        upstream.base_url,
        policy={"guards": [{"id": "pii", "use": "pii", "action": "redact"}]},
        upstreams=[
            {"id": "main", "base_url": upstream.base_url, "retries": 0},
            {"id": "rough", "base_url": rough.base_url, "retries": 0},
        ],
        models=[
            {"name": "endless", "to": [{"upstream": "rough"}]},
            {"name": "*", "to": [{"upstream": "main"}]},
        ],
    )
    with gateway_process(config) as running:
        yield running


def _request(model: str, *, stream: bool) -> bytes:
    return whole(body=json.dumps({**json.loads(BODY), "model": model, "stream": stream}).encode())


@pytest.mark.parametrize(("model", "stream"), [("slow", False), ("slow", True), ("silent", True)])
def test_where_the_client_goes_away_the_upstream_is_let_go_and_it_is_recorded(
    gateway: RunningGateway, upstream: Upstream, model: str, stream: bool
) -> None:
    before, asked = upstream.cancelled, len(upstream.requests)
    with connect(gateway.url) as connection:
        connection.sendall(_request(model, stream=stream))
        assert until(lambda: len(upstream.requests) > asked)
    assert until(lambda: upstream.cancelled == before + 1)
    assert until(lambda: gateway.records()[-1]["outcome"] == "abandoned")


def test_a_client_that_goes_away_in_a_stream_ends_it_at_the_upstream(
    gateway: RunningGateway, rough: RoughUpstream
) -> None:
    with connect(gateway.url) as connection:
        connection.sendall(_request("endless", stream=True))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert until(lambda: rough.gone == ["endless"])
    assert until(lambda: gateway.records()[-1]["outcome"] == "abandoned")
    rough.gone.clear()


def test_a_client_that_stops_reading_stops_the_upstream_in_bounded_memory(
    gateway: RunningGateway, rough: RoughUpstream
) -> None:
    before = peak_bytes(gateway.process.pid)
    with connect(gateway.url, receive_buffer=4096) as connection:
        connection.sendall(_request("endless", stream=True))
        connection.recv(1)
        rested, last = 0, -1
        while rested < 20:  # until nothing more is taken from the upstream
            assert 200 == gateway.ask("/health/live", method="GET")[0]
            rested = rested + 1 if rough.sent_bytes == last else 0
            last = rough.sent_bytes
            threading.Event().wait(0.02)
        assert rough.sent_bytes < 32 * MIB
        assert peak_bytes(gateway.process.pid) - before < 24 * MIB
    assert until(lambda: rough.gone == ["endless"])


def test_a_client_that_goes_away_before_its_body_is_whole_is_not_asked_for(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    before = len(upstream.requests)
    with connect(gateway.url) as connection:
        connection.sendall(head("content-length: 1000") + b"{")
    assert 200 == gateway.ask(CHAT, json.loads(BODY))[0]
    assert before + 1 == len(upstream.requests)
    assert until(lambda: "abandoned" in [each["outcome"] for each in gateway.records()[-2:]])
