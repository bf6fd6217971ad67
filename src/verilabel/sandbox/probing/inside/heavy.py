"""Probes that use up what a box may use, and little more: only for boxes that have limits."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import threading
import time
from pathlib import Path

from .answers import Answer, Config, came_through, number_of, probe, stopped

BEYOND_PROCESSES = 40
MAX_PROCESSES = 1000
CHUNK = 4 * 2**20
MAX_BYTES = 4 * 2**30


def _beyond(config: Config, name: str) -> int:
    """Half as much again as what was agreed: enough to see that nothing stops it."""
    agreed = number_of(config, name)
    return min(agreed + agreed // 2, MAX_BYTES)


@probe("heavy.processes", "starts more processes than agreed", by="limits", heavy=True)
def processes(config: Config) -> Answer:
    agreed = number_of(config, "process_limit")
    children: list[int] = []
    detail = ""
    try:
        while len(children) < min(agreed + BEYOND_PROCESSES, MAX_PROCESSES):
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
    except OSError as error:
        detail = errno.errorcode.get(error.errno or 0, "")
    time.sleep(0.2)  # a watcher looks at times
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if len(children) > agreed:
        return came_through(f"{len(children)} of {agreed}")
    return stopped(f"{detail} at {len(children)} of {agreed}")


@probe("heavy.threads", "starts more threads than agreed", by="limits", heavy=True)
def threads(config: Config) -> Answer:
    agreed = number_of(config, "process_limit")
    end = threading.Event()
    started = 0
    try:
        while started < min(agreed + BEYOND_PROCESSES, MAX_PROCESSES):
            threading.Thread(target=end.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    time.sleep(0.2)
    end.set()
    return (
        came_through(f"{started} of {agreed}") if started > agreed else stopped(f"at {started} of {agreed}")
    )


def _use_memory(wanted: int, report: int) -> None:
    """Take memory piece by piece and touch it; every piece is reported as one byte."""
    held = []
    try:
        for _ in range(wanted // CHUNK):
            piece = mmap.mmap(-1, CHUNK)
            for offset in range(0, CHUNK, 4096):
                piece[offset] = 1
            held.append(piece)
            os.write(report, b".")
        time.sleep(0.4)  # a watcher looks at times
        os.write(report, b"!")
    finally:
        os._exit(0)


def _memory(config: Config, workers: int) -> Answer:
    agreed = number_of(config, "memory_limit")
    reading, writing = os.pipe()
    children = []
    try:
        for _ in range(workers):
            child = os.fork()
            if child == 0:
                os.close(reading)
                _use_memory(_beyond(config, "memory_limit") // workers, writing)
            children.append(child)
    except OSError as error:
        return stopped(f"{errno.errorcode.get(error.errno or 0, '')} at {len(children)} processes")
    finally:
        os.close(writing)
    pieces = b""
    while part := os.read(reading, 65536):
        pieces += part
    for child in children:
        os.waitpid(child, 0)
    taken = pieces.count(b".") * CHUNK
    words = f"{taken >> 20} of {agreed >> 20} MiB"
    # what was taken counts where it was also kept
    return came_through(words) if pieces.count(b"!") == workers and taken > agreed else stopped(f"at {words}")


@probe("heavy.memory", "one process takes more memory than agreed", by="limits", heavy=True)
def memory(config: Config) -> Answer:
    return _memory(config, 1)


@probe(
    "heavy.memory-of-many", "eight processes together take more memory than agreed", by="limits", heavy=True
)
def memory_of_many(config: Config) -> Answer:
    return _memory(config, 8)


def _fill(folder: str, config: Config, files: int) -> Answer:
    agreed, wanted = number_of(config, "disk_limit"), _beyond(config, "disk_limit")
    path, written, detail = Path(folder) / f"fill-{os.getpid()}", 0, ""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        path.mkdir()
        for number in range(files):
            with open(path / str(number), "wb", buffering=0) as file:  # noqa: PTH123
                while file.tell() < wanted // files:
                    written += file.write(b"\1" * min(CHUNK, wanted // files - file.tell()))
    except OSError as error:
        detail = errno.errorcode.get(error.errno or 0, "")
    finally:
        for file_path in path.glob("*"):
            file_path.unlink()
        if path.is_dir():
            path.rmdir()
    words = f"{written >> 20} of {agreed >> 20} MiB"
    return came_through(words) if written > agreed + agreed // 10 else stopped(f"{detail} at {words}")


@probe("heavy.disk", "writes one file beyond the disk that was agreed", by="limits", heavy=True)
def disk(config: Config) -> Answer:
    return _fill(str(Path.cwd()), config, 1)


@probe("heavy.disk-of-many", "writes many files beyond the disk that was agreed", by="limits", heavy=True)
def disk_of_many(config: Config) -> Answer:
    return _fill(str(Path.cwd()), config, 64)


@probe("heavy.temporary-folder", "fills /tmp beyond the disk that was agreed", by="limits", heavy=True)
def temporary_folder(config: Config) -> Answer:
    return _fill("/tmp", config, 8)  # noqa: S108


@probe("heavy.shared-memory", "fills /dev/shm beyond the disk that was agreed", by="limits", heavy=True)
def shared_memory(config: Config) -> Answer:
    if not Path("/dev/shm").is_dir():  # noqa: S108
        return stopped("there is none")
    return _fill("/dev/shm", config, 8)  # noqa: S108
