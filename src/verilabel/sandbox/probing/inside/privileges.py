"""Probes of rights: what the kernel says of this process, and what it lets it become."""

from __future__ import annotations

import ctypes
import os
import stat
from pathlib import Path

from .answers import Answer, Config, came_through, probe, refused, stopped, told
from .calls import call_prctl, invoke, permitted, reached

MAX_PROGRAMS = 20_000
PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 3, 39, 47


def _status(field: str) -> str:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(field + ":"):
            return line.split(":", 1)[1].strip()
    raise OSError(f"no {field} in /proc/self/status")


@probe("privileges.effective", "holds a capability")
def effective(_: Config) -> Answer:
    held = {name: int(_status(name), 16) for name in ("CapEff", "CapPrm", "CapInh")}
    held["CapAmb"] = sum(call_prctl(PR_CAP_AMBIENT, 1, number) == 1 for number in range(64))
    found = [name for name, value in held.items() if value]
    return came_through(" ".join(found)) if found else stopped("none")


@probe("privileges.bounding", "may regain a capability from a program")
def bounding(_: Config) -> Answer:
    value = int(_status("CapBnd"), 16)
    return came_through(f"{bin(value).count('1')} capabilities") if value else stopped("none")


@probe("privileges.new-privileges", "may gain rights from the programs that it starts")
def new_privileges(_: Config) -> Answer:
    return stopped("no_new_privs") if _gains_nothing() else came_through("no_new_privs is not set")


def _gains_nothing() -> bool:
    return call_prctl(PR_GET_NO_NEW_PRIVS, 0, 0) == 1


@probe("privileges.dumpable", "lets other programs of its user look into it", by="")
def dumpable(_: Config) -> Answer:
    return told("yes" if call_prctl(PR_GET_DUMPABLE, 0, 0) == 1 else "no")


@probe("privileges.filter", "runs without a filter of system calls", by="seccomp")
def syscall_filter(_: Config) -> Answer:
    return stopped("seccomp") if _status("Seccomp") == "2" else came_through("there is none")


@probe("privileges.root", "is the host's root")
def root(_: Config) -> Answer:
    if os.getuid() != 0 and os.geteuid() != 0:
        return stopped("not root")
    mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    if mapped[:2] == ["0", "0"]:
        return came_through("root, not in a user namespace")
    return stopped("root of its own user namespace")


@probe("privileges.become-root", "becomes root")
def become_root(_: Config) -> Answer:
    if os.getuid() == 0:
        return stopped("it is root of its own")
    try:
        os.setuid(0)
    except OSError as error:
        return refused(error)
    return came_through("it did")


@probe("privileges.groups", "takes other groups, or was left with some")
def groups(_: Config) -> Answer:
    overflow = 65534
    left = sorted(set(os.getgroups()) - {os.getgid(), overflow})
    if left:
        return came_through(f"left with groups {left[:5]}")
    try:
        os.setgroups([0])
    except OSError as error:
        return refused(error)
    return came_through("it took group 0")


@probe("privileges.set-user-programs", "finds programs that would run as another user")
def set_user_programs(_: Config) -> Answer:
    if _gains_nothing():
        return stopped("no_new_privs")
    seen = 0
    for place in ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/bin", "/sbin"):
        for folder, _folders, names in os.walk(place):
            for name in names:
                seen += 1
                if _gives_rights(Path(folder, name)):
                    return came_through(f"{folder}/{name}")
            if seen > MAX_PROGRAMS:
                break
    return stopped(f"none among {seen} programs")


def _gives_rights(path: Path) -> bool:
    try:
        mode = path.lstat()
    except OSError:
        return False
    no_set_user = bool(os.statvfs(path).f_flag & os.ST_NOSUID) if stat.S_ISREG(mode.st_mode) else True
    return stat.S_ISREG(mode.st_mode) and bool(mode.st_mode & stat.S_ISUID) and not no_set_user


@probe("time.set", "may set the time (nothing is set)")
def set_time(_: Config) -> Answer:
    return permitted(invoke("settimeofday", None, None), "the kernel would have let it")


@probe("time.clock", "reaches the call that sets clocks (refusable arguments)", by="seccomp")
def clock(_: Config) -> Answer:
    class Moment(ctypes.Structure):
        _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))

    return reached(invoke("clock_settime", 0, ctypes.byref(Moment(0, 2_000_000_000))), "clock_settime")
