"""A box that a warden serves: programs run in it, spoken to by lines, files in and out, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any

from verilabel.errors import LimitExceeded, SandboxError
from verilabel.sandbox.calling import ENDING_S, BoxGone, Leash, WardenLine
from verilabel.sandbox.interface import BoxExhausted, Containment, ExecResult
from verilabel.sandbox.process import MAX_LINE_BYTES, Process
from verilabel.sandbox.streams import Feeder, Gatherer, Pipes

PATH = "/usr/local/bin:/usr/bin:/bin"
DRAIN_S = 0.25
"""How long output is waited for after a program's end where something it started holds its streams open."""
FILE_S = 60.0
MAX_ARGUMENTS = 10_000


class WardenBox:
    """An open box (see `sandbox.interface.Box`), whichever provider made it. Safe to use from several event loops."""

    def __init__(
        self,
        line: WardenLine,
        containment: Containment,
        *,
        home: str,
        env: Mapping[str, str],
        output: int,
        owner: int | None,
    ) -> None:
        self._line = line
        self._containment = containment
        self._home = home
        self._env = {"PATH": PATH, "HOME": home, "LANG": "C.UTF-8", **env}
        self._output = output
        self._owner = owner

    @property
    def containment(self) -> Containment:
        """What was achieved."""
        return self._containment

    @property
    def home(self) -> str:
        """The work folder, as programs see it."""
        return self._home

    def described_as(self, containment: Containment) -> WardenBox:
        """The same box under the containment that was found to hold."""
        box = copy(self)
        box._containment = containment
        return box

    async def look_inside(self) -> dict[str, str]:
        """What the kernel says of a program in the box: the fields of /proc/self/status."""
        result = await self._carry_out({"work": "status"}, b"", FILE_S, 2**16)
        lines = result.stdout.decode("utf-8", "replace").splitlines()
        if result.exit_status != 0:
            raise SandboxError("the box cannot be looked into", where=self._containment.provider)
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        env: Mapping[str, str] = {},
        cwd: str | None = None,
    ) -> ExecResult:
        """Run one program to its end; after `timeout_s`, or when cancelled, it and all it started are killed.

        A program that is not there ends with 127, one that cannot be run with 126, as in shells. What it started and
        left running stays until the box closes. Where a limit of the box leaves no room for the program, the status
        is 126, or -9 where the box itself went with its memory, and `limit_hit` says which. Raises SandboxError where
        the box itself fails.
        """
        try:
            return await self._carry_out(self._request(argv, env, cwd), stdin, timeout_s, self._output)
        except BoxExhausted as error:
            return ExecResult(exit_status=-signal.SIGKILL, limit_hit=error.limit)

    async def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] = {}, cwd: str | None = None
    ) -> Process:
        """Start a program that is spoken to by lines; it ends with the box at the latest."""
        pipes = Pipes(self._owner)
        leash = await self._leash_for(self._request(argv, env, cwd), pipes)
        return await _process_around(leash, pipes, argv[0])

    async def write_file(self, path: str, data: bytes) -> None:
        """Write a plain file, making its folders. Raises SandboxError where that does not work."""
        request = {"work": "write", "path": self._place(path)}
        result = await self._carry_out(request, data, FILE_S, 0)
        if result.exit_status != 0:
            _require_room(result, path)
            cause = OSError(max(0, result.exit_status), _reason(result.exit_status), path)
            raise SandboxError(f"the file cannot be written: {cause.strerror}", where=path) from cause

    async def read_file(self, path: str, *, max_bytes: int = 2**20) -> bytes:
        """A plain file's content, read by a program in the box: links, pipes, devices and larger files are refused.

        Raises FileNotFoundError, IsADirectoryError, PermissionError, LimitExceeded.
        """
        request = {"work": "read", "path": self._place(path), "most": max_bytes}
        result = await self._carry_out(request, b"", FILE_S, max_bytes)
        status = result.exit_status
        if status == 0 and result.stdout_total <= max_bytes:
            return result.stdout
        if status in (0, errno.EFBIG):
            raise LimitExceeded(f"a file beyond {max_bytes} bytes", where=path)
        if status in (errno.ENOENT, errno.ENOTDIR):
            raise FileNotFoundError(errno.ENOENT, "there is no such file in the box", path)
        if status == errno.EISDIR:
            raise IsADirectoryError(errno.EISDIR, "a folder, not a file", path)
        if status in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO):
            raise PermissionError(errno.EACCES, "not a plain file that may be read", path)
        _require_room(result, path)
        raise SandboxError(f"the file cannot be read: {_reason(status)}", where=path)

    async def close(self) -> None:
        """End every program and leave nothing behind. Closing twice is closing once."""
        await asyncio.shield(asyncio.to_thread(self._line.close))

    def _request(self, argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> dict[str, Any]:
        variables = {**self._env, **env}
        texts = [*argv, *variables, *variables.values(), cwd or ""]
        if not argv or not argv[0] or len(argv) > MAX_ARGUMENTS or any("\0" in text for text in texts):
            raise SandboxError("an argument list is empty, too long, or holds a NUL")
        if any("=" in name or not name for name in variables):
            raise SandboxError("the name of a variable is empty or holds `=`")
        return {"work": "run", "argv": list(argv), "env": variables, "cwd": cwd}

    def _place(self, path: str) -> str:
        if not path or "\0" in path:
            raise SandboxError("a path is empty or holds a NUL")
        return path if path.startswith("/") else f"{self._home}/{path}"

    async def _leash_for(self, request: dict[str, Any], pipes: Pipes) -> Leash:
        """Have a request begun with the ends of some pipes. Raises SandboxError where the box is gone."""
        try:
            return self._line.start(request, pipes.given)
        except BoxGone:
            pipes.close_kept()
            raise await asyncio.to_thread(self._line.explain_end) from None
        except BaseException:
            pipes.close_kept()
            raise
        finally:
            pipes.close_given()

    async def _carry_out(
        self, request: dict[str, Any], stdin: bytes, timeout_s: float, output: int
    ) -> ExecResult:
        pipes = Pipes(self._owner)
        leash = await self._leash_for(request, pipes)
        feeder = Feeder(pipes.kept[0], stdin)
        stdout, stderr = (Gatherer(descriptor, output) for descriptor in pipes.kept[1:])
        try:
            words, timed_out = await _await_end(leash, timeout_s)
            await _drain(stdout, stderr)
        finally:
            for stream in (feeder, stdout, stderr, leash):
                stream.close()
        if not words:
            raise await asyncio.to_thread(self._line.explain_end)
        status, limit = _outcome(words)
        return ExecResult(
            exit_status=status,
            timed_out=timed_out,
            limit_hit=limit,
            stdout=stdout.kept,
            stderr=stderr.kept,
            stdout_total=stdout.total,
            stderr_total=stderr.total,
        )


class _Boxed:
    """A program in a box, behind a Process."""

    def __init__(self, leash: Leash, transports: Sequence[asyncio.BaseTransport], pid: int) -> None:
        self._leash = leash
        self._transports = transports
        self._pid = pid
        self._status: int | None = None
        self.ended = asyncio.Event()
        self._hearing = asyncio.create_task(self._hear_end())

    @property
    def pid(self) -> int:
        """The process id, on this machine, of what watches the program."""
        return self._pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._status

    def ask_to_end(self) -> None:
        """Send it SIGTERM."""
        self._leash.ask_to_end()

    def kill(self) -> None:
        """Kill it and all it started."""
        self._leash.kill()

    def close(self) -> None:
        """Close its pipes and the line to it."""
        self._hearing.cancel()
        self._leash.close()
        for transport in self._transports:
            transport.close()

    async def _hear_end(self) -> None:
        try:
            self._status, _ = _outcome(await _hear_last_words(self._leash))
        except SandboxError:
            # the box went, and the program with it
            self._status = -signal.SIGKILL
        finally:
            self.ended.set()


async def _process_around(leash: Leash, pipes: Pipes, program: str) -> Process:
    loop = asyncio.get_running_loop()
    started = await leash.hear()
    word, _, number = started.partition(" ")
    if word != "started":
        leash.close()
        pipes.close_kept()
        _, limit = _outcome(started)
        raise BoxExhausted("there is no room for another program in the box", limit, where=program)
    readers: list[asyncio.StreamReader] = []
    transports: list[asyncio.BaseTransport] = []
    stdin, *streams = pipes.kept
    for stream in streams:
        reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        file = os.fdopen(stream, "rb", buffering=0)
        readers.append(reader)
        transports.append(
            (await loop.connect_read_pipe(partial(asyncio.StreamReaderProtocol, reader), file))[0]
        )
    # StreamWriter asks the protocol of a reader whether the pipe is full; nothing is ever read by this one
    flow = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    sink, _ = await loop.connect_write_pipe(lambda: flow, os.fdopen(stdin, "wb", buffering=0))
    writer = asyncio.StreamWriter(sink, flow, None, loop)
    return Process(_Boxed(leash, transports, int(number)), writer, *readers, program=program)


async def _hear_last_words(leash: Leash) -> str:
    words = await leash.hear()
    return await leash.hear() if words.startswith("started") else words


async def _await_end(leash: Leash, timeout_s: float) -> tuple[str, bool]:
    """The warden's last words on a program, and whether its time ran out. Cancelling kills what runs first."""
    hearing = asyncio.ensure_future(_hear_last_words(leash))
    try:
        done, _ = await asyncio.wait({hearing}, timeout=timeout_s)
        if not done:
            leash.kill()
            await asyncio.wait({hearing}, timeout=ENDING_S)
        if not hearing.done():
            raise SandboxError("the box does not answer")
        return hearing.result(), not done
    except asyncio.CancelledError:
        leash.kill()
        await asyncio.wait({hearing}, timeout=ENDING_S)
        raise
    finally:
        hearing.cancel()


async def _drain(*streams: Gatherer) -> None:
    waits = [asyncio.ensure_future(stream.ended.wait()) for stream in streams]
    await asyncio.wait(waits, timeout=DRAIN_S)
    for waiting in waits:
        waiting.cancel()


def _outcome(words: str) -> tuple[int, str]:
    """Exit status and the limit that struck. Raises SandboxError for anything but a program's end."""
    parts = words.split(" ")
    if parts[0] == "ended":
        with contextlib.suppress(ValueError, IndexError):
            return int(parts[1]), " ".join(parts[2:])
    if parts[0] == "failed":
        raise SandboxError(f"the box cannot run this: {words[7:]}")
    raise SandboxError("the box is gone", hint="open a new one")


def _require_room(result: ExecResult, path: str) -> None:
    """Raise BoxExhausted where it is a limit of the box that kept a file from being read or written."""
    status = result.exit_status
    limit = "disk" if status in (errno.ENOSPC, errno.EFBIG, -signal.SIGXFSZ) else result.limit_hit
    if status != 0 and limit:
        raise BoxExhausted(f"the box has no {limit} left for this", limit, where=path)


def _reason(status: int) -> str:
    return os.strerror(status) if status > 0 else "its program was ended"
