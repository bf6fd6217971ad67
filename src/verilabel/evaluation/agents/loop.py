"""The live side of an episode: carries out what the player needs, with models, a box and tools from outside.

One box is opened for an episode when its first program is to run, and closed whatever happens, also when the episode
is cancelled. A role's question and the agent's go the same way; a repeated one waits first, as the provider asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

from verilabel.errors import SandboxError
from verilabel.evaluation.agents.observing import NO_OBSERVER, Observer
from verilabel.evaluation.agents.playing import (
    AskAgent,
    AskOther,
    CallOutside,
    Given,
    Heard,
    Need,
    Played,
    Player,
)
from verilabel.evaluation.pace import backoff_s
from verilabel.models.interface import Exchange, Model, ModelRequest
from verilabel.models.tools.interface import Answered, ToolModel, ToolQuestion
from verilabel.records.attempt import Failure, Usage, body_fields
from verilabel.records.episode import (
    AchievedContainment,
    BoxStep,
    Episode,
    EpisodeTask,
    Event,
    ModelStep,
    ToolStep,
)
from verilabel.records.system import Scalar
from verilabel.sandbox.interface import Box, BoxExhausted, ExecResult
from verilabel.suites.worlds.interface import RunProgram, World

ALIVE_S = 10.0
"""How long a box may take to show that it is still there."""

MAX_STREAM_CHARACTERS = 64 * 1024
"""Of each stream of a program, as it is recorded and as the world sees it."""
ROLE_PARAMS: dict[str, Scalar] = {"temperature": "0", "max_tokens": 512}
"""Sampling settings of the other models' requests, the same in every run."""
OpenBox = Callable[[], Awaitable[Box]]


class OutsideTools(Protocol):
    """Tools that are not the world's."""

    @property
    def names(self) -> frozenset[str]:
        """What they are called."""
        ...

    async def call(self, call: str, tool: str, arguments: str) -> ToolStep:
        """Carry out one call, its arguments as canonical JSON; a failure is a failed step."""
        ...


OpenOutside = Callable[[str], AbstractAsyncContextManager[OutsideTools]]
"""Opens tools from outside for one episode, told what its person asked for. Raises OutsideUnreachable."""


class OutsideUnreachable(Exception):
    """The tools from outside are not there: the episode cannot be played now."""


@dataclass(frozen=True)
class Cast:
    """Who takes part in an episode."""

    agent: ToolModel
    roles: Mapping[str, Model] = field(default_factory=dict)
    open_box: OpenBox | None = None
    """Opens the episode's box; None where its environment runs no programs."""
    attestation: str | None = None
    """Digest of the containment attestation that is kept with the run."""
    open_outside: OpenOutside | None = None
    """Opens tools from outside for one episode: a session of its own, so that episodes share no state."""
    observer: Observer = NO_OBSERVER


@dataclass
class Outcome:
    """A played episode, and how long to wait before the next."""

    played: Played
    retry_after_s: float | None
    """The wait that the last unanswered question's provider asked for."""


async def play_live(world: World, task: EpisodeTask, cast: Cast) -> Outcome:
    """Play one episode. Raises SandboxError where its box cannot be opened; a failure after that is a value."""
    async with _Stage(task, cast) as stage:
        containment = await stage.open_box()
        try:
            outside = await stage.open_outside()
        except OutsideUnreachable:
            failure = Failure(
                "connection", "the server of the outside tools cannot be reached", retryable=True
            )
            return Outcome(_broken_off((), containment, failure), None)
        player = Player(world, task, outside, cast.observer)
        steps = player.play(containment)
        try:
            need = next(steps)
            while True:
                need = steps.send(await stage.meet(need))
        except StopIteration as done:
            played: Played = done.value
        except SandboxError:
            failure = Failure("sandbox", "the sandbox failed", retryable=True)
            played = _broken_off(player.events, containment, failure)
        finally:
            steps.close()
        return Outcome(played, stage.retry_after_s)


def _could_not_run(limit: str, why: str) -> ExecResult:
    """What the agent is told of a program that what it ran before keeps from running, with a shell's status 126."""
    said = why.encode("ascii")
    return ExecResult(exit_status=126, stderr=said, stderr_total=len(said), limit_hit=limit)


def _broken_off(events: Sequence[Event], containment: AchievedContainment | None, failure: Failure) -> Played:
    """An episode that something beside its models ended: what had happened by then, and no measurement."""
    return Played(Episode(events=tuple(events), ending="failed", containment=containment), failure)


