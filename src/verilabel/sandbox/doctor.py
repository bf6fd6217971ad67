"""Examines a box: plants things to find on the host, tries to get at them from inside, and looks at the host after.

1. Refuse to begin as the host's root without a user to become.
2. Look at the host and plant what the probes look for.
3. Open a box, run the program of probes in it, and close it; each heavy probe in a box of its own.
4. Look at the host again, and take away what was planted.
5. Judge: what escaped, what is exposed, what is not known.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import secrets
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from verilabel.errors import MalformedInput, SandboxError, UsageError
from verilabel.sandbox.interface import Box, BoxSpec, ExecResult
from verilabel.sandbox.probing import host, judging
from verilabel.sandbox.probing.planting import Planted, plant
from verilabel.sandbox.probing.program import Listed, build_program, list_digest, list_probes, program_digest
from verilabel.sandbox.probing.record import Achieved, Examination, ProbeResult, limits_in_words
from verilabel.sandbox.users import unprivileged_user

PROGRAM = "probes.pyz"
PYTHON = "/usr/bin/python3"
LIGHT_TIMEOUT_S = 120.0
HEAVY_TIMEOUT_S = 40.0
OVERRUN_S = 2.0
OVERRUNNING_SAYS = b"...."
OVERRUNNING = """
import os, time
os.fork()
if os.fork() == 0: os.setsid()
os.write(1, b'.')
while True: time.sleep(0.01)
"""
"""Four processes, two of them in sessions of their own, each of which says that it is there."""
COUNTING = (
    "import os, sys\nword, count = sys.stdin.buffer.read(), 0\n"
    "for name in os.listdir('/proc'):\n"
    "    try: count += name.isdigit() and word in open(f'/proc/{name}/cmdline', 'rb').read()\n"
    "    except OSError: pass\n"
    "sys.stdout.write(str(count))\n"
)
MAX_DETAIL = 200
MAX_LINES = 1000
Opening = Callable[[BoxSpec], Awaitable[Box]]


class _Said(msgspec.Struct):
    """A line that the program of probes wrote: an answer, or the facts."""

    id: str = ""
    result: str = ""
    detail: str = ""
    facts: dict[str, str | int | bool] | None = None


def box_user(spec: BoxSpec) -> int:
    """The user that boxes are made as. Raises SandboxError for root without a user to become."""
    user = unprivileged_user(spec)
    return os.geteuid() if user is None else user


async def examine(spec: BoxSpec, *, heavy: bool = False, opening: Opening | None = None) -> Examination:
    """Examine a box as `spec` asks for it. `heavy` tries limits by using them up.

    Raises SandboxError as root without a user to become, where no such box can be made, and where the program of
    probes does not run in it; UsageError for heavy probes of a box without limits.
    """
    uid = box_user(spec)  # 1
    open_box = opening if opening is not None else _opening()
    limits = {
        "disk_limit": spec.limits.disk,
        "memory_limit": spec.limits.memory,
        "process_limit": spec.limits.pids,
    }
    async with plant(uid, limits) as planted:  # 2
        before = host.look_at_host()
        wanted = msgspec.structs.replace(spec, uid=uid if os.geteuid() == 0 else spec.uid)
        box = await open_box(wanted)  # 3
        marker = secrets.token_hex(8)
        try:
            _check_heavy(box, heavy=heavy)
            answers, facts = await _run_light(box, planted, marker)
            users = await host.await_users(marker)
        finally:
            await box.close()
        if heavy:
            answers |= await _run_heavy(open_box, wanted, planted)
        answers |= await _look_after(before, planted, marker)  # 4
    answers |= _look_at_users(users, uid, answers, own_kernel=_has_own_kernel(facts))
    return _judge(spec, box, uid, answers, facts, heavy=heavy)  # 5


def _opening() -> Opening:
    from verilabel.sandbox.opening import open_box

    return open_box


def _check_heavy(box: Box, *, heavy: bool) -> None:
    if heavy and box.containment.level in ("C0", "C1"):
        raise UsageError(
            f"a box of level {box.containment.level} has no limits that hold all its programs",
            hint="without --heavy, or with another --provider",
        )


# -- inside --------------------------------------------------------------------------------------------------------


async def _run_light(
    box: Box, planted: Planted, marker: str
) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    await box.write_file(PROGRAM, build_program())
    said = _said_by(await _run(box, {**planted.config, "daemon": marker}, LIGHT_TIMEOUT_S))
    facts = next((line.facts for line in said if line.facts is not None), None)
    if facts is None:
        raise SandboxError("the program of probes says nothing", where=box.containment.provider)
    # a daemon that outlives the program is left on purpose: closing the box must end it
    return _answers(said), {name: str(value)[:MAX_DETAIL] for name, value in facts.items()}


async def _run_heavy(open_box: Opening, spec: BoxSpec, planted: Planted) -> dict[str, tuple[str, str]]:
    """The answers of the heavy probes, each in a box of its own: what one uses up, or ends, is not the next one's."""
    answers: dict[str, tuple[str, str]] = {}
    for probe in list_probes():
        if not probe.heavy:
            continue
        box = await open_box(spec)
        try:
            if probe.id == "heavy.output":
                answers[probe.id] = await _flood(box, spec)
            elif probe.id == "heavy.time":
                answers[probe.id] = await _overrun(box)
            else:
                answers[probe.id] = await _run_one(box, {**planted.config, "only": [probe.id]}, probe.id)
        except SandboxError as error:
            answers[probe.id] = ("error", error.message[:MAX_DETAIL])
        finally:
            await box.close()
    return answers


