"""Ending all that one program started, wherever it hid, without ending the rest of the box.

Each program is watched by a process that adopts its orphans, so whatever the program starts stays below its watcher.
The warden ends it from outside, where nothing in the box reaches it, and without making a process: there may be no
room for one.
"""

from __future__ import annotations

import contextlib
import os
import signal

QUIET_ROUNDS = 2
"""So many looks in a row must find nothing: between two reads a process may be under a parent that has just ended."""
LIST_BYTES = 2**20


class ProcessTable:
    """Processes of this machine by the numbers they have here, however far the warden has gone into a box since.

    `group` is an open folder of the box's control group; without one, every process is looked at.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = os.open(proc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.group: int | None = None
        self.ends = {os.getpid()}
        """Where the way up from a process ends, and who is never ended: the warden, bubblewrap, and the holder, who
        adopts what lost its watcher."""

    def below(self, roots: set[int]) -> tuple[list[int], bool]:
        """The living processes below some, and whether there may be one more whose ancestry could not be followed."""
        parents: dict[int, int] = {}
        ended: set[int] = set()
        for pid in self._listed():
            with contextlib.suppress(OSError, IndexError):
                state, parents[pid] = self._read(pid)
                if state in b"ZX":
                    ended.add(pid)
        living: list[int] = []
        unsure = False
        for pid in parents.keys() - ended - roots - self.ends:
            ancestor = _root_of(pid, parents, roots | self.ends)
            if ancestor in roots:
                living.append(pid)
            elif ancestor is None:
                unsure = unsure or self._may_be_ours(pid)
        return living, unsure

    def _listed(self) -> list[int]:
        if self.group is None:
            return [int(name) for name in os.listdir(self._proc) if name.isdigit()]  # noqa: PTH208 - a descriptor
        # opened anew each time: version 1 shows what it showed before for a second
        return [int(line) for line in _read_whole("cgroup.procs", self.group).split()]

    def _read(self, pid: int) -> tuple[bytes, int]:
        # the program's name may hold anything, brackets too
        fields = _read_whole(f"{pid}/stat", self._proc).rpartition(b")")[2].split()
        return fields[0], int(fields[1])

    def _may_be_ours(self, pid: int) -> bool:
        """Whether a process still lives, and under this user."""
        try:
            return os.stat(str(pid), dir_fd=self._proc).st_uid == os.getuid()
        except OSError:
            return False


def _read_whole(name: str, folder: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    content = b""
    try:
        while len(content) < LIST_BYTES and (piece := os.read(descriptor, 65_536)):
            content += piece
    finally:
        os.close(descriptor)
    return content


def _root_of(pid: int, parents: dict[int, int], roots: set[int]) -> int | None:
    """The first of some processes on the way up; 0 where none is, None where the way broke off."""
    ancestor = pid
    for _ in range(len(parents) + 1):
        if ancestor not in parents:
            return None
        ancestor = parents[ancestor]
        if ancestor in roots:
            return ancestor
        if ancestor <= 1:
            return 0
    return 0


def kill_all(pids: list[int]) -> None:
    """Send SIGKILL to processes, some of which may have gone; never to a group, or to everyone."""
    for pid in filter(_is_one_process, pids):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _is_one_process(pid: int) -> bool:
    return pid > 1


def kill_everything_else() -> None:
    """End every process of a box but its first and this one, in one step of the kernel that nothing can outrun."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
