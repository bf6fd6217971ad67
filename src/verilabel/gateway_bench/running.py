"""Runs the sections that were asked for, one after another, and says on what."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import signal
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from verilabel.gateway_bench.bench import Bench, Options, Say, open_bench
from verilabel.gateway_bench.busy import has_wrk
from verilabel.gateway_bench.leak import measure_leaks
from verilabel.gateway_bench.memory import measure_memory
from verilabel.gateway_bench.queueing import measure_queueing
from verilabel.gateway_bench.sharing import measure_sharing
from verilabel.gateway_bench.stall import measure_stalls
from verilabel.gateway_bench.tables import Section
from verilabel.gateway_bench.throughput import measure_load

SECTIONS: dict[str, Callable[[Bench], Awaitable[Section]]] = {
    "leak": measure_leaks,
    "stall": measure_stalls,
    "load": measure_load,
    "memory": measure_memory,
    "limits": measure_sharing,
    "approvals": measure_queueing,
}
_PACKAGES = ("verilabel", "uvicorn", "uvloop", "httptools", "aiohttp", "google-re2", "msgspec")
_RIVAL_PACKAGES = ("litellm", "nemoguardrails", "uvicorn", "uvloop", "aiohttp")


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured, and on what."""

    machine: tuple[str, ...]
    sections: tuple[Section, ...]

    def text(self) -> str:
        """For a terminal."""
        return "\n\n".join(["\n".join(self.machine), *(section.text() for section in self.sections)])

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "machine": list(self.machine),
            "sections": [section.document() for section in self.sections],
        }


async def run_bench(options: Options, say: Say) -> Results:
    """Measure what the options name. Raises the errors of what is needed for all of it."""
    task = asyncio.current_task()
    assert task is not None
    # ended from outside, it still ends what it started
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    sections = []
    with tempfile.TemporaryDirectory(prefix="verilabel-bench-") as folder:
        async with open_bench(options, Path(folder), say) as bench:
            for name in options.sections:
                say(name)
                sections.append(await SECTIONS[name](bench))
    return Results(machine=tuple(describe(options)), sections=tuple(sections))


def describe(options: Options) -> list[str]:
    """Lines that say what was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    lines = [
        f"machine: {_processor()}, {os.cpu_count()} CPUs, {memory:.0f} GB, {platform.system()} {platform.release()}",
        f"python: {platform.python_implementation()} {platform.python_version()}; {_versions(_PACKAGES)}",
        f"load averages over 1, 5 and 15 minutes at the end: {load}; load program: {'wrk' if has_wrk() else 'own'}",
        f"date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC{'; quick figures' if options.quick else ''}",
    ]
    if options.rivals_python is not None:
        where = [str(path) for path in options.rivals_python.parent.parent.glob("lib/python3*/site-packages")]
        lines.append(f"rivals: {_versions(_RIVAL_PACKAGES, where)}")
    return lines


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")


def _versions(names: tuple[str, ...], where: list[str] | None = None) -> str:
    found = []
    for name in names:
        known = (
            importlib.metadata.distributions(name=name)
            if where is None
            else importlib.metadata.distributions(name=name, path=where)
        )
        version = next((one.version for one in known), None)
        found += [] if version is None else [f"{name} {version}"]
    return ", ".join(found) or "none"
