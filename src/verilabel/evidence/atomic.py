"""Files that appear whole or not at all: written beside their place, flushed, then moved in one step."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from verilabel.errors import UsageError


def write_file(path: Path, data: bytes, *, mode: int = 0o644, overwrite: bool = False) -> None:
    """Write a file so that a reader, or a machine that stops, sees all of it or none.

    Raises UsageError where the file is already there and `overwrite` is false, OSError where the disk
    refuses.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(path)
        else:
            _link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush_folder(path.parent)


def _link(temporary: Path, path: Path) -> None:
    # A hard link, unlike a rename, fails where the name is taken: two writers cannot both win.
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise UsageError(
            "the file is already there", where=str(path), hint="choose another name, or --force to replace it"
        ) from None


def flush_folder(folder: Path) -> None:
    """Make a folder's new names survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