async def _run_one(box: Box, config: Mapping[str, object], name: str) -> tuple[str, str]:
    """The answer of one heavy probe. A program that a limit of the box ended took no more than it was given; one that
    was killed by anything else says nothing."""
    await box.write_file(PROGRAM, build_program())
    done = await _try_probes(box, config, HEAVY_TIMEOUT_S)
    found = _answers(_said_by(done))
    if name not in found and done.exit_status == -signal.SIGKILL and done.limit_hit:
        return "stopped", f"killed with the program that tried it: {done.limit_hit}"
    return found.get(name, ("error", f"no answer; it ended with status {done.exit_status}"))


async def _try_probes(box: Box, config: Mapping[str, object], timeout_s: float) -> ExecResult:
    return await box.exec(
        [PYTHON, "-I", "-S", PROGRAM], stdin=json.dumps(config).encode(), timeout_s=timeout_s
    )


async def _run(box: Box, config: Mapping[str, object], timeout_s: float) -> ExecResult:
    """Run the program of probes. Raises SandboxError where it said nothing at all."""
    done = await _try_probes(box, config, timeout_s)
    if not _said_by(done):
        error = done.stderr[-500:].decode("utf-8", "replace").strip().splitlines()
        raise SandboxError(
            f"the program of probes ended with status {done.exit_status}: {error[-1] if error else 'no word'}",
            where=box.containment.provider,
            hint=f"a box needs {PYTHON}",
        )
    return done


def _said_by(done: ExecResult) -> list[_Said]:
    """The lines of the program of probes; one that was cut off is no answer."""
    said = []
    for line in done.stdout.split(b"\n")[:MAX_LINES]:
        with contextlib.suppress(msgspec.DecodeError):
            if line:
                said.append(msgspec.json.decode(line, type=_Said))
    return said


def _answers(said: Sequence[_Said]) -> dict[str, tuple[str, str]]:
    return {line.id: (line.result, line.detail[:MAX_DETAIL]) for line in said if line.id}


async def _flood(box: Box, spec: BoxSpec) -> tuple[str, str]:
    written = spec.limits.output * 20
    code = f"import sys\nfor _ in range(20): sys.stdout.write('x' * {spec.limits.output})"
    done = await box.exec([PYTHON, "-I", "-S", "-c", code], timeout_s=HEAVY_TIMEOUT_S)
    kept = f"{len(done.stdout)} of {done.stdout_total} bytes were kept"
    if not done.stdout:
        return "error", "the flood did not come"
    if len(done.stdout) > spec.limits.output or done.stdout_total not in (written, 0):
        return "open", kept
    return "stopped", kept


