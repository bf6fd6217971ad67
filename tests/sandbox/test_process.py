"""The door to processes: lines, bounds, the environment, and an end that nothing escapes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from verilabel.errors import LimitExceeded, SandboxError
from verilabel.sandbox.process import small_environment, start_process

PYTHON = (sys.executable, "-S", "-c")


async def test_lines_go_in_and_come_out_and_the_last_is_followed_by_nothing() -> None:
    code = "import sys\nfor line in sys.stdin: print(line[::-1].strip(), flush=True); break"
    process = await start_process([*PYTHON, code], env={})
    await process.write_line(b"abc")

    assert await process.read_line() == b"cba"
    assert await process.read_line() is None
    assert 0 == await process.wait() == await process.stop()


async def test_a_last_line_without_a_newline_is_a_line() -> None:
    process = await start_process([*PYTHON, "print('end', end='')"], env={})

    assert await process.read_line() == b"end"
    await process.stop()


async def test_a_line_beyond_the_limit_is_refused() -> None:
    process = await start_process([*PYTHON, "print('x' * 100_000)"], env={}, max_line_bytes=1000)

    with pytest.raises(LimitExceeded, match="1000 bytes"):
        await process.read_line()
    await process.stop()


async def test_writing_to_a_program_that_ended_is_a_sandbox_error() -> None:
    process = await start_process([*PYTHON, "pass"], env={})
    await process.wait()

    with pytest.raises(SandboxError, match="no longer reads"):
        for _ in range(100):
            await process.write_line(b"x" * 10_000)
    await process.stop()


async def test_a_program_that_ignores_being_asked_is_killed() -> None:
    code = "import signal as s, time\ns.signal(s.SIGTERM, s.SIG_IGN)\nprint(1, flush=True)\ntime.sleep(60)"
    process = await start_process([*PYTHON, code], env={})
    await process.read_line()

    assert await process.stop(grace_s=0.05) == -signal.SIGKILL
    assert process.exit_status == -signal.SIGKILL


@pytest.mark.parametrize("last", ["input()", "input(); sys.exit()"])
async def test_the_programs_own_children_end_with_it(last: str, tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    # the child holds the write end for as long as it lives: end of file says that it is gone
    child = f"import time; pipe = open({str(fifo)!r}, 'w'); print('up', flush=True); time.sleep(60)"
    code = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-S', '-c', {child!r}])\n{last}"
    alive = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    process = await start_process([*PYTHON, code], env={})
    try:
        up = await process.read_line()
        if "exit" in last:
            await process.write_line(b"")
            await process.wait()
        await process.stop()
        os.set_blocking(alive, True)
        left = await asyncio.to_thread(os.read, alive, 1)
    finally:
        os.close(alive)

    assert (up, left) == (b"up", b"")


async def test_the_environment_is_exactly_the_one_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import os; print(sorted(k for k in os.environ if k != 'LC_CTYPE'))"
    process = await start_process([*PYTHON, code], env={"ONE": "1"})

    assert await process.read_line() == b"['ONE']"
    await process.stop()


def test_a_small_environment_holds_what_programs_need_and_what_is_named() -> None:
    environ = {"PATH": "/bin", "HOME": "/root", "OPENAI_API_KEY": "sk", "CUDA_VISIBLE_DEVICES": "0"}

    small = small_environment(["CUDA_VISIBLE_DEVICES", "UNSET"], environ)

    assert small == {"PATH": "/bin", "HOME": "/root", "CUDA_VISIBLE_DEVICES": "0"}


@pytest.mark.parametrize("argv", [[], ["/no/such/program"], [__file__], ["a\0b"]])
async def test_a_program_that_cannot_be_started_is_a_sandbox_error(argv: list[str]) -> None:
    with pytest.raises(SandboxError):
        await start_process(argv, env={})
