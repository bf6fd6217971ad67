"""Control groups: limits over all processes of a box together, in version 1 or 2 of the interface."""

from __future__ import annotations

import contextlib
import os
import signal
import time

FOLDER = "/sys/fs/cgroup"
NAME = "verilabel-"
ABANDONED_S = 60.0
"""An empty group of that age has lost who would have removed it; no box takes so long to begin."""
CPU_PERIOD_US = 100_000
REMOVAL_S = 3.0
"""How long the kernel may take to let go of processes that have ended."""


class ControlGroup:
    """A group of one box: the folders it is made of, and where its kills are counted."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.folders: list[str] = []
        self.lacking: list[str] = []

    def admit(self, pid: int) -> None:
        """Put a process, and with it all that it starts from then on, into the group."""
        for folder in self.folders:
            _write(f"{folder}/cgroup.procs", str(pid))

    def open_counters(self) -> dict[str, int]:
        """Files that count what the limits did, open: they are out of reach by name from inside a box."""
        names = {"memory": ("memory.oom_control", "memory.events"), "pids": ("pids.events",)}
        opened: dict[str, int] = {}
        for limit, candidates in names.items():
            for folder in self.folders:
                for name in candidates:
                    with contextlib.suppress(OSError):
                        opened[limit] = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        return opened

    def open_list(self) -> int:
        """The folder whose `cgroup.procs` lists the group's processes, open."""
        folder = next((folder for folder in self.folders if "/pids/" in folder), self.folders[0])
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def remove(self) -> None:
        """End what is left in the group and remove its folders."""
        end = time.monotonic() + REMOVAL_S
        for folder in self.folders:
            while True:
                try:
                    os.rmdir(folder)  # noqa: PTH106
                except FileNotFoundError:
                    break
                except OSError:
                    if time.monotonic() > end:
                        break
                    _kill_members(folder)
                    time.sleep(0.002)


def read_counter(descriptor: int, limit: str) -> int:
    """How often a limit struck: kills for memory, refused forks for pids."""
    name = b"oom_kill" if limit == "memory" else b"max"
    for line in os.pread(descriptor, 4096, 0).splitlines():
        key, _, count = line.partition(b" ")
        if key == name:
            return int(count)
    return 0


def make_control_group(
    name: str, memory: int, pids: int, cpus: float, root: str = FOLDER, proc: str = "/proc"
) -> tuple[ControlGroup | None, str]:
    """A group with limits for this process's children; None where that does not work, and why, in words."""
    try:
        own = _own_groups(f"{proc}/self/cgroup")
    except OSError:
        return None, "cgroup: this kernel has none"
    reasons = []
    for attempt in (_make_version_2, _make_version_1):
        group, reason = attempt(name, memory, pids, cpus, root, own)
        if group is not None:
            return group, ""
        reasons.append(reason)
    return None, "cgroup: " + ", ".join(reasons)


def _own_groups(path: str) -> dict[str, str]:
    """Controller to the path of this process's group; the empty controller is version 2."""
    own: dict[str, str] = {}
    with open(path, encoding="ascii") as file:  # noqa: PTH123
        for line in file:
            _, controllers, place = line.rstrip("\n").split(":", 2)
            for controller in controllers.split(","):
                own[controller] = place
    return own


def _make_version_2(
    name: str, memory: int, pids: int, cpus: float, root: str, own: dict[str, str]
) -> tuple[ControlGroup | None, str]:
    if "" not in own or not os.path.exists(f"{root}/cgroup.controllers"):  # noqa: PTH110
        return None, "v2 is not mounted"
    parent = delegating_folder(root, own[""])
    if parent is None:
        return None, "v2 is not delegated to this user (see docs/sandbox.md)"
    group = ControlGroup("v2")
    given = _read(f"{parent}/cgroup.subtree_control").split()
    settings = [("memory.max", str(memory)), ("memory.swap.max", "0"), ("pids.max", str(pids))]
    if "cpu" in given:
        settings.append(("cpu.max", f"{int(cpus * CPU_PERIOD_US)} {CPU_PERIOD_US}"))
    else:
        group.lacking.append("cpu: the control group's parent gives no share of it")
    return _fill(group, f"{parent}/{name}", settings)


def delegating_folder(root: str, own: str) -> str | None:
    """The nearest folder above this process's group in which a group with limits can be made."""
    place = own.rstrip("/")
    folders = [root]
    while place.rpartition("/")[0]:
        place = place.rpartition("/")[0]
        folders.insert(-1, f"{root}{place}")
    for folder in folders:
        with contextlib.suppress(OSError):
            given = set(_read(f"{folder}/cgroup.subtree_control").split())
            writable = os.access(folder, os.W_OK) and os.access(f"{folder}/cgroup.procs", os.W_OK)
            if {"memory", "pids"} <= given and writable:
                return folder
    return None


def _make_version_1(
    name: str, memory: int, pids: int, cpus: float, root: str, own: dict[str, str]
) -> tuple[ControlGroup | None, str]:
    group = ControlGroup("v1")
    settings = {
        "memory": [("memory.limit_in_bytes", str(memory)), ("memory.memsw.limit_in_bytes", str(memory))],
        "pids": [("pids.max", str(pids))],
        "cpu": [
            ("cpu.cfs_period_us", str(CPU_PERIOD_US)),
            ("cpu.cfs_quota_us", str(int(cpus * CPU_PERIOD_US))),
        ],
    }
    for controller, values in settings.items():
        parent = f"{root}/{controller}{own.get(controller, '/').rstrip('/')}"
        made, reason = None, "not mounted"
        if controller in own and os.path.isdir(parent):  # noqa: PTH112
            made, reason = _fill(group, f"{parent}/{name}", values)
        if made is None and controller == "cpu":
            group.lacking.append(f"cpu: its control group is {reason}")
        elif made is None:
            group.remove()
            return None, f"v1 {controller} is {reason}"
    return group, ""


def remove_abandoned(parent: str) -> None:
    """Remove the groups of boxes whose keeper was killed before it could. The kernel keeps those that are in use."""
    with contextlib.suppress(OSError):
        for name in os.listdir(parent):  # noqa: PTH208
            folder = f"{parent}/{name}"
            if name.startswith(NAME) and os.stat(folder).st_mtime < time.time() - ABANDONED_S:  # noqa: PTH116
                with contextlib.suppress(OSError):
                    os.rmdir(folder)  # noqa: PTH106


def _fill(
    group: ControlGroup, folder: str, settings: list[tuple[str, str]]
) -> tuple[ControlGroup | None, str]:
    remove_abandoned(os.path.dirname(folder))  # noqa: PTH120
    optional = ("memory.swap.max", "memory.memsw.limit_in_bytes")
    try:
        os.mkdir(folder)  # noqa: PTH102
        group.folders.append(folder)
        for file, value in settings:
            try:
                _write(f"{folder}/{file}", value)
            except OSError:
                # kernels without swap accounting have no such file
                if file not in optional:
                    raise
    except OSError as error:
        with contextlib.suppress(OSError):
            os.rmdir(folder)  # noqa: PTH106
        return None, f"not writable ({error.strerror})"
    return group, ""


def _kill_members(folder: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        for member in _read(f"{folder}/cgroup.procs").split():
            os.kill(int(member), signal.SIGKILL)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123
        return file.read()


def _write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
