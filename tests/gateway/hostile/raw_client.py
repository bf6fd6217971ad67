"""A client of raw bytes: it sends what no library would, and reads what comes until the connection ends or rests."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
CHAT = "/v1/chat/completions"


class Heard(NamedTuple):
    """Statuses and error codes of the answers in order, and whether the gateway closed the connection."""

    statuses: list[int]
    codes: list[str]
    is_closed: bool
    data: bytes


def connect(url: str, *, timeout_s: float = 20.0, receive_buffer: int | None = None) -> socket.socket:
    """A connection to the gateway."""
    place = urlsplit(url)
    assert place.hostname is not None and place.port is not None
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(timeout_s)
    connection.connect((place.hostname, place.port))
    return connection


def head(*lines: str, path: str = CHAT, method: str = "POST") -> bytes:
    """The head of a request with these further lines."""
    usual = [f"{method} {path} HTTP/1.1", "host: localhost", "content-type: application/json"]
    return "\r\n".join([*usual, *lines, "", ""]).encode("latin-1")


def whole(*lines: str, body: bytes = BODY, path: str = CHAT) -> bytes:
    """A request with its length."""
    return head(*lines, f"content-length: {len(body)}", path=path) + body


def chunked(body: bytes = BODY, *, trailer: bytes = b"") -> bytes:
    """A body in one chunk."""
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailer)


def last_word(url: str) -> bytes:
    """A request whose answer ends the connection: what is read before it answers what was sent before it."""
    return b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


def tell(url: str, data: bytes, *more: bytes) -> Heard:
    """Send the parts, each once the one before was taken, and a last request; hear all answers.

    The last request's own answer is left out where the connection lasted until it.
    """
    with connect(url) as connection:
        with suppress(OSError):
            for part in (data, *more, last_word(url)):
                connection.sendall(part)
        answers = read_answers(connection)
    is_closed = not answers or b'{"status":"live"}' not in answers[-1]
    own = answers if is_closed else answers[:-1]
    return Heard([_status(each) for each in own], [_code(each) for each in own], is_closed, b"".join(own))


def read_answers(connection: socket.socket) -> list[bytes]:
    """What the gateway says until it closes the connection, answer by answer."""
    data = b""
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            data += part
    found = data.split(b"HTTP/1.1 ")
    return [b"HTTP/1.1 " + each for each in found[1:]]


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _code(answer: bytes) -> str:
    body = answer.partition(b"\r\n\r\n")[2]
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["error"]["code"])
    return ""


def resident_bytes(pid: int) -> int:
    """The memory a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def peak_bytes(pid: int) -> int:
    """The most memory a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