class _Stage:
    """What is open while one episode is played."""

    def __init__(self, task: EpisodeTask, cast: Cast) -> None:
        self._task = task
        self._cast = cast
        self._box: Box | None = None
        self._outside: OutsideTools | None = None
        self._stack = AsyncExitStack()
        self._key = (task.suite, task.sample, task.epoch)
        self._containment: AchievedContainment | None = None
        self.retry_after_s: float | None = None

    async def __aenter__(self) -> _Stage:
        return self

    async def __aexit__(self, *_: object) -> None:
        box, self._box = self._box, None
        try:
            await self._stack.aclose()
        finally:
            if box is not None:
                # a cancelled episode still waits for its box to be gone
                await _finish(asyncio.ensure_future(box.close()))

    async def open_box(self) -> AchievedContainment | None:
        """Open the box, where one is needed, and say what it achieves."""
        if self._cast.open_box is None:
            return None
        self._box = await self._cast.open_box()
        achieved = self._box.containment
        self._containment = AchievedContainment(achieved.level, achieved.provider, self._cast.attestation)
        return self._containment

    async def open_outside(self) -> frozenset[str]:
        """Open the tools from outside, where there are some, and say what they are called."""
        if self._cast.open_outside is None:
            return frozenset()
        prompt = next((m.content for m in reversed(self._task.messages) if m.role == "user"), "")
        self._outside = await self._stack.enter_async_context(self._cast.open_outside(prompt))
        return self._outside.names

    async def meet(self, need: Need) -> Given:
        """Carry out one need."""
        match need:
            case AskAgent():
                return await self._ask_agent(need)
            case AskOther():
                return await self._ask_other(need)
            case RunProgram():
                return await self._run(need)
            case CallOutside():
                return await self._call_outside(need)

    async def _ask_agent(self, need: AskAgent) -> Heard:
        task = self._task
        await self._wait_before(need.tries)
        question = ToolQuestion(key=self._key, turns=need.turns, tools=task.tools, params=task.params)
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": task.model}
        with self._cast.observer.observe(f"chat {task.model}", attributes) as span:
            answer = await self._cast.agent.converse(question)
            self._note(answer.exchange)
            if answer.exchange.failure is not None:
                span.fail(answer.exchange.failure.kind)
            elif answer.turn is not None:
                usage = answer.exchange.usage or Usage()
                span.note(
                    {
                        "gen_ai.response.model": answer.exchange.served_model,
                        "gen_ai.usage.input_tokens": usage.input_tokens,
                        "gen_ai.usage.output_tokens": usage.output_tokens,
                        "verilabel.agent.calls": len(answer.turn.calls),
                    }
                )
        return Heard(step_of(answer.exchange, "", answer.turn), answer.turn)

    async def _ask_other(self, need: AskOther) -> Heard:
        await self._wait_before(need.tries)
        request = ModelRequest(*self._key, messages=need.messages, params=dict(ROLE_PARAMS))
        attributes = {"gen_ai.operation.name": "chat", "verilabel.agent.role": need.role}
        with self._cast.observer.observe(f"chat {need.role}", attributes) as span:
            exchange = await self._cast.roles[need.role].ask(request)
            self._note(exchange)
            if exchange.failure is not None:
                span.fail(exchange.failure.kind)
        return Heard(step_of(exchange, need.role, None))

    async def _run(self, need: RunProgram) -> BoxStep:
        assert self._box is not None, "an environment that runs programs says so"
        with self._cast.observer.observe("verilabel.sandbox.exec", self._box_attributes()) as span:
            ran = await self._write_and_run(self._box, need)
            span.note(
                {
                    "verilabel.sandbox.exit_status": ran.exit_status,
                    "verilabel.sandbox.timed_out": ran.timed_out,
                    "verilabel.sandbox.truncated_bytes": ran.stdout_total
                    + ran.stderr_total
                    - len(ran.stdout)
                    - len(ran.stderr),
                }
            )
        return BoxStep(
            argv=need.argv,
            stdin=need.stdin,
            exit_status=ran.exit_status,
            timed_out=ran.timed_out,
            stdout=_text(ran.stdout),
            stderr=_text(ran.stderr),
            stdout_total=ran.stdout_total,
            stderr_total=ran.stderr_total,
            limit_hit=ran.limit_hit,
        )

    async def _write_and_run(self, box: Box, need: RunProgram) -> ExecResult:
        """Run a program. What earlier programs did to the box is this agent's result, and no reason for another try.

        Raises SandboxError where the box itself is gone.
        """
        try:
            for path, content in need.files.items():
                await box.write_file(path, content.encode("utf-8"))
            return await box.exec(need.argv, stdin=need.stdin.encode("utf-8"), timeout_s=need.timeout_s)
        except BoxExhausted as error:
            return _could_not_run(error.limit, "the sandbox's programs have used up its limit")
        except SandboxError:
            await box.exec(("/bin/true",), timeout_s=ALIVE_S)  # raises where the box does not even answer
            return _could_not_run("files", "the work folder cannot be written any more")

    async def _call_outside(self, need: CallOutside) -> ToolStep:
        assert self._outside is not None, "only tools that were offered are called"
        return await self._outside.call(need.call, need.tool, need.arguments)

    def _box_attributes(self) -> dict[str, str | None]:
        assert self._containment is not None, "a box says what it achieves"
        return {
            "verilabel.sandbox.level": self._containment.level,
            "verilabel.sandbox.provider": self._containment.provider,
            "verilabel.sandbox.attestation": self._containment.attestation,
        }

    async def _wait_before(self, tries: int) -> None:
        if tries > 1:
            await asyncio.sleep(backoff_s(tries - 1, self.retry_after_s))

    def _note(self, exchange: Exchange) -> None:
        self.retry_after_s = exchange.retry_after_s


def step_of(exchange: Exchange, role: str, turn: Answered | None) -> ModelStep:
    """The event of one question."""
    return ModelStep(
        request=exchange.request.decode("utf-8"),
        role=role,
        status=exchange.status,
        **body_fields(exchange.response),
        text=turn.text if turn is not None else exchange.output or "",
        calls=turn.calls if turn is not None else (),
        finish=exchange.finish,
        served_model=exchange.served_model,
        fingerprint=exchange.fingerprint,
        usage=exchange.usage,
        failure=exchange.failure,
    )


def _text(stream: bytes) -> str:
    return stream.decode("utf-8", "replace")[:MAX_STREAM_CHARACTERS]


async def _finish(closing: asyncio.Future[None]) -> None:
    """Wait for something to its end, also when the waiting itself is cancelled; then be cancelled."""
    cancelled = False
    while not closing.done():
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            cancelled = True
    closing.result()
    if cancelled:
        raise asyncio.CancelledError
