"""Programs that use up their box on purpose: that is an outcome, and never a fault to be tried again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from boxes import SPEC, needs_box, opened
from verilabel.sandbox.interface import Box, BoxExhausted, BoxSpec, Limits
from verilabel.sandbox.opening import open_box

pytestmark = needs_box
SMALL = Limits(memory=96 * 2**20, pids=16, disk=64 * 2**20)
FILL_FOLDERS = "for place in /box /tmp /dev/shm; do head -c 200000000 /dev/zero > $place/full; done"
LEAVE_MANY = """
import os, time
told, telling = os.pipe()
if os.fork():
    os.close(telling)
    os.read(told, 1)
    os._exit(0)
os.setsid()
for stream in range(3): os.close(stream)
try:
    while True:
        if os.fork() == 0:
            os.close(telling)
            time.sleep(1000)
except OSError: os.close(telling)
time.sleep(1000)
"""


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with opened(limits=SMALL) as box:
        yield box


async def test_files_that_take_all_memory_end_programs_by_that_limit_and_never_look_like_a_broken_box(
    box: Box,
) -> None:
    if box.containment.level != "C3":
        pytest.skip("files in memory are counted by control groups alone")

    await box.exec(["sh", "-c", FILL_FOLDERS], timeout_s=20)
    later = [await box.exec(["sh", "-c", FILL_FOLDERS], timeout_s=20) for _ in range(3)]

    # whether the warden survives is the kernel's choice; what is said of the program is the same
    assert {("memory", -9)} == {(result.limit_hit, result.exit_status) for result in later}
    with pytest.raises(BoxExhausted) as refused:
        await box.read_file("/usr/bin/env", max_bytes=2**22)
        await box.write_file("late", b"x" * 2**22)
    assert "memory" == refused.value.limit


async def test_processes_that_fill_the_list_end_later_programs_by_that_limit(box: Box) -> None:
    if box.containment.level != "C3":
        pytest.skip("where processes are watched instead of held, all are ended")
    await box.exec(["python3", "-c", LEAVE_MANY], timeout_s=20)

    late = await box.exec(["echo", "late"])

    assert ("pids", b"") == (late.limit_hit, late.stdout)
    assert late.exit_status in (126, -9)
    for attempt in (box.read_file("/etc/hosts"), box.write_file("a", b"a")):
        with pytest.raises(BoxExhausted) as refused:
            await attempt
        assert "pids" == refused.value.limit


async def test_a_server_for_which_there_is_no_room_is_refused_by_that_limit_or_ends_as_one_that_cannot_run(
    box: Box,
) -> None:
    if box.containment.level != "C3":
        pytest.skip("where processes are watched instead of held, all are ended")
    await box.exec(["python3", "-c", LEAVE_MANY], timeout_s=20)

    # which of the two depends on whether there is room for what watches it
    try:
        server = await box.start(["cat"])
    except BoxExhausted as error:
        assert "pids" == error.limit
    else:
        assert 126 == await server.wait()
        await server.stop()


@pytest.mark.parametrize("size", [70 * 2**20, 8 * 2**20])
async def test_a_file_for_which_there_is_no_disk_is_refused_by_that_limit(size: int) -> None:
    async with opened(limits=Limits(disk=64 * 2**20)) as box:
        await box.exec(["sh", "-c", "head -c 60000000 /dev/zero > first; cat first > second"])

        with pytest.raises(BoxExhausted) as refused:
            await box.write_file("third", b"x" * size)

    assert "disk" == refused.value.limit


async def test_a_box_that_was_closed_is_no_exhausted_box() -> None:
    box = await open_box(SPEC)
    await box.close()

    with pytest.raises(Exception, match="closed") as refused:
        await box.exec(["true"])

    assert not isinstance(refused.value, BoxExhausted)


async def test_gvisor_s_programs_that_take_all_memory_are_ended_by_that_limit() -> None:
    from examined_boxes import UID, require_provider

    require_provider("gvisor")
    box = await open_box(
        BoxSpec(provider="gvisor", at_least="C4", uid=UID, limits=Limits(memory=64 * 2**20, disk=2**30))
    )
    try:
        if not any(name.startswith("cgroup") for name in box.containment.means):
            pytest.skip("gVisor's memory is not limited here")
        results = [await box.exec(["sh", "-c", "head -c 900000000 /dev/zero > full"]) for _ in range(2)]
    finally:
        await box.close()

    assert [(-9, "memory")] * 2 == [(result.exit_status, result.limit_hit) for result in results]
