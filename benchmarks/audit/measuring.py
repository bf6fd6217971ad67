"""Runs a command and measures its tree of processes: wall and CPU seconds, and the peak of their memory together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.processes import clean_environment
from benchmarks.settings import CommandFailed

TIMEOUT_S = 900.0
_INTERVAL_S = 0.25
_MEMORY_EVERY = 2
"""Memory is asked for in every second sample: the answer costs the kernel milliseconds a process."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Tree:
    """What one command cost, with all processes that it started."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    """Greatest sum of the processes' proportional shares of memory, in 10^6 bytes, as sampled twice a second."""

    def fields(self) -> dict[str, float]:
        """As JSON."""
        return asdict(self)


class _Watch:
    """Follows a process and its descendants, those too that have left their parents."""

    def __init__(self, first: int) -> None:
        self._known = {first}
        self._ticks: dict[int, int] = {}
        self._looks = 0
        self.peak = 0

    def look(self) -> None:
        """Take one sample."""
        self._looks += 1
        parents = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and (stat := _read(f"/proc/{entry.name}/stat")):
                fields = stat.rpartition(") ")[2].split()
                parents[int(entry.name)] = int(fields[1]), int(fields[11]) + int(fields[12])
        grown = True
        while grown:
            found = {pid for pid, (parent, _) in parents.items() if parent in self._known} - self._known
            self._known |= found
            grown = bool(found)
        alive = self._known & set(parents)
        for pid in alive:
            self._ticks[pid] = parents[pid][1]
        if self._looks % _MEMORY_EVERY == 1:
            self.peak = max(self.peak, sum(_memory(pid) for pid in alive))

    def cpu_s(self) -> float:
        """Seconds of all processes seen, as of the last sample of each."""
        return sum(self._ticks.values()) / _TICKS


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def _memory(pid: int) -> int:
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def run_tree(command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None) -> Tree:
    """Run a command to its end. Raises CommandFailed where it fails or takes too long: its figures are worthless."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "command.log"
    before = os.times()
    began = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=clean_environment(folder, more),
            cwd=folder,
            start_new_session=True,
        )
        watch = _Watch(process.pid)
        try:
            while process.poll() is None:
                watch.look()
                if time.monotonic() - began > TIMEOUT_S:
                    raise CommandFailed(f"more than {TIMEOUT_S:.0f} s: {' '.join(command)}")
                time.sleep(_INTERVAL_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    wall = time.monotonic() - began
    after = os.times()
    waited = after.children_user + after.children_system - before.children_user - before.children_system
    if process.returncode != 0:
        tail = "\n".join(_read(str(log)).splitlines()[-12:])
        raise CommandFailed(f"exit status {process.returncode}: {' '.join(command)}\n{tail}")
    # what was waited for is exact, what was sampled also knows daemons
    return Tree(wall, max(waited, watch.cpu_s()), watch.peak / 1e6)
