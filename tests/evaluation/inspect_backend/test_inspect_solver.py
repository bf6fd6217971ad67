"""Inspect under our order: what is asked is run and nothing else, errors are failures, and no process is left."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.running import mock_server, requests_seen
from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import decides_alone
from verilabel.errors import SandboxError, UsageError
from verilabel.evaluation.inspect_backend.opening import open_inspect_solver
from verilabel.evaluation.inspect_backend.solver import InspectSolver
from verilabel.evaluation.inspect_backend.suite import make_inspect_suite
from verilabel.evaluation.inspect_backend.wire import InspectWire
from verilabel.models.inspect_process import find_inspect_python
from verilabel.models.interface import Exchange, ModelRequest
from verilabel.records.sample import Message
from verilabel.records.score import Scored
from verilabel.suites.loading import Suite

pytestmark = pytest.mark.inspect

END_S = 60.0


def request_of(suite: Suite, sample: str, *, epoch: int = 1, system: str | None = None) -> ModelRequest:
    messages = next(s for s in suite.samples if s.id == sample).messages
    first = (Message("system", system),) if system is not None else ()
    return ModelRequest(
        suite.name, sample, epoch, (*first, *messages), {"temperature": "0.5", "max_tokens": 64}
    )


async def ask(solver: InspectSolver, *requests: ModelRequest) -> list[Exchange]:
    async with solver:
        return [await solver.solve(request) for request in requests]


@dataclass(frozen=True)
class Ran:
    """What one run of the task `adding` gave: exchanges by sample and epoch, what the task noted, a process's id."""

    exchanges: dict[tuple[str, int], Exchange]
    requests: dict[tuple[str, int], ModelRequest]
    notes: list[str]
    abandoned: int


ASKED = (("4", 1), ("1", 1), ("3", 2), ("broken", 1), ("long", 1))


@pytest.fixture(scope="module")
def ran(adding: Suite, inspect_python: str) -> Ran:
    """One run, at whose end a sample that has started a program of its own is cancelled."""
    notes = adding.path.parent / "notes"
    fifo = Path(f"{notes}.fifo")
    for left in (notes, fifo):  # workers that share tests out may come back to this file, and run it again
        left.unlink(missing_ok=True)
    os.mkfifo(fifo)
    requests = {
        (sample, epoch): request_of(
            adding, sample, epoch=epoch, system="Be brief." if sample == "4" else None
        )
        for sample, epoch in ASKED
    }
    solver = open_inspect_solver(adding, "scripted:oracle", python=inspect_python, epochs=2)
    solver._max_sample_bytes = 150_000

    async def run() -> tuple[dict[tuple[str, int], Exchange], int]:
        async with solver:
            exchanges = {key: await solver.solve(request) for key, request in requests.items()}
            lasting = asyncio.create_task(solver.solve(request_of(adding, "lasting")))
            pid = int(await asyncio.to_thread(fifo.read_text))
            lasting.cancel()
        return exchanges, pid

    exchanges, pid = asyncio.run(run())
    return Ran(exchanges, requests, notes.read_text().split(), pid)


def test_only_what_is_asked_is_run_in_the_order_in_which_it_is_asked(ran: Ran) -> None:
    assert [*(f"{sample}/{epoch}" for sample, epoch in ASKED), "lasting/1"] == ran.notes


def test_the_request_and_the_output_follow_from_suite_and_record_alone(ran: Ran, adding: Suite) -> None:
    wire = InspectWire(adding, "scripted:oracle")
    for key, request in ran.requests.items():
        exchange = ran.exchanges[key]
        assert wire.encode(request) == exchange.request
        if exchange.output is not None:
            assert exchange.output == getattr(
                wire.read(exchange.request.decode(), exchange.response), "output", None
            )


def test_the_record_holds_every_call_of_the_model_and_the_systems_prompt(ran: Ran) -> None:
    calls = [e for e in json.loads(ran.exchanges["4", 1].response)["events"] if e["event"] == "model"]
    assert [("oracle", "Be brief.")] == [
        (call["call"]["request"]["model"], call["config"]["system_message"]) for call in calls
    ]


def test_inspects_scores_become_findings_and_nan_stays_unscored(ran: Ran, adding: Suite) -> None:
    detectors = [open_detector(reference) for reference in adding.manifest.scorers]
    sample, output = next(s for s in adding.samples if s.id == "1"), ran.exchanges["1", 1].output or ""
    found = [d.detect(adding.name, sample, 1, output) for d in detectors if decides_alone(d)]
    assert [True, True, None, None] == [f.value if isinstance(f, Scored) else None for f in found]


def test_a_sample_that_ends_with_an_error_is_a_failure_and_its_words_are_in_no_message(ran: Ran) -> None:
    exchange = ran.exchanges["broken", 1]
    assert exchange.failure is not None
    assert (None, False) == (exchange.output, exchange.failure.retryable)
    assert "KeyError" in exchange.failure.message
    assert "business" not in exchange.failure.message


