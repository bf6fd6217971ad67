"""Inspect under our order: what is asked is run and nothing else, errors are failures, and no process is left."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from servers.running import mock_server
from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import decides_alone
from verilabel.errors import SealError, UsageError
from verilabel.evaluation.inspect_backend.opening import open_inspect_solver
from verilabel.evaluation.inspect_backend.solver import InspectSolver
from verilabel.evaluation.inspect_backend.suite import make_inspect_suite
from verilabel.evaluation.inspect_backend.wire import InspectWire
from verilabel.models.inspect_model import InspectModelChoice
from verilabel.models.inspect_process import find_inspect_python
from verilabel.models.interface import Exchange, ModelRequest
from verilabel.records.sample import Message
from verilabel.records.score import Scored
from verilabel.suites.loading import Suite

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


@pytest.fixture(scope="module")
def failing(inspect_python: str, tasks_file: Path) -> Suite:
    return make_inspect_suite(f"inspect:{tasks_file}@failing:n=3", python=inspect_python)


def test_only_what_is_asked_is_run_in_the_order_in_which_it_is_asked(
    inspect_python: str, tasks_file: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    suite = make_inspect_suite(f"inspect:{tasks_file}@adding:notes={notes}", python=inspect_python)
    solver = open_inspect_solver(suite, "scripted:oracle", python=inspect_python, epochs=2)
    requests = [
        request_of(suite, "4", system="Be brief."),
        request_of(suite, "1"),
        request_of(suite, "3", epoch=2),
    ]
    exchanges = asyncio.run(ask(solver, *requests))
    assert ["4/1", "1/1", "3/2"] == notes.read_text().split()
    wire = InspectWire(suite, "scripted:oracle")
    for request, exchange in zip(requests, exchanges, strict=True):
        assert wire.encode(request) == exchange.request
        said = wire.read(exchange.request.decode(), exchange.response)
        assert exchange.output == getattr(said, "output", said)
        calls = [e for e in json.loads(exchange.response)["events"] if e["event"] == "model"]
        assert [True] == [call["call"]["request"]["model"] == "oracle" for call in calls]
    first = json.loads(exchanges[0].response)["events"]
    assert ["Be brief."] == [e["config"]["system_message"] for e in first if e["event"] == "model"]
    detectors = [open_detector(reference) for reference in suite.manifest.scorers]
    outputs = [exchange.output or "" for exchange in exchanges]
    found = [[d.detect(suite.name, suite.samples[1], 1, outputs[1]) for d in detectors if decides_alone(d)]]
    assert [[True, True, None, None]] == [
        [f.value if isinstance(f, Scored) else None for f in fs] for fs in found
    ]


def test_a_sample_that_ends_with_an_error_is_a_failure_and_its_words_are_in_no_message(
    failing: Suite, inspect_python: str
) -> None:
    solver = open_inspect_solver(failing, "scripted:oracle", python=inspect_python)
    failed, unopened = (asyncio.run(ask(solver, request_of(failing, "0"))), solver)
    failure = failed[0].failure
    assert failure is not None
    assert (None, False) == (failed[0].output, failure.retryable)
    assert "KeyError" in failure.message
    assert "business" not in failure.message
    with pytest.raises(UsageError, match="async with"):
        asyncio.run(unopened.solve(request_of(failing, "0")))


def test_a_model_that_fails_within_a_sample_is_retryable_and_a_second_try_is_run_anew(
    inspect_python: str, tasks_file: Path
) -> None:
    suite = make_inspect_suite(f"inspect:{tasks_file}@repeating:word=hello", python=inspect_python)
    with mock_server("--answers", "echo", "--fail-every", "2", "--fail-status", "503") as url:
        choice = open_inspect_solver(suite, "vllm/mock-1", base_url=url, python=inspect_python)._choice
        solver = InspectSolver(suite, choice, python=inspect_python, max_retries=0)
        answers = asyncio.run(ask(solver, *[request_of(suite, "a")] * 3))
    assert [None, "server_error", None] == [answer.failure and answer.failure.kind for answer in answers]
    assert answers[1].failure is not None
    assert answers[1].failure.retryable
    assert ("mock-1", 20) == (answers[2].served_model, answers[2].usage and answers[2].usage.input_tokens)


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
    assert answer.failure is not None
    assert ("malformed", b"") == (answer.failure.kind, answer.response)
    assert key not in repr(solver._choice)


def test_a_record_beyond_its_bound_is_a_failure_that_says_its_size(
    failing: Suite, inspect_python: str
) -> None:
    solver = InspectSolver(
        failing,
        InspectModelChoice("scripted:null", script="null"),
        python=inspect_python,
        max_sample_bytes=500,
    )
    (answer,) = asyncio.run(ask(solver, request_of(failing, "1")))
    assert answer.failure is not None
    assert ("too_large", b"") == (answer.failure.kind, answer.response)


def test_a_task_that_changed_after_the_suite_was_made_is_refused_before_a_sample_runs(
    inspect_python: str, tasks_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "tasks.py"
    copy.write_text(tasks_file.read_text())
    suite = make_inspect_suite(f"inspect:{copy}@failing:n=2", python=inspect_python)
    copy.write_text(tasks_file.read_text() + "\n# changed\n")
    with pytest.raises(SealError, match="task's file"):
        asyncio.run(
            ask(open_inspect_solver(suite, "scripted:null", python=inspect_python), request_of(suite, "0"))
        )


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


def test_cancelling_and_closing_ends_what_a_sample_started(
    inspect_python: str, tasks_file: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    suite = make_inspect_suite(f"inspect:{tasks_file}@lasting:fifo={fifo}", python=inspect_python)

    async def begin_and_leave() -> int:
        async with open_inspect_solver(suite, "scripted:null", python=inspect_python) as solver:
            running = asyncio.create_task(solver.solve(request_of(suite, "0")))
            pid = int(await asyncio.to_thread(fifo.read_text))
            running.cancel()
        return pid

    wait_for_end(asyncio.run(begin_and_leave()))


def test_a_program_that_is_killed_leaves_no_process_of_inspect(
    inspect_python: str, tasks_file: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = f"""
import asyncio
from verilabel.evaluation.inspect_backend.opening import open_inspect_solver
from verilabel.evaluation.inspect_backend.suite import make_inspect_suite
from verilabel.models.interface import ModelRequest
suite = make_inspect_suite("inspect:{tasks_file}@lasting:fifo={fifo}", python={inspect_python!r})
async def begin():
    async with open_inspect_solver(suite, "scripted:null", python={inspect_python!r}) as solver:
        await solver.solve(ModelRequest(suite.name, "0", 1, suite.samples[0].messages, {{}}))
asyncio.run(begin())
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as parent:
        pid = int(fifo.read_text())
        parent.kill()
    wait_for_end(pid)


def test_the_interpreter_is_found_by_its_variable(inspect_python: str) -> None:
    assert inspect_python == find_inspect_python(environ={"VERILABEL_INSPECT_PYTHON": inspect_python})
