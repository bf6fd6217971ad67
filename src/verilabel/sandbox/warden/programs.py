"""Starting one program in a box: a watcher that adopts what it leaves behind, and under it the program itself."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import stat
import sys

from verilabel.sandbox.warden import kernel, landlock

NOT_RUNNABLE, NOT_FOUND = 126, 127
"""What shells answer for a program that cannot be run or is not there."""
OOM_SCORE = b"500"
"""Programs of boxes go before their watchers and before the host's programs where memory runs out."""


class Setting:
    """What every program of a box is held to. `ruleset` is a Landlock ruleset, or None where there is no Landlock."""

    def __init__(self, limits: dict[str, int], ruleset: int | None, home: str) -> None:
        self.limits = limits
        self.ruleset = ruleset
        self.home = home


def start_watched(
    request: dict[str, object], streams: tuple[int, int, int], setting: Setting
) -> tuple[int, int]:
    """Start what a request asks for, with three open streams: the watcher's process, and where it reports.

    The watcher reports one line: `exit STATUS LIMIT`, negative for a signal, with a limit where that left no room for
    the program, or `failed WHY` where the program could not be contained. It ends when everything below it has ended.
    Raises OSError where no process can be made.
    """
    report_read, report_write = os.pipe()
    try:
        watcher = os.fork()
    except OSError:
        os.close(report_read)
        os.close(report_write)
        raise
    if watcher == 0:
        try:
            _watch(request, streams, report_write, setting)
        except BaseException as error:
            os.write(report_write, _failure(error))
        finally:
            os._exit(NOT_RUNNABLE)
    os.close(report_write)
    return watcher, report_read


def limit_behind(error: BaseException) -> str:
    """The limit of the box that kept a process from being made: `pids`, `memory`, or nothing."""
    if isinstance(error, OSError):
        return {errno.EAGAIN: "pids", errno.ENOMEM: "memory"}.get(error.errno or 0, "")
    return "memory" if isinstance(error, MemoryError) else ""


def _failure(error: BaseException) -> bytes:
    """What is reported of a program that never ran: what its box has no room for is the box's programs' doing."""
    limit = limit_behind(error)
    return (
        f"exit {NOT_RUNNABLE} {limit}\n".encode()
        if limit
        else f"failed {type(error).__name__}: {error}"[:500].encode()
    )


def _watch(request: dict[str, object], streams: tuple[int, int, int], report: int, setting: Setting) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    kernel.adopt_orphans()
    program = os.fork()
    if program == 0:
        _become(request, streams, report, setting)
    signal.signal(signal.SIGTERM, lambda *_: _ask_to_end(program))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    # a copy of the report that is held at 0 to 2 keeps the program's streams from staying open
    for descriptor in range(3):
        os.dup2(report, descriptor)
    os.closerange(3, report)
    os.closerange(report + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return
        if pid == program:
            os.write(report, f"exit {os.waitstatus_to_exitcode(status)}\n".encode())
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for descriptor in (0, 1, 2, report):
                os.close(descriptor)


def _ask_to_end(program: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(program, signal.SIGTERM)


def _become(request: dict[str, object], streams: tuple[int, int, int], report: int, setting: Setting) -> None:
    """Turn this process into the program, under everything it is held to. Never returns."""
    try:
        _take_streams(streams, {report} if setting.ruleset is None else {report, setting.ruleset})
        _contain(setting)
    except BaseException as error:
        os.write(report, _failure(error))
        os._exit(NOT_RUNNABLE)
    try:
        os.closerange(3, max(report, setting.ruleset or 0) + 1)
        os.chdir(setting.home)
        os._exit(_WORK[str(request["work"])](request))
    except OSError as error:
        os.write(2, f"{error.filename or ''}: {error.strerror}\n".encode())
        os._exit(NOT_RUNNABLE)
    finally:
        os._exit(NOT_RUNNABLE)


def _take_streams(streams: tuple[int, int, int], kept: set[int]) -> None:
    """Put the streams at 0 to 2 and close all else, before anything of the box may look into this process."""
    # in two steps: a stream may itself be numbered below 3
    high = [os.dup(stream) for stream in streams]
    for target, descriptor in enumerate(high):
        os.dup2(descriptor, target)
    begin = 3
    for descriptor in sorted(kept):
        os.closerange(begin, descriptor)
        begin = descriptor + 1
    os.closerange(begin, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _contain(setting: Setting) -> None:
    os.setsid()
    os.umask(0o022)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # Python ignores these two, and programs would inherit that
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    kernel.set_dumpable(True)
    with contextlib.suppress(OSError):
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(score, OOM_SCORE)
        os.close(score)
    for name, value in setting.limits.items():
        limit = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(limit)[1]
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (bounded, bounded))
    if setting.ruleset is not None:
        landlock.restrict_self(setting.ruleset)


def _run_program(request: dict[str, object]) -> int:
    argv, env, cwd = request["argv"], request["env"], request["cwd"]
    assert isinstance(argv, list) and isinstance(env, dict)
    if cwd is not None:
        os.chdir(str(cwd))
    name = str(argv[0])
    folders = str(env.get("PATH", os.defpath)).split(":")
    candidates = [name] if "/" in name else [f"{folder}/{name}" for folder in folders if folder]
    refusal: OSError = FileNotFoundError(2, os.strerror(2))
    for candidate in candidates:
        try:
            os.execve(candidate, argv, env)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refusal = error
    os.write(2, f"{name}: {refusal.strerror}\n".encode())
    return NOT_FOUND if isinstance(refusal, FileNotFoundError) else NOT_RUNNABLE


def _read_file(request: dict[str, object]) -> int:
    """Copy a plain file to standard output; an errno as exit status says what it is instead."""
    most = request["most"]
    assert isinstance(most, int)
    try:
        file = os.open(str(request["path"]), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
        about = os.fstat(file)
        # what the kernel says of this very process is no file of the box: its maps name folders of the host
        if not stat.S_ISREG(about.st_mode) or about.st_dev == os.stat("/proc").st_dev:  # noqa: PTH116
            return _EISDIR if stat.S_ISDIR(about.st_mode) else _EACCES
        left = most
        while piece := os.read(file, min(65_536, left + 1)):
            left -= len(piece)
            if left < 0 or about.st_size > most:
                return _EFBIG
            _write_all(1, piece)
    except OSError as error:
        return error.errno or _EACCES
    return 0


def _write_file(request: dict[str, object]) -> int:
    """Copy standard input to a plain file, making its folders; an errno as exit status where that fails."""
    path = str(request["path"])
    try:
        parent = os.path.dirname(path)  # noqa: PTH120
        if parent:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            return _EACCES
        os.ftruncate(file, 0)
        while piece := os.read(0, 65_536):
            _write_all(file, piece)
    except OSError as error:
        return error.errno or _EACCES
    return 0


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _report_status(_: dict[str, object]) -> int:
    """Say what this contained process is held to, as the kernel sees it."""
    with open("/proc/self/status", "rb") as file:  # noqa: PTH123
        _write_all(1, file.read())
    return 0


_EACCES, _EISDIR, _EFBIG = 13, 21, 27
_WORK = {"run": _run_program, "read": _read_file, "write": _write_file, "status": _report_status}
assert sys.platform == "linux", "boxes are made of what Linux has"
