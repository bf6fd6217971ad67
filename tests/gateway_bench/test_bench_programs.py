"""The bench's programs as processes: the upstream does as it is told, the load counts, the probe sees stalls."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from verilabel.errors import ModelError, SandboxError
from verilabel.gateway_bench.busy import read_wrk
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.gateway_bench.load import COMPLETIONS, Work, carry_out, is_whole, question_body
from verilabel.gateway_bench.mock import split_body
from verilabel.gateway_bench.probe import probe
from verilabel.gateway_bench.programs import Server, own_module, run_program, serving, two_cpus
from verilabel.gateway_bench.received import received_texts
from verilabel.gateway_bench.scenario import Scenario


@contextlib.asynccontextmanager
async def mock_upstream(folder: Path) -> AsyncIterator[Server]:
    started = serving("mock", own_module("mock"), folder=folder, cpu=two_cpus()[1], health="/v1/models")
    async with started as server:
        yield server


async def set_scenario(server: Server, scenario: Scenario) -> None:
    exchanger = Exchanger(server.url)
    await exchanger.send(request_bytes(server.url, "/scenario", msgspec.json.encode(scenario), method="PUT"))
    exchanger.close()


@pytest.mark.parametrize("burst", [True, False])
async def test_the_upstream_says_the_scenario_whole_and_streamed(tmp_path: Path, burst: bool) -> None:
    async with mock_upstream(tmp_path) as server:
        await set_scenario(server, Scenario(content="Grüße 世界", sizes=(1, 2), burst=burst))
        exchanger = Exchanger(server.url)
        for stream in (False, True):
            reply = await exchanger.send(request_bytes(server.url, COMPLETIONS, question_body(stream=stream)))
            assert (200, True) == (reply.status, reply.is_whole)
            assert "Grüße 世界" in received_texts(reply.body)
        seen = await exchanger.send(request_bytes(server.url, "/seen", b"", method="GET"))
        assert {"requests": 2} == msgspec.json.decode(seen.body)
        exchanger.close()
        assert server.start_s > 0
        assert server.rss_mb() > 5
        assert server.cpu_us() > 1000


def test_a_request_in_chunks_is_put_together_and_one_that_is_not_all_there_waits() -> None:
    head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked"
    body = b"\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\nGET"
    assert (b"abcdef", b"GET") == split_body(head + body, len(head))
    assert split_body(head + body[:-6], len(head))[0] is None
    assert (b"xy", b"z") == split_body(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nxyz", 34)


async def test_the_load_program_times_each_paced_request_and_the_first_text_of_streams(
    tmp_path: Path,
) -> None:
    async with mock_upstream(tmp_path) as server:
        await set_scenario(server, Scenario(pause_ms=1.0, burst=False))
        work = Work(kind="paced", url=server.url, count=3, every_ms=1.0, stream=True)
        done = await carry_out(work)
        assert {200: 3} == done.statuses
        assert 3 == len(done.latencies_ms) == len(done.first_text_ms)
        # the text goes on for 64 pauses after its first characters
        assert all(first < total for first, total in zip(done.first_text_ms, done.latencies_ms, strict=True))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_load_program_sends_as_many_requests_as_it_counts(tmp_path: Path, stream: bool) -> None:
    async with mock_upstream(tmp_path) as server:
        work = Work(
            kind="counted",
            url=server.url,
            count=60,
            connections=4,
            random_names=True,
            stream=stream,
            renew_after=7,
        )
        line = await run_program(
            own_module("load", msgspec.json.encode(work).decode()), folder=tmp_path, cpu=two_cpus()[1]
        )
        assert {"200": 60} == msgspec.json.decode(line)["statuses"]
        exchanger = Exchanger(server.url)
        seen = await exchanger.send(request_bytes(server.url, "/seen", b"", method="GET"))
        exchanger.close()
        assert {"requests": 60} == msgspec.json.decode(seen.body)


def test_a_reply_is_whole_only_at_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked"
    assert not is_whole(head + b"\r\n\r\n1\r\na\r\n", len(head))
    assert is_whole(head + b"\r\n\r\n1\r\na\r\n0\r\n\r\n", len(head))
    fixed = b"HTTP/1.1 200 OK\r\nContent-Length: 3"
    assert not is_whole(fixed + b"\r\n\r\nab", len(fixed))
    assert is_whole(fixed + b"\r\n\r\nabc", len(fixed))


@contextlib.contextmanager
def halting_server(halt_s: float) -> Iterator[int]:
    """Answers everything at once, but the tenth question only after a while."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            count = 0
            while connection.recv(4096):
                count += 1
                if count == 10:
                    time.sleep(halt_s)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield listener.getsockname()[1]


def test_a_stall_is_seen_in_its_whole_length(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = socket.socketpair()
    with halting_server(0.05) as port, reading, writing, reading.makefile() as idle:
        monkeypatch.setattr("sys.stdin", idle)
        found = probe("127.0.0.1", port, "/health", stop_at=time.perf_counter() + 0.3)
    assert found.worst_ms >= 50
    assert found.questions > 10
    assert 0 == found.unanswered


async def test_a_program_that_ends_before_it_answers_is_named_with_what_it_said(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo listening on http://127.0.0.1:9; echo no room >&2; exit 3"]
    with pytest.raises(SandboxError, match="shop does not start"):
        async with serving("shop", command, folder=tmp_path, cpu=two_cpus()[0], health="/"):
            raise AssertionError("it runs")
    with pytest.raises(SandboxError, match="ended with status 3"):
        await run_program(["sh", "-c", "exit 3"], folder=tmp_path, cpu=two_cpus()[0])


async def test_a_server_that_sends_nothing_is_no_reply() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ModelError, match="no reply"):
        await Exchanger(f"http://127.0.0.1:{port}").send(b"GET / HTTP/1.1\r\n\r\n")
    server.close()


def test_what_wrk_prints_is_read_and_refusals_are_no_speed() -> None:
    printed = "  2000 requests in 1.00s, 1.3MB read\nRequests/sec:   1999.10\nTransfer/sec: 1MB"
    assert (2000, 1999.10) == read_wrk(printed)
    with pytest.raises(SandboxError, match="Non-2xx"):
        read_wrk(printed + "\n  Non-2xx or 3xx responses: 4")
    with pytest.raises(SandboxError, match="Socket errors"):
        read_wrk(printed + "\n  Socket errors: connect 0, read 9, write 0, timeout 0")
    assert (0, 0.0) == read_wrk("")
