"""Landlock: which files the programs of a box may touch, held by the kernel beside the namespaces.

The numbers of its three system calls are the same on every machine. Rights per version of the interface:
https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from verilabel.sandbox.warden.kernel import KernelRefusal, call_kernel

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEVICE = (
    1 << bit for bit in (0, 1, 2, 3, 14, 15)
)
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights over files that a version of the interface knows; none was added after the fifth."""


def landlock_version() -> int:
    """The version of the kernel's interface, 0 where there is none."""
    return max(0, call_kernel(CREATE_RULESET, None, 0, _ASK_VERSION))


def make_ruleset(version: int, readable: Sequence[str], writable: Sequence[str]) -> int:
    """A ruleset as a file descriptor: read and run below some paths, everything below others, elsewhere nothing.

    Folders may be listed everywhere. Paths that do not exist are left out: nothing is there to be touched.
    """
    rights = _RIGHTS[min(version, 5)]
    ruleset = call_kernel(CREATE_RULESET, struct.pack("=Q", rights), 8, 0)
    if ruleset < 0:
        raise KernelRefusal("a Landlock ruleset was refused")
    reading = _EXECUTE | _READ_FILE | _READ_DIR
    for allowed, paths in ((_READ_DIR, ["/"]), (reading, readable), (rights, writable)):
        for path in paths:
            _allow_beneath(ruleset, path, allowed & rights)
    return ruleset


def restrict_self(ruleset: int) -> None:
    """Hold this process and all that it starts to a ruleset. Needs no_new_privs."""
    if call_kernel(RESTRICT_SELF, ruleset, 0) < 0:
        raise KernelRefusal("Landlock did not take the ruleset")


def _allow_beneath(ruleset: int, path: str, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib is slow to import, and a box waits
            allowed &= _OF_FILES
        if call_kernel(ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, place), 0) < 0:
            raise KernelRefusal(f"Landlock refused a rule for {path}")
    finally:
        os.close(place)
