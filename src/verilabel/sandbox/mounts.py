"""What of the host may be mounted into a box, and where: the same for every provider."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from verilabel.errors import SandboxError
from verilabel.sandbox.interface import Mount

INTO_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Folders of the root that lead into `/usr`, or belong to it."""
NO_SOURCES = ("/", "/proc", "/sys", "/dev")
NO_TARGETS = ("/", "/proc", "/sys", "/dev", "/usr", *(f"/{name}" for name in INTO_USR))


def checked_mount(mount: Mount) -> tuple[str, str]:
    """A mount's source, with its links resolved, and its target.

    Raises SandboxError where there is no source, where it would show the host's processes or devices, or where the
    target is a place that belongs to the box.
    """
    source, target = Path(mount.source), PurePosixPath(mount.target)
    if "\0" in mount.source or "\0" in mount.target:
        raise SandboxError("the path of a mount holds a NUL")
    if (
        not target.is_absolute()
        or ".." in target.parts
        or any(_within(target, place) for place in NO_TARGETS)
    ):
        raise SandboxError(
            "a mount cannot be put there", where=mount.target, hint="below /opt or /box, for example"
        )
    if not source.is_absolute() or any(str(source.resolve()) == place for place in NO_SOURCES):
        raise SandboxError(
            "this is not mounted into a box", where=mount.source, hint="name one folder or file"
        )
    if not source.exists():
        raise SandboxError("there is nothing to mount", where=mount.source)
    return str(source.resolve()), str(target)


def _within(target: PurePosixPath, place: str) -> bool:
    return str(target) == place or (place != "/" and target.is_relative_to(place))
