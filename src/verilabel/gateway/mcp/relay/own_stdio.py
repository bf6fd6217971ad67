"""The process's own standard input and output as a strict MCP connection.

While it lasts, descriptor 1 points at standard error, so that nothing printed by mistake gets between messages. A line
that is refused is answered with a JSON-RPC error under the id it carries, where one can be read.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage

from verilabel.errors import UsageError, VerilabelError
from verilabel.gateway.mcp.strict_json import MAX_BYTES
from verilabel.gateway.mcp.upstream.lines import line_of, message_of


@asynccontextmanager
async def stdio_streams() -> AsyncIterator[tuple[Any, Any]]:
    """The read and the write stream of this process's client. Raises UsageError where they are no pipes."""
    reader, writer = await _open_pipes()
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        async with incoming:
            while (line := await _read_line(reader)) is not None:
                if not line.strip():
                    continue
                try:
                    message = message_of(line, where="standard input")
                except VerilabelError as error:
                    writer.write(refusal_of(line, error.message) + b"\n")
                    with suppress(OSError):
                        await writer.drain()  # who does not read refusals is not read either
                    continue
                with suppress(anyio.BrokenResourceError):
                    await incoming.send(SessionMessage(message))

    async def write() -> None:
        async with outgoing:
            async for message in outgoing:
                writer.write(line_of(message) + b"\n")
                with suppress(OSError):
                    await writer.drain()

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(write)
        try:
            yield read_stream, write_stream
        finally:
            group.cancel_scope.cancel()
            for stream in (read_stream, write_stream, incoming, outgoing):
                stream.close()
            writer.close()


def refusal_of(line: bytes, message: str) -> bytes:
    """The JSON-RPC error that answers a line that was refused."""
    found: object = None
    with suppress(ValueError, RecursionError):
        value = json.loads(line[:MAX_BYTES])
        found = value.get("id") if isinstance(value, dict) else None
    known = found if isinstance(found, str | int) and not isinstance(found, bool) else None
    error = {"code": types.INVALID_REQUEST, "message": f"refused: {message}"}
    return json.dumps({"jsonrpc": "2.0", "id": known, "error": error}).encode("utf-8")


async def _read_line(reader: asyncio.StreamReader) -> bytes | None:
    """The next line; None at the end, and for a line beyond the bound, after which nothing is in step."""
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial or None
    except (asyncio.LimitOverrunError, OSError):
        return None
    return line


async def _open_pipes() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    source, target = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    reader = asyncio.StreamReader(limit=MAX_BYTES + 1024)
    try:
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", buffering=0)
        )
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(target, "wb", buffering=0)
        )
    except ValueError:
        raise UsageError(
            "standard input and output are no pipes",
            hint="an MCP client starts this; to try it, point a client at the command",
        ) from None
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
