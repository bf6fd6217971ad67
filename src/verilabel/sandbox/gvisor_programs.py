"""The files of one program in a box of gVisor: what it is called with, its number, what runsc said against it."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import NoReturn

from verilabel.errors import LimitExceeded, SandboxError


class ProgramFiles:
    """Files in the box's folder on the host, where nothing in the box reaches them; named by the program's mark."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.called_with = folder / f"{mark}.json"
        self.complaint = folder / f"{mark}.log"
        self.number = folder / f"{mark}.pid"

    def write_call(self, document: dict[str, object]) -> None:
        """Write what the program is called with, for its owner alone: secrets may be among its variables."""
        self.called_with.touch(mode=0o600)
        self.called_with.write_text(json.dumps(document), encoding="utf-8")

    def read_complaint(self) -> str:
        """What runsc itself said against starting a program: in its own log, where no program can say it."""
        with contextlib.suppress(OSError):
            return self.complaint.read_text("utf-8", "replace")
        return ""

    def read_number(self) -> str:
        """The number that the program has in the box; 0 where it is not known."""
        with contextlib.suppress(OSError):
            text = self.number.read_text("ascii", "replace").strip()
            return text if text.isascii() and text.isdigit() else "0"
        return "0"

    def remove(self) -> None:
        """Remove all of them."""
        for path in (self.called_with, self.complaint, self.number):
            with contextlib.suppress(OSError):
                path.unlink()


def refusal_of(complaint: str) -> int | None:
    """What shells answer for a program that is not there or cannot be run; None where runsc complains of another."""
    if "executing command" not in complaint:
        return None
    if "no such file or directory" in complaint:
        return 127
    if "permission denied" in complaint or "exec format error" in complaint:
        return 126
    return None


def raise_for_reading(status: int, path: str) -> NoReturn:
    """Raise what the exit status of the program that reads a file means."""
    match status:
        case 102:
            raise FileNotFoundError(2, os.strerror(2), path)
        case 121:
            raise IsADirectoryError(21, os.strerror(21), path)
        case 127:
            raise LimitExceeded("a larger file than is read", where=path)
        case 113:
            raise PermissionError(13, "not a plain file that may be read", path)
    raise SandboxError(f"reading ended with status {status}", where=path)
