"""An OpenAI-compatible server in a thread that answers by a function of the prompt, for scripted models and judges."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = str | int
"""The text of an answer, or the status of a failure."""


@dataclass
class Answering:
    """A running server: where it is, and of every request the last user turn and the credentials, as they came."""

    base_url: str = ""
    prompts: list[str] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)


@contextmanager
def answering_server(reply: Callable[[str], Reply]) -> Iterator[Answering]:
    """Serve on the loopback until the block ends; `reply` is called with the last user turn."""
    server = Answering()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            turns = json.loads(self.rfile.read(size))["messages"]
            prompt = next(turn["content"] for turn in reversed(turns) if turn["role"] == "user")
            server.prompts.append(prompt)
            server.credentials.append(self.headers["authorization"])
            said = reply(prompt)
            self._write(said if isinstance(said, int) else 200, _body(said))

        def _write(self, status: int, body: bytes) -> None:
            head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            retry = "retry-after: 0\r\n" if status != 200 else ""
            self.wfile.write((head + retry + "\r\n").encode() + body)

        def handle(self) -> None:
            with suppress(ConnectionError):  # a run that gives up closes what is in flight
                super().handle()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.base_url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            http.shutdown()


def _body(said: Reply) -> bytes:
    if isinstance(said, int):
        return json.dumps({"error": {"message": "scripted failure", "type": "scripted"}}).encode()
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return json.dumps({"model": "scripted-1", "choices": [choice], "usage": usage}).encode()
