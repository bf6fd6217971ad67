"""Which level of containment a box achieved, from what was seen to hold."""

from __future__ import annotations

import msgspec

from verilabel.sandbox.interface import Containment, Level


class Achieved(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for the programs of a box. `landlock` is the interface's version and `cgroup` too; none: 0 and ""."""

    namespaces: bool = False
    landlock: int = 0
    seccomp: bool = False
    cgroup: str = ""


def level_of(achieved: Achieved) -> Level:
    """The level: C3 and C2 need both filters under them; namespaces with one filter count C1, with none C0."""
    filters = (achieved.landlock > 0) + achieved.seccomp
    if filters == 2 and achieved.namespaces:
        return "C3" if achieved.cgroup else "C2"
    if filters == 2 or (filters == 1 and achieved.namespaces):
        return "C1"
    return "C0"


def describe_containment(achieved: Achieved, provider: str, lacking: tuple[str, ...] = ()) -> Containment:
    """The containment as it is recorded: level, means, and what is lacking in words."""
    means = [
        f"{kind}ns" for kind in ("user", "mount", "pid", "net", "ipc", "uts", "cgroup") if achieved.namespaces
    ]
    missing = list(lacking)
    if achieved.landlock:
        means.append(f"landlock:{achieved.landlock}")
    else:
        missing.append("landlock: this kernel has none; file access is held by the namespaces alone")
    if achieved.seccomp:
        means += ["no_new_privs", "seccomp"]
    else:
        missing.append("seccomp: the system calls of this machine are not known; all are let through")
    means.append("rlimits")
    if achieved.cgroup:
        means.append(f"cgroup:{achieved.cgroup}")
    return Containment(
        level=level_of(achieved), provider=provider, means=tuple(means), lacking=tuple(missing)
    )
