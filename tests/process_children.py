"""What this process has started and has open, for tests that look for leftovers."""

from __future__ import annotations

from pathlib import Path


def children() -> set[str]:
    """The processes that this one has started and that are not gone."""
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


def descriptors() -> set[str]:
    """What this process's open files are."""
    return {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
