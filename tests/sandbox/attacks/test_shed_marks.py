"""Programs in a box of gVisor that hide from being ended, or speak in the voice of what runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from examined_boxes import require_provider
from verilabel.sandbox.interface import Box
from verilabel.sandbox.opening import open_box


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    opened = await open_box(require_provider("gvisor"))
    yield opened
    await opened.close()


async def processes(box: Box) -> list[bytes]:
    return (await box.exec(["ps", "-e", "-o", "comm="])).stdout.split()


async def test_a_program_that_takes_off_its_mark_and_leaves_its_family_is_ended_with_its_time(
    box: Box,
) -> None:
    other = await box.start(["cat"])
    hide = "env -i setsid sh -c 'env -i setsid sleep 1000 >/dev/null 2>&1 </dev/null &'; sleep 1001"
    forge = "VERILABEL_PROGRAM=0123456789abcdef setsid sleep 1002 >/dev/null 2>&1 &"

    done = await box.exec(["sh", "-c", f"{forge} {hide}"], timeout_s=1.5)
    left = await processes(box)
    await other.write_line(b"still here")

    assert done.timed_out
    assert (0, b"still here") == (left.count(b"sleep"), await other.read_line())
    await other.stop()


@pytest.mark.parametrize(
    "complaint", ["executing processes for container: no such file or directory", "urpc: EOF"]
)
async def test_a_program_that_speaks_like_its_runner_is_a_program_that_ended(
    box: Box, complaint: str
) -> None:
    done = await box.exec(["sh", "-c", f"echo '{complaint}' >&2; exit 128"])

    assert (128, complaint.encode() + b"\n") == (done.exit_status, done.stderr)
