"""Boxes for tests: as whom they run, and where there are none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from verilabel.sandbox.interface import Box, BoxSpec
from verilabel.sandbox.opening import PROVIDERS, open_box

NOBODY = 65534
UID = NOBODY if os.geteuid() == 0 else None
"""Root must name another user; anyone else is unprivileged already."""
SPEC = BoxSpec(provider="bubblewrap", uid=UID)
OBJECTION = PROVIDERS["bubblewrap"].objection(SPEC)
needs_box = pytest.mark.skipif(OBJECTION is not None, reason=f"no box here: {OBJECTION}")
REPOSITORY = Path(__file__).resolve().parent.parent


@asynccontextmanager
async def opened(spec: BoxSpec = SPEC, **changes: Any) -> AsyncIterator[Box]:
    """An open box, closed at the end."""
    box = await open_box(msgspec.structs.replace(spec, **changes) if changes else spec)
    try:
        yield box
    finally:
        await box.close()


def unprivileged_python() -> list[str]:
    """A command line that runs this version of Python, with what these tests import, as a user who is not root."""
    paths = [str(REPOSITORY / "src"), str(REPOSITORY / "tests"), str(Path(msgspec.__file__).parent.parent)]
    paths.append(str(Path(pytest.__file__).parent.parent))
    drop = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("setpriv is not installed: no user can be become")
        drop = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    version = f"python3.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/local/bin/{version}", f"/usr/bin/{version}"):
        command = [
            *drop,
            "/usr/bin/env",
            "-i",
            f"PYTHONPATH={':'.join(paths)}",
            "PYTHONDONTWRITEBYTECODE=1",
            python,
        ]
        tried = subprocess.run(
            [*command, "-c", "import msgspec, verilabel.sandbox.opening"], capture_output=True, check=False
        )
        if tried.returncode == 0:
            return command
    pytest.skip(f"no Python {version} here that an unprivileged user can run")


def descendants(pid: int) -> set[int]:
    """All processes below one, on this machine."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            parents[int(folder.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}
