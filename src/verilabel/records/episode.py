"""One episode of an agent: every step as an event, kept as the response body of one attempt; and what detectors read.

A sample that needs an agent is answered by an episode instead of one reply. Its `Attempt` holds as `request` the
`EpisodeTask` and as `response` the `Episode`, both canonical JSON; `output` is `summarise(episode)`, so that detectors,
counting and verification treat it as any other answer. Like an attempt, an episode holds only what the same answers
make the same again: no clock, no random number, no process id.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from verilabel.records.attempt import Failure, Usage
from verilabel.records.canonical import jcs
from verilabel.records.sample import Message
from verilabel.records.system import Scalar

EPISODE_FORMAT = "verilabel/episode/v1"


class ToolSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tool as the model is shown it. `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: dict[str, object]


class ToolUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A call that the model asks for: `arguments` is the JSON text as the model wrote it, which may be no JSON."""

    id: str
    name: str
    arguments: str


class AgentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The scaffold around the model, part of the system under test."""

    name: str = "tool-loop"
    version: str = "1.0.0"
    max_steps: int = 30
    """Questions to the model in one episode."""
    max_calls: int = 100


class EpisodeTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What the agent was set: the request body of an episode's attempt."""

    environment: str
    """`id@version` of the environment."""
    suite: str
    sample: str
    epoch: int
    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    params: dict[str, Scalar]
    agent: AgentSettings
    roles: dict[str, str] = {}
    """Other models that take part, by role: their addresses."""
    format: Literal["verilabel/episode-task/v1"] = "verilabel/episode-task/v1"


class ModelStep(
    msgspec.Struct,
    frozen=True,
    tag_field="event",
    tag="model",
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
):
    """One question to a model: the exact bodies, and what was read from the response. `role` is empty for the agent."""

    request: str
    role: str = ""
    status: int | None = None
    response: str | None = None
    response_base64: str | None = None
    text: str = ""
    calls: tuple[ToolUse, ...] = ()
    finish: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    """Set where the question went unanswered; the next step of this role asks it again."""


class ToolStep(
    msgspec.Struct,
    frozen=True,
    tag_field="event",
    tag="tool",
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
):
    """One call that was carried out, refused or failed, and the result as the model was shown it.

    `arguments` is canonical JSON of what was decided and forwarded. `verdict` and `rules` are what a tool policy said.
    """

    call: str
    tool: str
    arguments: str
    result: str
    failed: bool = False
    verdict: Literal["", "allow", "ask", "deny"] = ""
    rules: tuple[str, ...] = ()


class BoxStep(
    msgspec.Struct,
    frozen=True,
    tag_field="event",
    tag="box",
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
):
    """One program that was run in the sandbox. Streams as text, cut at the limit; totals are in bytes."""

    argv: tuple[str, ...]
    stdin: str = ""
    exit_status: int
    timed_out: bool = False
    stdout: str = ""
    stderr: str = ""
    stdout_total: int = 0
    stderr_total: int = 0
    limit_hit: str = ""
    """The limit of the sandbox that its programs had used up: `memory`, `pids`, `disk`; `files` where they left a
    work folder in which nothing can be written."""


Event = ModelStep | ToolStep | BoxStep
Ending = Literal["answered", "finished", "steps", "calls", "tokens", "failed"]
"""The model answered without a call; the world was over; a limit of the agent was reached; the model failed."""


class AchievedContainment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The sandbox that an episode's programs ran in, as achieved."""

    level: str
    provider: str
    attestation: str | None = None
    """Digest of the signed containment attestation."""


class Episode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """All that happened, in order."""

    events: tuple[Event, ...]
    ending: Ending
    answer: str = ""
    """The model's last text."""
    containment: AchievedContainment | None = None
    format: Literal["verilabel/episode/v1"] = "verilabel/episode/v1"


class CallSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A call as detectors see it."""

    tool: str
    arguments: str
    result: str
    failed: bool = False


class RoleSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What another model said in its role."""

    role: str
    text: str


class EpisodeSummary(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What detectors read of an episode: a pure function of it, and the `output` of its attempt."""

    ending: Ending
    answer: str = ""
    said: tuple[str, ...] = ()
    """The model's texts in order, without empty ones."""
    calls: tuple[CallSummary, ...] = ()
    roles: tuple[RoleSummary, ...] = ()


def summarise(episode: Episode) -> EpisodeSummary:
    """What detectors read of an episode."""
    models = [event for event in episode.events if isinstance(event, ModelStep) and event.failure is None]
    return EpisodeSummary(
        ending=episode.ending,
        answer=episode.answer,
        said=tuple(step.text for step in models if not step.role and step.text),
        calls=tuple(
            CallSummary(event.tool, event.arguments, event.result, event.failed)
            for event in episode.events
            if isinstance(event, ToolStep)
        ),
        roles=tuple(RoleSummary(step.role, step.text) for step in models if step.role),
    )


def output_of(episode: Episode) -> str:
    """The `output` of an episode's attempt: the canonical JSON of its summary."""
    return jcs(msgspec.to_builtins(summarise(episode))).decode("utf-8")
