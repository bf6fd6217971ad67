"""The process's own standard input and output as the protocol's streams: bounded lines that every parser reads alike.

While they are used, descriptor 0 leads to the null device and 1 to standard error, so that nothing that is printed by
accident stands between messages. A line that is no message is answered with an error under its id, where it has one;
one that is too long is read past.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.shared.message import SessionMessage

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.mcp.messages import line_of, message_of, refusal_of
from verilabel.gateway.mcp.strict_json import MAX_BYTES

NEWLINE = b"\n"


class OwnPipes:
    """The two standard streams, claimed for messages until `close`."""

    def __init__(self) -> None:
        self._in = os.dup(0)
        self._out = os.dup(1)
        silence = os.open(os.devnull, os.O_RDONLY)
        os.dup2(silence, 0)
        os.close(silence)
        os.dup2(2, 1)
        self._turn = asyncio.Lock()
        self._reader = asyncio.StreamReader(limit=MAX_BYTES)
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Begin to read and to write."""
        loop = asyncio.get_running_loop()
        source = os.fdopen(os.dup(self._in), "rb", buffering=0)
        try:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._reader), source)
        except ValueError:  # a plain file, as in `verilabel mcp serve < requests`
            self._reader.feed_data(await asyncio.to_thread(source.read, MAX_BYTES))
            self._reader.feed_eof()
        target = os.fdopen(os.dup(self._out), "wb", buffering=0)
        with suppress(ValueError):  # a plain file is written as it is
            transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, target)
            self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)

    def close(self) -> None:
        """Give the streams back."""
        if self._writer is not None:
            self._writer.close()
        os.dup2(self._in, 0)
        os.dup2(self._out, 1)
        os.close(self._in)
        os.close(self._out)

    async def read_line(self) -> bytes | None:
        """The next line without its newline, None at the end.

        Raises LimitExceeded for one that is too long, and has then read past it.
        """
        try:
            return (await self._reader.readuntil(NEWLINE))[:-1]
        except asyncio.IncompleteReadError as error:
            return error.partial or None
        except asyncio.LimitOverrunError as error:
            await self._skip_line(error.consumed)
            raise LimitExceeded(f"a message has at most {MAX_BYTES} bytes", where="message") from None

    async def _skip_line(self, consumed: int) -> None:
        while True:
            await self._reader.readexactly(consumed)
            try:
                await self._reader.readuntil(NEWLINE)
                return
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError as error:
                consumed = error.consumed

    async def write(self, line: bytes) -> None:
        """Write one line whole, and wait while the client does not read. Raises OSError where it has gone."""
        async with self._turn:
            if self._writer is None:
                await asyncio.to_thread(_write_all, self._out, line + NEWLINE)
                return
            self._writer.write(line + NEWLINE)
            await self._writer.drain()


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@asynccontextmanager
async def own_streams() -> AsyncIterator[tuple[Any, Any]]:
    """The read and the write stream of this process's client; the block ends what reads and writes."""
    pipes = OwnPipes()
    try:
        await pipes.open()
        incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as group:
            group.start_soon(_read, pipes, incoming)
            group.start_soon(_write, pipes, outgoing)
            try:
                yield read_stream, write_stream
            finally:
                group.cancel_scope.cancel()
                for stream in (read_stream, write_stream, incoming, outgoing):
                    stream.close()
    finally:
        pipes.close()


async def _read(pipes: OwnPipes, incoming: Any) -> None:
    async with incoming:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            while True:
                line: bytes | None = b""
                try:
                    line = await pipes.read_line()
                    if line is None:
                        return
                    if not line.strip():
                        continue
                    message = message_of(line)
                except MalformedInput as error:
                    # written before more is read: who does not read refusals is not read either
                    await pipes.write(refusal_of(line or b"", error.message))
                    continue
                await incoming.send(SessionMessage(message))


async def _write(pipes: OwnPipes, outgoing: Any) -> None:
    async with outgoing:
        with suppress(OSError):  # nobody reads any more: the end of input follows
            async for message in outgoing:
                await pipes.write(line_of(message))
