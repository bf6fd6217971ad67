"""What programs of a box have from who opened it, and what stands beside them: nothing that helps or hinders them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from boxes import UID, needs_box, opened
from verilabel.sandbox.interface import Box

pytestmark = needs_box
OPENER = """
import asyncio, json, os, resource, signal, sys
from verilabel.sandbox.interface import BoxSpec
from verilabel.sandbox.opening import open_box

LOOK = '''
import json, os, signal
numbers = sorted(signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT})
print(json.dumps({
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "ignored": [n for n in numbers if signal.getsignal(n) == signal.SIG_IGN],
    "policy": os.sched_getscheduler(0), "nice": os.nice(0), "umask": os.umask(0),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:3],
    "session": os.getsid(0) == os.getpid(), "variables": sorted(os.environ),
}))
'''

async def main():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR2, signal.SIGCHLD, signal.SIGINT))
    os.umask(0o077)
    os.set_inheritable(os.open("/etc/passwd", os.O_RDONLY), True)
    if os.geteuid() == 0:
        os.setpriority(os.PRIO_PROCESS, 0, -5)
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
    box = await open_box(BoxSpec(provider="bubblewrap", uid=int(sys.argv[1]) if sys.argv[1] else None))
    print((await box.exec(["python3", "-I", "-S", "-c", LOOK])).stdout.decode())
    await box.close()

asyncio.run(main())
"""


def test_the_opener_s_signals_priority_real_time_and_files_are_not_handed_down() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENER, "" if UID is None else str(UID)],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SECRET_TOKEN": "x"},
    )

    assert b"" == done.stderr
    assert {
        "blocked": [],
        "ignored": [],
        "policy": os.SCHED_OTHER,
        "nice": 0,
        "umask": 0o022,
        "descriptors": [0, 1, 2],
        "session": True,
        "variables": ["HOME", "LANG", "LOGNAME", "PATH", "TMPDIR", "USER"],
    } == json.loads(done.stdout)


@pytest.mark.parametrize("number", ["INT", "HUP", "TERM", "QUIT", "USR1"])
async def test_a_program_can_be_ended_by_the_signals_that_end_programs(number: str) -> None:
    async with opened() as box:
        # not in the background: a shell has what it starts there ignore INT and QUIT
        ended = f"sh -c 'kill -{number} $$; sleep 1000'; exit $?"
        result = await box.exec(["sh", "-c", ended], timeout_s=10)

    assert (False, True) == (result.timed_out, result.exit_status > 128)


async def test_every_process_that_is_seen_in_a_box_is_under_the_filter_and_without_capabilities() -> None:
    look = "cd /proc; grep -hE '^(Seccomp|NoNewPrivs|CapEff|CapBnd):' [0-9]*/status | sort | uniq -c"
    async with opened() as box:
        waiting = await box.start(["cat"])
        said = await box.exec(["sh", "-c", look])
        await waiting.stop()
    counted = {tuple(line.split()[1:]) for line in said.stdout.decode().splitlines()}

    assert {
        ("CapBnd:", "0" * 16),
        ("CapEff:", "0" * 16),
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
    } == counted


async def test_many_programs_at_once_keep_their_own_output_and_no_foreign_descriptor() -> None:
    import asyncio

    async def say(box: Box, number: int) -> tuple[str, list[str]]:
        code = f"import os; print({number}); print(*os.listdir('/proc/self/fd'))"
        result = await box.exec(["python3", "-I", "-S", "-c", code])
        first, second = result.stdout.decode().splitlines()
        return first, sorted(second.split())

    async with opened() as box:
        said = await asyncio.gather(*(say(box, number) for number in range(15)))

    # the fourth is the folder that is being listed
    assert [(str(number), ["0", "1", "2", "3"]) for number in range(15)] == said
