"""Programs that are measured and that measure: started on a CPU of their own, weighed, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verilabel.errors import ModelError, SandboxError, UsageError
from verilabel.gateway_bench.exchange import Exchanger, request_bytes
from verilabel.sandbox.process import Process, small_environment, start_process

START_TIMEOUT_S = 120.0
_POLL_S = 0.005
_KEPT_LINES = 40


def two_cpus() -> tuple[int, int]:
    """The CPU of the gateway, and that of upstream and load; the same one where this process may use only one.

    Raises UsageError on systems that do not pin processes.
    """
    if not hasattr(os, "sched_getaffinity"):
        raise UsageError("processes are pinned to CPUs as Linux does it", hint="run the bench on Linux")
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server. `start_s` is from its start to its first good answer on its health path."""

    name: str
    url: str
    process: Process
    start_s: float
    lines: deque[str] = field(repr=False)
    reading: asyncio.Task[None] = field(repr=False)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def pids(self) -> list[int]:
        """Its processes: those of its session."""
        return session_pids(self.process.pid)

    def rss_mb(self) -> float:
        """Resident memory of all its processes, in 10^6 bytes."""
        return sum(resident_bytes(pid) for pid in self.pids()) / 1e6

    def cpu_us(self) -> float:
        """Processor time that its processes have used, in microseconds."""
        return sum(cpu_us(pid) for pid in self.pids())

    def said(self) -> str:
        """The last it printed, for a person who asks why it ended."""
        return "\n".join([*self.lines, self.process.stderr_tail]).strip()

    async def stop(self) -> None:
        """End it and all its processes."""
        await self.process.stop(grace_s=5.0)
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)


def session_pids(session: int) -> list[int]:
    """The processes of a session, as Linux lists them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return sorted(found)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_us(pid: int) -> float:
    """Processor time that a process has used, in microseconds, of all its threads that live; 0 where it has ended.

    It is what a busy machine does not change, unlike time on the clock.
    """
    total = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1000


def own_environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a measured program: a home of its own, nothing of the user's, no telemetry."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {**small_environment(), "HOME": str(home), "DO_NOT_TRACK": "1", **(more or {})}


@contextlib.asynccontextmanager
async def serving(
    name: str,
    argv: Sequence[str],
    *,
    folder: Path,
    cpu: int,
    health: str,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Server]:
    """A server that runs while the block does. It listens on `port`, or says where in its first line.

    Raises SandboxError where it does not start, or ends before it answers.
    """
    began = time.perf_counter()
    with pinned(cpu):
        process = await start_process(argv, env=own_environment(folder, env), cwd=folder)
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    first = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read_lines(process, lines, first))
    server = Server(name, "" if port is None else f"http://127.0.0.1:{port}", process, 0.0, lines, reading)
    try:
        if port is None:
            async with asyncio.timeout(START_TIMEOUT_S):
                server.url = _url_of(await first)
        await _wait_until_good(server, health)
        server.start_s = time.perf_counter() - began
        yield server
    except TimeoutError:
        raise _not_started(server) from None
    finally:
        await server.stop()


async def _read_lines(process: Process, lines: deque[str], first: asyncio.Future[str]) -> None:
    while (line := await process.read_line()) is not None:
        text = line.decode("utf-8", "replace")
        lines.append(text)
        if not first.done():
            first.set_result(text)
    if not first.done():
        first.set_result("")


def _url_of(line: str) -> str:
    words = line.split()
    if words[:1] == ["ready"]:
        return f"http://127.0.0.1:{words[1]}"
    return next((word for word in words if word.startswith("http://")), "")


async def _wait_until_good(server: Server, health: str) -> None:
    """Ask the health path until it answers 200."""
    if not server.url:
        raise _not_started(server)
    request = request_bytes(server.url, health, b"", method="GET")
    exchanger = Exchanger(server.url, timeout_s=START_TIMEOUT_S)
    ends = time.perf_counter() + START_TIMEOUT_S
    while time.perf_counter() < ends:
        if server.process.exit_status is not None:
            break
        with contextlib.suppress(ModelError):
            if (await exchanger.send(request)).status == 200:
                exchanger.close()
                return
        await asyncio.sleep(_POLL_S)
    raise _not_started(server)


def _not_started(server: Server) -> SandboxError:
    said = server.said()[-2000:]
    return SandboxError(
        f"{server.name} does not start: {said or 'it says nothing'}", where=server.process.program
    )


async def run_program(
    argv: Sequence[str],
    *,
    folder: Path,
    cpu: int,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 600.0,
) -> str:
    """Run a program to its end and return what it printed. Raises SandboxError where it fails or takes too long."""
    with pinned(cpu):
        process = await start_process(argv, env=own_environment(folder, env), cwd=folder)
    printed = []
    try:
        async with asyncio.timeout(timeout_s):
            while (line := await process.read_line()) is not None:
                printed.append(line.decode("utf-8", "replace"))
            status = await process.wait()
    except TimeoutError:
        raise SandboxError(f"not done in {timeout_s:g} seconds", where=argv[0]) from None
    finally:
        await process.stop(grace_s=1.0)
    if status != 0:
        raise SandboxError(
            f"ended with status {status}: {process.stderr_tail[-1500:]}", where=" ".join(argv[:4])
        )
    return "\n".join(printed)


def own_module(name: str, *arguments: str) -> list[str]:
    """The command of one of the bench's own programs."""
    return [sys.executable, "-m", f"verilabel.gateway_bench.{name}", *arguments]
