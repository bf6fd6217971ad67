"""What a box leaves behind: nothing, whichever way it or its opener ends."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from boxes import REPOSITORY, SPEC, UID, descendants, needs_box, opened
from verilabel.sandbox.interface import BoxSpec
from verilabel.sandbox.opening import open_box

CHILD = """
import asyncio, sys
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


def control_groups() -> set[Path]:
    return {folder for folder in Path("/sys/fs/cgroup").glob("**/verilabel-*") if folder.is_dir()}


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


def family(pid: int) -> dict[int, int]:
    """Every process below one, with a descriptor of it."""
    return {member: os.pidfd_open(member) for member in descendants(pid)}


@pytest.mark.parametrize("provider", ["bubblewrap", "process"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@needs_box
def test_a_box_whose_opener_is_killed_leaves_no_process_and_no_control_group(
    provider: str, end: signal.Signals
) -> None:
    groups_before = control_groups()
    opener = subprocess.Popen(
        [sys.executable, "-c", CHILD, provider, "" if UID is None else str(UID)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
    )
    assert opener.stdout is not None
    said = opener.stdout.readline()
    members = family(opener.pid)
    made = control_groups() - groups_before

    opener.send_signal(end)
    opener.wait()

    # the warden, two programs and two watchers
    assert b"up\n" == said and len(members) >= 5
    assert wait_for_ends(list(members.values()))
    assert not any(group.exists() for group in made)
    for descriptor in members.values():
        os.close(descriptor)


@needs_box
async def test_a_closed_box_leaves_no_process_no_descriptor_no_mount_and_no_control_group() -> None:
    async with opened() as warm:
        await warm.exec(["true"])
    descriptors, mounts = len(os.listdir("/proc/self/fd")), Path("/proc/self/mountinfo").read_text()
    box = await open_box(SPEC)
    groups = control_groups()
    await box.exec(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])
    members = family(os.getpid())

    await box.close()

    assert wait_for_ends(list(members.values()))
    for descriptor in members.values():
        os.close(descriptor)
    assert descriptors == len(os.listdir("/proc/self/fd"))
    assert mounts == Path("/proc/self/mountinfo").read_text()
    assert not any(group.exists() for group in groups if str(group).endswith(_own_groups(groups)))


def _own_groups(groups: set[Path]) -> str:
    # other boxes may be open on this machine; ours are the newest
    return max(groups, key=lambda group: group.stat().st_ctime).name if groups else "none"


@needs_box
async def test_a_hundred_programs_leave_no_process_and_no_descriptor() -> None:
    async with opened() as box:
        await box.exec(["true"])
        before = len(os.listdir("/proc/self/fd")), len(descendants(os.getpid()))
        results = [(await box.exec(["sh", "-c", f"exit {number % 7}"])).exit_status for number in range(100)]
        listed = (await box.exec(["ps", "-e", "-o", "comm="])).stdout.split()

        assert [number % 7 for number in range(100)] == results
        assert before == (len(os.listdir("/proc/self/fd")), len(descendants(os.getpid())))
        assert [b"cat", b"watcher", b"ps"] == listed


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
    home = (await box.exec(["pwd"])).stdout.decode().strip()
    await box.write_file("a/b/c", b"x")
    await box.exec(["ln", "-s", "/usr", "a/link"])
    existed = os.path.isdir(home)

    await box.close()

    assert (True, False) == (existed, os.path.exists(home))
    assert os.path.isdir("/usr/bin")