def test_a_record_beyond_its_bound_is_a_failure_that_says_its_size(ran: Ran) -> None:
    exchange = ran.exchanges["long", 1]
    assert exchange.failure is not None
    assert ("too_large", b"") == (exchange.failure.kind, exchange.response)
    assert "bytes" in exchange.failure.message


def test_cancelling_and_closing_ends_what_a_sample_started(ran: Ran) -> None:
    wait_for_end(ran.abandoned)


def test_a_record_that_repeats_the_key_is_not_kept(
    inspect_python: str, tasks_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-0123456789abcdef-test"
    monkeypatch.setenv("TEST_KEY", key)
    suite = make_inspect_suite(f"inspect:{tasks_file}@repeating:word={key}", python=inspect_python)
    with mock_server("--answers", "echo") as url:
        solver = open_inspect_solver(
            suite, "openai/mock-1", base_url=url, key_env="TEST_KEY", python=inspect_python
        )
        (answer,) = asyncio.run(ask(solver, request_of(suite, "a")))
        assert 1 == requests_seen(url)
    assert answer.failure is not None
    assert ("malformed", False, b"") == (answer.failure.kind, answer.failure.retryable, answer.response)


def test_a_sample_that_hangs_is_a_failure_and_the_others_are_run_by_another_process(
    inspect_python: str, tasks_file: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "hangs.fifo"
    os.mkfifo(fifo)
    suite = make_inspect_suite(f"inspect:{tasks_file}@hanging:fifo={fifo}", python=inspect_python)
    solver = open_inspect_solver(suite, "scripted:oracle", python=inspect_python, sample_timeout_s=5.0)

    async def run() -> tuple[Exchange, Exchange, int]:
        async with solver:
            hanging = asyncio.create_task(solver.solve(request_of(suite, "1")))
            pid = int(await asyncio.to_thread(fifo.read_text))
            return await hanging, await solver.solve(request_of(suite, "0")), pid

    hung, answered, pid = asyncio.run(run())
    assert hung.failure is not None and answered.output is not None
    assert ("timeout", False, b"") == (hung.failure.kind, hung.failure.retryable, hung.response)
    wait_for_end(pid)


def test_a_task_that_ends_its_process_and_leaves_another_at_the_pipe_ends_the_run(
    inspect_python: str, tasks_file: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "dies.fifo"
    os.mkfifo(fifo)
    suite = make_inspect_suite(f"inspect:{tasks_file}@hanging:fifo={fifo}", python=inspect_python)
    solver = open_inspect_solver(suite, "scripted:oracle", python=inspect_python)

    async def run() -> int:
        async with solver:
            dying = asyncio.create_task(solver.solve(request_of(suite, "2")))
            pid = int(await asyncio.to_thread(fifo.read_text))
            with pytest.raises(SandboxError, match="ended before it was done"):
                await dying
        return pid

    os.kill(asyncio.run(run()), signal.SIGKILL)


def test_a_solver_that_is_not_open_says_so(adding: Suite, inspect_python: str) -> None:
    solver = open_inspect_solver(adding, "scripted:oracle", python=inspect_python)
    with pytest.raises(UsageError, match="async with"):
        asyncio.run(solver.solve(request_of(adding, "0")))


# -- processes -------------------------------------------------------------------------------------------------


def wait_for_end(pid: int) -> None:
    """Wait until a process that is no child of ours has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([descriptor], [], [], END_S)
        assert [descriptor] == ready, f"process {pid} is still there"
    finally:
        os.close(descriptor)


def test_a_program_that_is_killed_leaves_no_process_of_inspect(
    inspect_python: str, tasks_file: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "notes.fifo"
    os.mkfifo(fifo)
    program = f"""
import asyncio
from verilabel.evaluation.inspect_backend.opening import open_inspect_solver
from verilabel.evaluation.inspect_backend.suite import make_inspect_suite
from verilabel.models.interface import ModelRequest
suite = make_inspect_suite("inspect:{tasks_file}@adding:notes={tmp_path}/notes", python={inspect_python!r})
async def begin():
    async with open_inspect_solver(suite, "scripted:null", python={inspect_python!r}) as solver:
        await solver.solve(ModelRequest(suite.name, "lasting", 1, suite.samples[-2].messages, {{}}))
asyncio.run(begin())
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as parent:
        pid = int(fifo.read_text())
        parent.kill()
    wait_for_end(pid)
    assert [] == list(tmp_path.glob("verilabel-inspect-*"))


def test_the_interpreter_is_found_by_its_variable(inspect_python: str) -> None:
    assert inspect_python == find_inspect_python(environ={"VERILABEL_INSPECT_PYTHON": inspect_python})
