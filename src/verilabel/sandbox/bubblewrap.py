"""The provider `bubblewrap`: the box (C2, with a control group C3), for root only as another user.

What a box sees: `/usr` of the host, read-only, with the folders that lead into it; a dozen lines of `/etc`; the mounts
that were asked for, read-only; its own `/proc`, `/dev`, `/tmp`, `/dev/shm` and its work folder `/box`. No network but
its own loopback.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from verilabel.errors import SandboxError
from verilabel.sandbox.box import WardenBox
from verilabel.sandbox.calling import open_warden
from verilabel.sandbox.filter import filter_for
from verilabel.sandbox.interface import BoxSpec, Containment, Limits, Mount, contains_enough
from verilabel.sandbox.levels import Achieved, describe_containment
from verilabel.sandbox.mounts import INTO_USR, checked_mount
from verilabel.sandbox.users import unprivileged_user
from verilabel.sandbox.warden.joining import FILE_MARK

HOLDER = ("/bin/sh", "-c", "echo ready; exec $0 >/dev/null 2>&1")
PLAIN_CAT = "/usr/bin/cat"
REAPING = "/usr/bin/env --ignore-signal=CHLD"
"""Makes the kernel reap the orphans of the box; an `env` that cannot (before coreutils 8.31) leaves them, as far as the
limit of processes goes."""
WHERE_FOUND = "/usr/local/bin:/usr/bin:/bin"
"""Not the caller's PATH: whoever could change that could choose what makes the box."""
OF_ETC = ("/etc/alternatives", "/etc/ld.so.cache")
FILES = {
    "/etc/passwd": "root:x:0:0:root:/box:/bin/sh\nbox:x:1000:1000:box:/box:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nbox:x:1000:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost box\n::1 localhost\n",
    "/etc/hostname": "box\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
READABLE = ("/usr", "/etc", "/proc", *(f"/{name}" for name in INTO_USR))
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
WRITABLE = ("/box", "/tmp", "/dev/shm", *(f"/dev/{name}" for name in DEVICES))  # noqa: S108 - the box's own
SHARED_MEMORY_BYTES = 64 * 2**20
LOCKED_BYTES = 8 * 2**20
OPEN_FILES = 1024
TRIAL_S = 10.0
UNSEEN = Containment(level="C0", provider="bubblewrap", lacking=("it has not been looked into yet",))
APPARMOR_SWITCH = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


class Bubblewrap:
    """Makes boxes of namespaces with the program bubblewrap."""

    name = "bubblewrap"

    def objection(self, spec: BoxSpec) -> str | None:
        """Why it cannot make such a box here, found by making a small one; None where it can."""
        if sys.platform != "linux":
            return "it needs Linux"
        if not contains_enough("C3", spec.at_least):
            return f"it contains up to C3, and {spec.at_least} is asked for"
        program = shutil.which("bwrap", path=WHERE_FOUND)
        if program is None:
            return "bwrap is not installed: install the package bubblewrap"
        try:
            return _try(program, unprivileged_user(spec)).objection or None
        except SandboxError as error:
            return f"{error.message}: {error.hint}"

    async def open_box(self, spec: BoxSpec) -> WardenBox:
        """Make a box. Raises SandboxError where it cannot, or where less than `spec.at_least` was achieved."""
        objection = await asyncio.to_thread(self.objection, spec)
        program = shutil.which("bwrap", path=WHERE_FOUND)
        if objection is not None or program is None:
            raise SandboxError(f"the provider bubblewrap cannot make this box: {objection}")
        uid = unprivileged_user(spec)
        trial = _try(program, uid)
        orders = _orders(spec, program, uid) | {"holder": [*HOLDER, trial.holder]}
        line, facts = await asyncio.to_thread(open_warden, orders)
        env = {"TMPDIR": "/tmp", "USER": "box", "LOGNAME": "box", **spec.env}  # noqa: S108 - the box's own
        box = WardenBox(line, UNSEEN, home="/box", env=env, output=spec.limits.output, owner=uid)
        try:
            achieved = _achieved(await box.look_inside(), facts)
            containment = describe_containment(achieved, trial.version, tuple(facts["lacking"]))
            _require(containment, spec)
        except BaseException:
            await box.close()
            raise
        return box.described_as(containment)


def box_arguments(limits: Limits, mounts: Iterable[Mount], host: Path = Path("/")) -> list[str]:
    """The options of bubblewrap that make a box. `host` is where the host's folders are looked for.

    Raises SandboxError for a mount that cannot be.
    """
    parts = [
        "--unshare-all",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--hostname",
        "box",
        "--new-session",
        "--as-pid-1",
    ]
    parts += ["--cap-drop", "ALL", "--clearenv", "--ro-bind", "/usr", "/usr"]
    for name in INTO_USR:
        place = host / name
        if place.is_symlink():
            parts += ["--symlink", str(place.readlink()), f"/{name}"]
        elif place.is_dir():
            parts += ["--ro-bind", f"/{name}", f"/{name}"]
    parts += ["--perms", "0755", "--dir", "/etc", "--proc", "/proc", "--dev", "/dev"]
    for file in FILES:
        parts += ["--perms", "0644", "--ro-bind-data", f"{FILE_MARK}{file}", file]
    for place_of_etc in OF_ETC:
        parts += ["--ro-bind-try", place_of_etc, place_of_etc]
    sizes = folder_sizes(limits)
    for folder, mode in (("/dev/shm", "1777"), ("/tmp", "1777"), ("/box", "0755")):  # noqa: S108 - the box's own
        parts += ["--perms", mode, "--size", str(sizes[folder]), "--tmpfs", folder]
    for mount in mounts:
        parts += ["--ro-bind", *checked_mount(mount)]
    return [*parts, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/box"]


def folder_sizes(limits: Limits) -> dict[str, int]:
    """The writable folders of a box and how many bytes each may hold."""
    return {"/box": limits.disk, "/tmp": limits.disk, "/dev/shm": min(limits.disk, SHARED_MEMORY_BYTES)}  # noqa: S108


def _orders(spec: BoxSpec, program: str, uid: int | None) -> dict[str, Any]:
    limits = spec.limits
    machine_filter = filter_for(platform.machine())
    return {
        "bubblewrap": program,
        "uid": uid,
        "arguments": box_arguments(limits, spec.mounts),
        "files": FILES,
        "sized": folder_sizes(limits),
        "readable": [*READABLE, *(mount.target for mount in spec.mounts)],
        "writable": WRITABLE,
        "filter": None if machine_filter is None else machine_filter.hex(),
        "group": {"memory": limits.memory, "pids": limits.pids, "cpus": limits.cpus},
        "limits": {
            "CORE": 0,
            "NOFILE": OPEN_FILES,
            "FSIZE": limits.disk,
            "MEMLOCK": LOCKED_BYTES,
            "MSGQUEUE": 0,
            "RTPRIO": 0,
        },
    }


def _achieved(status: dict[str, str], facts: dict[str, Any]) -> Achieved:
    """What a contained program saw of itself; what it does not see is not believed of the warden either."""
    filtered = bool(facts["seccomp"]) and status.get("Seccomp") == "2" and status.get("NoNewPrivs") == "1"
    powers = [int(status.get(name, "1"), 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")]
    if any(powers) or status.get("Uid", "").split() != ["1000"] * 4:
        raise SandboxError("the box does not hold: programs in it have rights they must not have")
    return Achieved(
        namespaces=True, landlock=int(facts["landlock"]), seccomp=filtered, cgroup=str(facts["cgroup"])
    )


def _require(containment: Containment, spec: BoxSpec) -> None:
    if not contains_enough(containment.level, spec.at_least):
        raise SandboxError(
            f"the box achieves {containment.level}, and {spec.at_least} is asked for: "
            + "; ".join(containment.lacking),
            hint="`verilabel sandbox doctor` says what this machine lacks",
        )


class _Trial(NamedTuple):
    version: str
    objection: str
    holder: str


_TRIALS: dict[tuple[str, int | None, int, int], _Trial] = {}
"""What worked, by program, user, and which file that program was. What did not is tried again: it may have been the
moment."""


def _try(program: str, uid: int | None) -> _Trial:
    """Make a small box, once for each user: what can hold one, or why bubblewrap makes none here."""
    about = Path(program).stat()
    key = (program, uid, about.st_ino, about.st_mtime_ns)
    trial = _TRIALS.get(key) or _make_small_box(program, uid)
    if not trial.objection:
        _TRIALS[key] = trial
    return trial


def _make_small_box(program: str, uid: int | None) -> _Trial:
    small = ["--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--proc", "/proc"]
    small += ["--symlink", "usr/lib64", "/lib64", "--"]
    try:
        version = _run([program, "--version"], uid).stdout.decode("utf-8", "replace").strip()
        if _run([program, *small, *REAPING.split(), "/usr/bin/true"], uid).returncode == 0:
            return _Trial(version, "", f"{REAPING} {PLAIN_CAT}")
        made = _run([program, *small, "/usr/bin/true"], uid)
    except (OSError, subprocess.SubprocessError) as error:
        return _Trial("bubblewrap", f"bwrap cannot be run: {error}", PLAIN_CAT)
    if made.returncode == 0:
        return _Trial(version, "", PLAIN_CAT)
    said = made.stderr.decode("utf-8", "replace").strip()[:300] or f"exit status {made.returncode}"
    if _switched_on(APPARMOR_SWITCH):
        said += "; AppArmor keeps user namespaces from it here: `verilabel sandbox doctor` prints the profile it needs"
    return _Trial(version, f"bwrap makes no box here: {said}", PLAIN_CAT)


def _run(argv: list[str], uid: int | None) -> subprocess.CompletedProcess[bytes]:
    groups: list[int] | None = None if uid is None else []
    return subprocess.run(  # noqa: S603
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TRIAL_S,
        env={},
        cwd="/",
        user=uid,
        group=uid,
        extra_groups=groups,
        check=False,
    )


def _switched_on(path: str) -> bool:
    try:
        return Path(path).read_text("ascii").strip() == "1"
    except OSError:
        return False
