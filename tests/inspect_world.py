"""Where Inspect AI is for tests, and tasks of it that tests need: short, offline, and each odd in one way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

TASKS = '''
"""Tasks for tests."""
import math
import os
import time

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, accuracy, includes, match, scorer
from inspect_ai.solver import generate, solver
from inspect_ai.util import sandbox


def sums(n):
    return [Sample(id=i, input=f"What is {i} + 1?", target=str(i + 1), metadata={"even": i % 2 == 0}) for i in range(n)]


@solver
def noting(path):
    async def solve(state, generate):
        print("x" * 70_000, "{}")  # what a task prints is not for the pipe
        with open(path, "a") as file:
            file.write(f"{state.sample_id}/{state.epoch}\\n")
        if state.sample_id == "broken":
            raise KeyError("words that are nobody's business")
        if state.sample_id == "lasting":
            await sandbox().exec(["sh", "-c", f"sleep 3600 & echo $! > {path}.fifo; wait"])
        return await generate(state)
    return solve


@scorer(metrics={"level": [accuracy()], "told": [accuracy()]})
def odd():
    async def score(state, target):
        return Score(value={"level": math.nan, "told": 0.5})
    return score


@solver
def broken():
    async def solve(state, generate):
        raise KeyError("words that are nobody's business")
    return solve


@task
def adding(notes: str, n: int = 6):
    odd_ones = [
        Sample(id="broken", input="!", target="!"),
        Sample(id="long", input="!" * 200_000, target="!"),
        Sample(id="lasting", input="!", target="!", sandbox="local"),
    ]
    return Task(dataset=MemoryDataset([*sums(n), *odd_ones]), solver=noting(notes), scorer=[includes(), match(), odd()])


@task
def failing(n: int = 30):
    return Task(dataset=MemoryDataset(sums(n)), solver=broken(), scorer=includes())


@task
def unscored():
    return Task(dataset=MemoryDataset(sums(1)), solver=generate())


@task
def led():
    return Task(dataset=MemoryDataset(sums(1)), solver=generate(), scorer=includes(), model="mockllm/model")


@solver
def stubborn(fifo):
    async def solve(state, generate):
        if state.sample_id == 1:
            with open(fifo, "w") as file:
                file.write(str(os.getpid()))
            while True:
                time.sleep(60)
        if state.sample_id == 2:
            pid = os.fork()
            if pid == 0:
                os.setsid()
                time.sleep(3600)
            with open(fifo, "w") as file:
                file.write(str(pid))
            os._exit(3)
        return await generate(state)
    return solve


@task
def hanging(fifo: str):
    return Task(dataset=MemoryDataset(sums(4)), solver=stubborn(fifo), scorer=includes())


@task
def boasting():
    samples = [Sample(id="a", input="!", target="!", metadata={"sandbox": "docker", "rest_sha256": "0", "level": "C5"})]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=includes())


@task
def uncontained():
    samples = [Sample(id=f"a\\n{n}\u202e", input="!", target="!", sandbox="local") for n in range(2)]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=includes())


@task
def repeating(word: str):
    return Task(dataset=MemoryDataset([Sample(id="a", input=word, target=word)]), solver=generate(), scorer=includes())
'''


def find_interpreter(package: str = "inspect_ai") -> str:
    """The interpreter that has a package of Inspect's, or a skip that says why."""
    python = os.environ.get("VERILABEL_INSPECT_PYTHON") or str(
        REPOSITORY / ".venv-inspect" / "bin" / "python"
    )
    if not Path(python).is_file():
        pytest.skip(f"no interpreter with inspect_ai at {python}; set VERILABEL_INSPECT_PYTHON")
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    if subprocess.run([python, "-c", find], check=False).returncode:
        pytest.skip(f"{python} has no package {package}")
    return python
