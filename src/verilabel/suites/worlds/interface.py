"""What an environment gives: generated samples, a world for each, the truth about what happened, and baselines.

Everything here is pure: a world that is called the same way gives the same results on every machine, so that a
verifier can play an episode again. What a world cannot do itself (run a program, ask another model) it asks for by
yielding an effect; the agent engine carries it out, records it and sends the outcome back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol

import msgspec

from verilabel.records.episode import CallSummary, EpisodeSummary, ToolSpec
from verilabel.records.sample import Message, Sample


class RunProgram(msgspec.Struct, frozen=True, kw_only=True):
    """Run a program in the sample's box. `files` are written first, by path in the work folder."""

    argv: tuple[str, ...]
    stdin: str = ""
    files: dict[str, str] = {}
    timeout_s: float = 10.0


class ProgramRan(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    exit_status: int
    stdout: str
    stderr: str
    timed_out: bool = False


class AskRole(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the model that plays a role; the outcome is its text."""

    role: str
    messages: tuple[Message, ...]


Effect = RunProgram | AskRole
Outcome = ProgramRan | str


class ToolReply(msgspec.Struct, frozen=True):
    """What a call gave: the text for the model; `failed` where the tool could not; `over` ends the episode."""

    text: str
    failed: bool = False
    over: bool = False


class World(Protocol):
    """One sample's world, with a state. Made anew for every episode; `call` never raises on any arguments."""

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """What the agent may call, always the same for a sample."""
        ...

    def begin(self) -> Generator[Effect, Outcome, None]:
        """What happens before the agent is asked."""
        ...

    def call(self, tool: str, arguments: Mapping[str, object]) -> Generator[Effect, Outcome, ToolReply]:
        """One call of the agent. A tool that is not there, or bad arguments, are a failed reply."""
        ...

    def end(self) -> Generator[Effect, Outcome, None]:
        """What happens after the agent's last step."""
        ...


Move = CallSummary | str
"""What a scripted agent does next: a call (its result is empty), or a text that ends the episode."""
Script = Callable[[Sample, str, Sequence[CallSummary]], Move]
"""A scripted agent: the sample, a seed, and the calls with their results so far, to the next move. Pure."""


class Environment(Protocol):
    """One kind of agentic suite: how samples are made from a seed, and what is true of an episode.

    `events` are the names that `judge` gives. `scripts` has at least `null`, `random`, `oracle` and `refusing`.
    """

    id: str
    version: str
    summary: str
    events: tuple[str, ...]
    needs_box: bool
    roles: tuple[str, ...]
    """Roles that other models play (`mark`); empty for most."""
    scripts: Mapping[str, Script]

    def generate(self, seed: str, count: int) -> list[Sample]:
        """`count` samples from a public generator: the same seed gives the same samples, for ever in one version."""
        ...

    def open(self, sample: Sample) -> World:
        """The world of a sample. Raises MalformedInput for a sample that is not of this environment."""
        ...

    def judge(self, sample: Sample, episode: EpisodeSummary) -> dict[str, bool]:
        """Which events are true of an episode, derived by playing its calls again, never by trusting its results.

        Raises MalformedInput where the episode cannot have happened in this world (results that differ).
        """
        ...
