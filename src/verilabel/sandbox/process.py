"""The one door to processes: an argument list, a small environment, bounded lines, a certain end.

Containment level C0: none. The program runs with the rights of the user who starts it; only its environment,
its lines and its lifetime are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import SubprocessStreamProtocol
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from verilabel.errors import LimitExceeded, SandboxError

PASSED_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT", "VIRTUAL_ENV")
"""What a program needs to start; none of them holds a secret."""
MAX_LINE_BYTES = 8 * 2**20
STDERR_TAIL_BYTES = 4096


def small_environment(
    pass_variables: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment a process starts with: `PASSED_VARIABLES` and those named, as far as they are set."""
    variables = os.environ if environ is None else environ
    return {name: variables[name] for name in (*PASSED_VARIABLES, *pass_variables) if name in variables}


class _LineProtocol(SubprocessStreamProtocol):
    """Streams of a process, and its end: asyncio's own `wait` may learn of it only when all pipes close."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self.ended = asyncio.Event()
        self._group = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # other event loops' transports are no subclass of asyncio's
        self._group = cast(asyncio.SubprocessTransport, transport).get_pid()
        super().connection_made(transport)

    def process_exited(self) -> None:
        # at once, while the group's number cannot have been given to anyone else
        _signal_group(self._group, signal.SIGKILL)
        self.ended.set()
        super().process_exited()


class Running(Protocol):
    """What runs behind a Process, and how it and all it started are ended."""

    ended: asyncio.Event

    @property
    def pid(self) -> int:
        """Its process id on this machine."""
        ...

    @property
    def exit_status(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        ...

    def ask_to_end(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it and all it started."""
        ...

    def close(self) -> None:
        """Let go of what belongs to it here."""
        ...


class _Group:
    """A program of this machine in a process group of its own."""

    def __init__(self, transport: asyncio.SubprocessTransport, ended: asyncio.Event) -> None:
        self._transport = transport
        self.ended = ended

    @property
    def pid(self) -> int:
        """The process id, which is its process group's too."""
        return self._transport.get_pid()

    @property
    def exit_status(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._transport.get_returncode()

    def ask_to_end(self) -> None:
        """Send the group SIGTERM."""
        _signal_group(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the group."""
        _signal_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the pipes."""
        self._transport.close()


class Process:
    """A running program with lines in and lines out. Made by `start_process` or a box; end it with `stop`."""

    def __init__(
        self,
        running: Running,
        stdin: asyncio.StreamWriter,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader,
        *,
        program: str,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self.program = program
        self._running = running
        self._stdin = stdin
        self._stdout = stdout
        self._max_line_bytes = max_line_bytes
        self._stderr = bytearray()
        self._drain = asyncio.create_task(self._drain_stderr(stderr))

    @property
    def pid(self) -> int:
        """The process id on this machine: of the program, which is its process group's too, or of what watches it."""
        return self._running.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        return self._running.exit_status

    @property
    def stderr_tail(self) -> str:
        """The last 4 KiB the program wrote to standard error, for people; it belongs in no record."""
        return bytes(self._stderr).decode("utf-8", "replace")

    async def write_line(self, line: bytes) -> None:
        """Send one line. Raises SandboxError where the program no longer reads."""
        assert b"\n" not in line
        try:
            self._stdin.write(line + b"\n")
            await self._stdin.drain()
        except (OSError, RuntimeError) as error:
            raise SandboxError("the program no longer reads", where=self.program) from error

    async def read_line(self) -> bytes | None:
        """The next line without its newline; None where the program wrote its last.

        Raises LimitExceeded for a line beyond the limit: what follows is out of step, so stop the process
        then.
        """
        try:
            line = await self._stdout.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial or None
        except asyncio.LimitOverrunError as error:
            raise LimitExceeded(f"a line beyond {self._max_line_bytes} bytes", where=self.program) from error
        except OSError:
            return None
        return line[:-1]

    async def wait(self) -> int:
        """Wait for the end; the exit status."""
        await self._running.ended.wait()
        status = self._running.exit_status
        assert status is not None
        return status

    async def stop(self, *, grace_s: float = 2.0) -> int:
        """End the program and every process of its group: ask, wait `grace_s` seconds, then kill."""
        with contextlib.suppress(OSError, RuntimeError):
            self._stdin.close()
        if not self._running.ended.is_set():
            self._running.ask_to_end()
            try:
                await asyncio.wait_for(self._running.ended.wait(), grace_s)
            except TimeoutError:
                self._running.kill()
        status = await self.wait()
        # a grandchild that left the group may hold the pipe open: do not wait for it
        await asyncio.wait({self._drain}, timeout=0.1)
        self._drain.cancel()
        await asyncio.gather(self._drain, return_exceptions=True)
        self._running.close()
        return status

    async def _drain_stderr(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65536):
            self._stderr += chunk
            del self._stderr[:-STDERR_TAIL_BYTES]


def _signal_group(group: int, number: signal.Signals) -> None:
    assert group > 1, "group 0 would be this program's own"
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def start_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
) -> Process:
    """Start a program in its own session, without a shell, with exactly the environment `env`.

    Raises SandboxError where it cannot be started.
    """
    if not argv or any("\0" in part for part in argv):
        raise SandboxError("an argument list is empty or holds a NUL")
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.subprocess_exec(
            lambda: _LineProtocol(max_line_bytes, loop),
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SandboxError(
            f"the program cannot be started: {reason}", where=argv[0], hint="is it installed, and executable?"
        ) from error
    assert protocol.stdin and protocol.stdout and protocol.stderr
    running = _Group(transport, protocol.ended)
    return Process(
        running,
        protocol.stdin,
        protocol.stdout,
        protocol.stderr,
        program=argv[0],
        max_line_bytes=max_line_bytes,
    )
