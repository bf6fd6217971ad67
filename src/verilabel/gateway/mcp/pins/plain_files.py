"""Reading a file that somebody else may have put there: plain files alone, and never more than a bound."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from verilabel.errors import MalformedInput


def read_plain_file(path: Path, limit: int) -> bytes:
    """The bytes of a plain file, at most `limit` and one more (so that a larger one can be told).

    Raises MalformedInput for a pipe, a device or a socket, which could keep the reader waiting, OSError as opening
    does.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(str(path))
        if not stat.S_ISREG(mode):
            raise MalformedInput("not a plain file", where=str(path))
        return file.read(limit + 1)
