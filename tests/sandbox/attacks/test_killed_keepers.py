"""Ends of a box that nobody chose: its keeper killed, its warden stopped, the program that opened it frozen."""
# ruff: noqa: ASYNC240 - looking at /proc does not block

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import pytest

from boxes import SPEC, descendants, needs_box
from verilabel.errors import SandboxError
from verilabel.sandbox.interface import BoxExhausted
from verilabel.sandbox.opening import open_box
from verilabel.sandbox.warden.control_groups import remove_abandoned


def all_end(pidfds: list[int]) -> bool:
    """True when all processes have ended; False after a time in which anything would have."""
    for descriptor in pidfds:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(10_000):
            return False
        os.close(descriptor)
    return True


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def processes_of_box(before: set[int]) -> dict[int, str]:
    found = descendants(os.getpid()) - before
    return {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in found}


@needs_box
@pytest.mark.parametrize("victim", ["keeper", "warden", "bwrap"])
async def test_a_box_that_loses_one_of_its_processes_ends_with_all_programs_and_says_that_it_is_gone(
    victim: str,
) -> None:
    before = descendants(os.getpid())
    box = await open_box(SPEC)
    await box.exec(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])
    running = await box.start(["sh", "-c", "echo up; exec sleep 1001"])
    await running.read_line()
    names = processes_of_box(before)
    [bwrap] = [pid for pid, name in names.items() if name == "bwrap"]
    warden = int(Path(f"/proc/{bwrap}/stat").read_text().rpartition(")")[2].split()[1])
    keeper = next((pid for pid in children(os.getpid()) if warden in children(pid)), warden)
    members = [os.pidfd_open(pid) for pid in names]

    os.kill({"keeper": keeper, "warden": warden, "bwrap": bwrap}[victim], signal.SIGKILL)

    assert all_end(members)
    assert -signal.SIGKILL == await running.wait()
    with pytest.raises(SandboxError, match="gone") as gone:
        await box.exec(["true"])
    assert not isinstance(gone.value, BoxExhausted)
    await running.stop()
    await box.close()


def test_groups_that_lost_their_keeper_are_removed_later_and_those_of_others_and_new_ones_stay(
    tmp_path: Path,
) -> None:
    names = ("verilabel-0a", "verilabel-0b", "verilabel-used", "docker-0c")
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "verilabel-used/member").mkdir()
    for name in ("verilabel-0a", "verilabel-used", "docker-0c"):
        os.utime(tmp_path / name, (time.time() - 3600,) * 2)

    remove_abandoned(str(tmp_path))

    assert ["docker-0c", "verilabel-0b", "verilabel-used"] == sorted(p.name for p in tmp_path.iterdir())
