"""Probes of what was handed down: open files of the program that started this one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .answers import Answer, Config, came_through, probe, refused, stopped, text_of
from .files import process_ids


def _own_descriptors() -> list[int]:
    """Open descriptors that were there before this program: above its own streams, and no pipe of its own."""
    found = []
    for number in range(3, 1024):
        try:
            kind = os.fstat(number).st_mode
        except OSError:
            continue
        if not stat.S_ISFIFO(kind):  # the pipe to the program that runs the probes
            found.append(number)
    return found


@probe("descriptors.inherited", "finds open files, folders or sockets that it was handed")
def inherited(_: Config) -> Answer:
    import sys

    program = Path(sys.argv[0]).resolve()
    others = [n for n in _own_descriptors() if Path(f"/proc/self/fd/{n}").resolve() != program]
    return came_through(f"descriptors {others[:20]}") if others else stopped("none")


@probe("descriptors.folders", "reads a file of the host relative to an open folder")
def folders(config: Config) -> Answer:
    path = "../" * 20 + text_of(config, "secret_file").lstrip("/")
    for number in (0, 1, 2, *_own_descriptors()):
        try:
            descriptor = os.open(path, os.O_RDONLY, dir_fd=number)
        except OSError:
            continue
        with os.fdopen(descriptor) as file:
            if text_of(config, "secret") in file.read(1000):
                return came_through(f"through descriptor {number}")
    return stopped("no open folder leads there")


@probe("descriptors.of-others", "opens the files that other processes hold, by /proc/PID/fd")
def of_others(config: Config) -> Answer:
    tried = 0
    for process in process_ids():
        for link in _links(process):
            tried += 1
            try:
                with open(link, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                    if text_of(config, "held_secret") in file.read(1000):
                        return came_through("the secret that a process of the host holds open")
            except OSError:
                continue
    return stopped(f"{tried} were tried")


def _links(process: int) -> list[Path]:
    """Descriptors of a process that are plain files: opening a pipe would wait."""
    try:
        return [link for link in Path(f"/proc/{process}/fd").iterdir() if link.is_file()][:64]
    except OSError:
        return []


@probe("descriptors.map-files", "opens what other processes map, by /proc/PID/map_files")
def map_files(config: Config) -> Answer:
    number = int(str(config["victim_pid"]))
    folder = Path(f"/proc/{number}/map_files")
    try:
        names = [link.name for link in folder.iterdir()]
    except OSError as error:
        return refused(error)
    for name in names[:64]:
        try:
            os.close(os.open(folder / name, os.O_RDONLY))
        except OSError:
            continue
        return came_through("a mapped file was opened")
    return stopped("none could be opened")
