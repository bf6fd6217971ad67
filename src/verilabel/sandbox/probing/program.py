"""The program of probes as one file that is put into a box, and the list of what it tries."""

from __future__ import annotations

import importlib
import io
import zipfile
from functools import cache
from importlib import resources
from typing import Any, cast

import msgspec

from verilabel.records.canonical import digest, jcs
from verilabel.sandbox.probing.record import ProbeResult, Requirement

_START = "from inside.running import main\n\nmain()\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Listed(msgspec.Struct, frozen=True):
    """A probe as it is listed. `where` is inside (the box tries it) or outside (it is seen from the host)."""

    id: str
    tries: str
    by: Requirement
    where: str = "inside"
    heavy: bool = False

    @property
    def group(self) -> str:
        """The group of the probe."""
        return self.id.split(".", 1)[0]

    def answered(self, result: str, detail: str) -> ProbeResult:
        """The probe with its answer. Raises msgspec.ValidationError for a result that there is none of."""
        return msgspec.convert(
            {"id": self.id, "by": self.by, "result": result, "detail": detail}, ProbeResult, strict=True
        )


OUTSIDE = (
    Listed("host.settings", "changes what the host's kernel runs or is called", "always", "outside"),
    Listed("host.victim", "has a signal reach a process of the host", "always", "outside"),
    Listed("host.folder", "leaves something in a folder of the host", "always", "outside"),
    Listed("host.listeners", "reaches a listener of the host", "always", "outside"),
    Listed("host.user", "runs as another user of the host than was meant", "always", "outside"),
    Listed("leftovers.processes", "lives on after the box was closed", "always", "outside"),
    Listed("leftovers.mounts", "leaves mounts behind", "always", "outside"),
    Listed("leftovers.control-groups", "leaves control groups behind", "always", "outside"),
    Listed(
        "leftovers.descriptors", "leaves files open in the program that made the box", "always", "outside"
    ),
    Listed("heavy.output", "floods the program that reads its output", "limits", "outside", heavy=True),
    Listed("heavy.time", "runs on after its time is over", "limits", "outside", heavy=True),
)
"""Probes whose answer is seen from the host, whatever the box says."""


@cache
def build_program() -> bytes:
    """The program as a zip that Python runs: the same bytes from the same sources."""
    files = {"__main__.py": _START.encode()}
    for source in resources.files("verilabel.sandbox.probing.inside").iterdir():
        if source.name.endswith(".py"):
            files[f"inside/{source.name}"] = source.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name])
    return packed.getvalue()


@cache
def list_probes() -> tuple[Listed, ...]:
    """All probes, those of the box first, in the order in which they are tried."""
    # nothing is tried by importing it; by name, because the program inside is no part of what the host calls
    inside = cast(Any, importlib.import_module("verilabel.sandbox.probing.inside.running")).PROBES
    listed = tuple(Listed(p.id, p.tries, p.by, "inside", p.heavy) for p in inside)
    return (*listed, *OUTSIDE)


def program_digest() -> str:
    """The digest of the program."""
    return digest(build_program())


def list_digest() -> str:
    """The digest of the list: of its canonical form."""
    return digest(jcs(msgspec.to_builtins(list_probes())))
