"""Models that are programs: real children that answer, crash, hang, talk nonsense, read their environment."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from verilabel.errors import SandboxError, UsageError
from verilabel.models.command import CommandModel
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Usage

Ask = Callable[..., ModelRequest]

LOOP = """
import json, os, sys, time
for line in sys.stdin:
    question = json.loads(line)
    prompt = question["messages"][-1]["content"]
    answer = {"id": question["id"], "output": prompt.upper(), "model": "child-1"}
    BODY
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Write a program that answers in capitals, with a line for special prompts; gives its command."""

    def write(line: str = "pass") -> str:
        path = tmp_path / "child.py"
        path.write_text(LOOP.replace("BODY", line))
        return f"{shlex.quote(sys.executable)} -S {shlex.quote(str(path))}"

    return write


async def test_a_program_answers_line_by_line(program: Callable[..., str], ask: Ask) -> None:
    body = 'answer["usage"] = {"input_tokens": 3, "output_tokens": 4}; answer["finish"] = "stop"'
    async with CommandModel(program(body)) as model:
        exchanges = [await model.ask(ask(f"hello {i}", sample=f"s{i}", params={"n": i})) for i in range(3)]

    assert [exchange.output for exchange in exchanges] == ["HELLO 0", "HELLO 1", "HELLO 2"]
    last = exchanges[-1]
    assert ("child-1", "stop", Usage(3, 4)) == (last.served_model, last.finish, last.usage)
    question = json.loads(last.request)
    assert question["messages"] == [{"role": "user", "content": "hello 2"}]
    assert question["params"] == {"n": 2}
    assert json.loads(last.response)["id"] == question["id"]


async def test_the_program_cannot_tell_the_suite_from_the_question(
    program: Callable[..., str], ask: Ask
) -> None:
    async with CommandModel(program()) as model:
        exchange = await model.ask(ask("hi", suite="core/harm-direct@1", sample="secret-sample"))
        again = await model.ask(ask("hi", suite="core/harm-direct@1", sample="secret-sample"))

    assert b"harm" not in exchange.request
    assert b"secret" not in exchange.request
    assert exchange.request == again.request


async def test_a_program_that_crashes_is_a_failure_and_answers_the_next_question(
    program: Callable[..., str], ask: Ask
) -> None:
    body = 'print("oh no", file=sys.stderr); prompt == "crash" and sys.exit(3)'
    async with CommandModel(program(body)) as model:
        before, crash, after = [await model.ask(ask(prompt)) for prompt in ("a", "crash", "b")]

    assert (before.output, after.output) == ("A", "B")
    assert crash.failure is not None
    assert (
        crash.failure.kind,
        crash.failure.retryable,
        crash.failure.message,
    ) == ("connection", True, "the program ended with exit status 3")
    assert "oh no" in model.stderr_tail


async def test_a_program_that_never_answers_anything_is_given_up(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise SystemExit('no such library')")
    async with CommandModel(f"{shlex.quote(sys.executable)} -S {path}") as model:
        failures = [(await model.ask(ask())).failure for _ in range(3)]

    assert [failure.fatal for failure in failures if failure is not None] == [False, False, True]
    assert "no such library" in model.stderr_tail


async def test_a_program_that_hangs_is_ended_and_answers_the_next_question(
    program: Callable[..., str], ask: Ask
) -> None:
    async with CommandModel(program('prompt == "hang" and time.sleep(60)'), timeout_s=1.0) as model:
        hang = await model.ask(ask("hang"))
        after = await model.ask(ask("b"))

    assert hang.failure is not None
    assert (hang.failure.kind, hang.failure.retryable) == ("timeout", True)
    assert after.output == "B"


NONSENSE = [
    ('print("not json", flush=True); continue', "malformed"),
    ('print("[1]", flush=True); continue', "malformed"),
    ('answer["id"] = "another"', "malformed"),
    ('del answer["id"]', "malformed"),
    ('answer["output"] = 5', "malformed"),
    ('answer["output"] = "  "', "empty"),
    ('del answer["output"]', "empty"),
    ('answer["error"] = "out of memory"', "server_error"),
    ('answer["output"] = "x" * 2_000_000', "too_large"),
    ('sys.stdout.buffer.write(b"\\xff\\n"); sys.stdout.flush(); continue', "malformed"),
]


@pytest.mark.parametrize(("body", "kind"), NONSENSE)
async def test_nonsense_is_a_failure_of_its_kind_and_the_next_question_is_answered(
    body: str, kind: str, program: Callable[..., str], ask: Ask
) -> None:
    command = program(f"if prompt == 'odd':\n        {body}")
    async with CommandModel(command, max_response_bytes=1_000_000) as model:
        odd = await model.ask(ask("odd"))
        after = await model.ask(ask("b"))

    assert odd.failure is not None
    assert kind == odd.failure.kind
    assert after.output == "B"


async def test_noise_on_standard_error_never_blocks_the_program(
    program: Callable[..., str], ask: Ask
) -> None:
    async with CommandModel(program('sys.stderr.write("noise" * 100_000)')) as model:
        outputs = [(await model.ask(ask("a"))).output for _ in range(3)]

    assert outputs == ["A", "A", "A"]
    assert len(model.stderr_tail) <= 4096


async def test_the_program_sees_only_the_environment_it_was_given(
    program: Callable[..., str], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("MODEL_DEVICE", "cpu")
    body = 'answer["output"] = ",".join(sorted(os.environ))'
    async with CommandModel(program(body), pass_env=["MODEL_DEVICE"]) as model:
        names = ((await model.ask(ask())).output or "").split(",")

    assert "OPENAI_API_KEY" not in names
    assert "MODEL_DEVICE" in names


async def test_a_cancelled_question_does_not_leave_its_answer_to_the_next(
    program: Callable[..., str], ask: Ask, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    body = f"if prompt == 'first':\n        open({str(asked)!r}, 'w').close()\n        sys.stdin.readline()"
    async with CommandModel(program(body)) as model:
        first = asyncio.create_task(model.ask(ask("first")))
        await asyncio.to_thread(lambda: asked.open().close())
        first.cancel()
        second = await model.ask(ask("second"))

    assert first.cancelled()
    assert second.output == "SECOND"


async def test_several_processes_answer_at_once(program: Callable[..., str], ask: Ask) -> None:
    async with CommandModel(program('answer["model"] = str(os.getpid())'), processes=2) as model:
        exchanges = await asyncio.gather(*(model.ask(ask(f"q{i}", sample=str(i))) for i in range(6)))

    assert [f"Q{i}" for i in range(6)] == [exchange.output for exchange in exchanges]
    assert 2 == model.max_concurrency == len({exchange.served_model for exchange in exchanges})


async def test_a_program_that_does_not_exist_is_a_sandbox_error_at_once() -> None:
    with pytest.raises(SandboxError, match="cannot be started"):
        async with CommandModel("no-such-program-anywhere --flag"):
            pass


async def test_arguments_reach_the_program_as_they_are_without_a_shell(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "argv.py"
    path.write_text(
        "import json, sys\nfor line in sys.stdin:\n"
        "    answer = {'id': json.loads(line)['id'], 'output': json.dumps(sys.argv[1:])}\n"
        "    print(json.dumps(answer), flush=True)\n"
    )
    async with CommandModel(
        f"{shlex.quote(sys.executable)} -S {path} 'a b' $HOME ; > {tmp_path}/made"
    ) as model:
        exchange = await model.ask(ask())

    assert ["a b", "$HOME", ";", ">", f"{tmp_path}/made"] == json.loads(exchange.output or "")
    assert not (tmp_path / "made").exists()


async def test_a_program_that_was_not_opened_says_so(program: Callable[..., str], ask: Ask) -> None:
    with pytest.raises(UsageError, match="async with"):
        await CommandModel(program()).ask(ask())
