"""An episode as a pure conversation: what is asked for next, what came of it, and the events in order.

The player opens no connection, starts no program and reads no clock. It yields needs, and whoever drives it sends back
what came of each: the engine by carrying them out (`loop`), a verifier from the events of a recorded episode
(`replaying`). Both run this code, so that an episode can be checked by playing it again.

1. what the world does before the agent is asked;
2. the agent is asked with all turns so far; a question that went unanswered and may be asked again is, in the open;
3. its calls are carried out in their order, by the world or by tools from outside; bad arguments are a failed call;
4. from 2 again, until the agent calls nothing, the world is over, or a limit is reached;
5. what the world does after the last step.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import TypeVar

import msgspec

from verilabel.evaluation.agents.arguments import BadArguments, read_arguments
from verilabel.evaluation.agents.observing import NO_OBSERVER, Observer
from verilabel.models.tools.interface import Answered, Returned, Said, Turn
from verilabel.records.attempt import Failure
from verilabel.records.episode import (
    AchievedContainment,
    BoxStep,
    Ending,
    Episode,
    EpisodeTask,
    Event,
    ModelStep,
    ToolStep,
    ToolUse,
)
from verilabel.records.sample import Message
from verilabel.suites.worlds.interface import AskRole, Effect, Outcome, ProgramRan, RunProgram, World

MAX_TRIES = 3
"""How often one question is asked before the episode has failed."""
MAX_EPISODE_CHARACTERS = 4 * 2**20
"""Of all bodies and results together: beyond it nothing more is asked or called, and the record stays one line."""
T = TypeVar("T")


class AskAgent(msgspec.Struct, frozen=True):
    """Ask the model under test; `tries` is 1 for the first time."""

    turns: tuple[Turn, ...]
    tries: int


class AskOther(msgspec.Struct, frozen=True):
    """Ask the model that plays a role."""

    role: str
    messages: tuple[Message, ...]
    tries: int


class CallOutside(msgspec.Struct, frozen=True):
    """Call a tool that is not the world's; `arguments` is canonical JSON."""

    call: str
    tool: str
    arguments: str


class Heard(msgspec.Struct, frozen=True):
    """What came of a question: its event, and the agent's turn where it answered."""

    step: ModelStep
    turn: Answered | None = None


Need = AskAgent | AskOther | RunProgram | CallOutside
Given = Heard | BoxStep | ToolStep


class Played(msgspec.Struct, frozen=True):
    """A finished episode; `failure` is set where a model failed and the episode answers nothing."""

    episode: Episode
    failure: Failure | None


