"""What is seen of the host before and after: settings, mounts, control groups, open files, processes left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from verilabel.records.canonical import digest
from verilabel.sandbox.probing.record import Environment

WATCHED = (
    "kernel/core_pattern",
    "kernel/modprobe",
    "kernel/hostname",
    "kernel/sysrq",
    "kernel/randomize_va_space",
    "kernel/yama/ptrace_scope",
    "fs/suid_dumpable",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
)
"""Settings that must be the same afterwards."""
LEANED_ON = (
    "kernel/apparmor_restrict_unprivileged_userns",
    "kernel/unprivileged_userns_clone",
    "user/max_user_namespaces",
    "kernel/unprivileged_bpf_disabled",
    "kernel/io_uring_disabled",
    "kernel/perf_event_paranoid",
    "kernel/yama/ptrace_scope",
    "kernel/dmesg_restrict",
    "kernel/kptr_restrict",
    "vm/unprivileged_userfaultfd",
    "dev/tty/legacy_tiocsti",
)
"""Settings that decide what a box can do or must stop: part of the environment that is attested."""
MAX_SETTING = 200


class HostState(NamedTuple):
    """What must be the same before and after."""

    settings: dict[str, str]
    mounts: frozenset[str]
    control_groups: frozenset[str]
    descriptors: int


def look_at_host() -> HostState:
    """The host as it is now."""
    return HostState(
        read_settings(WATCHED), _mounts(), _control_groups(), len(list(Path("/proc/self/fd").iterdir()))
    )


def read_settings(names: tuple[str, ...]) -> dict[str, str]:
    """The settings of the kernel that can be read, by name."""
    found = {}
    for name in names:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found[name] = Path("/proc/sys", name).read_text(encoding="utf-8").strip()[:MAX_SETTING]
    return found


def _mounts() -> frozenset[str]:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    return frozenset(" ".join(line.split()[3:5]) for line in lines)


def _control_groups() -> frozenset[str]:
    root = Path("/sys/fs/cgroup")
    if not root.is_dir():
        return frozenset()
    return frozenset(
        str(folder) for pattern in ("*", "*/*") for folder in root.glob(pattern) if folder.is_dir()
    )


async def find_left_groups(before: HostState, *, patience_s: float = 2.0) -> list[str]:
    """Control groups that are new and that nobody is in; groups of other programs' boxes come and go meanwhile."""
    new = _control_groups() - before.control_groups
    for _ in range(max(1, int(patience_s / 0.1))):
        new = frozenset(name for name in new if _is_empty_group(Path(name)))
        if not new:
            break
        await asyncio.sleep(0.1)
    return sorted(new)


def _is_empty_group(folder: Path) -> bool:
    try:
        return not (folder / "cgroup.procs").read_text(encoding="ascii").strip()
    except OSError:
        return False  # gone


def find_processes(marker: str) -> list[int]:
    """Processes of this machine that were called with a word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if marker.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
    return found


async def await_users(marker: str, *, patience_s: float = 1.0) -> set[int]:
    """The users, as the host sees them, of the processes that were called with a word; none where none appears."""
    for _ in range(max(1, int(patience_s / 0.05))):
        if users := _users_of(find_processes(marker)):
            return users
        await asyncio.sleep(0.05)
    return set()


def _users_of(numbers: list[int]) -> set[int]:
    found = set()
    for number in numbers:
        with contextlib.suppress(OSError):
            for line in (
                Path(f"/proc/{number}/status").read_text(encoding="utf-8", errors="replace").splitlines()
            ):
                if line.startswith("Uid:"):
                    found |= {int(word) for word in line.split()[1:]}
    return found


async def await_end(marker: str, *, patience_s: float = 2.0) -> list[int]:
    """Processes that are still there after some seconds; they are ended, because they are the doctor's own."""
    left: list[int] = []
    for _ in range(max(1, int(patience_s / 0.1))):
        left = find_processes(marker)
        if not left:
            return []
        await asyncio.sleep(0.1)
    for number in left:
        with contextlib.suppress(OSError):
            os.kill(number, signal.SIGKILL)
    return left


def describe_environment(provider: str, user: int, *, image: str | None = None) -> Environment:
    """The environment that boxes of a provider (name and version) are made in on this machine now."""
    build = Path("/proc/version")
    return Environment(
        provider=provider,
        kernel=platform.release(),
        kernel_build=digest(build.read_bytes()) if build.exists() else digest(b""),
        machine=platform.machine(),
        distribution=_distribution(),
        image=image,
        host=_identity(),
        user=user,
        started_as_root=os.geteuid() == 0,
        settings=read_settings(LEANED_ON),
    )


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")[:MAX_SETTING]
    except OSError:
        return ""


def _identity() -> str:
    """A digest of the machine's identity with a word before it, so that nobody learns the identity from it."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        with contextlib.suppress(OSError):
            if text := path.read_text(encoding="ascii").strip():
                return digest(b"verilabel/containment/host\n" + text.encode())
    return ""


def differing_parts(one: Environment, other: Environment) -> list[str]:
    """The parts in which two environments differ, in words."""
    found = []
    for name in one.__struct_fields__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, Mapping):
            found += [key for key in sorted({*left, *right}) if left.get(key) != right.get(key)]
        elif left != right:
            found.append(name.replace("_", " "))
    return found
