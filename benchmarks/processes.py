"""Runs a command as a process of its own on one CPU and says what it cost: wall, CPU and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settings import CommandFailed, NotMeasured, Settings

LAUNCHER = Path(__file__).with_name("launcher.py")
TIMEOUT_S = 1800.0

ANY_CPU = -1
"""Do not pin the command."""


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost, its children that it waited for included."""

    began_s: float
    """When it was started, on the machine's monotonic clock."""
    wall_s: float
    cpu_s: float
    rss_mb: float
    """Peak resident memory in 10^6 bytes; not below the launcher's own of some 9."""
    out: str
    err: str


def clean_environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What measured commands see of the environment: a home of their own, and nothing of the user's."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    plain = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "VERILABEL_HOME": str(home / "verilabel"),
    }
    return {**plain, **(more or {})}


def two_cpus() -> tuple[int, int]:
    """The CPUs for the client and for the server. Raises NotMeasured where this process may use only one."""
    allowed = _allowed_cpus()
    if len(allowed) < 2:
        raise NotMeasured("client and server need a CPU each, and this process may use only one")
    return allowed[0], allowed[1]


def first_cpu() -> int:
    """The CPU that single commands run on."""
    return _allowed_cpus()[0]


def _allowed_cpus() -> list[int]:
    if not hasattr(os, "sched_getaffinity"):
        raise NotMeasured("pinning processes to CPUs and their peak memory are read as Linux gives them")
    return sorted(os.sched_getaffinity(0))


def run_command(
    command: Sequence[str],
    settings: Settings,
    *,
    cpu: int,
    more: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Cost:
    """Run a command to its end. Raises CommandFailed where it fails: what failed quickly is not fast."""
    report, out, err = (settings.folder / f"command.{kind}" for kind in ("report", "out", "err"))
    report.unlink(missing_ok=True)
    launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(cpu), str(report), str(out), str(err), *command]
    process = subprocess.Popen(
        launch,
        env=clean_environment(settings.folder, more),
        cwd=cwd or settings.folder,
        start_new_session=True,
    )
    try:
        process.wait(TIMEOUT_S)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if not report.is_file():
        raise CommandFailed(f"could not start: {' '.join(command)}")
    found = dict(line.split() for line in report.read_text().splitlines())
    shown_out, shown_err = (path.read_text("utf-8", "replace") for path in (out, err))
    if int(found["status"]) != 0:
        tail = "\n".join((shown_out + shown_err).splitlines()[-15:])
        raise CommandFailed(f"exit status {found['status']}: {' '.join(command)}\n{tail}")
    return Cost(
        float(found["began"]),
        float(found["wall_s"]),
        float(found["cpu_s"]),
        int(found["rss_kib"]) * 1024 / 1e6,
        shown_out,
        shown_err,
    )
