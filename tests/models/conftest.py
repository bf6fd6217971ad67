"""Servers on the loopback and requests for the tests of models."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from verilabel.models.interface import ModelRequest
from verilabel.records.sample import Message
from verilabel.records.system import Scalar

MOCK = Path(__file__).resolve().parent.parent / "servers" / "mock_openai.py"
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def make_request(
    prompt: str = "Hello?",
    *,
    suite: str = "core/any@1.0.0",
    sample: str = "s1",
    epoch: int = 1,
    params: dict[str, Scalar] | None = None,
    system: str | None = None,
) -> ModelRequest:
    """A question with one user turn, after a system turn where one is given."""
    turns = (
        [Message("user", prompt)] if system is None else [Message("system", system), Message("user", prompt)]
    )
    return ModelRequest(suite, sample, epoch, tuple(turns), params or {})


@pytest.fixture
def ask() -> Callable[..., ModelRequest]:
    """Make a `ModelRequest`."""
    return make_request


@contextmanager
def _mock_server(*options: str) -> Iterator[str]:
    command = [sys.executable, str(MOCK), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().split()[1]
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


@pytest.fixture
def mock_server() -> Callable[..., AbstractAsyncContextManager[str]]:
    """Start the mock model server as a process of its own; gives its base URL."""
    return _mock_server


@asynccontextmanager
async def _scripted_server(answer: Answer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                body = await reader.readexactly(size)
                await answer(head + body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


@pytest.fixture
def scripted_server() -> Callable[[Answer], AbstractAsyncContextManager[str]]:
    """Serve on the loopback what a function writes for each request; gives the base URL."""
    return _scripted_server


def http_response(status: int, body: bytes, *headers: str) -> bytes:
    """A whole HTTP/1.1 response with these extra header lines."""
    lines = [
        f"HTTP/1.1 {status} Some Words",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.fixture
def respond() -> Callable[..., Answer]:
    """An answer function that sends the same response every time."""

    def make(status: int, body: bytes, *headers: str) -> Answer:
        async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(http_response(status, body, *headers))

        return answer

    return make
