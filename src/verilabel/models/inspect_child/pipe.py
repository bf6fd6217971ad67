"""The child's end of the pipe: one JSON object a line in both directions, with a second line where a body follows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

FOLDER_PREFIX = "verilabel-inspect-"
"""How the name of the folder begins that the parent made for this process alone."""


class Pipe:
    """Lines over the standard input and output that the parent opened.

    Both are moved to descriptors that no program started from here inherits, and what anybody else prints goes to
    standard error, so that nothing gets between the lines.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "wb")
        self._in = os.fdopen(os.dup(0), "rb")
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._lock = threading.Lock()
        self._folder = Path.cwd()

    def read(self) -> dict[str, Any] | None:
        """The next object; None where the parent closed the pipe or is gone."""
        line = self._in.readline()
        if not line.endswith(b"\n"):
            return None
        value = json.loads(line)
        return value if isinstance(value, dict) else None

    def write(self, head: dict[str, Any], body: bytes | None = None) -> None:
        """Send an object, and a body as the line after it. A parent that is gone ends this process."""
        lines = json.dumps({**head, "body": body is not None}).encode("ascii") + b"\n"
        if body is not None:
            assert b"\n" not in body, "a body is one line"
            lines += body + b"\n"
        try:
            with self._lock:
                self._out.write(lines)
                self._out.flush()
        except OSError:
            self.end_at_once()

    def end_at_once(self) -> None:
        """End this process and all that it started, and remove its folder: the parent is gone, nobody else would."""
        if self._folder.name.startswith(FOLDER_PREFIX):
            shutil.rmtree(self._folder, ignore_errors=True)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


class Refusal(Exception):
    """A command cannot be carried out. `about` is one word that the parent turns into its own kind of error."""

    def __init__(self, about: str, message: str) -> None:
        super().__init__(message)
        self.about = about


def one_line(text: object, limit: int = 500) -> str:
    """A text on one line without the marks that Inspect prints in bold, cut at `limit` characters, for messages."""
    plain = str(text)
    for mark in ("[bold]", "[/bold]"):
        plain = plain.replace(mark, "")
    return " ".join(plain.split())[:limit]
