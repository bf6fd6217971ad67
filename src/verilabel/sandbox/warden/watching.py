"""Holding a box's memory and processes where no control group does: by looking, and ending everything beyond."""

from __future__ import annotations

import contextlib
import os

MOST_BYTES = 2**20
_KINDS = (b"RssAnon:", b"RssShmem:")


class Bounds:
    """What all processes of a box may use together. Looked at from inside the box's list of processes.

    Memory is what processes have touched (`RssAnon` and `RssShmem` of proc(5)). Shared memory counts once for each
    process that touched it, so the bound errs on the side of ending too early.
    """

    def __init__(self, memory: int, pids: int) -> None:
        self.memory = memory
        self.pids = pids

    def exceeded(self) -> str:
        """The bound that is exceeded now: `memory`, `pids`, or nothing."""
        # the first process is the holder
        names = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]  # noqa: PTH208
        if len(names) > self.pids:
            return "pids"
        touched = 0
        for name in names:
            with contextlib.suppress(OSError, ValueError):
                touched += _touched_bytes(name)
        return "memory" if touched > self.memory else ""


def _touched_bytes(pid: str) -> int:
    with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123
        # the list of groups, before what is looked for, can be long
        lines = file.read(MOST_BYTES).splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_KINDS))
