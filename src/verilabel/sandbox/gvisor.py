"""Boxes with a kernel of their own: gVisor's `runsc`, without root, from a bundle in OCI's form.

The bundle has an empty root file system, read-only, into which the host's /usr is put read-only and folders in memory
are put for work. A container holds the box open for as long as a pipe to this program is; every program joins it.
gVisor answers system calls itself, so that the host's kernel sees few of them. Level C4.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from verilabel.errors import LimitExceeded, SandboxError
from verilabel.sandbox.gvisor_container import (
    CLEAN_UP,
    ENVIRONMENT,
    HOLDER_MARK,
    HOME,
    KILL_STARTED,
    MARK,
    READ_FILE,
    WRITE_FILE,
    describe_container,
    describe_program,
    make_target,
)
from verilabel.sandbox.gvisor_programs import ProgramFiles, raise_for_reading, refusal_of
from verilabel.sandbox.interface import BoxExhausted, BoxSpec, Containment, ExecResult, contains_enough
from verilabel.sandbox.process import MAX_LINE_BYTES, Process
from verilabel.sandbox.streams import Feeder, Gatherer, Pipes
from verilabel.sandbox.users import unprivileged_user
from verilabel.sandbox.warden.control_groups import ControlGroup, make_control_group, read_counter

PYTHON = "/usr/bin/python3"
WHERE_FOUND = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_S = 30.0
END_S = 10.0
OWN_MEMORY = 256 * 2**20
"""What gVisor's own kernel may take beside the programs, in the control group."""
HOST_TASKS = 4096
"""Tasks of the host that gVisor may have: some for each of the box's."""
_NOT_RUN = 128
"""What runsc answers where it could not start a program."""
_WAIT_THEN_RUN = 'read -r _ && exec "$@"'


class GvisorProvider:
    """Makes boxes with `runsc`."""

    name = "gvisor"

    def objection(self, spec: BoxSpec) -> str | None:
        """Why it cannot make such a box here."""
        if not sys.platform.startswith("linux"):
            return "gVisor runs on Linux alone"
        if _program() is None:
            return "runsc is not installed (see https://gvisor.dev/docs/user_guide/install)"
        if not contains_enough("C4", spec.at_least):
            return "it is not a separate machine (C5)"
        try:
            _user(spec)
        except SandboxError as error:
            return f"{error.message}; {error.hint}"
        return None

    async def open_box(self, spec: BoxSpec) -> GvisorBox:
        """Make a box. Raises SandboxError."""
        if reason := self.objection(spec):
            raise SandboxError(f"no box by gvisor: {reason}")
        box = GvisorBox(spec, _user(spec), await _read_version())
        try:
            await box.start_holder()
        except BaseException:
            await box.close()
            raise
        return box


def _user(spec: BoxSpec) -> int:
    user = unprivileged_user(spec)
    return os.geteuid() if user is None else user


def _program() -> str | None:
    """Where runsc is; not by the caller's PATH, which could choose what makes the box."""
    return shutil.which("runsc", path=WHERE_FOUND)


async def _read_version() -> str:
    """The release of runsc, such as `release-20260101.0`."""
    process = await asyncio.create_subprocess_exec(
        _program() or "runsc", "--version", stdout=asyncio.subprocess.PIPE, env=_host_environment()
    )
    said, _ = await process.communicate()
    words = said.decode("utf-8", "replace").split()
    return words[2] if len(words) > 2 else "unknown"


