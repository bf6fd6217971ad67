"""What a box leaves behind: nothing, whichever way it or its opener ends."""
# ruff: noqa: ASYNC240 - looking at /proc does not block

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from boxes import SPEC, UID, descendants, needs_box, opened
from verilabel.errors import SandboxError
from verilabel.sandbox.interface import BoxSpec
from verilabel.sandbox.opening import open_box

MOUNTS = Path("/proc/self/mountinfo")
CHILD = """
import asyncio, sys
from verilabel.errors import SandboxError
from verilabel.sandbox.interface import BoxSpec
from verilabel.sandbox.opening import open_box

async def main():
    uid = int(sys.argv[2]) if sys.argv[2] else None
    box = await open_box(BoxSpec(provider=sys.argv[1], at_least="C0", uid=uid))
    await box.exec(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])
    process = await box.start(["sh", "-c", "echo up; exec sleep 1002"])
    await process.read_line()
    print("up", flush=True)
    await process.wait()

asyncio.run(main())
"""


def control_groups(pids: Iterable[int]) -> set[Path]:
    """The folders of the control groups that were made for some processes."""
    found: set[Path] = set()
    for pid in pids:
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if "verilabel-" in place:
                found.add(Path(f"/sys/fs/cgroup/{controllers}{place}"))
    return found


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for_ends(pidfds: list[int]) -> bool:
    """True when all processes have ended; False after a time in which anything would have."""
    left = set(pidfds)
    poll = select.poll()
    for descriptor in left:
        poll.register(descriptor, select.POLLIN)
    while left:
        ended = poll.poll(10_000)
        if not ended:
            return False
        for descriptor, _ in ended:
            poll.unregister(descriptor)
            left.discard(descriptor)
    return True


def family(pid: int, without: Iterable[int] = ()) -> dict[int, int]:
    """Every process below one but those that were there before, with a descriptor of it."""
    return {member: os.pidfd_open(member) for member in descendants(pid) if member not in set(without)}


@pytest.mark.parametrize("provider", ["bubblewrap", "process"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@needs_box
def test_a_box_whose_opener_is_killed_leaves_no_process_and_no_control_group(
    provider: str, end: signal.Signals
) -> None:
    opener = subprocess.Popen(
        [sys.executable, "-c", CHILD, provider, "" if UID is None else str(UID)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert opener.stdout is not None
    said = opener.stdout.readline()
    members = family(opener.pid)
    made = control_groups(members)
    existed = [group.exists() for group in made]

    opener.send_signal(end)
    opener.wait()

    # the warden, two programs and two watchers
    assert b"up\n" == said and len(members) >= 5
    assert wait_for_ends(list(members.values()))
    assert all(existed) and not any(group.exists() for group in made)
    for descriptor in members.values():
        os.close(descriptor)


@needs_box
async def test_a_closed_box_leaves_no_process_no_descriptor_no_mount_and_no_control_group() -> None:
    async with opened() as warm:
        await warm.exec(["true"])
    descriptors, mounts = open_descriptors(), MOUNTS.read_text()
    others = descendants(os.getpid())
    box = await open_box(SPEC)
    await box.exec(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])
    members = family(os.getpid(), others)
    made = control_groups(members)

    await box.close()

    assert wait_for_ends(list(members.values()))
    for descriptor in members.values():
        os.close(descriptor)
    assert (descriptors, mounts) == (open_descriptors(), MOUNTS.read_text())
    assert bool(made) == (box.containment.level == "C3")
    assert not any(group.exists() for group in made)


@needs_box
async def test_a_hundred_programs_leave_no_process_and_no_descriptor() -> None:
    async with opened() as box:
        await box.exec(["true"])
        descriptors, processes = open_descriptors(), len(descendants(os.getpid()))
        results = [(await box.exec(["sh", "-c", f"exit {number % 7}"])).exit_status for number in range(100)]
        listed = (await box.exec(["ps", "-e", "-o", "comm="])).stdout.split()

        assert [number % 7 for number in range(100)] == results
        assert descriptors == open_descriptors()
        # the last watcher may not be gone yet
        assert len(descendants(os.getpid())) <= processes + 1
        assert [b"cat", b"watcher", b"ps"] == listed


@needs_box
async def test_a_box_whose_warden_is_killed_is_gone_says_so_and_leaves_nothing() -> None:
    others = descendants(os.getpid())
    box = await open_box(SPEC)
    process = await box.start(["sh", "-c", "echo up; exec sleep 1000"])
    await process.read_line()
    members = family(os.getpid(), others)
    made = control_groups(members)
    holding = next(pid for pid in members if Path(f"/proc/{pid}/comm").read_text() == "bwrap\n")
    warden = int(Path(f"/proc/{holding}/stat").read_text().rpartition(")")[2].split()[1])

    os.kill(warden, signal.SIGKILL)

    assert -signal.SIGKILL == await process.wait()
    with pytest.raises(SandboxError, match="gone"):
        await box.exec(["true"])
    await process.stop()
    await box.close()
    assert wait_for_ends(list(members.values()))
    assert not any(group.exists() for group in made)
    for descriptor in members.values():
        os.close(descriptor)


@needs_box
async def test_closing_while_programs_run_ends_their_waits_with_an_error() -> None:
    async with opened() as box:
        running = asyncio.ensure_future(box.exec(["sleep", "1000"]))
        while not (await box.exec(["pgrep", "sleep"])).stdout:
            assert not running.done()

    with pytest.raises(Exception, match="the box is gone"):
        await running


async def test_the_work_folder_of_plain_processes_goes_with_its_box() -> None:
    box = await open_box(BoxSpec(provider="process", at_least="C0", uid=UID))
    home = Path((await box.exec(["pwd"])).stdout.decode().strip())
    await box.write_file("a/b/c", b"x")
    await box.exec(["ln", "-s", "/usr", "a/link"])
    existed = home.is_dir()

    await box.close()

    assert (True, False, True) == (existed, home.exists(), Path("/usr/bin").is_dir())
