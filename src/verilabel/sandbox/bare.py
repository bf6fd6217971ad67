"""The provider `process`: no containment at all (C0), for machines without a box and for programs one trusts."""

from __future__ import annotations

import asyncio

from verilabel.errors import SandboxError
from verilabel.sandbox.box import WardenBox
from verilabel.sandbox.calling import open_warden
from verilabel.sandbox.interface import BoxSpec, Containment
from verilabel.sandbox.users import unprivileged_user

CONTAINMENT = Containment(
    level="C0",
    provider="process",
    lacking=(
        "containment: none; programs have all the rights of their user, files and network included",
        "limits: none but time and output; memory and processes are not held",
    ),
)


class PlainProcesses:
    """Makes boxes that contain nothing: a folder of its own, a small environment, a certain end, and no more."""

    name = "process"

    def objection(self, spec: BoxSpec) -> str | None:
        """Why it cannot make such a box: it contains nothing, and shows the host as it is."""
        if spec.at_least != "C0":
            return f"it contains nothing (C0), and {spec.at_least} is asked for"
        if any(mount.source != mount.target for mount in spec.mounts):
            return "it shows the host as it is, so a mount's target must be its source"
        try:
            unprivileged_user(spec)
        except SandboxError as error:
            return f"{error.message}: {error.hint}"
        return None

    async def open_box(self, spec: BoxSpec) -> WardenBox:
        """Make a work folder that programs start in; it is removed at the end. Raises SandboxError."""
        objection = self.objection(spec)
        if objection is not None:
            raise SandboxError(f"the provider process cannot make this box: {objection}")
        uid = unprivileged_user(spec)
        orders = {"bubblewrap": None, "uid": uid, "group": None, "limits": {"CORE": 0}}
        line, facts = await asyncio.to_thread(open_warden, orders)
        return WardenBox(
            line, CONTAINMENT, home=str(facts["home"]), env=spec.env, output=spec.limits.output, owner=uid
        )