class GvisorBox:
    """A container of gVisor that is held open, and the programs that join it."""

    def __init__(self, spec: BoxSpec, user: int, version: str) -> None:
        self._spec = spec
        self._user = user
        self._identity = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}
        self._name = f"verilabel-{secrets.token_hex(8)}"
        self._folder = Path(tempfile.mkdtemp(prefix="verilabel-gvisor-"))
        self._holder: asyncio.subprocess.Process | None = None
        self._cleaner: asyncio.subprocess.Process | None = None
        self._group: ControlGroup | None = None
        self._counters: dict[str, int] = {}
        self._marks: set[str] = {HOLDER_MARK}
        self._closed = False
        self._lacking: tuple[str, ...] = ()
        self._version = version

    @property
    def containment(self) -> Containment:
        """What was achieved."""
        means = ("gvisor", "userns", "no-network") + (
            (f"cgroup:{self._group.version}",) if self._group else ()
        )
        return Containment(level="C4", provider=f"gvisor {self._version}", means=means, lacking=self._lacking)

    # -- beginning and end ---------------------------------------------------------------------------------------

    async def start_holder(self) -> None:
        """Start the container and wait for its word. Raises SandboxError."""
        self._make_group()
        await self._start_cleaner()
        self._write_bundle()
        self._holder = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _WAIT_THEN_RUN, "sh"),
            *self._runsc("run", f"--bundle={self._folder}", self._name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_host_environment(),
            cwd="/",
            start_new_session=True,
            **self._identity,  # type: ignore[arg-type]
        )
        assert self._holder.stdin and self._holder.stdout and self._holder.stderr
        if self._group is not None:
            _put_into(self._group, self._holder.pid)
        self._holder.stdin.write(b"\n")
        try:
            async with asyncio.timeout(START_S):
                said = await self._holder.stdout.readline()
        except TimeoutError:
            raise SandboxError("the box does not open: runsc says nothing", where="gvisor") from None
        if said != b"ready\n":
            error = (await self._holder.stderr.read(4096)).decode("utf-8", "replace").strip().splitlines()
            raise SandboxError(
                f"the box does not open: {error[-1][:300] if error else 'runsc ended'}", where="gvisor"
            )

    async def _start_cleaner(self) -> None:
        """Start what removes the box's folder and groups, also where this program is killed."""
        groups = self._group.folders if self._group is not None else []
        self._cleaner = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", CLEAN_UP, str(self._folder), *groups),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )

    def _make_group(self) -> None:
        if os.geteuid() != 0:
            self._lacking = (
                "cgroup: gVisor without root; memory, processes and processor time are not limited",
            )
            return
        limits = self._spec.limits
        self._group, reason = make_control_group(
            self._name, limits.memory + OWN_MEMORY, HOST_TASKS, limits.cpus
        )
        if self._group is not None:
            self._counters = self._group.open_counters()
        lacking = (reason,) if self._group is None else tuple(self._group.lacking)
        self._lacking = (*lacking, "pids: gVisor has no limit of a box's processes of its own")

    def _write_bundle(self) -> None:
        root = self._folder / "rootfs"
        (self._folder / "state").mkdir()
        for name in ("usr", "proc", "dev", "tmp", "box", "etc"):
            (root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (root / name).symlink_to(f"usr/{name}")
        (root / "etc" / "passwd").write_text("box:x:1000:1000:box:/box:/bin/sh\n", encoding="ascii")
        (root / "etc" / "group").write_text("box:x:1000:\n", encoding="ascii")
        for mount in self._spec.mounts:
            make_target(root, mount.target, is_folder=Path(mount.source).is_dir())
        text = json.dumps(describe_container(self._spec))
        (self._folder / "config.json").write_text(text, encoding="utf-8")
        if os.geteuid() == 0:
            for folder, folders, files in os.walk(self._folder):
                for name in ("", *folders, *files):
                    os.chown(Path(folder, name), self._user, self._user, follow_symlinks=False)

    def _runsc(self, *words: str) -> list[str]:
        state = f"--root={self._folder / 'state'}"
        return [_program() or "runsc", state, "--rootless", "--network=none", "--ignore-cgroups", *words]

    async def close(self) -> None:
        """End the container and all in it, and remove its files."""
        if self._closed:
            return
        self._closed = True
        while self._counters:
            os.close(self._counters.popitem()[1])
        if self._holder is not None:
            await self._end_holder(self._holder)
        if self._cleaner is None:
            await asyncio.to_thread(self._remove_all)
            return
        assert self._cleaner.stdin is not None
        self._cleaner.stdin.close()
        await self._cleaner.wait()

    def _remove_all(self) -> None:
        if self._group is not None:
            self._group.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _end_holder(self, holder: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(SandboxError, TimeoutError):
            async with asyncio.timeout(END_S):
                await self._call("kill", "--all", self._name, "KILL")
                await self._call("delete", "--force", self._name)
        if holder.stdin is not None:
            holder.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await holder.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(holder.pid, 9)
            await holder.wait()

    async def _call(self, *words: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._runsc(*words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=_host_environment(),
            cwd="/",
            **self._identity,  # type: ignore[arg-type]
        )
        await process.wait()

    # -- programs ------------------------------------------------------------------------------------------------

    async def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        env: Mapping[str, str] = {},
        cwd: str | None = None,
    ) -> ExecResult:
        """Run one program to its end; after `timeout_s` it and all it started are killed."""
        try:
            return await self._run(argv, stdin, timeout_s, env, cwd, self._spec.limits.output)
        except BoxExhausted as error:
            return ExecResult(exit_status=-9, limit_hit=error.limit)

    async def _run(
        self,
        argv: Sequence[str],
        stdin: bytes,
        timeout_s: float,
        env: Mapping[str, str],
        cwd: str | None,
        kept: int,
    ) -> ExecResult:
        mark = secrets.token_hex(8)
        pipes = Pipes(self._user if os.geteuid() == 0 else None)
        try:
            process = await self._join(argv, env, cwd, mark, pipes.given)
        except BaseException:
            pipes.close_kept()
            raise
        finally:
            pipes.close_given()
        feeder = Feeder(pipes.kept[0], stdin)
        gathered = [Gatherer(descriptor, kept) for descriptor in pipes.kept[1:]]
        timed_out = False
        try:
            async with asyncio.timeout(timeout_s):
                await process.wait()
        except TimeoutError:
            timed_out = True
        finally:
            if process.returncode is None:
                await asyncio.shield(self._kill_marked(mark, process))
            feeder.close()
            for one in gathered:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await one.ended.wait()
                one.close()
        status = process.returncode if process.returncode is not None else -9
        complaint = self.files_of(mark).read_complaint()
        self.files_of(mark).remove()
        if status == _NOT_RUN and complaint:
            refusal = refusal_of(complaint)
            if refusal is None:
                raise self._explain_end(f"the box cannot run this: {complaint.strip()[-300:]}")
            status = refusal
        return ExecResult(
            exit_status=_ended(status),
            timed_out=timed_out,
            stdout=gathered[0].kept,
            stderr=gathered[1].kept,
            stdout_total=gathered[0].total,
            stderr_total=gathered[1].total,
        )

    async def _join(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str | None, mark: str, streams: Sequence[int]
    ) -> asyncio.subprocess.Process:
        """Start a program in the container; what it is called with lies in a file, not in the list of processes."""
        if not argv or any("\0" in part for part in argv):
            raise SandboxError("an argument list is empty or holds a NUL")
        if self._closed or self._holder is None or self._holder.returncode is not None:
            raise self._explain_end("the box is gone")
        self._marks.add(mark)
        wanted = {**ENVIRONMENT, **self._spec.env, **env, MARK: mark}
        document = {
            **describe_program(self._spec, wanted),
            "args": list(argv),
            "cwd": str(Path(HOME, cwd or "")),
        }
        files = self.files_of(mark)
        files.write_call(document)
        if os.geteuid() == 0:
            os.chown(files.called_with, self._user, self._user)
        try:
            return await asyncio.create_subprocess_exec(
                *self._runsc(
                    f"--log={files.complaint}",
                    "exec",
                    f"--process={files.called_with}",
                    f"--internal-pid-file={files.number}",
                    self._name,
                ),
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                env=_host_environment(),
                cwd="/",
                start_new_session=True,
                **self._identity,  # type: ignore[arg-type]
            )
        except OSError as error:
            raise SandboxError(f"runsc cannot be started: {error.strerror}", where="gvisor") from error

    async def _kill_marked(self, mark: str, process: asyncio.subprocess.Process) -> None:
        """Kill what a program started, by the mark in its environment and by descent; then what waits for it."""
        others = " ".join(sorted(self._marks - {mark})).encode()
        argv = [PYTHON, "-I", "-S", "-c", KILL_STARTED, MARK, mark, self.files_of(mark).read_number()]
        with contextlib.suppress(SandboxError):
            await self._run(argv, others, END_S, {}, None, 1024)
        try:
            async with asyncio.timeout(1.0):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def files_of(self, mark: str) -> ProgramFiles:
        """The files of the program with some mark."""
        return ProgramFiles(self._folder, mark)

    def _explain_end(self, otherwise: str) -> SandboxError:
        """Why the box is gone: its programs' doing where the kernel killed gVisor for its memory."""
        counter = self._counters.get("memory")
        if counter is not None and read_counter(counter, "memory") > 0:
            return BoxExhausted("the box is gone: its programs took all its memory", "memory")
        return SandboxError(otherwise, where="gvisor", hint="open a new one")

    async def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] = {}, cwd: str | None = None
    ) -> Process:
        """Start a program that is spoken to by lines."""
        loop, mark = asyncio.get_running_loop(), secrets.token_hex(8)
        pipes = Pipes(self._user if os.geteuid() == 0 else None)
        try:
            process = await self._join(argv, env, cwd, mark, pipes.given)
        except BaseException:
            pipes.close_kept()
            raise
        finally:
            pipes.close_given()
        readers = []
        for descriptor in pipes.kept[1:]:
            reader = asyncio.StreamReader(limit=MAX_LINE_BYTES, loop=loop)
            await loop.connect_read_pipe(
                lambda r=reader: asyncio.StreamReaderProtocol(r, loop=loop),  # type: ignore[misc]
                os.fdopen(descriptor, "rb", 0),
            )
            readers.append(reader)
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(pipes.kept[0], "wb", 0)
        )
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        return Process(_Joined(self, process, mark), writer, *readers, program=argv[0])

    # -- files ---------------------------------------------------------------------------------------------------

    async def write_file(self, path: str, data: bytes) -> None:
        """Write a file, making its folders. Raises SandboxError where that does not work."""
        done = await self._run([PYTHON, "-I", "-S", "-c", WRITE_FILE, path], data, 300.0, {}, None, 1024)
        if done.exit_status != 0:
            reason = done.stderr.decode("utf-8", "replace").strip()[-200:]
            raise SandboxError(f"the file cannot be written: {reason}", where=path)

    async def read_file(self, path: str, *, max_bytes: int = 2**20) -> bytes:
        """A plain file's content. Raises FileNotFoundError, IsADirectoryError, PermissionError, LimitExceeded."""
        argv = [PYTHON, "-I", "-S", "-c", READ_FILE, path, str(max_bytes)]
        done = await self._run(argv, b"", 300.0, {}, None, max_bytes + 1)
        if done.exit_status != 0:
            raise_for_reading(done.exit_status, path)
        if done.stdout_total > max_bytes:
            raise LimitExceeded(f"a file beyond {max_bytes} bytes", where=path)
        return done.stdout


