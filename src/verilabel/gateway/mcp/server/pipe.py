"""Standard input and output as the protocol's streams: bounded lines of JSON that everybody reads alike.

While the server runs, descriptor 0 leads to the null device and 1 to standard error, so that nothing that is printed by
accident stands between messages. A line that is no message is answered with an error under its id, where it has one.
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

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.mcp.strict_json import MAX_BYTES, read_strictly
from verilabel.records.canonical import MAX_INTEGER

NEWLINE = b"\n"


class Pipe:
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

    async def open(self) -> None:
        """Begin to read."""
        source = os.fdopen(os.dup(self._in), "rb", buffering=0)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._reader), source)
        except ValueError:  # a plain file, as in `verilabel mcp serve < requests`
            self._reader.feed_data(await asyncio.to_thread(source.read, MAX_BYTES))
            self._reader.feed_eof()

    def close(self) -> None:
        """Give the streams back."""
        os.dup2(self._in, 0)
        os.dup2(self._out, 1)
        os.close(self._in)
        os.close(self._out)

    async def read_line(self) -> bytes | None:
        """The next line without its newline, None at the end. Raises LimitExceeded for one that is too long, and has
        then read past it."""
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
        """Write one line whole."""
        async with self._turn:
            await asyncio.to_thread(_write_all, self._out, line + NEWLINE)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@asynccontextmanager
async def pipe_streams() -> AsyncIterator[tuple[Any, Any]]:
    """The read and the write stream of this process's standard input and output."""
    pipe = Pipe()
    try:
        await pipe.open()
        incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        async with anyio.create_task_group() as group:
            group.start_soon(_read, pipe, incoming)
            group.start_soon(_write, pipe, outgoing)
            yield read_stream, write_stream
    finally:
        pipe.close()


async def _read(pipe: Pipe, incoming: Any) -> None:
    async with incoming:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                line: bytes | None = b""
                try:
                    line = await pipe.read_line()
                    if line is None:
                        return
                    if not line.strip():
                        continue
                    message = message_of(line)
                except MalformedInput as error:
                    await pipe.write(refusal_of(line or b"", error))
                    continue
                await incoming.send(SessionMessage(message))


async def _write(pipe: Pipe, outgoing: Any) -> None:
    async with outgoing:
        with suppress(OSError):  # nobody reads any more: the end of input follows
            async for message in outgoing:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await pipe.write(text.encode("utf-8"))


def message_of(data: bytes) -> types.JSONRPCMessage:
    """A message. Raises MalformedInput or LimitExceeded for anything else, batches among it."""
    value = read_strictly(data)
    if not isinstance(value, dict):
        raise MalformedInput("a message is an object; batches are not served", where="message")
    try:
        return types.jsonrpc_message_adapter.validate_python(value, by_name=False)
    except ValueError:
        raise MalformedInput("not a JSON-RPC message", where="message") from None


def refusal_of(data: bytes, error: MalformedInput) -> bytes:
    """The JSON-RPC error for a message that was not taken, under its id where it plainly has one."""
    return json.dumps(
        {
            "jsonrpc": "2.0",
            "id": _find_id(data),
            "error": {"code": types.INVALID_REQUEST, "message": f"not taken: {error.message}"},
        }
    ).encode("ascii")


def _find_id(data: bytes) -> str | int | None:
    try:
        pairs = json.loads(data, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    ids = [value for key, value in pairs if key == "id"]
    if len(ids) != 1 or not isinstance(ids[0], str | int) or isinstance(ids[0], bool):
        return None
    is_small = len(ids[0]) <= 200 if isinstance(ids[0], str) else abs(ids[0]) <= MAX_INTEGER
    return ids[0] if is_small else None
