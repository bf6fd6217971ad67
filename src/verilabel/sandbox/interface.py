"""What every sandbox gives: a box that programs run in, how far it contains them, and what came of running one.

Levels of containment (recorded as achieved, never as wished):

    C0  none: a plain process with the rights of its user
    C1  Landlock, seccomp and resource limits on one process
    C2  C1 and namespaces of its own: files, processes, network, users (the box)
    C3  C2 and limits of a control group over all its processes together
    C4  a kernel of its own: gVisor, Kata, a micro virtual machine
    C5  a separate machine
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from verilabel.errors import SandboxError
from verilabel.sandbox.process import Process

Level = Literal["C0", "C1", "C2", "C3", "C4", "C5"]
LEVELS: tuple[Level, ...] = ("C0", "C1", "C2", "C3", "C4", "C5")
"""From none to a separate machine: a later one contains more."""


def contains_enough(achieved: Level, wanted: Level) -> bool:
    """True if a level is at least the one that is wanted."""
    return LEVELS.index(achieved) >= LEVELS.index(wanted)


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all programs of a box may use together, as far as the provider can hold it. Sizes in bytes."""

    memory: int = 512 * 2**20
    pids: int = 64
    cpus: float = 1.0
    disk: int = 256 * 2**20
    """Of each writable folder."""
    output: int = 2**20
    """Of each of a program's two streams; what is beyond is counted and thrown away."""


class Mount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A folder or file of the host that a box sees, read-only."""

    source: str
    target: str


class BoxSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A box that is asked for. `provider` is a name of `sandbox.opening.PROVIDERS`; `auto` is the best that works here.

    `at_least` is the containment without which nothing runs. `uid` is the unprivileged user that a program started by
    root becomes first (None: `VERILABEL_SANDBOX_UID`; where that is absent too, root is refused). There is no network
    in a box.
    """

    provider: str = "auto"
    at_least: Level = "C2"
    limits: Limits = Limits()
    mounts: tuple[Mount, ...] = ()
    env: dict[str, str] = {}
    uid: int | None = None


class Containment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a box achieved: the level, and by which means (`landlock:7`, `seccomp`, `cgroup:v1`, `userns`, ...)."""

    level: Level
    provider: str
    """Name and version: `bubblewrap 0.8.0`."""
    means: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    """What was tried and is not there, in words: `cgroup: not writable; memory is watched instead`."""


class ExecResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one program. `exit_status` is negative for the signal that ended it."""

    exit_status: int
    timed_out: bool = False
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_total: int = 0
    """Bytes that were written, kept or not."""
    stderr_total: int = 0
    limit_hit: str = ""
    """The limit of the whole box that struck while it ran: `memory` or `pids`; nothing where none did."""


class BoxExhausted(SandboxError):
    """Programs of the box took all that its limit allows, and nothing is left to do this with.

    It is what those programs did, and no fault of the machine, so no reason to try again. `limit` is `memory`,
    `pids` or `disk`.
    """

    def __init__(self, message: str, limit: str, *, where: str | None = None) -> None:
        super().__init__(message, where=where, hint="it is the box's programs that used it up")
        self.limit = limit


class Box(Protocol):
    """An open box. Programs are argument lists, never shell text; paths without a leading `/` begin at its work folder.

    Every method raises SandboxError where the box itself fails or is gone; a program's failure is a value, and so is
    a limit of the box that its programs reached: `exec` answers with `limit_hit`, the others raise BoxExhausted
    (`start` may also give a program that ends at once with 126).
    """

    @property
    def containment(self) -> Containment:
        """What was achieved."""
        ...

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
        ...

    async def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] = {}, cwd: str | None = None
    ) -> Process:
        """Start a program that is spoken to by lines (an MCP server); it ends with the box at the latest."""
        ...

    async def write_file(self, path: str, data: bytes) -> None:
        """Write a file, making its folders. Raises SandboxError where that does not work."""
        ...

    async def read_file(self, path: str, *, max_bytes: int = 2**20) -> bytes:
        """A plain file's content, read by a program in the box: links, pipes, devices and larger files are refused.

        Raises FileNotFoundError, IsADirectoryError, PermissionError, LimitExceeded.
        """
        ...

    async def close(self) -> None:
        """End every program and leave nothing behind. Closing twice is closing once."""
        ...


class Provider(Protocol):
    """Makes boxes of one kind."""

    name: str

    def objection(self, spec: BoxSpec) -> str | None:
        """Why it cannot make such a box here, in a sentence with what to do; None where it can."""
        ...

    async def open_box(self, spec: BoxSpec) -> Box:
        """Make a box. Raises SandboxError; never gives less than `spec.at_least`."""
        ...
