"""A provider that answers with raw bytes, for tests of what bad ones do: the model's name says which."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Answer = bytes | Callable[[socket.socket, bytes], None]
"""Raw bytes after which the connection is closed, or what to do with the connection and the request's bytes."""


@dataclass
class RoughUpstream:
    """A running provider: `answers` by model, `asked` counts the requests of each, `gone` those that were left."""

    answers: dict[str, Answer]
    base_url: str = ""
    asked: dict[str, int] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    sent_bytes: int = 0

    def pour(self, connection: socket.socket, model: str, head: bytes, piece: bytes, most: int) -> None:
        """Send `piece` again and again, at most `most` bytes; note where the reader goes away first."""
        try:
            connection.sendall(head)
            sent = 0
            while sent < most:
                connection.sendall(piece)
                sent += len(piece)
                self.sent_bytes = sent
        except OSError:
            self.gone.append(model)


def whole(body: bytes, *more: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """A whole answer with its length and further header lines."""
    lines = [
        f"HTTP/1.1 {status}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, *more, "", ""]).encode() + body


def streamed(body: bytes, *more: str) -> bytes:
    """An event stream that ends with its connection."""
    lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "connection: close", *more, "", ""]
    return "\r\n".join(lines).encode() + body


def chunk(text: str, finish: str | None = None, **more: Any) -> bytes:
    """One event of a chat stream."""
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    return b"data: " + json.dumps({**head, **more}).encode() + b"\n\n"


@contextmanager
def rough_upstream(answers: dict[str, Answer]) -> Iterator[RoughUpstream]:
    """A running provider."""
    upstream = RoughUpstream(answers)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    upstream.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            data = _read_request(connection)
            if not data:
                return
            model = str(json.loads(data.partition(b"\r\n\r\n")[2])["model"])
            upstream.asked[model] = upstream.asked.get(model, 0) + 1
            answer = upstream.answers[model]
            if isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                answer(connection, data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield upstream
    finally:
        listener.close()


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or b"0")
    parts = [body]
    length = len(body)
    while length < size:
        parts.append(connection.recv(1 << 20))
        length += len(parts[-1])
    return head + b"\r\n\r\n" + b"".join(parts)
