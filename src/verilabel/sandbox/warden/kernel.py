"""System calls that Python's standard library does not offer, through the C library."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

NEW_MOUNT, NEW_CGROUP, NEW_UTS, NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEW_USER, NEW_PID, NEW_NET = 0x10000000, 0x20000000, 0x40000000
OWNER_OF_NAMESPACE = 0xB701
"""The ioctl NS_GET_USERNS."""

_SET_DUMPABLE, _DROP_BOUNDING, _SET_NO_NEW_PRIVS, _SET_SUBREAPER, _AMBIENT = 4, 24, 38, 36, 47
_CLEAR_ALL_AMBIENT = 4
_SET_NAME, _SET_DEATH_SIGNAL = 15, 1
_SET_SECCOMP, _FILTER_MODE = 22, 2
_CAPABILITY_VERSION_3 = 0x20080522
_REMOUNT, _NOSUID, _NODEV = 32, 2, 4
_library = ctypes.CDLL(None, use_errno=True)


class KernelRefusal(OSError):
    """The kernel refused what containment needs; the message says which step."""


def _require(result: int, step: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise KernelRefusal(number, f"{step}: {os.strerror(number)}")
    return result


def join_namespace(descriptor: int, kind: int) -> None:
    """Enter a namespace."""
    _require(_library.setns(descriptor, kind), "setns")


def leave_namespace(kind: int) -> None:
    """Enter a new namespace of a kind."""
    _require(_library.unshare(kind), "unshare")


def set_dumpable(dumpable: bool) -> None:
    """Let others of the same user look into this process's memory, or not."""
    _require(_library.prctl(_SET_DUMPABLE, int(dumpable), 0, 0, 0), "PR_SET_DUMPABLE")


def rename_self(name: str) -> None:
    """Show a name instead of the command line that this process was started with, which tells of the host.

    The kernel shows what stands in the process's own memory between two addresses (proc(5), `stat`, fields 48, 49).
    """
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
        fields = file.read(4096).rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if start == 0 or end <= start:
        raise KernelRefusal("the command line of this process cannot be hidden")
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, name.encode(), min(len(name), end - start))
    _require(_library.prctl(_SET_NAME, name.encode()[:15], 0, 0, 0), "PR_SET_NAME")


def end_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends. Raises ChildProcessError where it has ended already.

    A change of user or rights undoes it.
    """
    _require(_library.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        raise ChildProcessError("the parent has ended")


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parents end."""
    _require(_library.prctl(_SET_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER")


def drop_capabilities() -> None:
    """Give up every capability, also the ones a program's file could give back."""
    number = 0
    while _library.prctl(_DROP_BOUNDING, number, 0, 0, 0) == 0:
        number += 1
    # absent before Linux 4.3, where there are no ambient capabilities to clear
    _library.prctl(_AMBIENT, _CLEAR_ALL_AMBIENT, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    _require(_library.capset(header, ctypes.create_string_buffer(24)), "capset")


def forbid_new_privileges() -> None:
    """Make set-user-id bits and file capabilities powerless from here on."""
    _require(_library.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")


def install_filter(program: bytes) -> None:
    """Judge every later system call of this process and its children by a seccomp program."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    buffer = ctypes.create_string_buffer(program, len(program))
    header = Program(len(program) // 8, ctypes.addressof(buffer))
    _require(_library.prctl(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(header), 0, 0), "PR_SET_SECCOMP")


def bound_tmpfs(target: str, size: int, files: int) -> None:
    """Bound a mounted tmpfs: bytes, and files, whose nodes take kernel memory that the size does not count."""
    options = f"size={size},nr_inodes={files}".encode()
    flags = _REMOUNT | _NOSUID | _NODEV
    _require(_library.mount(None, os.fsencode(target), None, flags, options), f"remount {target}")


def call_kernel(number: int, *arguments: ctypes.c_void_p | bytes | int | None) -> int:
    """Any system call by its number; negative where refused, with ctypes' errno set."""
    result: int = _library.syscall(number, *arguments)
    return result
