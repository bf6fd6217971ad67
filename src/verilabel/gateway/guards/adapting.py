"""Guards of other packages, run in a process of their own: their patterns cannot stall the gateway, and can be ended.

Python's regular expressions hold the interpreter while they run: in a thread, one hostile text would stop every
request of the gateway, and a thread cannot be ended. So each adapter talks to `adapter_worker`, one JSON line each way.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from verilabel.errors import MissingExtra, SandboxError, UsageError, VerilabelError
from verilabel.gateway.guards.asking import well_formed
from verilabel.gateway.guards.awaited import AwaitedGuard
from verilabel.gateway.guards.interface import GuardError, Judgement
from verilabel.gateway.guards.quick import Place
from verilabel.gateway.guards.settings import version_of
from verilabel.sandbox.process import Process, small_environment, start_process

START_S = 120.0
"""Seconds that loading a package and its models may take."""
MAX_LINE_BYTES = 8 * 2**20
WORKER = "verilabel.gateway.guards.adapter_worker"
QUIET = {
    "DO_NOT_TRACK": "1",
    "OTEL_SDK_DISABLED": "true",
    "NEMO_GUARDRAILS_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""No package reports home or downloads anything."""


class AdapterLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`processes` judge at once, `waiting` texts more wait; a text beyond `max_chars` is not looked at. `pass_env` are
    variables that the package needs; no others reach it. `network`: it may open connections."""

    processes: int = 1
    waiting: int = 64
    max_chars: int = 20_000
    pass_env: tuple[str, ...] = ()
    network: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.processes <= 64 or not 0 <= self.waiting <= 10_000:
            raise ValueError("processes is from 1 to 64, waiting from 0 to 10000")
        if not 1 <= self.max_chars <= 1_000_000:
            raise ValueError("max_chars is from 1 to 1000000")


class _Ready(msgspec.Struct):
    ready: bool
    versions: dict[str, str] = {}
    error: str = ""
    missing: str | None = None


class _Answer(msgspec.Struct):
    id: int
    found: bool = False
    rule: str = ""
    score: float | None = None
    spans: tuple[tuple[int, int, str], ...] = ()
    replacement: str | None = None
    error: str | None = None


class AdapterGuard(AwaitedGuard):
    """A guard that another package decides, in processes of its own.

    A process that does not answer in time, dies or answers out of step is ended and started anew for the next text;
    `restarts` counts them. Where all processes are busy and too many texts wait, the guard refuses to look.
    """

    def __init__(
        self,
        kind: str,
        extra: str,
        limits: AdapterLimits,
        document: Mapping[str, Any],
        environ: Mapping[str, str],
        folder: Path,
        *data: object,
    ) -> None:
        super().__init__(version_of(kind, "1", document, *data))
        self._kind = kind
        self._extra = extra
        self._limits = limits
        self._document = {"kind": kind, "network": limits.network, **document}
        self._environment = {**small_environment(limits.pass_env, environ), **QUIET, "PYTHONSAFEPATH": "1"}
        self._folder = folder
        self._own_version = self.version
        self._idle: asyncio.Queue[Process | None] = asyncio.Queue()
        self._running: set[Process] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._in_line = 0
        self._asked = 0
        self.restarts = 0
        self.is_open = False

    async def open(self) -> None:
        """Start the processes. Raises MissingExtra where the package is absent, UsageError where it refuses."""
        self._idle = asyncio.Queue()
        self.is_open = True
        try:
            for _ in range(self._limits.processes):
                self._idle.put_nowait(await self._start())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the processes."""
        self.is_open = False
        await asyncio.gather(*(self._end(process) for process in tuple(self._running)), *self._ending)

    async def look(self, text: str, place: Place, /) -> Judgement:
        """Put a text to the package."""
        limits = self._limits
        if not self.is_open:
            raise GuardError("the guard is not open")
        if len(text) > limits.max_chars:
            raise GuardError(f"a text of {len(text)} characters is longer than is put to {self._kind}")
        if self._in_line >= limits.processes + limits.waiting:
            raise GuardError(f"too many texts wait for {self._kind}")
        self._in_line += 1
        try:
            return await self._look(text, place)
        finally:
            self._in_line -= 1

    async def _look(self, text: str, place: Place) -> Judgement:
        process = await self._idle.get()
        in_step = False
        try:
            if process is None:
                self.restarts += 1
                process = await self._start()
            self._asked += 1
            number = self._asked
            asked = next((said for role, said in reversed(place.about.messages) if role == "user"), "")
            answer = await self._put(
                process,
                {
                    "id": number,
                    "text": well_formed(text),
                    "direction": place.direction,
                    "asked": well_formed(asked[: self._limits.max_chars]),
                },
            )
            in_step = answer.id == number
        except VerilabelError as error:
            raise GuardError(f"{self._kind} failed: {error.code}") from error
        finally:
            # also where the wait is cut off: a process that still owes an answer is out of step
            if not in_step and process is not None:
                self._forget(process)
            self._idle.put_nowait(process if in_step else None)
        if not in_step:
            raise GuardError(f"{self._kind} answered out of step")
        return _judgement(self._kind, answer, text)

    async def _put(self, process: Process, question: dict[str, Any]) -> _Answer:
        await process.write_line(msgspec.json.encode(question))
        line = await process.read_line()
        if line is None:
            raise SandboxError("the process ended")
        try:
            return msgspec.json.decode(line, type=_Answer)
        except msgspec.MsgspecError as error:
            raise SandboxError("the process answered with no verdict") from error

    async def _start(self) -> Process:
        process = await start_process(
            [sys.executable, "-m", WORKER],
            env=self._environment,
            cwd=self._folder,
            max_line_bytes=MAX_LINE_BYTES,
        )
        self._running.add(process)
        try:
            async with asyncio.timeout(START_S):
                await process.write_line(msgspec.json.encode(self._document))
                line = await process.read_line()
            ready = msgspec.json.decode(line or b"{}", type=_Ready)
        except (TimeoutError, msgspec.MsgspecError) as error:
            await self._end(process)
            raise UsageError(f"{self._kind} cannot be started in a process of its own") from error
        except BaseException:
            self._forget(process)
            raise
        if not ready.ready:
            await self._end(process)
            if ready.missing is not None:
                raise MissingExtra(ready.missing, self._extra)
            raise UsageError(f"{self._kind} refuses its settings: {ready.error}")
        self.version = version_of(self._kind, "1", self._own_version, ready.versions)
        return process

    def _forget(self, process: Process) -> None:
        """End a process without waiting for it."""
        task = asyncio.get_running_loop().create_task(self._end(process, grace_s=0.0))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, process: Process, *, grace_s: float = 2.0) -> None:
        self._running.discard(process)
        await process.stop(grace_s=grace_s)


def _judgement(kind: str, answer: _Answer, text: str) -> Judgement:
    if answer.error is not None:
        raise GuardError(f"{kind} failed: {answer.error[:80]}")
    if any(not 0 <= start <= end <= len(text) for start, end, _ in answer.spans):
        raise GuardError(f"{kind} found something outside the text")
    return Judgement(
        found=answer.found,
        rule=answer.rule,
        score=answer.score,
        spans=answer.spans,
        replacement=answer.replacement,
    )
