"""The box against programs that take too much: time, output, memory, processes, disk, and their watchers' lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from boxes import needs_box, opened
from verilabel.sandbox.interface import Box, Limits

pytestmark = needs_box
MEMORY_BOMB = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        block = b"x" * (100 * 2**20)
        time.sleep(60)
        os._exit(0)
os.wait()
"""
SMALL = Limits(memory=256 * 2**20, pids=24, disk=8 * 2**20, output=10_000)


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with opened(limits=SMALL) as box:
        yield box


async def running(box: Box) -> list[str]:
    listed = (await box.exec(["ps", "-e", "-o", "comm="])).stdout.decode().split()
    return [name for name in listed if name not in ("cat", "watcher", "ps")]


async def test_a_program_beyond_its_time_is_killed_with_all_it_started(box: Box) -> None:
    hidden = "sleep 1000 & setsid sleep 1001 & (setsid sh -c 'sleep 1002 & sleep 1003' &); sleep 1004"
    result = await box.exec(["sh", "-c", hidden], timeout_s=0.4)

    assert (-9, True) == (result.exit_status, result.timed_out)
    assert [] == await running(box)


async def test_what_a_program_wrote_before_its_time_ran_out_is_kept(box: Box) -> None:
    result = await box.exec(["sh", "-c", "echo so far; sleep 1000"], timeout_s=0.4)

    assert (b"so far\n", True) == (result.stdout, result.timed_out)


async def test_killing_one_program_leaves_the_others_alone(box: Box) -> None:
    process = await box.start(["cat"])

    await box.exec(["sleep", "1000"], timeout_s=0.1)
    await process.write_line(b"alive")

    assert b"alive" == await process.read_line()
    await process.stop()


async def test_what_a_program_leaves_running_stays_until_it_is_ended(box: Box) -> None:
    waiting = "until pgrep -x sleep >/dev/null; do :; done"
    started = await box.exec(["sh", "-c", f"setsid sleep 1000 >/dev/null 2>&1 & {waiting}; echo started"])
    before = await running(box)
    await box.exec(["pkill", "sleep"])

    assert (b"started\n", ["sleep"], []) == (started.stdout, before, await running(box))


async def test_output_held_open_by_what_stays_does_not_hold_up_the_result(box: Box) -> None:
    result = await box.exec(["sh", "-c", "sleep 1000 & echo done"], timeout_s=30)

    assert (b"done\n", 0, False) == (result.stdout, result.exit_status, result.timed_out)


async def test_cancelling_kills_what_was_running(box: Box) -> None:
    task = asyncio.create_task(box.exec(["sh", "-c", "sleep 1000 & sleep 1001"]))
    while "sleep" not in await running(box):
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [] == await running(box)


async def test_a_flood_of_output_is_counted_and_not_kept(box: Box) -> None:
    result = await box.exec(["sh", "-c", "head -c 30000000 /dev/zero; head -c 20000 /dev/zero >&2"])

    assert (10_000, 30_000_000) == (len(result.stdout), result.stdout_total)
    assert (10_000, 20_000) == (len(result.stderr), result.stderr_total)


async def test_a_fork_bomb_stays_within_the_limit_and_ends_with_its_time(box: Box) -> None:
    bomb = await box.exec(["bash", "-c", ":(){ :|:& };:; sleep 1000"], timeout_s=0.7)

    assert (-9, True) == (bomb.exit_status, bomb.timed_out)
    assert [] == await running(box)


async def test_no_more_processes_than_the_limit_are_ever_alive(box: Box) -> None:
    counting = """
import os, time
made = 0
try:
    while made < 200:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
except OSError:
    print(made, flush=True)
"""
    result = await box.exec(["python3", "-c", counting], timeout_s=20)

    assert 10 < int(result.stdout) < SMALL.pids


async def test_one_program_that_takes_all_memory_is_ended_and_the_box_stays(box: Box) -> None:
    result = await box.exec(["python3", "-c", "x = b'x' * (2 * 2**30)"])

    # a control group kills it; without one the program is told that there is no more
    assert (-9, "memory") == (result.exit_status, result.limit_hit) or b"MemoryError" in result.stderr
    assert [] == await running(box)


async def test_programs_that_take_all_memory_together_are_ended(box: Box) -> None:
    result = await box.exec(["python3", "-c", MEMORY_BOMB], timeout_s=20)

    assert "memory" == result.limit_hit
    assert b"up\n" == (await box.exec(["echo", "up"])).stdout


@pytest.mark.parametrize("folder", ["/box", "/tmp", "/dev/shm"])
async def test_a_full_disk_is_full_at_its_size_in_bytes_and_in_files(box: Box, folder: str) -> None:
    filled = await box.exec(
        [
            "sh",
            "-c",
            f"cd {folder}; for n in 1 2 3; do head -c 6000000 /dev/zero > $n; done; du -cb * | tail -1",
        ]
    )
    nodes = await box.exec(["sh", "-c", f"df --output=itotal {folder} | tail -1"])

    assert b"No space left" in filled.stderr
    assert int(filled.stdout.split()[0]) <= SMALL.disk
    assert int(nodes.stdout) <= 65_536


@pytest.mark.parametrize(
    "murder", ["kill -9 $PPID; sleep 1000", "kill -9 -1; sleep 1000", "kill -STOP $PPID; sleep 1000"]
)
async def test_a_program_that_attacks_its_watcher_only_ends_itself(box: Box, murder: str) -> None:
    result = await box.exec(["sh", "-c", f"setsid sleep 1001 & {murder}"], timeout_s=0.7)

    assert -9 == result.exit_status
    assert [] == await running(box)


async def test_the_first_process_of_a_box_cannot_be_killed_from_inside(box: Box) -> None:
    await box.exec(["kill", "-9", "1"])

    assert b"here\n" == (await box.exec(["echo", "here"])).stdout


async def test_runaway_chains_of_processes_are_ended(box: Box) -> None:
    chain = "import os, time\nwhile True:\n  if os.fork(): os._exit(0)\n  os.setsid()"
    result = await box.exec(["sh", "-c", f"python3 -c '{chain}' & sleep 1000"], timeout_s=0.5)

    assert -9 == result.exit_status
    assert [] == await running(box)
