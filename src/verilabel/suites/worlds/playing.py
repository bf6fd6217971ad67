"""Playing a world: by a scripted agent without a model, and again by what an episode says was called.

Playing again is how events are derived (`Environment.judge`): the calls of the episode are made in a fresh world, and
every result must be the one that the world gives. Two kinds of calls are taken as recorded: failed ones, which a
policy or the reading of arguments may have stopped before the world and which never change it, and those whose result
came out of the box, which no verifier can derive without running the program again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TypeVar

from verilabel.errors import MalformedInput
from verilabel.records.canonical import jcs, parse_json
from verilabel.records.episode import AgentSettings, CallSummary, Ending, EpisodeSummary, RoleSummary
from verilabel.records.sample import Message, Sample
from verilabel.suites.worlds.interface import (
    AskRole,
    Effect,
    Environment,
    Outcome,
    ProgramRan,
    RunProgram,
    Script,
    ToolReply,
    World,
)

_USUAL = AgentSettings()
MAX_ARGUMENT_BYTES = 2**20
Role = Callable[[Sequence[Message]], str]
"""A role that is played by a rule instead of a model."""
T = TypeVar("T")


class _BoxNeeded(Exception):
    """A program would have to run."""


def play_script(
    environment: Environment,
    sample: Sample,
    script: Script,
    *,
    seed: str = "",
    roles: Mapping[str, Role] | None = None,
    settings: AgentSettings = _USUAL,
) -> EpisodeSummary:
    """The episode of a scripted agent, without a model and without a box, where no program can run.

    `roles` answer for the models that take part; `settings` are the limits that an agent around a model has.
    """
    world, calls, said = environment.open(sample), list[CallSummary](), list[RoleSummary]()

    def carry_out(effect: Effect) -> Outcome:
        if isinstance(effect, RunProgram):
            return ProgramRan(exit_status=126, stdout="", stderr="no box: programs cannot be run here")
        text = (roles or {})[effect.role](effect.messages)
        said.append(RoleSummary(effect.role, text))
        return text

    _drive(world.begin(), carry_out)
    answer = ""
    ending: Ending
    while True:
        if len(calls) >= min(settings.max_steps, settings.max_calls):
            ending = "steps" if len(calls) >= settings.max_steps else "calls"
            break
        move = script(sample, seed, calls)
        if isinstance(move, str):
            answer, ending = move, "answered"
            break
        reply = _drive(world.call(move.tool, _read_arguments(move)), carry_out)
        calls.append(CallSummary(move.tool, move.arguments, reply.text, reply.failed))
        if reply.over:
            ending = "finished"
            break
    _drive(world.end(), carry_out)
    return EpisodeSummary(
        ending=ending,
        answer=answer,
        said=(answer,) if answer else (),
        calls=tuple(calls),
        roles=tuple(said),
    )


def replay_episode(world: World, episode: EpisodeSummary, *, where: str = "") -> None:
    """Play an episode again in a fresh world, which is left as the episode left it.

    Raises MalformedInput where a result is not the one that the world gives, where a role did not say what the world
    asked it for, or where a call follows the end of the world.
    """
    spoken = iter(episode.roles)

    def carry_out(effect: Effect) -> Outcome:
        if isinstance(effect, RunProgram):
            raise _BoxNeeded
        return _next_text(spoken, effect)

    _drive(world.begin(), carry_out)
    names, over = {tool.name for tool in world.tools}, False
    for number, call in enumerate(episode.calls):
        if call.failed or call.tool not in names:
            continue
        at = f"{where}$.calls[{number}]"
        if over:
            raise MalformedInput("a call after the end of the world", where=at)
        over = _replay_call(world, call, carry_out, at)
    _drive(world.end(), carry_out)
    if next(spoken, None) is not None:
        raise MalformedInput("a role said more than it was asked", where=f"{where}$.roles")


def _replay_call(world: World, call: CallSummary, carry_out: Callable[[Effect], Outcome], at: str) -> bool:
    """Make one call again; True if the world is over."""
    try:
        reply: ToolReply = _drive(world.call(call.tool, _read_arguments(call, at)), carry_out)
    except _BoxNeeded:
        return False
    if reply.failed or reply.text != call.result:
        raise MalformedInput(f"the world does not give this result of {call.tool!r}", where=at)
    return reply.over


def _next_text(spoken: Iterator[RoleSummary], effect: AskRole) -> str:
    said = next(spoken, None)
    if said is None or said.role != effect.role:
        raise MalformedInput(f"the role {effect.role!r} was asked and did not speak", where="$.roles")
    return said.text


def _drive(steps: Generator[Effect, Outcome, T], carry_out: Callable[[Effect], Outcome]) -> T:
    try:
        effect = next(steps)
        while True:
            effect = steps.send(carry_out(effect))
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        steps.close()


def _read_arguments(call: CallSummary, where: str = "$") -> dict[str, object]:
    arguments = parse_json(
        call.arguments.encode("utf-8", "replace"), where=where, max_bytes=MAX_ARGUMENT_BYTES
    )
    if not isinstance(arguments, dict):
        raise MalformedInput("the arguments of a call are an object", where=where)
    return arguments


def call_of(tool: str, **arguments: str | int) -> CallSummary:
    """A script's next call, its arguments in canonical form."""
    return CallSummary(tool, jcs(arguments).decode("utf-8"), "")
