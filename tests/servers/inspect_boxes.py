"""Runs in an interpreter that has Inspect AI: its own checks of sandbox providers, and one small task, on our boxes.

    python inspect_boxes.py LOG_FOLDER '[{"checks": {"uid": 65534}, "names": [...]}, {"task": {"uid": 65534}},
        {"files": ["box.yaml"]}]'

One process for all, because Inspect takes seconds to load. Prints one JSON list, an entry a job.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import EntryPoint
from typing import Any

AT_ONCE = 10


def load_provider() -> Any:
    """The provider as Inspect finds it: loaded as its entry points are, then looked up by name."""
    from inspect_ai.util._sandbox.registry import registry_find_sandboxenv

    EntryPoint("verilabel_sandbox", "verilabel.sandbox.inspect_provider", "inspect_ai").load()
    return registry_find_sandboxenv("verilabel")


async def check(configuration: dict[str, object], names: list[str]) -> dict[str, str]:
    """What each check said, each in a box of its own; `ok` where it said nothing."""
    from inspect_ai.util._sandbox import self_check

    provider = load_provider()
    slots = asyncio.Semaphore(AT_ONCE)
    said = {}

    async def check_one(name: str) -> None:
        async with slots:
            environments = await provider.sample_init("check", provider.config_deserialize(configuration), {})
            try:
                await getattr(self_check, name)(environments["default"])
                said[name] = "ok"
            except Exception as error:
                said[name] = f"{type(error).__name__}: {error}"[:500]
            finally:
                await provider.sample_cleanup("check", None, environments, False)

    await asyncio.gather(*(check_one(name) for name in names or self_check.__all__))
    return said


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


async def exhaust(configuration: dict[str, object]) -> dict[str, str]:
    """What is said of programs and files in a box whose own programs used it up."""
    provider = load_provider()
    said = {}

    async def ask(name: str, asking: Any) -> None:
        try:
            said[name] = f"ended {(await asking).returncode}"
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"[:300]

    settings = provider.config_deserialize({**configuration, "pids": 16, "disk_mib": 8})
    boxes = await provider.sample_init("exhaust", settings, {})
    box = boxes["default"]
    try:
        await ask("disk", box.write_file("large", b"x" * 2**24))
        await box.exec(["python3", "-c", LEAVE_MANY])
        await ask("exec", box.exec(["echo", "late"]))
        await ask("read", box.read_file("/etc/hosts"))
        await ask("write", box.write_file("a", "a"))
    finally:
        await provider.sample_cleanup("exhaust", None, boxes, False)
    return said


def run_task(configuration: dict[str, object], logs: str) -> dict[str, object]:
    """Run a task whose solver runs a program in the sandbox; what its log says of it."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.log import read_eval_log
    from inspect_ai.scorer import exact
    from inspect_ai.solver import Generate, TaskState, solver
    from inspect_ai.util import SandboxEnvironmentSpec, sandbox

    provider = load_provider()

    @solver
    def count_letters() -> Any:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            del generate
            done = await sandbox().exec(["python3", "-c", f"print(len({state.input_text!r}))"])
            await sandbox().write_file("answer", done.stdout.strip())
            state.output.completion = await sandbox().read_file("answer")
            return state

        return solve

    task = Task(
        dataset=[Sample("four", target="4"), Sample("eleven", target="6")],
        solver=count_letters(),
        scorer=exact(),
        sandbox=SandboxEnvironmentSpec("verilabel", provider.config_deserialize(configuration)),
    )
    (log,) = eval(task, model="mockllm/model", log_dir=logs, display="none")
    again = read_eval_log(log.location)
    assert again.eval.sandbox is not None
    return {
        "status": log.status,
        "scores": [sample.scores["exact"].value for sample in again.samples or [] if sample.scores],
        "configuration": again.eval.sandbox.config.model_dump(),
        "error": None if log.error is None else log.error.message,
    }


def read_files(paths: list[str]) -> list[object]:
    """What the provider reads in each file: its fields, or the error in words."""
    from verilabel.errors import VerilabelError
    from verilabel.sandbox.inspect_provider import read_configuration

    said: list[object] = []
    for path in paths:
        try:
            said.append(read_configuration(path).model_dump())
        except VerilabelError as error:
            said.append(f"{error.code}: {error}")
    return said


def carry_out(job: dict[str, Any], logs: str) -> object:
    """Run one job."""
    if "checks" in job:
        return asyncio.run(check(job["checks"], job.get("names", [])))
    if "exhaust" in job:
        return asyncio.run(exhaust(job["exhaust"]))
    if "files" in job:
        return read_files(job["files"])
    return run_task(job["task"], logs)


if __name__ == "__main__":
    print(json.dumps([carry_out(job, sys.argv[1]) for job in json.loads(sys.argv[2])]))
