"""Fixtures and settings that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# a busy machine must not fail a property: no test asserts how long an example takes
settings.register_profile("verilabel", deadline=None)
settings.load_profile("verilabel")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public test data, or a skip where this machine has none."""
    folder = Path(os.environ.get("VERILABEL_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no public test data at {folder}; set VERILABEL_DATA to its folder")
    return folder
