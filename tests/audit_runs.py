"""Audits that tests run: in this process, in processes of their own, and ones that are killed at a stage."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from verilabel.audit.engine.auditing import Ordered, audit
from verilabel.audit.engine.interface import Executor, Mapped, MapTask, Report, Task
from verilabel.audit.engine.job import open_job
from verilabel.audit.engine.mapping import map_shard
from verilabel.audit.engine.tasks import carry_out
from verilabel.audit.engine.watching import Watch
from verilabel.audit.proof.commitments import Secret, save_secret
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.reading.files import FileReader
from verilabel.audit.settings import (
    AuditSettings,
    CanarySettings,
    ContaminationSettings,
    Name,
    SamplingSettings,
)

KEY = bytes(range(32))
QUESTION = (
    "A lighthouse keeper polishes forty seven lamps before breakfast and then walks twelve miles along the shore "
    "counting the gulls that sleep on every third breakwater; how many lamps remain if nine of them are broken?"
)


class InProcess:
    """An executor without workers: every task is carried out here, one after another."""

    name = "this process"

    def __init__(self, batch_bytes: int | None = None) -> None:
        self._reader = None if batch_bytes is None else FileReader(batch_bytes)

    async def run(self, work: str, tasks: Sequence[Task], report: Report) -> AsyncIterator[tuple[int, bytes]]:
        for place, task in enumerate(tasks):
            if isinstance(task, MapTask):
                outcome: object = map_shard(open_job(work), task, report, self._reader)
            else:
                outcome = carry_out(work, task, report)
            yield place, msgspec.json.encode(outcome)
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Nothing was started."""


class Telling(Watch):
    """A watch that tells when a stage begins, and when a shard was read."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell
        self.stages: list[str] = []

    def enter(self, stage: str, detail: str = "", shards: int = 0) -> None:
        super().enter(stage, detail, shards)
        self.stages.append(stage)
        self._tell(stage)

    def count_shard(self, stored: int, mapped: Mapped) -> None:
        super().count_shard(stored, mapped)
        self._tell("one shard")


def few(*checks: Name, **changes: object) -> AuditSettings:
    """Settings that take little time."""
    settings = AuditSettings(
        checks=checks or ("pii", "duplicates"),
        sampling=SamplingSettings(documents=0),
        canaries=CanarySettings(per_format=0),
    )
    return msgspec.structs.replace(settings, **changes)


def write_secret(path: Path, key: bytes = KEY) -> Path:
    """A secret that tests know."""
    save_secret(Secret(key), path)
    return path


def run(
    inputs: Sequence[str | Path] | str | Path,
    settings: AuditSettings,
    out: Path,
    secret: Path | None,
    *,
    executor: Executor | None = None,
    watch: Watch | None = None,
    force: bool = False,
) -> AuditManifest:
    """Audit, and close the executor."""
    named = (inputs,) if isinstance(inputs, str | Path) else tuple(inputs)

    async def go() -> AuditManifest:
        carrying = executor or InProcess()
        try:
            ordered = Ordered(tuple(map(str, named)), settings, out, secret, force)
            return await audit(ordered, carrying, watch or Watch(), None)
        finally:
            await carrying.close()

    return asyncio.run(go())


def killed_at(stage: str, corpus: Path, settings: AuditSettings, out: Path, secret: Path | None) -> None:
    """Begin an audit in a process of its own, which is killed when it comes to a stage."""
    pid = os.fork()
    if pid == 0:
        try:
            run(corpus, settings, out, secret, watch=Telling(lambda now: _die_at(stage, now)))
        finally:
            os._exit(77)  # it came to its end
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f"it ended before {stage!r}, with {os.waitstatus_to_exitcode(status)}"
    assert signal.SIGKILL == os.WTERMSIG(status)


def _die_at(stage: str, now: str) -> None:
    if stage == now:
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def local_workers() -> list[int]:
    """The workers that this process has started and that still run."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found += [int(pid) for pid in path.read_text().split() if _is_worker(pid)]
    return found


def _is_worker(pid: str) -> bool:
    with contextlib.suppress(OSError):
        return b"verilabel.audit.engine.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def without_times(manifest: AuditManifest) -> AuditManifest:
    """A manifest without what may differ between two runs of one audit."""
    return msgspec.structs.replace(manifest, started="", ended="", engine="")


def with_benchmark(path: Path, question: str = QUESTION) -> ContaminationSettings:
    """A benchmark of one item."""
    path.write_bytes(msgspec.json.encode({"question": question, "answer": "thirty eight"}) + b"\n")
    return ContaminationSettings(benchmarks=(str(path),))
