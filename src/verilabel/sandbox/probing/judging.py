"""What is to be made of the answers: which probes escaped, which are exposed, of which nothing is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from verilabel.sandbox.interface import Level, contains_enough
from verilabel.sandbox.probing.record import ProbeResult, Requirement

EMULATED_GROUPS = ("kernel", "devices", "settings", "privileges", "terminal", "time")
"""What a kernel of the box's own may answer itself without the host's: its own calls, devices, settings and rights."""
EMULATED_PROBES = (
    "network.raw",
    "network.packets",
    "network.machine-sockets",
    "network.kernel-messages",
    "network.kernel-ciphers",
    "network.rare-families",
    "files.system-tree",
    "files.kernel-symbols",
    "files.kernel-memory",
    "limits.priority",
    "limits.raise",
    "processes.trace-own",
)
UNSEEN_PROBES = ("host.user", "leftovers.processes")
"""What the host cannot see of processes that a kernel of the box's own keeps."""
LIMITING_MEANS = ("cgroup", "watchdog", "rlimit")


def is_emulated(result: ProbeResult, level: Level, *, kernel_is_own: bool) -> bool:
    """True for a probe that came through to a kernel which is not the host's."""
    return result.result == "open" and kernel_is_own and may_be_emulated(result, level)


def may_be_emulated(result: ProbeResult, level: Level) -> bool:
    """True for a probe that a kernel of the box's own may answer, where the level claims such a kernel."""
    could_be = result.group in EMULATED_GROUPS or result.id in EMULATED_PROBES
    return could_be and contains_enough(level, "C4")


def may_be_unseen(result: ProbeResult, level: Level) -> bool:
    """True for a probe that may have no answer and yet be no gap: the host does not see into another kernel."""
    return result.result == "informational" and result.id in UNSEEN_PROBES and contains_enough(level, "C4")


def must_be_stopped(by: Requirement, level: Level, means: Iterable[str]) -> bool:
    """True where a probe had to be stopped: whatever the box, or because the box claims the means against it.

    Limits are claimed by boxes from C2 on that name a means of limiting.
    """
    if by == "always":
        return True
    claimed = tuple(means)
    if by == "seccomp":
        return any(name.startswith("seccomp") for name in claimed)
    if by == "limits":
        return contains_enough(level, "C2") and any(name.startswith(LIMITING_MEANS) for name in claimed)
    return False


def judge(
    results: Sequence[ProbeResult], level: Level, means: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Escapes, exposed and unanswered probes, by id and in their order.

    An answer that excuses a probe counts only where it can be true: `emulated` of what a kernel of the box's own may
    answer, `informational` of what need not be stopped.
    """
    claimed = tuple(means)
    escapes: list[str] = []
    exposed: list[str] = []
    unanswered: list[str] = []
    for result in results:
        required = must_be_stopped(result.by, level, claimed)
        if result.result == "open" or (result.result == "emulated" and not may_be_emulated(result, level)):
            (escapes if required else exposed).append(result.id)
        elif required and result.result in ("error", "informational") and not may_be_unseen(result, level):
            unanswered.append(result.id)
    return tuple(escapes), tuple(exposed), tuple(unanswered)
