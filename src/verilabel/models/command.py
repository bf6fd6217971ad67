"""A model that is a program: one JSON line in, one JSON line out (`command:PROGRAM ARGS`)."""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import msgspec

from verilabel.errors import LimitExceeded, SandboxError, UsageError
from verilabel.models.dialects.dialect import DECODE_ERRORS, Decoded, empty, malformed, tokens
from verilabel.models.interface import Exchange, ModelRequest, Stopwatch
from verilabel.records.attempt import Failure
from verilabel.records.sample import Message
from verilabel.records.system import Identity, Scalar
from verilabel.sandbox.process import Process, small_environment, start_process

DEATHS_BEFORE_FATAL = 3
"""A program that ends this often without ever answering will not answer."""


class _Question(msgspec.Struct, frozen=True):
    id: str
    messages: tuple[Message, ...]
    params: dict[str, Scalar]


class _Usage(msgspec.Struct):
    input_tokens: int | float | None = None
    output_tokens: int | float | None = None


class _Answer(msgspec.Struct):
    id: Any = None
    output: str | None = None
    model: str | None = None
    finish: str | None = None
    usage: _Usage | None = None
    error: str | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Answer)


class CommandModel:
    """A program asked over its standard input and output, one question at a time per process.

    A question is `{"id", "messages", "params"}`, its answer `{"id", "output"}` with optional `model`,
    `finish`, `usage` {input_tokens, output_tokens}, or `{"id", "error"}`. The id is opaque, so that the
    program cannot know the suite. The program gets a small environment; `pass_env` names further variables. A
    program that dies, hangs beyond `timeout_s` or answers out of step is ended and started again for the next
    question. Its arguments become part of records: put no secret there. Raises UsageError for an empty or
    unbalanced command.
    """

    identity: Identity = "provider_asserted"
    fixed_outcomes = False
    weights: str | None = None
    base_url: str | None = None
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        command: str,
        *,
        timeout_s: float = 120.0,
        max_response_bytes: int = 8 * 2**20,
        processes: int = 1,
        pass_env: Iterable[str] = (),
    ) -> None:
        self._argv = _split_command(command)
        if processes < 1:
            raise UsageError(f"a program needs at least one process, not {processes}")
        self.address = "command:" + shlex.join(self._argv)
        self.provider_model = self.address
        self.max_concurrency: int | None = processes
        self._timeout_s = timeout_s
        self._max_response_bytes = max_response_bytes
        self._env = small_environment(pass_env)
        self._idle: asyncio.Queue[Process | None] = asyncio.Queue()
        self._running: set[Process] = set()
        self._is_open = False
        self._has_answered = False
        self._deaths = 0
        self.stderr_tail = ""
        """The last words of the process that ended last, for people; they belong in no record."""

    async def __aenter__(self) -> Self:
        """Start one process, so that a program that is not there is known at once. Raises SandboxError."""
        self._idle = asyncio.Queue()
        for _ in range((self.max_concurrency or 1) - 1):
            self._idle.put_nowait(None)
        self._idle.put_nowait(await self._start())
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await asyncio.gather(*(self._end(process) for process in tuple(self._running)))

    async def ask(self, request: ModelRequest) -> Exchange:
        """Ask one of the processes, starting it first where it does not run."""
        if not self._is_open:
            raise UsageError("open the model with `async with` before asking it")
        question = _Question(_opaque_id(request), request.messages, request.params)
        body = _encoder.encode(question)
        process = await self._idle.get()
        watch = Stopwatch()
        ended = True
        try:
            process = process or await self._start()
            line, result = await self._ask_process(process, body, question.id)
            ended = isinstance(result, Failure) and result.kind not in ("empty", "server_error")
        except SandboxError as error:
            line, result = b"", Failure("connection", error.message, fatal=True)
        finally:
            # also where the question is cancelled: a process that still owes an answer is out of step
            if ended and process is not None:
                await self._end(process)
            self._idle.put_nowait(None if ended else process)
        return _conclude(body, line, result, watch)

    async def _ask_process(self, process: Process, body: bytes, id: str) -> tuple[bytes, Decoded | Failure]:
        try:
            async with asyncio.timeout(self._timeout_s):
                await process.write_line(body)
                line = await process.read_line()
        except TimeoutError:
            return b"", Failure("timeout", f"no answer within {self._timeout_s:g} s", retryable=True)
        except LimitExceeded:
            return b"", Failure("too_large", f"the answer is larger than {self._max_response_bytes} bytes")
        except SandboxError:
            line = None
        if line is None:
            return b"", await self._failure_of_end(process)
        result = _read_answer(line, id)
        if not isinstance(result, Failure):
            self._has_answered = True
        return line, result

    async def _failure_of_end(self, process: Process) -> Failure:
        status = await process.stop()
        self._deaths += 1
        fatal = not self._has_answered and self._deaths >= DEATHS_BEFORE_FATAL
        return Failure(
            "connection", f"the program ended with exit status {status}", retryable=not fatal, fatal=fatal
        )

    async def _start(self) -> Process:
        process = await start_process(self._argv, env=self._env, max_line_bytes=self._max_response_bytes)
        self._running.add(process)
        return process

    async def _end(self, process: Process) -> None:
        await process.stop()
        self._running.discard(process)
        self.stderr_tail = process.stderr_tail


def _split_command(command: str) -> list[str]:
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"the command cannot be split: {error}", where="command:") from error
    if not argv:
        raise UsageError("the command is empty", where="command:", hint="command:python my_model.py")
    return argv


def _opaque_id(request: ModelRequest) -> str:
    key = "\x1f".join((request.suite, request.sample, str(request.epoch)))
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _read_answer(line: bytes, id: str) -> Decoded | Failure:
    try:
        answer = _decoder.decode(line)
    except DECODE_ERRORS as error:
        return malformed(error)
    if answer.id != id:
        return malformed("the answer's id is not the question's")
    if answer.error is not None:
        return Failure(
            "server_error", f"the program says: {' '.join(answer.error.split())[:300]}", retryable=True
        )
    if answer.output is None or not answer.output.strip():
        return empty("no output")
    usage = tokens(answer.usage.input_tokens, answer.usage.output_tokens) if answer.usage else None
    return Decoded(answer.output, answer.finish, answer.model, None, usage)


def _conclude(body: bytes, line: bytes, result: Decoded | Failure, watch: Stopwatch) -> Exchange:
    if isinstance(result, Failure):
        return Exchange(
            request=body,
            response=line,
            failure=result,
            started_us=watch.started_us,
            elapsed_us=watch.elapsed_us,
        )
    return Exchange(
        request=body,
        response=line,
        output=result.output,
        finish=result.finish,
        served_model=result.served_model,
        usage=result.usage,
        started_us=watch.started_us,
        elapsed_us=watch.elapsed_us,
    )