class _Unanswered(Exception):
    """A question went unanswered for good."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


class Player:
    """One episode of a task in a world. `outside` names tools that are carried out elsewhere.

    `events` may be read while it is played.
    """

    def __init__(
        self,
        world: World,
        task: EpisodeTask,
        outside: Collection[str] = (),
        observer: Observer = NO_OBSERVER,
    ) -> None:
        self.events: list[Event] = []
        self._world = world
        self._task = task
        self._outside = frozenset(outside)
        self._offered = {tool.name for tool in task.tools}
        self._observer = observer
        self._turns: list[Turn] = [_turn_of(message) for message in task.messages]
        self._questions = 0
        self._calls = 0
        self._size = 0
        self._answer = ""

    def play(self, containment: AchievedContainment | None = None) -> Generator[Need, Given, Played]:
        """Play to the end. What is sent in must answer the need that was yielded."""
        failure, ending = None, None
        try:
            yield from self._carry_out_effects(self._world.begin())
            ending = yield from self._converse()
            yield from self._carry_out_effects(self._world.end())
        except _Unanswered as unanswered:
            failure, ending = unanswered.failure, "failed"
        episode = Episode(
            events=tuple(self.events), ending=ending, answer=self._answer, containment=containment
        )
        return Played(episode, failure)

    def _converse(self) -> Generator[Need, Given, Ending]:
        settings = self._task.agent
        while True:
            if self._questions >= settings.max_steps:
                return "steps"
            if self._size > MAX_EPISODE_CHARACTERS:
                return "tokens"
            turn = yield from self._ask_agent()
            if not turn.calls:
                return "answered"
            for use in turn.calls:
                if self._calls >= settings.max_calls:
                    return "calls"
                if self._size > MAX_EPISODE_CHARACTERS:
                    return "tokens"
                self._calls += 1
                if (yield from self._carry_out_call(use)):
                    return "finished"

    def _ask_agent(self) -> Generator[Need, Given, Answered]:
        self._questions += 1
        turns, tries = tuple(self._turns), 1
        while True:
            heard = yield AskAgent(turns, tries)
            assert isinstance(heard, Heard), "a question is answered by what was heard"
            self._note(heard.step)
            if heard.turn is not None:
                self._turns.append(heard.turn)
                self._answer = heard.turn.text or self._answer
                return heard.turn
            tries = _next_try(heard.step, tries)

    def _carry_out_call(self, use: ToolUse) -> Generator[Need, Given, bool]:
        """Carry out one call; True if the world is over."""
        name = use.name if use.name in self._offered else "(not offered)"
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
        with self._observer.observe(f"execute_tool {name}", attributes) as span:
            step, over = yield from self._make_call(use)
            span.note({"verilabel.tool.verdict": step.verdict or None})
            if step.failed:
                span.fail("tool_error")
        self._note(step)
        self._turns.append(Returned(use.id, use.name, step.result, step.failed))
        return over

    def _make_call(self, use: ToolUse) -> Generator[Need, Given, tuple[ToolStep, bool]]:
        """The step of one call, and whether the world is over."""
        try:
            arguments, canonical = read_arguments(use.arguments)
        except BadArguments as error:
            bad = ToolStep(call=use.id, tool=use.name, arguments="", result=f"Error: {error}", failed=True)
            return bad, False
        if use.name in self._outside:
            given = yield CallOutside(use.id, use.name, canonical)
            assert isinstance(given, ToolStep), "a call is answered by its step"
            return given, False
        reply = yield from self._carry_out_effects(self._world.call(use.name, arguments))
        made = ToolStep(
            call=use.id, tool=use.name, arguments=canonical, result=reply.text, failed=reply.failed
        )
        return made, reply.over

    def _carry_out_effects(self, effects: Generator[Effect, Outcome, T]) -> Generator[Need, Given, T]:
        try:
            effect = next(effects)
            while True:
                outcome = yield from self._carry_out_effect(effect)
                effect = effects.send(outcome)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            effects.close()

    def _carry_out_effect(self, effect: Effect) -> Generator[Need, Given, Outcome]:
        if isinstance(effect, RunProgram):
            ran = yield effect
            assert isinstance(ran, BoxStep), "a program is answered by its step"
            self._note(ran)
            return ProgramRan(
                exit_status=ran.exit_status, stdout=ran.stdout, stderr=ran.stderr, timed_out=ran.timed_out
            )
        return (yield from self._ask_other(effect))

    def _ask_other(self, effect: AskRole) -> Generator[Need, Given, str]:
        tries = 1
        while True:
            heard = yield AskOther(effect.role, effect.messages, tries)
            assert isinstance(heard, Heard), "a question is answered by what was heard"
            self._note(heard.step)
            if heard.step.failure is None:
                return heard.step.text
            tries = _next_try(heard.step, tries)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        match event:
            case ModelStep():
                body = event.response or event.response_base64 or ""
                self._size += len(event.request) + len(body)
            case ToolStep():
                self._size += len(event.arguments) + len(event.result)
            case BoxStep():
                self._size += len(event.stdin) + len(event.stdout) + len(event.stderr)


def _next_try(step: ModelStep, tries: int) -> int:
    """The number of the next try. Raises _Unanswered where there is none."""
    assert step.failure is not None, "an exchange is an answer or a failure"
    if not step.failure.retryable or tries >= MAX_TRIES:
        raise _Unanswered(step.failure)
    return tries + 1


def _turn_of(message: Message) -> Turn:
    if message.role == "assistant":
        return Answered(message.content)
    return Said(message.role, message.content)
