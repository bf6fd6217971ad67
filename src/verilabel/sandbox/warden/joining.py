"""Making the namespaces of a box with bubblewrap, and entering them.

bubblewrap starts one holder, a `cat` that says `ready` first, whose standard input is a pipe from here: at its end of
file the holder ends, and with it, as process 1 of the box, everything in the box. Where something keeps that pipe open
(a copy of the warden that was stopped before it could close it), the signal at the warden's death ends the holder: the
warden has one thread, to which that signal is bound. Programs of the box cannot end the holder: the kernel shields
process 1 from them.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal

from verilabel.sandbox.warden import kernel

FILE_MARK = "content of "
"""What stands in the arguments, before a file's path, for the descriptor of its content."""
NODES_PER_FOLDER = 65_536
MESSAGE_BYTES = 2000


class Holder:
    """The running holder: bubblewrap's process, the holder's own, and the pipe whose end is their end."""

    def __init__(self, monitor: int, pid: int, leash: int) -> None:
        self.monitor = monitor
        self.pid = pid
        self.leash = leash

    def end(self) -> None:
        """End the holder and everything in the box, and wait for it."""
        os.close(self.leash)
        for pid in (self.pid, self.monitor):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(self.monitor, 0)
        except ChildProcessError:
            return


class StartingHolder:
    """A holder on its way: bubblewrap has been started, and works while others things are seen to."""

    def __init__(
        self,
        program: str,
        arguments: list[str],
        files: dict[str, str],
        holder: list[str],
        filter_: bytes | None,
    ) -> None:
        """Start bubblewrap with an empty environment; `filter_` holds the holder as it holds all programs."""
        texts = {path: _text_descriptor(content.encode()) for path, content in files.items()}
        marked = {f"{FILE_MARK}{path}": str(descriptor) for path, descriptor in texts.items()}
        arguments = [marked.get(part, part) for part in arguments]
        self._info, info_write = os.pipe()
        self._ready, ready_write = os.pipe()
        self._errors, errors_write = os.pipe()
        leash_read, self._leash = os.pipe()
        # no path of the host is to be read in the box's list of processes: they go by descriptor
        arguments += ["--die-with-parent", "--info-fd", str(info_write)]
        if filter_ is not None:
            texts["filter"] = _text_descriptor(filter_)
            arguments += ["--seccomp", str(texts["filter"])]
        options = b"\0".join(part.encode() for part in arguments) + b"\0"
        listed = _text_descriptor(options)
        argv = [program, "--args", str(listed), "--", *holder]
        self._monitor = os.fork()
        if self._monitor == 0:
            _become_bubblewrap(
                argv, leash_read, ready_write, errors_write, (listed, info_write, *texts.values())
            )
        for descriptor in (info_write, ready_write, errors_write, leash_read, listed, *texts.values()):
            os.close(descriptor)

    def wait(self) -> Holder:
        """Wait until the box stands. Raises OSError with what bubblewrap said."""
        try:
            info = _read_until(self._info, b"}")
            if _read_until(self._ready, b"\n") != b"ready\n" or not info:
                said = _read_until(self._errors, None).decode("utf-8", "replace").strip()
                raise OSError(said or "bubblewrap ended")
            return Holder(self._monitor, json.loads(info)["child-pid"], self._leash)
        except BaseException:
            os.close(self._leash)
            os.waitpid(self._monitor, 0)
            raise
        finally:
            for descriptor in (self._info, self._ready, self._errors):
                os.close(descriptor)


def enter_namespaces(pid: int, sized: dict[str, int]) -> None:
    """Enter the namespaces of a process, for later children also its process namespace; bound its folders on the way.

    `sized` are the writable folders and their bytes. bubblewrap nests a second user namespace where it makes `/dev`,
    so the one that owns the others is entered first, and the process's own last.
    """
    kinds = {"user": kernel.NEW_USER, "ipc": kernel.NEW_IPC, "uts": kernel.NEW_UTS, "net": kernel.NEW_NET}
    kinds |= {"pid": kernel.NEW_PID, "mnt": kernel.NEW_MOUNT}
    opened = {name: os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in kinds}
    user = opened.pop("user")
    owner = fcntl.ioctl(opened["ipc"], kernel.OWNER_OF_NAMESPACE)
    kernel.join_namespace(owner, kernel.NEW_USER)
    for name, descriptor in opened.items():
        kernel.join_namespace(descriptor, kinds[name])
    for target, size in sized.items():
        kernel.bound_tmpfs(target, size, NODES_PER_FOLDER)
    if os.fstat(owner).st_ino != os.fstat(user).st_ino:
        kernel.join_namespace(user, kernel.NEW_USER)
    kernel.leave_namespace(kernel.NEW_CGROUP)
    for descriptor in (owner, user, *opened.values()):
        os.close(descriptor)


def _become_bubblewrap(argv: list[str], stdin: int, stdout: int, stderr: int, kept: tuple[int, ...]) -> None:
    try:
        for source, target in ((stdin, 0), (stdout, 1), (stderr, 2)):
            os.dup2(source, target)
        for descriptor in kept:
            os.set_inheritable(descriptor, True)
        os.execve(argv[0], argv, {})  # noqa: S606
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}".encode())
    finally:
        os._exit(126)


def _text_descriptor(content: bytes) -> int:
    descriptor = os.memfd_create("verilabel", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _read_until(descriptor: int, last: bytes | None) -> bytes:
    """What is written up to some last byte: bubblewrap keeps its ends open, so their end may never come."""
    content = b""
    while len(content) < MESSAGE_BYTES and (piece := os.read(descriptor, MESSAGE_BYTES)):
        content += piece
        if last is not None and content.rstrip(b" ").endswith(last):
            break
    return content
