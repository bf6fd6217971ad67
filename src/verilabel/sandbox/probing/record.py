"""What an examination of a box found: every probe with its answer, the environment, what was achieved. Plain data.

Whether it escaped, is exposed or went unanswered follows from the answers and from what the box claims; see `judge`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from verilabel.records.canonical import digest, jcs
from verilabel.sandbox.interface import Level, Limits

Result = Literal["stopped", "open", "emulated", "informational", "error"]
Requirement = Literal["always", "seccomp", "limits", ""]
"""By which means a probe must be stopped: whatever the box, by a means where the box claims it, or not at all."""


class ProbeResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One probe and its answer. `detail` says by what, in words; it holds no secret and no path of the host's users."""

    id: str
    by: Requirement
    result: Result
    detail: str

    @property
    def group(self) -> str:
        """The group of the probe: the part of its name before the dot."""
        return self.id.split(".", 1)[0]


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where boxes were examined: what the findings hold for, and nothing else."""

    provider: str
    """Name and version: `bubblewrap 0.8.0`."""
    kernel: str
    """Release of the host's kernel."""
    kernel_build: str
    """Digest of /proc/version: the kernel as it was built."""
    machine: str
    """Architecture, such as `x86_64`."""
    distribution: str
    """The host's, whose programs a box without an image of its own sees."""
    image: str | None
    """Digest of the box's root file system, where it has one of its own."""
    host: str
    """Digest of the machine's identity, which does not give it away; empty where it has none."""
    user: int
    """The user that boxes are made as."""
    started_as_root: bool
    settings: dict[str, str]
    """Settings of the kernel that containment leans on, by name; those that there are."""

    @property
    def digest(self) -> str:
        """The subject of an attestation: the digest of the canonical form."""
        return digest(jcs(msgspec.to_builtins(self)))


class Achieved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The containment of the box that was examined, and the limits it was asked to hold. Sizes in bytes."""

    level: Level
    means: tuple[str, ...]
    lacking: tuple[str, ...]
    memory: int
    pids: int
    cpus: str
    disk: int
    output: int


class Examination(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was tried against a box and what came of it."""

    program: str
    """Digest of the program that tried it."""
    probes: str
    """Digest of the list of probes."""
    environment: Environment
    achieved: Achieved
    inside: dict[str, str]
    """What the box looked like from inside: kernel, machine, user, version of Python."""
    heavy: bool
    """True if limits were tried by using them up."""
    results: tuple[ProbeResult, ...]
    escapes: tuple[str, ...]
    """Probes that had to be stopped and were open."""
    exposed: tuple[str, ...]
    """Probes that were open where the box claims no means against them."""
    unanswered: tuple[str, ...]
    """Probes that had to be stopped and of which nothing is known."""


def limits_in_words(limits: Limits) -> dict[str, int | str]:
    """Limits as `Achieved` has them: numbers with a point have no canonical form."""
    return {
        "memory": limits.memory,
        "pids": limits.pids,
        "cpus": f"{limits.cpus:g}",
        "disk": limits.disk,
        "output": limits.output,
    }
