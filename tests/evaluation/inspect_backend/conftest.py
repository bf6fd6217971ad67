"""The interpreter with Inspect, and a file of its tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspect_world import TASKS, find_interpreter


@pytest.fixture(scope="session")
def inspect_python() -> str:
    """The interpreter that has inspect_ai, or a skip."""
    return find_interpreter()


@pytest.fixture(scope="session")
def tasks_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of tasks. Never change it."""
    path = tmp_path_factory.mktemp("tasks") / "tasks.py"
    path.write_text(TASKS, encoding="utf-8")
    return path
