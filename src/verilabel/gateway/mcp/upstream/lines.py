"""MCP over the lines of a process: JSON-RPC messages, read strictly, as the streams that the protocol library drives.

The process was started by the sandbox; its end, a line beyond the bound and a line that is no message all close the
connection, so that whoever waits for an answer gets an error and never a guess.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.shared.message import SessionMessage

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.gateway.mcp.messages import line_of, message_of
from verilabel.sandbox.process import Process

MAX_LINE_BYTES = 8 * 2**20
MAX_BAD_LINES = 20
"""Lines that are no message (servers that print a banner) before the connection is given up."""

_log = logging.getLogger("verilabel.mcp.upstream")


@asynccontextmanager
async def process_streams(process: Process, *, name: str) -> AsyncIterator[tuple[Any, Any]]:
    """The read and the write stream of a server process. Ends when the process does; does not stop it."""
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        bad = 0
        async with incoming:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, VerilabelError):
                while bad < MAX_BAD_LINES and (line := await process.read_line()) is not None:
                    if not line.strip():
                        continue
                    try:
                        message = message_of(line, where=name, max_bytes=MAX_LINE_BYTES)
                    except MalformedInput:
                        bad += 1
                        _log.warning("the server %s wrote a line that is no message", name)
                        continue
                    await incoming.send(SessionMessage(message))

    async def write() -> None:
        async with outgoing:
            async for message in outgoing:
                try:
                    await process.write_line(line_of(message))
                except VerilabelError:
                    await incoming.aclose()
                    return

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(write)
        try:
            yield read_stream, write_stream
        finally:
            group.cancel_scope.cancel()
            for stream in (read_stream, write_stream, incoming, outgoing):
                stream.close()
