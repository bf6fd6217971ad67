"""Runs one command and reports what it cost: `launcher.py CPU REPORT OUT ERR COMMAND...`, all as arguments.

A process of its own and as small as Python can be (`-I -S`), because the kernel counts the memory of the process
that starts a program into that program's peak: started from a large one, every program would look as large.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Pin to the CPU (none for -1), start the command, wait for it, write the report as `key value` lines."""
    cpu, report, out, err = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    command = sys.argv[5:]
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, out, flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, err, flags, 0o600),
    ]
    began = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    ended = time.monotonic()
    cpu_s = usage.ru_utime + usage.ru_stime
    with open(report, "w") as file:  # noqa: PTH123 - pathlib would double this process's memory
        file.write(f"began {began!r}\nwall_s {ended - began!r}\ncpu_s {cpu_s!r}\n")
        file.write(f"rss_kib {usage.ru_maxrss}\nstatus {os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    main()
