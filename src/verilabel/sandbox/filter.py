"""The system calls that programs in a box may make, as a seccomp filter assembled by hand.

An allow-list: `data/syscalls.tsv` names what is let through, on x86_64 and aarch64, and everything else is refused
with EPERM, or ENOSYS where the kernel is newer than the list. The program is classic BPF (`struct sock_filter`, Linux
`include/uapi/linux/filter.h`): a binary search over the call's number, then checks of arguments where the number
alone does not decide. Bytes of pointers cannot be seen by a filter, so only plain numbers decide.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

Instruction = tuple[int, int, int, int]
"""Operation, instructions to skip where true, where false, and the constant."""

LOAD, JUMP, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_ANY_BIT, AND, RETURN = (
    0x20,
    0x05,
    0x15,
    0x35,
    0x45,
    0x54,
    0x06,
)
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
NUMBER_AT, ARCHITECTURE_AT = 0, 4
X32_BIT = 0x40000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH of each machine that numbers are known for."""

NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
TERMINAL_INJECTIONS = (0x5412, 0x541C, 0x541D, 0x5423)
"""TIOCSTI types for someone else, TIOCLINUX pastes, TIOCCONS takes the console, TIOCSETD changes the discipline."""
UNIX, INET, INET6 = 1, 2, 10
STREAM, DATAGRAM, SEQPACKET = 1, 2, 5
PROTOCOLS = (0, 6, 17)
"""The default, TCP and UDP: the others load kernel modules or need rights."""
FILE_KINDS = (0, 0x1000, 0x8000, 0xC000)
"""What mknod may make: plain files, pipes, sockets; no device."""


def filter_for(machine: str) -> bytes | None:
    """The filter of a machine as `struct sock_filter[]`; None where its system calls are not known here."""
    if machine not in ARCHITECTURES:
        return None
    program = _assemble(machine)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


@lru_cache(maxsize=2)
def listed_calls(machine: str) -> dict[int, tuple[str, str]]:
    """Number of each listed system call of a machine, with its name and rule."""
    column = 1 + list(ARCHITECTURES).index(machine)
    text = files("verilabel.sandbox").joinpath("data/syscalls.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {int(row[column]): (row[0], row[3]) for row in rows if row[column] != "-"}


def _assemble(machine: str) -> list[Instruction]:
    head: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    calls = listed_calls(machine)
    last = max(calls)
    leaves = [_check(calls[number][1]) if number in calls else _refuse(EPERM) for number in range(last + 1)]
    segments = [(0, leaves[0])]
    for number, leaf in enumerate(leaves):
        if leaf != segments[-1][1]:
            segments.append((number, leaf))
    # newer than the list: programs fall back where they are told that there is no such call
    segments.append((last + 1, _refuse(ENOSYS)))
    return head + _search(segments)


def _search(segments: Sequence[tuple[int, list[Instruction]]]) -> list[Instruction]:
    """Binary search: each segment begins at its number and reaches to the next one."""
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    below, above = _search(segments[:middle]), _search(segments[middle:])
    number = segments[middle][0]
    if len(below) <= 255:
        return [(JUMP_GREATER_EQUAL, len(below), 0, number), *below, *above]
    return [(JUMP_GREATER_EQUAL, 0, 1, number), (JUMP, 0, 0, len(below)), *below, *above]


def _check(rule: str) -> list[Instruction]:
    """What decides a listed call: a run of instructions that always returns."""
    if rule == "allow":
        return [(RETURN, 0, 0, ALLOW)]
    if rule == "absent":
        return _refuse(ENOSYS)
    if rule == "pretend":
        # done without doing anything: writing out every disk of the host is not the box's to ask for
        return _refuse(0)
    if rule == "clone":
        return [_argument(0), (JUMP_ANY_BIT, 0, 1, NAMESPACES), *_refuse(EPERM), (RETURN, 0, 0, ALLOW)]
    if rule == "ioctl":
        return [_argument(1), *_none_of(TERMINAL_INJECTIONS, EPERM)]
    if rule == "personality":
        return [_argument(0), *_one_of((0, 0xFFFFFFFF), EPERM)]
    if rule in ("mknod", "mknodat"):
        return [_argument(1 if rule == "mknod" else 2), (AND, 0, 0, 0xF000), *_one_of(FILE_KINDS, EPERM)]
    assert rule in ("socket", "socketpair"), "a rule of the data file that nobody knows"
    families = (UNIX, INET, INET6) if rule == "socket" else (UNIX,)
    return [
        _argument(0),
        *_pass_one_of(families, EAFNOSUPPORT),
        _argument(1),
        (AND, 0, 0, 0xF),
        *_pass_one_of((STREAM, DATAGRAM, SEQPACKET), EPERM),
        _argument(2),
        *_one_of(PROTOCOLS, EPERM),
    ]


def _argument(position: int) -> Instruction:
    """Load the low half of an argument: both machines are little-endian, and the kernel reads these as ints."""
    return (LOAD, 0, 0, 16 + 8 * position)


def _refuse(errno: int) -> list[Instruction]:
    return [(RETURN, 0, 0, ERRNO | errno)]


def _pass_one_of(values: Sequence[int], errno: int) -> list[Instruction]:
    """Go on after this block where the accumulator is one of the values, refuse otherwise."""
    checks: list[Instruction] = [
        (JUMP_EQUAL, len(values) - position, 0, value) for position, value in enumerate(values)
    ]
    return [*checks, *_refuse(errno)]


def _one_of(values: Sequence[int], errno: int) -> list[Instruction]:
    return [*_pass_one_of(values, errno), (RETURN, 0, 0, ALLOW)]


def _none_of(values: Sequence[int], errno: int) -> list[Instruction]:
    checks: list[Instruction] = [
        (JUMP_EQUAL, len(values) - position, 0, value) for position, value in enumerate(values)
    ]
    return [*checks, (RETURN, 0, 0, ALLOW), *_refuse(errno)]
