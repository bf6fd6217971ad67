"""Boxes: opening one, running programs in it, closing it, beside starting the same program as a plain process.

The last table runs a thousand programs in one box, as an agent would one after the other, and counts what is left.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.settings import NotMeasured, Settings
from benchmarks.tables import Section, Spread, Table
from verilabel.errors import SandboxError
from verilabel.sandbox.interface import Box, BoxSpec
from verilabel.sandbox.opening import available, open_box

BOXES = 20
PROGRAMS_A_BOX = 10
STEPS = 1000
PROGRAM = ["/bin/true"]
NOBODY = 65534
PROVIDERS = ("bubblewrap", "gvisor", "process")
METHOD = (
    "A box is opened and closed as a caller sees it, first call to last; programs run in it one after the other, each "
    "`/bin/true`. The plain process is the same program by `subprocess.run`, without any containment. One box is "
    "opened before and not measured: it tries what the machine can do."
)


def measure(settings: Settings) -> Section:
    """Measure every provider that works here, then a thousand programs in one box."""
    uid = NOBODY if os.geteuid() == 0 else None
    specs = {name: BoxSpec(provider=name, at_least="C0", uid=uid) for name in PROVIDERS}
    usable = {name: spec for name, spec in specs.items() if available(spec).get(name) is None}
    if "bubblewrap" not in usable:
        raise NotMeasured(f"bubblewrap makes no box here: {available(specs['bubblewrap'])['bubblewrap']}")
    rounds = settings.rounds_or(BOXES)
    notes: list[str] = []
    rows = [_plain(rounds * PROGRAMS_A_BOX)]
    for name, spec in usable.items():
        try:
            rows.append(asyncio.run(_provider(name, spec, rounds)))
        except SandboxError as error:
            notes.append(f"{name}: {error.message}")
    columns = ("", "level", "open ms", "run a program ms", "close ms")
    steps = STEPS // 20 if settings.quick else STEPS
    left, contained = asyncio.run(_many(usable["bubblewrap"], steps))
    notes.append(f"{rounds} boxes of each kind, {PROGRAMS_A_BOX} programs in each; means: {contained}")
    return Section(
        "Boxes", METHOD, (Table("Opening, running, closing", columns, tuple(rows)), left), tuple(notes)
    )


def _plain(number: int) -> tuple[str, str, str, Spread, str]:
    taken = []
    for _ in range(number):
        begin = time.perf_counter()
        subprocess.run(PROGRAM, check=True, stdin=subprocess.DEVNULL, capture_output=True, env={})
        taken.append(1000 * (time.perf_counter() - begin))
    return "plain process", "none", "", Spread(tuple(taken)), ""


async def _provider(name: str, spec: BoxSpec, rounds: int) -> tuple[str, str, Spread, Spread, Spread]:
    opened, ran, closed = [], [], []
    level = ""
    for number in range(rounds + 1):
        begin = time.perf_counter()
        box = await open_box(spec)
        open_ms = 1000 * (time.perf_counter() - begin)
        level = box.containment.level
        ran_ms = [await _timed(lambda box=box: _run(box)) for _ in range(PROGRAMS_A_BOX)]
        close_ms = await _timed(box.close)
        if number:
            opened.append(open_ms)
            ran += ran_ms
            closed.append(close_ms)
    return f"box of {name}", level, Spread(tuple(opened)), Spread(tuple(ran)), Spread(tuple(closed))


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    begin = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - begin)


async def _run(box: Box) -> None:
    result = await box.exec(PROGRAM)
    if result.exit_status != 0:
        raise SandboxError(f"the program ended with {result.exit_status}")


async def _many(spec: BoxSpec, steps: int) -> tuple[Table, str]:
    box = await open_box(spec)
    await _run(box)
    before = _counts()
    taken = [await _timed(lambda: _run(box)) for _ in range(steps)]
    inside = len((await box.exec(["ps", "-e", "-o", "pid="])).stdout.split())
    after = _counts()
    await box.close()
    kinds = ("descriptors", "processes of the machine", "mounts", "control groups", "peak memory kB")
    table = Table(
        f"{steps} programs in one box",
        ("what", "after the first", "after the last", "after closing"),
        (
            *zip(kinds, before, after, _counts(), strict=True),
            ("processes in the box, with the one that counts", "", inside, ""),
            ("ms a program", "", Spread(tuple(taken)), ""),
        ),
    )
    return table, ", ".join(box.containment.means)


def _counts() -> tuple[int, int, int, int, int]:
    processes = sum(folder.name.isdigit() for folder in Path("/proc").iterdir())
    groups = sum(1 for _ in Path("/sys/fs/cgroup").glob("*/verilabel-*"))
    mounts = len(Path("/proc/self/mountinfo").read_text("utf-8").splitlines())
    descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return descriptors, processes, mounts, groups, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
