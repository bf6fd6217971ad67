"""Asks a gateway every millisecond whether it lives, from a process of its own, and keeps the slowest answers.

`python -m verilabel.gateway_bench.probe HOST PORT PATH` prints `ready` and asks until a line comes in; then it prints
one JSON line. A question that is late counts from when it should have been asked: a stall cannot hide by stopping
the questions.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable

import msgspec

EVERY_S = 0.001
TIMEOUT_S = 120.0
MAX_UNANSWERED = 100


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """Delays in milliseconds: of the median question and of the slowest."""

    questions: int
    median_ms: float
    worst_ms: float
    unanswered: int


def probe(
    host: str,
    port: int,
    path: str,
    *,
    begin: Callable[[], None] = lambda: None,
    stop_at: float = float("inf"),
) -> Probed:
    """Ask until a line comes in on standard input, or until the time; at least once after `begin` was called.

    `begin` is called when the first question, which does not count, was answered.
    """
    request = f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode()
    delays: list[float] = []
    unanswered = 0
    connection = _connect(host, port)
    connection.sendall(request)
    _read_reply(connection)
    begin()
    due = time.perf_counter()
    while not delays or (time.perf_counter() < stop_at and not select.select([sys.stdin], [], [], 0)[0]):
        try:
            connection.sendall(request)
            _read_reply(connection)
            delays.append(1000 * (time.perf_counter() - due))
        except (OSError, ValueError):
            unanswered += 1
            if unanswered > MAX_UNANSWERED:
                break
            connection.close()
            connection = _connect(host, port)
        now = time.perf_counter()
        due = max(due + EVERY_S, now)
        time.sleep(due - now)
    delays.sort()
    return Probed(
        questions=len(delays),
        median_ms=delays[len(delays) // 2] if delays else 0.0,
        worst_ms=delays[-1] if delays else 0.0,
        unanswered=unanswered,
    )


def _connect(host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _read_reply(connection: socket.socket) -> None:
    """Read one whole reply. Raises ValueError where the connection ends in it."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _some(connection)
    head = data[:end].lower()
    at = head.find(b"content-length:")
    if at >= 0:
        missing = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0]) - len(data)
        while missing > 0:
            missing -= len(_some(connection))
    else:
        while not data.endswith(b"0\r\n\r\n"):
            data += _some(connection)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ValueError("the connection ended")
    return data


def main() -> None:
    """Probe as the arguments say."""
    host, port, path = sys.argv[1:4]
    found = probe(host, int(port), path, begin=lambda: print("ready", flush=True))
    print(msgspec.json.encode(found).decode(), flush=True)


if __name__ == "__main__":
    main()
