"""Mounts that would be doors: places and files of the host through which somebody outside can be spoken to or read."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from verilabel.errors import SandboxError
from verilabel.sandbox.interface import Mount
from verilabel.sandbox.mounts import checked_mount


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: sockets need one."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "/proc",
        "/proc/1",
        "/proc/self/task",
        "/proc/self/root",
        "/sys",
        "/sys/kernel",
        "/dev",
        "/dev/shm",
        "/dev/null",
        "/run",
        "/var/run",
        "/usr/../proc/1",
    ],
)
def test_the_host_s_processes_devices_and_running_services_are_not_mounted(source: str) -> None:
    with pytest.raises(SandboxError):
        checked_mount(Mount(source, "/opt/x"))


@pytest.mark.parametrize("place", ["/proc/1", "/", "/run", "/sys/fs"])
def test_a_link_to_such_a_place_is_not_mounted_either(folder: Path, place: str) -> None:
    (folder / "link").symlink_to(place)

    with pytest.raises(SandboxError, match="not mounted"):
        checked_mount(Mount(str(folder / "link"), "/opt/x"))


def test_sockets_and_pipes_are_not_mounted(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "engine.sock"))
        os.mkfifo(folder / "pipe")
        for name in ("engine.sock", "pipe"):
            with pytest.raises(SandboxError, match="a socket, pipe or device"):
                checked_mount(Mount(str(folder / name), "/opt/x"))


def test_a_folder_and_a_file_are_mounted_by_what_they_are_linked_to(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real/file").write_text("x")
    (folder / "link").symlink_to("real")
    real = (folder / "real").resolve()

    assert (str(real), "/opt/x") == checked_mount(Mount(str(folder / "link"), "/opt/x"))
    assert (str(real / "file"), "/opt/y") == checked_mount(Mount(str(folder / "link/file"), "/opt/y"))
