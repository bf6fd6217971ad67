"""Workers of this machine: processes that are told one task at a time, and replaced when they die."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence

import msgspec

from verilabel import errors
from verilabel.audit.engine.interface import Advance, Report, Task
from verilabel.audit.engine.worker import Answer, Order, Trouble
from verilabel.audit.reading.interface import ShardChanged
from verilabel.errors import SandboxError, VerilabelError
from verilabel.sandbox.process import Process, small_environment, start_process

MAX_TRIES = 3
PASSED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_CONNECTION_STRING",
    "HF_HOME",
    "HF_TOKEN",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "NUMBA_CACHE_DIR",
    "PYTHONPATH",
    "SSL_CERT_FILE",
    "VERILABEL_CACHE",
)
"""Variables that reading from object stores needs."""
ONE_CORE = {
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ARROW_IO_THREADS": "1",
    # glibc gives the memory of a batch back and fetches it again for the next one, a page fault at a time
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
}


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalExecutor:
    """An executor of `workers` processes, started when there is something to do and kept until it is closed."""

    def __init__(self, workers: int) -> None:
        self._count = workers
        self._idle: list[Process] = []

    @property
    def name(self) -> str:
        """What runs, in words."""
        return f"{self._count} local worker{'s' * (self._count > 1)}"

    async def run(self, work: str, tasks: Sequence[Task], report: Report) -> AsyncIterator[tuple[int, bytes]]:
        """As the interface says."""
        orders = deque(Order(place, work, task) for place, task in enumerate(tasks))
        answers: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        crew = [
            asyncio.create_task(self._keep_busy(orders, answers, report))
            for _ in range(min(self._count, len(tasks)))
        ]
        try:
            running = len(crew)
            while running:
                answer = await answers.get()
                if answer is not None:
                    yield answer
                    continue
                running -= 1
                for member in crew:
                    if member.done():
                        member.result()  # its error ends the run
        finally:
            for member in crew:
                member.cancel()
            await asyncio.gather(*crew, return_exceptions=True)

    async def _keep_busy(
        self, orders: deque[Order], answers: asyncio.Queue[tuple[int, bytes] | None], report: Report
    ) -> None:
        process: Process | None = None
        try:
            while orders:
                order = orders.popleft()
                for tried in range(1, MAX_TRIES + 1):
                    process = process or await self._take()
                    result = await _ask(process, order, report)
                    if result is not None:
                        break
                    words = await _bury(process)
                    process = None
                    if tried == MAX_TRIES:
                        raise SandboxError(
                            f"a worker died {MAX_TRIES} times at one task",
                            where=words or None,
                            hint="was it killed for its memory? The same command continues",
                        )
                assert result is not None
                await answers.put((order.place, result))
            if process is not None:
                self._idle.append(process)
                process = None
        finally:
            if process is not None:
                await process.stop(grace_s=0)
            # the queue has no bound: this never waits
            answers.put_nowait(None)

    async def _take(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.exit_status is None:
                return process
            await process.stop(grace_s=0)  # it died while it had nothing to do
        argv = [sys.executable, "-m", "verilabel.audit.engine.worker"]
        return await start_process(argv, env=small_environment(PASSED) | ONE_CORE)

    async def close(self) -> None:
        """End all workers."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(process.stop(grace_s=0) for process in idle))


async def _ask(process: Process, order: Order, report: Report) -> bytes | None:
    """Have an order carried out; None where the worker dies. Raises what the worker raised."""
    try:
        await process.write_line(msgspec.json.encode(order))
    except SandboxError:
        return None
    counted = Advance(0, 0, 0)
    while (line := await process.read_line()) is not None:
        try:
            answer = msgspec.json.decode(line, type=Answer)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return None  # cut in its midst
        if answer.advance is not None:
            report(answer.advance)
            counted = counted + answer.advance
        elif answer.error is not None:
            raise error_of(answer.error)
        else:
            return answer.result.encode()
    report(Advance(0, 0, 0) - counted)  # it will be counted again
    return None


async def _bury(process: Process) -> str:
    """See to it that a worker is gone; its last words, for people."""
    status = await process.stop(grace_s=0.5)
    last = process.stderr_tail.strip().splitlines()[-1:] or [""]
    return f"worker ended with {status}: {last[0][:200]}" if last[0] else f"worker ended with {status}"


def error_of(trouble: Trouble) -> Exception:
    """The error that a worker told of, as it was raised there."""
    if trouble.errno is not None:
        return OSError(trouble.errno, trouble.message, trouble.where)
    kind = KNOWN_ERRORS.get(trouble.code)
    if kind is None:
        return SandboxError(
            f"a worker failed: {trouble.message}",
            where=trouble.where,
            hint="this is a mistake of ours; please report it",
        )
    error = kind.__new__(kind)
    VerilabelError.__init__(error, trouble.message, where=trouble.where, hint=trouble.hint)
    return error


KNOWN_ERRORS: dict[str, type[VerilabelError]] = {
    kind.__name__: kind
    for kind in (*vars(errors).values(), ShardChanged)
    if isinstance(kind, type) and issubclass(kind, VerilabelError)
}
