"""Boxes with a kernel of their own, by gVisor."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from examined_boxes import require_provider
from verilabel.errors import LimitExceeded, SandboxError
from verilabel.sandbox.gvisor_container import describe_container
from verilabel.sandbox.interface import Box, BoxSpec, Mount
from verilabel.sandbox.opening import open_box
from verilabel.sandbox.probing.host import find_processes


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    opened = await open_box(require_provider("gvisor"))
    yield opened
    await opened.close()


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """A folder that every user may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_programs_run_on_another_kernel_as_a_user_without_rights(box: Box) -> None:
    done = await box.exec(["sh", "-c", "uname -r; id -u; pwd; echo err >&2; exit 3"])
    release, user, place = done.stdout.decode().split()
    assert (3, "1000", "/box", b"err\n") == (done.exit_status, user, place, done.stderr)
    assert release != os.uname().release
    assert "C4" == box.containment.level


async def test_input_and_output_are_passed_and_what_is_beyond_the_limit_is_counted(box: Box) -> None:
    done = await box.exec(["cat"], stdin=b"x" * 3_000_000)
    assert (2**20, 3_000_000) == (len(done.stdout), done.stdout_total)


async def test_variables_are_those_that_are_given_and_no_others(box: Box) -> None:
    done = await box.exec(["env"], env={"NAME": "a value"})
    names = {line.split("=")[0] for line in done.stdout.decode().splitlines()}
    assert "NAME=a value" in done.stdout.decode().splitlines()
    assert set() == names - {"NAME", "PATH", "HOME", "LANG", "TMPDIR", "VERILABEL_PROGRAM", "PWD"}


async def test_programs_that_are_not_there_or_cannot_be_run_end_as_in_shells(box: Box) -> None:
    assert 127 == (await box.exec(["no-such-program"])).exit_status
    assert 126 == (await box.exec(["/etc/passwd"])).exit_status
    assert 128 == (await box.exec(["sh", "-c", "echo fatal >&2; exit 128"])).exit_status
    assert -signal.SIGTERM == (await box.exec(["sh", "-c", "kill -TERM $$"])).exit_status


async def test_a_program_whose_time_is_over_ends_with_all_that_it_started(box: Box) -> None:
    done = await box.exec(["sh", "-c", "sleep 97 & setsid sleep 98 & sleep 99"], timeout_s=0.5)
    assert done.timed_out
    left = await box.exec(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])
    assert b"sleep 9" not in left.stdout


async def test_a_program_is_spoken_to_by_lines_and_stopped(box: Box) -> None:
    process = await box.start(["cat"])
    await process.write_line(b"one line")
    assert b"one line" == await process.read_line()
    assert 0 != await process.stop()


async def test_files_are_written_and_read_and_only_plain_ones(box: Box) -> None:
    await box.write_file("a/b.bin", b"\0\xff")
    assert b"\0\xff" == await box.read_file("a/b.bin")
    await box.exec(["ln", "-s", "a/b.bin", "link"])
    await box.exec(["mkfifo", "pipe"])
    await box.exec(["truncate", "-s", "200M", "sparse"])
    with pytest.raises(FileNotFoundError):
        await box.read_file("none")
    with pytest.raises(IsADirectoryError):
        await box.read_file("a")
    for name in ("link", "pipe", "/dev/zero"):
        with pytest.raises(PermissionError):
            await box.read_file(name)
    with pytest.raises(LimitExceeded):
        await box.read_file("sparse")
    with pytest.raises(SandboxError, match="cannot be written"):
        await box.write_file("/usr/file", b"")


async def test_a_cancelled_program_is_ended(box: Box) -> None:
    running = asyncio.create_task(box.exec(["sh", "-c", "touch begun; sleep 96"]))
    while (await box.exec(["test", "-e", "begun"])).exit_status != 0:
        assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    left = await box.exec(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"])
    assert b"sleep 96 " not in left.stdout


async def test_a_folder_of_the_host_is_seen_read_only(readable_folder: Path) -> None:
    (readable_folder / "file").write_text("content")
    (readable_folder / "file").chmod(0o644)
    spec = require_provider("gvisor")
    mounts = (Mount(str(readable_folder), "/data"),)
    box = await open_box(BoxSpec(provider="gvisor", at_least="C4", uid=spec.uid, mounts=mounts))
    try:
        assert b"content" == await box.read_file("/data/file")
        assert 0 != (await box.exec(["sh", "-c", "echo x > /data/file"])).exit_status
    finally:
        await box.close()
    assert "content" == (readable_folder / "file").read_text()


async def test_a_closed_box_leaves_no_process_and_no_file(box: Box) -> None:
    folder = box._folder  # type: ignore[attr-defined]
    assert [] != find_processes(str(folder))
    await box.close()
    await box.close()
    assert [] == find_processes(str(folder))
    assert not folder.exists()
    with pytest.raises(SandboxError, match="gone"):
        await box.exec(["true"])


def test_a_box_whose_keeper_is_killed_ends_and_leaves_nothing() -> None:
    spec = require_provider("gvisor")
    program = (
        "import asyncio, os\n"
        "from verilabel.sandbox.interface import BoxSpec\n"
        "from verilabel.sandbox.opening import open_box\n"
        "async def main():\n"
        f"    box = await open_box(BoxSpec(provider='gvisor', at_least='C4', uid={spec.uid}))\n"
        "    running = asyncio.create_task(box.exec(['sh', '-c', 'touch begun; sleep 95']))\n"
        "    while (await box.exec(['test', '-e', 'begun'])).exit_status: assert not running.done()\n"
        "    print(box._folder, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    folder = done.stdout.strip()
    assert (-9, True) == (done.returncode, "verilabel-gvisor-" in folder), done.stderr
    end = time.monotonic() + 20
    while (find_processes(folder) or Path(folder).exists()) and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert ([], False) == (find_processes(folder), Path(folder).exists())


@pytest.mark.parametrize("target", ["relative", "/data/../usr", "/usr/share", "/proc"])
async def test_nothing_is_mounted_over_the_box_itself(target: str) -> None:
    spec = require_provider("gvisor")
    with pytest.raises(SandboxError):
        await open_box(BoxSpec(provider="gvisor", uid=spec.uid, mounts=(Mount("/opt", target),)))


def test_the_container_has_no_capability_no_network_and_a_root_that_cannot_be_written() -> None:
    container = describe_container(BoxSpec())
    program = container["process"]
    assert isinstance(program, dict)
    assert {()} == {tuple(held) for held in program["capabilities"].values()}
    assert (True, {"path": "rootfs", "readonly": True}) == (program["noNewPrivileges"], container["root"])
