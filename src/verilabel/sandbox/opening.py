"""Opening boxes: the providers by name, the choice of one, and a refusal rather than less than was asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from types import MappingProxyType

from verilabel.errors import SandboxError
from verilabel.sandbox.bare import PlainProcesses
from verilabel.sandbox.bubblewrap import Bubblewrap
from verilabel.sandbox.gvisor import GvisorProvider
from verilabel.sandbox.interface import Box, BoxSpec, Limits, Provider
from verilabel.sandbox.mounts import checked_mount
from verilabel.sandbox.users import UID_VARIABLE

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (Bubblewrap(), GvisorProvider(), PlainProcesses())}
)
"""By name, in the order in which `auto` tries them."""
AUTO = "auto"
LEAST = {"memory": 32 * 2**20, "pids": 4, "cpus": 0.01, "disk": 65_536, "output": 0}
MOST = 2**50


async def open_box(spec: BoxSpec) -> Box:
    """Open a box as asked for, or refuse; never one that contains less than `spec.at_least`.

    `auto` takes the first provider that can. Raises SandboxError, which says of each provider why it cannot.
    """
    for mount in spec.mounts:
        checked_mount(mount)
    check_limits(spec.limits)
    refusals: list[str] = []
    for name in _candidates(spec):
        objection = await asyncio.to_thread(PROVIDERS[name].objection, spec)
        if objection is None:
            try:
                return await PROVIDERS[name].open_box(spec)
            except SandboxError as error:
                if spec.provider != AUTO:
                    raise
                objection = error.message
        refusals.append(f"{name}: {objection}")
    raise SandboxError(
        f"no box with at least {spec.at_least} can be opened; " + "; ".join(refusals),
        hint=_hint(spec),
    )


def _hint(spec: BoxSpec) -> str:
    if os.geteuid() == 0 and spec.uid is None and UID_VARIABLE not in os.environ:
        return f"{UID_VARIABLE}=65534, or --sandbox-uid 65534, names the user that boxes belong to; root has none"
    return (
        "nothing was run; `verilabel sandbox list` and `verilabel sandbox doctor` say what this machine lacks"
    )


def available(spec: BoxSpec) -> dict[str, str | None]:
    """Each provider's objection to making such a box here; None where it can."""
    return {name: provider.objection(spec) for name, provider in PROVIDERS.items()}


def check_limits(limits: Limits) -> None:
    """Refuse limits in which no box could start. Raises SandboxError that names the limit."""
    for name, least in LEAST.items():
        value = getattr(limits, name)
        # written so that a number that is none is refused too
        if not least <= value < MOST:
            raise SandboxError(
                f"{value} is no limit that a box can start in", where=f"$.limits.{name}", hint=f">= {least}"
            )


def _candidates(spec: BoxSpec) -> list[str]:
    if spec.provider == AUTO:
        return list(PROVIDERS)
    if spec.provider not in PROVIDERS:
        raise SandboxError(
            f"there is no provider {spec.provider!r}",
            where="$.provider",
            hint=f"one of {', '.join(PROVIDERS)}, auto",
        )
    return [spec.provider]
