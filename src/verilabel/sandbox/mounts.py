"""What of the host may be mounted into a box, and where: the same for every provider."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from verilabel.errors import SandboxError
from verilabel.sandbox.interface import Mount

INTO_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Folders of the root that lead into `/usr`, or belong to it."""
NO_SOURCES = ("/proc", "/sys", "/dev", "/run")
"""What tells of the host's processes, or speaks to them: engines' sockets lie in `/run`."""
NO_TARGETS = ("/", "/proc", "/sys", "/dev", "/usr", *(f"/{name}" for name in INTO_USR))


def checked_mount(mount: Mount) -> tuple[str, str]:
    """A mount's source, with its links resolved, and its target.

    Raises SandboxError where there is no source, where it is a socket, a pipe or a device, or would show the host's
    processes or devices, or where the target is a place that belongs to the box. Sockets in a folder are not looked
    for: read-only as it is, whoever listens there can be spoken to.
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
    if not source.is_absolute():
        raise SandboxError(
            "this is not mounted into a box", where=mount.source, hint="name its path from the root"
        )
    found = source.resolve()
    if str(found) == "/" or any(_within(PurePosixPath(found), place) for place in NO_SOURCES):
        raise SandboxError(
            "this is not mounted into a box", where=mount.source, hint="name one folder or file"
        )
    if not found.exists():
        raise SandboxError("there is nothing to mount", where=mount.source)
    if not (found.is_dir() or found.is_file()):
        raise SandboxError(
            "a socket, pipe or device is not mounted into a box",
            where=mount.source,
            hint="who is behind it could be spoken to from inside",
        )
    return str(found), str(target)


def _within(target: PurePosixPath, place: str) -> bool:
    return str(target) == place or (place != "/" and target.is_relative_to(place))
