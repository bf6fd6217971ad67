"""MCP over the lines of a process that the sandbox started, as the streams that the protocol's library drives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from verilabel.errors import VerilabelError
from verilabel.sandbox.process import Process

MAX_STRANGE_LINES = 20
"""Lines that are no message (servers that print a banner) before the connection is given up."""


@asynccontextmanager
async def process_streams(process: Process) -> AsyncIterator[tuple[Any, Any]]:
    """What the server writes and what is written to it, as messages; ends where either does. The process goes on."""
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    incoming, to_read = anyio.create_memory_object_stream[Any](0)
    to_write, outgoing = anyio.create_memory_object_stream[Any](0)

    async def read() -> None:
        strange = 0
        async with incoming:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, VerilabelError):
                while strange < MAX_STRANGE_LINES and (line := await process.read_line()) is not None:
                    try:
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValueError:
                        strange += bool(line.strip())
                        continue
                    await incoming.send(SessionMessage(message))

    async def write() -> None:
        async with outgoing:
            async for sent in outgoing:
                try:
                    line = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                    await process.write_line(line.encode("utf-8"))
                except VerilabelError:
                    await incoming.aclose()
                    return

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        group.start_soon(write)
        try:
            yield to_read, to_write
        finally:
            group.cancel_scope.cancel()
            for stream in (to_read, to_write, incoming, outgoing):
                stream.close()
