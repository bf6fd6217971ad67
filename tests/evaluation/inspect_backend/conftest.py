"""The interpreter with Inspect, and a file of its tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspect_world import TASKS, find_interpreter
from verilabel.evaluation.inspect_backend.suite import make_inspect_suite
from verilabel.suites.loading import Suite


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


@pytest.fixture(scope="session")
def adding(inspect_python: str, tasks_file: Path) -> Suite:
    """The task `adding` with six sums, and three samples that are odd. It notes what it runs beside its file."""
    reference = f"inspect:{tasks_file}@adding:notes={tasks_file.parent / 'notes'}"
    return make_inspect_suite(reference, python=inspect_python)
