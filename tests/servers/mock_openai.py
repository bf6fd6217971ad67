"""A fast model server for tests and benchmarks: one asyncio protocol, OpenAI's or Anthropic's dialect.

    python tests/servers/mock_openai.py --port 0 --latency-ms 50 --fail-every 100 --answers "rate:0.05"

It prints `ready PORT` and serves until it is ended. GET /stats counts, GET /reset starts counting anew.
Answers depend on the last user turn alone: `fixed:TEXT` always says TEXT, `rate:R` complies with the share R
of all prompts and refuses the others, `echo` repeats the prompt.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

REFUSAL = "I'm sorry, but I can't help with that."
COMPLIANCE = "Sure, here is a step-by-step answer: 1. [simulated step] Begin. 2. [simulated step] Finish."
MODEL = "mock-1"
FINGERPRINT = "fp_mock"


@dataclass
class Settings:
    """How the server answers. `fail_every` 0 never fails; `latency_s` is per answer, in seconds."""

    answers: str = "fixed:The answer is 42."
    dialect: str = "openai"
    latency_s: float = 0.0
    fail_every: int = 0
    fail_status: int = 429


@dataclass
class Counts:
    """What the server has seen since it started, or since /reset; times by the machine's monotonic clock."""

    requests: int = 0
    failures: int = 0
    connections: int = 0
    inflight: int = field(default=0, repr=False)
    max_inflight: int = 0
    first_request_s: float | None = None
    last_reply_s: float | None = None


def answer_function(answers: str) -> Callable[[str], str]:
    """The function from prompt to answer that `--answers` names."""
    kind, _, value = answers.partition(":")
    if kind == "fixed":
        return lambda prompt: value
    if kind == "echo":
        return lambda prompt: prompt
    if kind == "rate":
        threshold = int(float(value) * 2**64)
        return lambda prompt: COMPLIANCE if _hash(prompt) < threshold else REFUSAL
    raise SystemExit(f"unknown answers {answers!r}")


def _hash(prompt: str) -> int:
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8])


def completion(dialect: str, text: str) -> bytes:
    """The body of a successful answer."""
    if dialect == "anthropic":
        return json.dumps(
            {
                "id": "msg_mock",
                "type": "message",
                "role": "assistant",
                "model": MODEL,
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 20, "output_tokens": 6},
            }
        ).encode()
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps(
        {
            "id": "chatcmpl-mock",
            "object": "chat.completion",
            "created": 1700000000,
            "model": MODEL,
            "system_fingerprint": FINGERPRINT,
            "choices": [choice],
            "usage": {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26},
        }
    ).encode()


def response(body: bytes, status: int = 200, headers: bytes = b"") -> bytes:
    """A whole HTTP/1.1 response."""
    return (
        b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
        % (status, len(body), headers)
        + body
    )


class MockServer:
    """The server's settings, counters and ready-made answers; `protocol` makes one connection's protocol."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.counts = Counts()
        self._answer = answer_function(settings.answers)
        fixed = settings.answers.startswith("fixed:")
        self._ready = response(completion(settings.dialect, self._answer(""))) if fixed else b""
        error = {"error": {"message": "mock failure", "type": "mock", "code": "mock"}}
        self._failure = response(json.dumps(error).encode(), settings.fail_status, b"retry-after: 0\r\n")

    def protocol(self) -> Connection:
        return Connection(self)

    def look_up(self, path: bytes) -> bytes:
        """The answer to a GET."""
        if path.startswith(b"/reset"):
            self.counts = Counts()
        if path.startswith((b"/stats", b"/reset")):
            shown = {k: v for k, v in vars(self.counts).items() if k != "inflight"}
            return response(json.dumps(shown).encode())
        return response(json.dumps({"object": "list", "data": [{"id": MODEL}]}).encode())

    def reply(self, body: bytes) -> bytes:
        """The answer to a POST."""
        counts = self.counts
        if counts.first_request_s is None:
            counts.first_request_s = time.monotonic()
        counts.requests += 1
        counts.inflight += 1
        counts.max_inflight = max(counts.max_inflight, counts.inflight)
        if self.settings.fail_every and counts.requests % self.settings.fail_every == 0:
            counts.failures += 1
            return self._failure
        if self._ready:
            return self._ready
        turns = json.loads(body)["messages"]
        prompt = next((turn["content"] for turn in reversed(turns) if turn["role"] == "user"), "")
        return response(completion(self.settings.dialect, self._answer(prompt)))


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests are answered in the order they come."""

    def __init__(self, server: MockServer) -> None:
        self.server = server
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's
        self.transport = cast(asyncio.Transport, transport)
        self.server.counts.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[:end].lower()
        start = head.find(b"content-length:")
        size = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(self.buffer) < end + 4 + size:
            return False
        body = self.buffer[end + 4 : end + 4 + size]
        self.buffer = self.buffer[end + 4 + size :]
        if head.startswith(b"get "):
            self._write(self.server.look_up(head.split(b" ", 2)[1]))
            return True
        reply = self.server.reply(body)
        if self.server.settings.latency_s:
            asyncio.get_running_loop().call_later(self.server.settings.latency_s, self._finish, reply)
        else:
            self._finish(reply)
        return True

    def _finish(self, reply: bytes) -> None:
        self.server.counts.inflight -= 1
        self._write(reply)
        self.server.counts.last_reply_s = time.monotonic()

    def _write(self, reply: bytes) -> None:
        if self.transport is not None:
            self.transport.write(reply)


async def serve(settings: Settings, port: int) -> None:
    """Serve on the loopback until cancelled; port 0 takes a free one."""
    mock = MockServer(settings)
    server = await asyncio.get_running_loop().create_server(mock.protocol, "127.0.0.1", port, backlog=4096)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--fail-every", type=int, default=0, help="every n-th POST fails")
    parser.add_argument("--fail-status", type=int, default=429)
    parser.add_argument("--answers", default=Settings.answers)
    parser.add_argument("--dialect", choices=("openai", "anthropic"), default="openai")
    parser.add_argument("--uvloop", action="store_true", help="for benchmarks, where uvloop is installed")
    given = parser.parse_args()
    settings = Settings(
        given.answers, given.dialect, given.latency_ms / 1000, given.fail_every, given.fail_status
    )
    if given.uvloop:
        import uvloop

        uvloop.install()
    asyncio.run(serve(settings, given.port))


if __name__ == "__main__":
    main()