class _Joined:
    """A program in the container, for `Process`."""

    def __init__(self, box: GvisorBox, process: asyncio.subprocess.Process, mark: str) -> None:
        self._box = box
        self._process = process
        self._mark = mark
        self._killing: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        self._waiting = asyncio.create_task(self._wait())

    @property
    def pid(self) -> int:
        """The process of this machine that waits for it."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, or None while it runs."""
        return None if self._process.returncode is None else _ended(self._process.returncode)

    def ask_to_end(self) -> None:
        """Send it SIGTERM, through what waits for it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it and all it started."""
        self._killing = asyncio.create_task(self._box._kill_marked(self._mark, self._process))

    def close(self) -> None:
        """Nothing is left to let go of."""

    async def _wait(self) -> None:
        await self._process.wait()
        await self._box._kill_marked(self._mark, self._process)
        self._box.files_of(self._mark).remove()
        self.ended.set()


def _put_into(group: ControlGroup, number: int) -> None:
    for folder in group.folders:
        Path(folder, "cgroup.procs").write_text(str(number), encoding="ascii")


def _ended(status: int) -> int:
    """runsc answers 128 and the number where a signal ended a program, as a program may itself."""
    return 128 - status if 128 < status < 128 + 65 else status


def _host_environment() -> dict[str, str]:
    """What runsc itself is given: no variable of the caller's but where programs are."""
    return {"PATH": WHERE_FOUND}
