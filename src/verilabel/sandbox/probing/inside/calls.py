"""System calls by number, without a wrapper of the C library in between."""

from __future__ import annotations

import ctypes
import errno
import os
import platform

from .answers import Answer, came_through, failed, stopped

_X86_64 = {
    "acct": 163,
    "add_key": 248,
    "bpf": 321,
    "chroot": 161,
    "clone": 56,
    "clone3": 435,
    "delete_module": 176,
    "fanotify_init": 300,
    "finit_module": 313,
    "fsopen": 430,
    "getpid": 39,
    "init_module": 175,
    "io_uring_setup": 425,
    "iopl": 172,
    "kcmp": 312,
    "kexec_file_load": 320,
    "kexec_load": 246,
    "keyctl": 250,
    "memfd_secret": 447,
    "modify_ldt": 154,
    "mount": 165,
    "mq_open": 240,
    "mq_unlink": 241,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "perf_event_open": 298,
    "personality": 135,
    "pidfd_getfd": 438,
    "pidfd_open": 434,
    "pidfd_send_signal": 424,
    "pivot_root": 155,
    "process_vm_readv": 310,
    "prlimit64": 302,
    "ptrace": 101,
    "reboot": 169,
    "request_key": 249,
    "sethostname": 170,
    "setns": 308,
    "settimeofday": 164,
    "clock_settime": 227,
    "shmat": 30,
    "shmdt": 67,
    "shmctl": 31,
    "shmget": 29,
    "swapoff": 168,
    "swapon": 167,
    "syslog": 103,
    "umount2": 166,
    "unshare": 272,
    "userfaultfd": 323,
}
_AARCH64 = {
    "acct": 89,
    "add_key": 217,
    "bpf": 280,
    "chroot": 51,
    "clone": 220,
    "clone3": 435,
    "delete_module": 106,
    "fanotify_init": 262,
    "finit_module": 273,
    "fsopen": 430,
    "getpid": 172,
    "init_module": 105,
    "io_uring_setup": 425,
    "kcmp": 272,
    "kexec_file_load": 294,
    "kexec_load": 104,
    "keyctl": 219,
    "memfd_secret": 447,
    "mount": 40,
    "mq_open": 180,
    "mq_unlink": 181,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "perf_event_open": 241,
    "personality": 92,
    "pidfd_getfd": 438,
    "pidfd_open": 434,
    "pidfd_send_signal": 424,
    "pivot_root": 41,
    "process_vm_readv": 270,
    "prlimit64": 261,
    "ptrace": 117,
    "reboot": 142,
    "request_key": 218,
    "sethostname": 161,
    "setns": 268,
    "settimeofday": 170,
    "clock_settime": 112,
    "shmat": 196,
    "shmdt": 197,
    "shmctl": 195,
    "shmget": 194,
    "swapoff": 225,
    "swapon": 224,
    "syslog": 116,
    "umount2": 39,
    "unshare": 97,
    "userfaultfd": 282,
}
_TABLES = {"x86_64": _X86_64, "aarch64": _AARCH64}
MACHINE = platform.machine()
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_REFUSED = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT)
Argument = object


class UnknownCall(Exception):
    """This machine's number of a system call is not in the tables."""


def call_number(name: str) -> int:
    """The number of a system call on this machine. Raises UnknownCall."""
    try:
        return _TABLES[MACHINE][name]
    except KeyError:
        raise UnknownCall(f"no number for {name} on {MACHINE}") from None


def invoke(name: str, *arguments: Argument) -> int:
    """Make a system call; its result, or minus the error number. Integers are passed as machine words."""
    return invoke_number(call_number(name), *arguments)


def invoke_number(number: int, *arguments: Argument) -> int:
    """Make the system call of a number."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    ctypes.set_errno(0)
    result = int(_libc.syscall(ctypes.c_long(number), *words))
    return -ctypes.get_errno() if result == -1 else result


def call_prctl(option: int, first: int, second: int) -> int:
    """`prctl` of the C library, with two arguments and zeros; -1 where it fails."""
    return int(_libc.prctl(option, *(ctypes.c_ulong(word) for word in (first, second, 0, 0))))


def error_name(result: int) -> str:
    """The name of the error of a call that failed."""
    return errno.errorcode.get(-result, str(-result))


def reached(result: int, what: str) -> Answer:
    """A call whose arguments the kernel must refuse: any refusal but one of permission shows that it looked at them."""
    if result < 0 and -result in _REFUSED:
        return stopped(error_name(result))
    return came_through(f"{what}: {'done' if result >= 0 else error_name(result)}")


def permitted(result: int, what: str) -> Answer:
    """A call that needs a permission: only success came through."""
    return came_through(what) if result >= 0 else stopped(error_name(result))


def opened(result: int, what: str) -> Answer:
    """A call that gives a file descriptor, which is closed again."""
    if result >= 0:
        os.close(result)
    return permitted(result, what)


def only_on(machine: str) -> Answer | None:
    """An answer where a probe has no meaning on this machine."""
    return None if machine == MACHINE else stopped(f"no such thing on {MACHINE}")


def unknown(error: UnknownCall) -> Answer:
    """Nothing is known: the tables lack this machine."""
    return failed(str(error))
