"""Administration under bad input: a decision that could be read in two ways is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.hostile.raw_client import connect, head, peak_bytes, read_answers
from servers.gateway_server import RunningGateway, gateway_process, write_gateway

MIB = 2**20
DECISION = "/verilabel/api/approvals/ap_x/decision"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("office")
    config = write_gateway(folder, "http://127.0.0.1:9/v1", auth="keys")
    command = [sys.executable, "-m", "verilabel", "gateway", "keys", "create", "--name", "boss", "--json"]
    command += ["--role", "admin", "--store", str(folder / "gateway.db")]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    with gateway_process(config) as running:
        yield running, {"authorization": f"Bearer {made['token']}"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"verdict":"deny","reason":"x","verdict":"approve"}',
        b'{"verdict":"deny","reason":"x","\\u0076erdict":"approve"}',
        b'{"verdict":"approve","reason":NaN}',
        b'{"verdict":"approve","reason":"\xff"}',
        b'{"verdict":"approve","reason":"x","more":1}',
        b'{"verdict":"maybe","reason":"x"}',
        b"[" * 60_000,
        b'["approve"]',
        b"",
    ],
)
def test_a_decision_that_cannot_be_read_in_one_way_is_refused(
    office: tuple[RunningGateway, dict[str, str]], body: bytes
) -> None:
    gateway, boss = office
    status, _, data = gateway.ask(DECISION, data=body, headers=boss)
    assert (400, False) == (status, b"internal" in data)
    assert 404 == gateway.ask(DECISION, {"verdict": "approve", "reason": "x"}, headers=boss)[0]


def test_a_key_whose_name_stands_twice_is_not_made(office: tuple[RunningGateway, dict[str, str]]) -> None:
    gateway, boss = office
    assert 400 == gateway.ask("/verilabel/api/keys", data=b'{"name":"a","name":"b"}', headers=boss)[0]
    listed = gateway.ask("/verilabel/api/keys", headers=boss, method="GET")[2]
    assert b'"boss"' in listed and b'"b"' not in listed


@pytest.mark.parametrize("has_key", [False, True])
def test_a_great_body_is_refused_in_bounded_memory(
    office: tuple[RunningGateway, dict[str, str]], has_key: bool
) -> None:
    gateway, boss = office
    before = peak_bytes(gateway.process.pid)
    stated = [f"authorization: {boss['authorization']}"] if has_key else []
    with connect(gateway.url) as connection:
        connection.sendall(head(*stated, "transfer-encoding: chunked", "connection: close", path=DECISION))
        with suppress(ConnectionError):
            for _ in range(600):
                connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        answers = read_answers(connection)
    assert all(answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 401 ")) for answer in answers)
    assert peak_bytes(gateway.process.pid) - before < 8 * MIB
