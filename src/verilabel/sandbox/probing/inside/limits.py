"""Probes of limits that can be read; those that must be tried are in `heavy`."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from .answers import Answer, Config, came_through, number_of, probe, stopped, told


@probe("limits.core-files", "may leave core files, or start what the host starts for them")
def core_files(_: Config) -> Answer:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return stopped("none") if hard == 0 else came_through("no limit" if hard < 0 else f"{hard} bytes")


@probe("limits.file-sizes", "may write files of any size", by="")
def file_sizes(_: Config) -> Answer:
    return told(_limit(resource.RLIMIT_FSIZE, "bytes a file"))


@probe("limits.open-files", "may open any number of files", by="")
def open_files(_: Config) -> Answer:
    return told(_limit(resource.RLIMIT_NOFILE, "open files"))


@probe("limits.processes", "may start any number of processes", by="")
def processes(_: Config) -> Answer:
    return told(_limit(resource.RLIMIT_NPROC, "processes of its user"))


def _limit(number: int, unit: str) -> str:
    hard = resource.getrlimit(number)[1]
    return f"no limit of {unit} for one process" if hard < 0 else f"{hard} {unit}"


@probe("limits.folder-sizes", "has writable folders beyond the size that was agreed")
def folder_sizes(config: Config) -> Answer:
    agreed = number_of(config, "disk_limit")
    beyond = []
    for name in (str(Path.cwd()), "/tmp", "/dev/shm", "/var/tmp", "/run"):  # noqa: S108
        if Path(name).is_dir() and os.access(name, os.W_OK):
            size = os.statvfs(name)
            if size.f_blocks * size.f_frsize > agreed + agreed // 10:
                beyond.append(f"{name} {size.f_blocks * size.f_frsize >> 20} MiB")
    return came_through(", ".join(beyond)) if beyond else stopped(f"at most {agreed >> 20} MiB each")


@probe("limits.priority", "raises its priority")
def priority(_: Config) -> Answer:
    try:
        os.nice(-5)
    except OSError as error:
        return stopped(error.strerror or "refused")
    return came_through("it did")


@probe("limits.raise", "raises its own limits")
def raise_limits(_: Config) -> Answer:
    raised = []
    for name in ("RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE"):
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        if hard < 0:
            continue
        try:
            resource.setrlimit(number, (hard + 1, hard + 1))
        except (OSError, ValueError):
            continue
        raised.append(name)
    return came_through(" ".join(raised)) if raised else stopped("none could be raised")
