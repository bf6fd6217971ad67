"""Runs the probes one after another, each in a process of its own that is ended after some seconds, and prints answers.

In: one JSON object, the configuration. Out: one JSON line about the box, then one a probe.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path

from . import (  # noqa: F401  (they fill the list)
    descriptors,
    devices,
    environment,
    files,
    heavy,
    kernel,
    limits,
    network,
    privileges,
    processes,
    settings,
    terminal,
)
from .answers import PROBES, Answer, Config, Probe, failed, stopped
from .calls import UnknownCall, unknown

TIMEOUT_S = 5.0
HEAVY_TIMEOUT_S = 20.0
MAX_ANSWER_BYTES = 4096


def main() -> None:
    """Run the probes that the configuration asks for."""
    config: Config = json.loads(sys.stdin.read())
    wanted = config.get("only")
    _print({"facts": _facts(config)})
    for probe in PROBES:
        if (isinstance(wanted, list) and probe.id in wanted) or (wanted is None and not probe.heavy):
            answer = attempt(probe, config)
            _print({"id": probe.id, "result": answer.result, "detail": answer.detail})
    if config.get("daemon"):
        _leave_daemon(str(config["daemon"]))


def _print(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _facts(config: Config) -> dict[str, object]:
    uname = os.uname()
    return {
        "system": uname.sysname,
        "kernel": uname.release,
        "version": Path("/proc/version").read_text() if Path("/proc/version").exists() else "",
        "machine": uname.machine,
        "host_name_seen": uname.nodename == config.get("host_name"),
        "uid": os.getuid(),
        "python": sys.version.split()[0],
    }


def attempt(probe: Probe, config: Config) -> Answer:
    """Run one probe in a child. A child that the kernel killed for its system call was stopped."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_in_child(probe, config, reading, writing)
    os.close(writing)
    data = _read_answer(reading, HEAVY_TIMEOUT_S if probe.heavy else TIMEOUT_S)
    with contextlib.suppress(OSError):  # it never came to have a group, or is gone
        os.killpg(child, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reading)
    if data is None:
        return failed("no answer in time")
    if data:
        result, detail = json.loads(data)
        return Answer(str(result), str(detail))
    return _ended(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)


def _ended(number: int) -> Answer:
    if number == signal.SIGSYS:
        return stopped("killed for the system call")
    return failed(f"ended by signal {number} without an answer")


def _answer_in_child(probe: Probe, config: Config, reading: int, writing: int) -> None:
    try:
        os.close(reading)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        try:
            answer = probe.attempt(config)
        except UnknownCall as error:
            answer = unknown(error)
        except Exception as error:  # whatever it is, it is no answer
            answer = failed(f"{type(error).__name__}: {error}")
        os.write(writing, json.dumps(answer).encode()[:MAX_ANSWER_BYTES])
    finally:
        os._exit(0)


def _read_answer(descriptor: int, timeout_s: float) -> bytes | None:
    end = time.monotonic() + timeout_s
    ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
    return os.read(descriptor, MAX_ANSWER_BYTES) if ready else None


def _leave_daemon(marker: str) -> None:
    """Leave a process behind that nobody waits for; the outside looks for it after the box was closed."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(120)", marker])  # noqa: S606
        os._exit(0)
