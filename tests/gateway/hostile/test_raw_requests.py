"""Requests that are no proper HTTP: each ends in one clear refusal, and no byte of it becomes another request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from gateway.hostile.raw_client import (
    BODY,
    chunked,
    connect,
    head,
    last_word,
    peak_bytes,
    read_answers,
    resident_bytes,
    tell,
    whole,
)
from servers.gateway_server import RunningGateway, gateway_process, write_gateway
from servers.upstream import Upstream, upstream_server

MIB = 2**20
INNER = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with upstream_server() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    config = write_gateway(tmp_path_factory.mktemp("raw"), upstream.base_url)
    with gateway_process(config) as running:
        yield running


def test_the_client_of_these_tests_is_understood(gateway: RunningGateway, upstream: Upstream) -> None:
    before = len(upstream.requests)
    heard = tell(gateway.url, whole(), head("transfer-encoding: chunked") + chunked())
    assert ([200, 200], False, before + 2) == (heard.statuses, heard.is_closed, len(upstream.requests))


AMBIGUOUS = {
    "a length and chunks": whole("transfer-encoding: chunked", body=chunked()),
    "chunks and a length": head("transfer-encoding: chunked", "content-length: 5") + chunked(),
    "two lengths": whole("content-length: 5"),
    "one length twice": whole(f"content-length: {len(BODY)}"),
    "a list of lengths": head(f"content-length: {len(BODY)}, {len(BODY)}") + BODY,
    "a length with a sign": head(f"content-length: +{len(BODY)}") + BODY,
    "a negative length": head("content-length: -1") + BODY,
    "a length in another base": head("content-length: 0x10") + BODY,
    "a length beyond all numbers": head("content-length: " + "9" * 40) + BODY,
    "an unknown coding": head("transfer-encoding: xchunked") + chunked(),
    "a coding under chunks": head("transfer-encoding: gzip, chunked") + chunked(),
    "two codings": head("transfer-encoding: chunked", "transfer-encoding: identity") + chunked(),
    "a space before the colon": whole("transfer-encoding : chunked", body=chunked()),
    "a tabulator before the coding": head("transfer-encoding: \x0bchunked") + chunked(),
    "a folded header": whole("x-a: b\r\n c"),
    "bare line feeds": whole().replace(b"\r\n", b"\n"),
    "a bare line feed in the head": whole("x-a: b\nx-c: d"),
    "a bare carriage return": whole("x-a: b\rx-c: d"),
    "a zero byte in a value": whole("x-a: b\x00c"),
    "a zero byte in a name": whole("x-\x00a: b"),
    "chunks that end in line feeds": head("transfer-encoding: chunked") + chunked().replace(b"\r\n", b"\n"),
    "a chunk without a length": head("transfer-encoding: chunked") + b"zz\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk beyond all numbers": head("transfer-encoding: chunked") + b"f" * 18 + b"\r\n" + BODY,
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100,
    "an address that is no text": b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_request_that_two_readers_could_read_in_two_ways_is_refused(
    gateway: RunningGateway, upstream: Upstream, case: str
) -> None:
    before = len(upstream.requests)
    heard = tell(gateway.url, AMBIGUOUS[case])
    assert ([400], before) == (heard.statuses[:1], len(upstream.requests))
    assert heard.codes[0] in ("malformed_http", "transfer_encoding")


@pytest.mark.parametrize(
    "name",
    ["authorization", "x-api-key", "host", "content-type", "content-encoding", "x-verilabel-approval"],
)
def test_a_header_that_decides_something_may_not_stand_twice(
    gateway: RunningGateway, upstream: Upstream, name: str
) -> None:
    before = len(upstream.requests)
    heard = tell(gateway.url, whole(f"{name}: identity", f"{name}: localhost"))
    assert ([400], ["header_repeated"], before) == (heard.statuses, heard.codes, len(upstream.requests))


@pytest.mark.parametrize(
    "stated", ["upgrade: h2c", "upgrade: websocket", "upgrade: h2c\r\nhttp2-settings: AAMAAABk"]
)
def test_a_body_behind_an_offer_to_change_protocols_stays_a_body(
    gateway: RunningGateway, upstream: Upstream, stated: str
) -> None:
    # clients of Java offer h2c on every request; a body read as the next request is how requests are smuggled
    heard = tell(gateway.url, head("connection: upgrade", stated, f"content-length: {len(INNER)}"), INNER)
    assert ([400], ["invalid_json"]) == (heard.statuses, heard.codes)
    assert b"verilabel_" not in heard.data
    for parts in (
        (whole("connection: Upgrade, HTTP2-Settings", stated),),
        (head("connection: upgrade", stated, f"content-length: {len(BODY)}"), BODY),
    ):
        before = len(upstream.requests)
        heard = tell(gateway.url, *parts)
        assert ([200], before + 1) == (heard.statuses, len(upstream.requests))
    heard = tell(
        gateway.url, head("connection: upgrade", stated, "transfer-encoding: chunked"), chunked(), whole()
    )
    assert [200, 200] == heard.statuses


def test_trailers_behind_a_body_are_no_headers(gateway: RunningGateway) -> None:
    trailer = b"x-verilabel-approval: ap_of_another\r\n"
    assert [404] == tell(gateway.url, whole(trailer.decode().strip())).statuses
    heard = tell(gateway.url, head("transfer-encoding: chunked") + chunked(trailer=trailer))
    assert [200] == heard.statuses


def test_requests_sent_ahead_are_answered_in_their_order(gateway: RunningGateway) -> None:
    streamed = json.dumps({**json.loads(BODY), "stream": True}).encode()
    heard = tell(
        gateway.url, whole() + whole(body=streamed) + whole(body=b"{}") + whole(path="/v1/nothing") + whole()
    )
    assert [200, 200, 400, 404, 200] == heard.statuses


@pytest.mark.parametrize(
    "endless",
    [b"x-a: " + b"y" * (MIB // 16), b"x-a: y\r\n" * (MIB // 16), b"x-%d: y\r\n" % 7 * (MIB // 16)],
    ids=["one long header", "many headers", "one header again and again"],
)
def test_a_head_without_end_is_refused_in_bounded_memory(gateway: RunningGateway, endless: bytes) -> None:
    before = peak_bytes(gateway.process.pid)
    with connect(gateway.url) as connection:
        connection.sendall(head()[:-2])
        with suppress(ConnectionError):
            for _ in range(400):
                connection.sendall(endless)
        answers = read_answers(connection)
    # a client that does not read while it sends may see its connection reset instead of the answer
    assert all(answer.startswith(b"HTTP/1.1 431 ") for answer in answers)
    assert peak_bytes(gateway.process.pid) - before < 8 * MIB
    assert 200 == gateway.ask("/health/live", method="GET")[0]


def test_trailers_without_end_are_refused_in_bounded_memory(gateway: RunningGateway) -> None:
    before = peak_bytes(gateway.process.pid)
    with connect(gateway.url) as connection:
        connection.sendall(head("transfer-encoding: chunked") + chunked()[:-2] + b"x-a: ")
        with pytest.raises(ConnectionError):
            for _ in range(400):
                connection.sendall(b"y" * (MIB // 16))
    assert peak_bytes(gateway.process.pid) - before < 8 * MIB


@pytest.mark.parametrize("stated", [[], ["expect: 100-continue"]], ids=["at once", "asked first"])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(
    gateway: RunningGateway, stated: list[str]
) -> None:
    with connect(gateway.url) as connection:
        connection.sendall(head(*stated, f"content-length: {10 * MIB}"))
        (answer,) = read_answers(connection)  # not a byte of the body was sent, and the connection is closed
    assert answer.startswith(b"HTTP/1.1 413 ") and b"body_too_large" in answer


def test_a_body_in_chunks_is_cut_off_at_the_limit_in_bounded_memory(gateway: RunningGateway) -> None:
    before = peak_bytes(gateway.process.pid)
    with connect(gateway.url) as connection:
        connection.sendall(head("transfer-encoding: chunked"))
        with pytest.raises(ConnectionError):
            for _ in range(100_000):
                connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
    assert peak_bytes(gateway.process.pid) - before < 40 * MIB
    assert "body_too_large" == gateway.records()[-1]["code"]


def test_a_refused_request_may_say_a_great_body_of_which_nothing_is_kept(gateway: RunningGateway) -> None:
    before = peak_bytes(gateway.process.pid)
    with connect(gateway.url) as connection:
        connection.sendall(head("content-encoding: gzip", f"content-length: {8 * MIB}"))
        with suppress(ConnectionError):
            for _ in range(128):
                connection.sendall(b" " * 65536)
            connection.sendall(last_word(gateway.url))
        answers = read_answers(connection)
    assert answers[0].startswith(b"HTTP/1.1 415 ")
    assert peak_bytes(gateway.process.pid) - before < 8 * MIB


def test_a_thousand_connections_that_say_nothing_keep_nobody_out(gateway: RunningGateway) -> None:
    before = resident_bytes(gateway.process.pid)
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(gateway.url)) for _ in range(1000)]
        for i, connection in enumerate(connections):
            connection.sendall(whole()[: i % 200])
        assert 200 == gateway.ask(data=BODY)[0]
        assert resident_bytes(gateway.process.pid) - before < 48 * MIB
        finished = [connection for i, connection in enumerate(connections) if i % 200 == 150]
        for connection in finished:
            connection.sendall(whole()[150:])
            assert connection.recv(12) == b"HTTP/1.1 200"


def test_many_clients_at_once_are_all_answered(gateway: RunningGateway) -> None:
    statuses: list[int] = []

    def ask() -> None:
        for _ in range(8):
            statuses.append(gateway.ask(data=BODY)[0])

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [200] * 320 == statuses
