"""A world with one scripted mail server."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One server called `mail` with the tools read, send and other."""
    return make_world(tmp_path)
