"""A world with one scripted mail server, for attacks on the gateway."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_world import World, make_world
from stores import store_url

__all__ = ["store_url", "world"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One server called `mail` with the tools read, send and other; as root, servers run as nobody."""
    if os.geteuid() == 0:
        monkeypatch.setenv("VERILABEL_SANDBOX_UID", "65534")
    folder = Path(tempfile.mkdtemp(prefix="verilabel-mcp-"))
    folder.chmod(0o777)
    yield make_world(folder)
    shutil.rmtree(folder, ignore_errors=True)
