"""The user that a box runs as: never root."""

from __future__ import annotations

import os
from collections.abc import Mapping

from verilabel.errors import SandboxError
from verilabel.sandbox.interface import BoxSpec

UID_VARIABLE = "VERILABEL_SANDBOX_UID"
HIGHEST_UID = 2**32 - 2
HINT = f"set {UID_VARIABLE}, or uid in the configuration, to a user that owns nothing here, for example 65534 (nobody)"


def unprivileged_user(spec: BoxSpec, environ: Mapping[str, str] | None = None) -> int | None:
    """The user that everything of a box runs as, where it is another than this process's; None where it is the same.

    Raises SandboxError where that would be root, or where only root could become that user.
    """
    variables = os.environ if environ is None else environ
    if os.geteuid() != 0:
        if 0 in os.getresuid():
            raise SandboxError(
                "a program that can be root again opens no box", hint="give up root for good, or be it"
            )
        if spec.uid is not None and spec.uid != os.geteuid():
            raise SandboxError(f"only root can run a box as user {spec.uid}", hint="leave uid out")
        return None
    uid = spec.uid if spec.uid is not None else _named_user(variables.get(UID_VARIABLE, ""))
    if uid is None:
        raise SandboxError("a box is never run as root", hint=HINT)
    if not 0 < uid <= HIGHEST_UID:
        raise SandboxError(f"a box cannot run as user {uid}", hint=HINT)
    return uid


def _named_user(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise SandboxError("not a user number", where=UID_VARIABLE, hint=HINT)
    return int(text)
