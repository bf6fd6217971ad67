"""Probes of a process of the host that was planted as a victim, under the same user."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from .answers import Answer, Config, came_through, number_of, probe, refused, stopped, text_of
from .calls import invoke, opened, permitted, reached

PTRACE_TRACEME, PTRACE_SEIZE = 0, 0x4206
RLIMIT_NOFILE = 7


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _victim(config: Config) -> int:
    return number_of(config, "victim_pid")


def _is_another(config: Config) -> bool:
    """True where the victim's number belongs to another process here, which must be left alone."""
    try:
        data = Path(f"/proc/{_victim(config)}/cmdline").read_bytes()
    except OSError:
        return False
    return bool(data) and text_of(config, "victim_marker").encode() not in data


@probe("processes.seen", "sees a process of the host")
def seen(config: Config) -> Answer:
    try:
        data = Path(f"/proc/{_victim(config)}/cmdline").read_bytes()
    except OSError as error:
        return refused(error)
    found = text_of(config, "victim_marker").encode() in data
    return came_through("its command line") if found else stopped("another process has that number")


@probe("processes.signal", "signals a process of the host")
def send_signal(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    try:
        os.kill(_victim(config), signal.SIGUSR1)
    except OSError as error:
        return refused(error)
    return came_through("the signal was taken")


@probe("processes.signal-by-handle", "signals a process of the host through a pidfd")
def signal_by_handle(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    handle = invoke("pidfd_open", _victim(config), 0)
    if handle < 0:
        return permitted(handle, "")
    return permitted(invoke("pidfd_send_signal", handle, 0, None, 0), "signal 0 was taken")


@probe("processes.files-by-handle", "takes an open file from a process of the host")
def files_by_handle(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    handle = invoke("pidfd_open", _victim(config), 0)
    if handle < 0:
        return permitted(handle, "")
    return opened(invoke("pidfd_getfd", handle, 0, 0), "its standard input")


@probe("processes.trace", "traces a process of the host")
def trace(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    # seizing does not stop it, and ends with this process
    return permitted(invoke("ptrace", PTRACE_SEIZE, _victim(config), None, None), "it is traced")


@probe("processes.read-memory", "reads the memory of a process of the host")
def read_memory(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    buffer = ctypes.create_string_buffer(number_of(config, "memory_length"))
    here = _Vector(ctypes.cast(buffer, ctypes.c_void_p), len(buffer))
    there = _Vector(number_of(config, "memory_address"), len(buffer))
    result = invoke("process_vm_readv", _victim(config), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    if result < 0:
        return permitted(result, "")
    found = text_of(config, "memory_secret").encode() in buffer.raw
    return came_through("the secret was read" if found else "memory was read")


@probe("processes.open-memory", "opens the memory of a process of the host")
def open_memory(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    try:
        with open(f"/proc/{_victim(config)}/mem", "rb") as file:  # noqa: PTH123
            file.seek(number_of(config, "memory_address"))
            found = file.read(number_of(config, "memory_length"))
    except OSError as error:
        return refused(error)
    return came_through(f"{len(found)} bytes were read")


@probe("processes.limits-of-others", "asks for the limits of a process of the host")
def limits_of_others(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    buffer = ctypes.create_string_buffer(16)
    return permitted(invoke("prlimit64", _victim(config), RLIMIT_NOFILE, None, buffer), "they were told")


@probe("processes.compare", "compares itself with a process of the host in the kernel")
def compare(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    return permitted(invoke("kcmp", os.getpid(), _victim(config), 1, 0, 0), "it was compared")


@probe("processes.namespaces", "opens the namespaces of a process of the host")
def namespaces(config: Config) -> Answer:
    if _is_another(config):
        return stopped("another process has that number")
    try:
        os.close(os.open(f"/proc/{_victim(config)}/ns/mnt", os.O_RDONLY))
    except OSError as error:
        return refused(error)
    return came_through("its mount namespace")


@probe("processes.shared-memory", "attaches shared memory of the host (System V)")
def shared_memory(config: Config) -> Answer:
    number = invoke("shmget", number_of(config, "shared_memory_key"), 0, 0)
    return permitted(number, "it was found")


@probe("processes.message-queue", "opens a message queue of the host (POSIX)")
def message_queue(config: Config) -> Answer:
    name = text_of(config, "queue_name")
    if not name:
        return stopped("the host has none")
    return opened(invoke("mq_open", name.encode(), os.O_RDONLY | os.O_NONBLOCK, 0, None), "it was opened")


@probe("processes.first", "opens the memory of the first process")
def first(_: Config) -> Answer:
    if os.getppid() == 1:
        return stopped("the first process is the one that runs the probes")
    try:
        os.close(os.open("/proc/1/mem", os.O_RDWR))
    except OSError as error:
        return refused(error)
    return came_through("it can be read and written")


@probe("processes.trace-own", "lets itself be traced", by="seccomp")
def trace_own(_: Config) -> Answer:
    return reached(invoke("ptrace", PTRACE_TRACEME, 0, None, None), "ptrace")
