"""The task that an agent is set, made from a suite's sample; a verifier makes it again and compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.attempt import Failure, Usage
from verilabel.records.canonical import jcs
from verilabel.records.episode import AgentSettings, Episode, EpisodeTask, ModelStep, ToolSpec
from verilabel.records.sample import Message
from verilabel.records.system import Scalar
from verilabel.suites.worlds.interface import World

MAX_BODY_BYTES = 12 * 2**20
"""Of a task or an episode: as a text within a record's line it takes at most twice as much."""
P = TypeVar("P")
R = TypeVar("R", EpisodeTask, Episode)


def make_task(
    *,
    environment: str,
    key: tuple[str, str, int],
    model: str,
    messages: Sequence[Message],
    world: World,
    outside: Sequence[ToolSpec],
    params: Mapping[str, Scalar],
    settings: AgentSettings,
    roles: Mapping[str, str],
) -> EpisodeTask:
    """The task of one sample. `key` is suite, sample and epoch; `params` are those that are sent to the model."""
    suite, sample, epoch = key
    return EpisodeTask(
        environment=environment,
        suite=suite,
        sample=sample,
        epoch=epoch,
        model=model,
        messages=tuple(messages),
        tools=(*world.tools, *outside),
        params=dict(params),
        agent=settings,
        roles=dict(roles),
    )


def choose_roles(
    panels: Mapping[str, Sequence[P]], wanted: Sequence[str], position: int, epoch: int
) -> dict[str, P]:
    """Who plays each role for a sample: a panel takes turns over the suite's samples and over epochs.

    `position` is the sample's place in its suite, from 0. Raises MalformedInput where nobody plays a wanted role.
    """
    if missing := [role for role in wanted if not panels.get(role)]:
        raise MalformedInput(f"nobody plays the role {missing[0]!r}")
    return {role: panels[role][(position + epoch - 1) % len(panels[role])] for role in wanted}


def task_bytes(task: EpisodeTask) -> bytes:
    """The canonical bytes of a task: the request body of its attempt."""
    return jcs(_document(task))


def episode_bytes(episode: Episode) -> bytes:
    """The canonical bytes of an episode: the response body of its attempt."""
    return jcs(_document(episode))


def read_task(body: bytes) -> EpisodeTask:
    """The task in a request body. Raises MalformedInput for what is none, or not in canonical form."""
    return _read(body, EpisodeTask, "request")


def read_episode(body: bytes) -> Episode:
    """The episode in a response body. Raises MalformedInput for what is none, or not in canonical form."""
    return _read(body, Episode, "response")


def _document(value: EpisodeTask | Episode) -> dict[str, Any]:
    # `format` is a default and would be left out
    document: dict[str, Any] = msgspec.to_builtins(value)
    return {"format": value.format, **document}


def _read(body: bytes, kind: type[R], where: str) -> R:
    if len(body) > MAX_BODY_BYTES:
        raise LimitExceeded(f"{len(body)} bytes, the limit is {MAX_BODY_BYTES}", where=where)
    try:
        value = msgspec.json.decode(body, type=kind)
        # the canonical bytes of what was read are those that are there: no key twice, no other spelling
        canonical = jcs(_document(value))
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedInput(str(error)[:200], where=where) from error
    if canonical != body:
        raise MalformedInput("not in canonical form", where=where)
    return value


class Facts(msgspec.Struct, frozen=True):
    """What an attempt says of its episode as a whole."""

    finish: str | None
    served_model: str | None
    fingerprint: str | None
    usage: Usage | None


def facts_of(episode: Episode, failure: Failure | None) -> Facts:
    """The facts of an episode: how it ended, what served its first answer, the tokens of all its questions."""
    steps = [event for event in episode.events if isinstance(event, ModelStep)]
    first = next((step for step in steps if not step.role and step.failure is None), None)
    sent = sum(step.usage.input_tokens for step in steps if step.usage)
    received = sum(step.usage.output_tokens for step in steps if step.usage)
    return Facts(
        finish=None if failure is not None else episode.ending,
        served_model=first.served_model if first else None,
        fingerprint=first.fingerprint if first else None,
        usage=Usage(sent, received) if sent or received else None,
    )
