"""Control groups of both versions, in folders made as the kernel shows them, and refused where they cannot be made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from verilabel.sandbox.warden.control_groups import delegating_folder, make_control_group, read_counter


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A version 2 hierarchy: a slice with two controllers given to the groups in it, and our own group."""
    (tmp_path / "fs/user.slice/ours.scope").mkdir(parents=True)
    (tmp_path / "fs/cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "fs/user.slice/cgroup.subtree_control").write_text("memory pids\n")
    (tmp_path / "fs/user.slice/cgroup.procs").write_text("")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/ours.scope\n")
    return tmp_path


def make(tree: Path) -> tuple[object, str]:
    return make_control_group("box", 2**20, 10, 0.5, root=str(tree / "fs"), proc=str(tree / "proc"))


def test_a_group_is_refused_where_nothing_is_delegated(tree: Path) -> None:
    (tree / "fs/user.slice/cgroup.subtree_control").write_text("cpu\n")

    assert (None, True) == ((made := make(tree))[0], "not delegated" in made[1])
    assert not (tree / "fs/user.slice/box").exists()


@pytest.mark.parametrize("own", ["/", "/user.slice", "/user.slice/ours.scope", "/other/deep/place"])
def test_the_folder_a_group_is_made_in_is_the_nearest_above_that_gives_controllers(
    tree: Path, own: str
) -> None:
    (tree / "fs/cgroup.subtree_control").write_text("cpu memory pids\n")
    (tree / "fs/cgroup.procs").write_text("")
    nearest = tree / "fs/user.slice" if own.endswith("scope") else tree / "fs"

    assert str(nearest) == delegating_folder(str(tree / "fs"), own)


def test_a_group_is_refused_where_there_are_none(tmp_path: Path) -> None:
    assert (None, "cgroup: this kernel has none") == make_control_group("x", 1, 1, 1.0, proc=str(tmp_path))


def test_a_group_whose_limits_cannot_be_written_leaves_no_folder(tree: Path) -> None:
    # a folder that is none of the kernel's has no files to write limits to
    group, reason = make(tree)

    assert group is None
    assert "not writable" in reason
    assert not (tree / "fs/user.slice/box").exists()


@pytest.mark.parametrize(
    ("limit", "text", "count"),
    [
        ("memory", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),
        ("memory", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n", 1),
        ("pids", "max 5\n", 5),
        ("memory", "nothing known\n", 0),
    ],
)
def test_what_a_limit_did_is_counted(tmp_path: Path, limit: str, text: str, count: int) -> None:
    path = tmp_path / "events"
    path.write_text(text)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert count == read_counter(descriptor, limit)
    finally:
        os.close(descriptor)