async def _overrun(box: Box) -> tuple[str, str]:
    marker = secrets.token_hex(8)
    done = await box.exec([PYTHON, "-I", "-S", "-c", OVERRUNNING, marker], timeout_s=OVERRUN_S)
    if not done.timed_out or done.stdout != OVERRUNNING_SAYS:
        return "error", f"it ended with status {done.exit_status} before its time was over"
    left = len(await host.await_end(marker))
    # the host does not see into another kernel
    seen = await box.exec(
        [PYTHON, "-I", "-S", "-c", COUNTING], stdin=marker.encode(), timeout_s=HEAVY_TIMEOUT_S
    )
    if seen.exit_status != 0 or not seen.stdout.isdigit():
        return "error", "the box cannot be looked into afterwards"
    left = max(left, int(seen.stdout))
    return ("open", f"{left} processes went on") if left else ("stopped", "ended with all that it started")


# -- outside -------------------------------------------------------------------------------------------------------


async def _look_after(before: host.HostState, planted: Planted, marker: str) -> dict[str, tuple[str, str]]:
    left = await host.await_end(marker)
    groups = await host.find_left_groups(before)
    after = host.look_at_host()
    changed = [name for name in before.settings if after.settings.get(name) != before.settings[name]]
    mounts = after.mounts - before.mounts
    more = after.descriptors - before.descriptors
    seen = {
        "host.settings": (changed, "the same as before"),
        "host.victim": (["a signal came"] if await planted.victim_was_signalled() else [], "no signal came"),
        "host.folder": (["a file was made"] if planted.folder_was_touched() else [], "nothing was made"),
        "host.listeners": (sorted(set(planted.greeted)), "nobody came"),
        "leftovers.processes": ([f"{len(left)} processes"] if left else [], "none"),
        "leftovers.mounts": ([f"{len(mounts)} mounts"] if mounts else [], "none"),
        "leftovers.control-groups": ([f"{len(groups)} groups"] if groups else [], "none"),
        "leftovers.descriptors": ([f"{more} more than before"] if more > 0 else [], "none"),
    }
    return {
        name: ("open", ", ".join(bad)) if bad else ("stopped", good) for name, (bad, good) in seen.items()
    }


def _look_at_users(
    users: set[int], uid: int, answers: Mapping[str, tuple[str, str]], *, own_kernel: bool
) -> dict[str, tuple[str, str]]:
    """Whose processes the host saw in the box: a process that it never saw proves nothing by being gone."""
    if users:
        others = users - {uid}
        return {"host.user": ("open", f"users {sorted(others)}") if others else ("stopped", f"user {uid}")}
    unseen = ("informational" if own_kernel else "error", "the host saw no process of the box")
    gone = answers["leftovers.processes"][0] == "stopped"
    return {"host.user": unseen, **({"leftovers.processes": unseen} if gone else {})}


def _has_own_kernel(facts: Mapping[str, str]) -> bool:
    return facts.get("kernel") != platform.release()


def _judge(
    spec: BoxSpec,
    box: Box,
    uid: int,
    answers: Mapping[str, tuple[str, str]],
    facts: dict[str, str],
    *,
    heavy: bool,
) -> Examination:
    containment = box.containment
    results = []
    for probe in list_probes():
        if probe.heavy and not heavy:
            continue
        result = _result_of(probe, answers)
        if judging.is_emulated(result, containment.level, kernel_is_own=_has_own_kernel(facts)):
            result = msgspec.structs.replace(result, result="emulated")
        results.append(result)
    escapes, exposed, unanswered = judging.judge(results, containment.level, containment.means)
    achieved = {
        "level": containment.level,
        "means": containment.means,
        "lacking": containment.lacking,
        **limits_in_words(spec.limits),
    }
    return Examination(
        program=program_digest(),
        probes=list_digest(),
        environment=host.describe_environment(containment.provider, uid),
        achieved=msgspec.convert(achieved, Achieved),
        inside={
            name: facts[name] for name in ("system", "kernel", "machine", "uid", "python") if name in facts
        },
        heavy=heavy,
        results=tuple(results),
        escapes=escapes,
        exposed=exposed,
        unanswered=unanswered,
    )


def _result_of(probe: Listed, answers: Mapping[str, tuple[str, str]]) -> ProbeResult:
    result, detail = answers.get(probe.id, ("error", "no answer"))
    try:
        return probe.answered(result, detail)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"an answer that is none: {error}", where=probe.id) from None


def run_examination(spec: BoxSpec, *, heavy: bool = False) -> Examination:
    """`examine`, for programs without an event loop."""
    return asyncio.run(examine(spec, heavy=heavy))
