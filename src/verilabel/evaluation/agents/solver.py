"""Answers a suite's samples by episodes: an environment's worlds, the tool loop, a box where programs are run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from verilabel.errors import MalformedInput, UsageError
from verilabel.evaluation.agents.containing import require_speaking
from verilabel.evaluation.agents.loop import Cast, OpenOutside, Outcome, play_live
from verilabel.evaluation.agents.observing import NO_OBSERVER, Observer
from verilabel.evaluation.agents.tasks import (
    MAX_BODY_BYTES,
    choose_roles,
    episode_bytes,
    facts_of,
    make_task,
    task_bytes,
)
from verilabel.evidence.others.containment import SignedContainment
from verilabel.models.interface import Exchange, Model, ModelRequest, Stopwatch
from verilabel.models.tools.interface import ToolModel
from verilabel.models.tools.opening import open_tool_model
from verilabel.records.attempt import Failure
from verilabel.records.episode import AgentSettings, EpisodeTask, ToolSpec, output_of
from verilabel.sandbox.interface import Box, BoxSpec
from verilabel.suites.loading import Suite
from verilabel.suites.worlds.interface import Environment, World

BOXES_AT_ONCE = 8
"""Episodes with a box that are played at the same time: boxes use this machine, not the provider's."""


@dataclass(frozen=True)
class Surroundings:
    """What an agent's episodes take beside the model: other models, tools from outside, and the sandbox.

    `roles` maps a role to the models of its panel, which a solver opens and closes; `addresses` says the same by
    address, as it is bound and recorded.
    """

    settings: AgentSettings = field(default_factory=AgentSettings)
    roles: Mapping[str, Sequence[Model]] = field(default_factory=dict)
    addresses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outside: Sequence[ToolSpec] = ()
    open_outside: OpenOutside | None = None
    box: BoxSpec = field(default_factory=BoxSpec)
    open_box: Callable[[BoxSpec], Awaitable[Box]] | None = None
    """Opens a box; None: `sandbox.opening.open_box`."""
    attestation: SignedContainment | None = None
    """What was tried against this sandbox; its digest stands in episodes."""
    observer: Observer = NO_OBSERVER


class AgentSolver:
    """Plays the tool loop on the samples of one agentic suite.

    `model` is opened and closed by the caller. Raises UsageError for a model that cannot be shown tools, and for a role
    that nobody plays.
    """

    def __init__(self, suite: Suite, environment: Environment, model: Model, around: Surroundings) -> None:
        self.suite = suite.name
        self._environment = environment
        self._name = f"{environment.id}@{environment.version}"
        self._model = model
        self._agent: ToolModel = open_tool_model(model)
        self._around = around
        self._places = {sample.id: place for place, sample in enumerate(suite.samples)}
        self._samples = {sample.id: sample for sample in suite.samples}
        self._stack = AsyncExitStack()
        self._boxes = asyncio.Semaphore(BOXES_AT_ONCE)
        self._refuse_shared_names(suite)
        for role in environment.roles:
            if not around.roles.get(role):
                raise UsageError(
                    f"nobody plays the role {role!r}, which {self.suite} needs", hint=f"--role {role}=ADDRESS"
                )

    async def __aenter__(self) -> Self:
        """Open the other models, and try the box, so that what is missing is known before anything is asked."""
        async with AsyncExitStack() as stack:
            if self._environment.needs_box:
                box = await self._open_box()
                await box.close()
                if self._around.attestation is not None:
                    require_speaking(self._around.attestation, box.containment, self._around.box)
            for role in self._environment.roles:
                for model in self._around.roles[role]:
                    await stack.enter_async_context(model)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def solve(self, request: ModelRequest) -> Exchange:
        """Play one episode. Raises SandboxError where its box cannot be opened."""
        watch = Stopwatch()
        sample = self._samples.get(request.sample)
        if sample is None:
            raise MalformedInput(f"{self.suite} has no such sample", where=request.sample)
        world = self._environment.open(sample)
        task, cast = self._set_task(request, world), self._cast(request)
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": task.agent.name,
            "gen_ai.request.model": task.model,
            "verilabel.suite": task.suite,
            "verilabel.sample": task.sample,
        }
        with cast.observer.observe(f"invoke_agent {task.agent.name}", attributes) as span:
            if self._environment.needs_box:
                async with self._boxes:
                    outcome = await play_live(world, task, cast)
            else:
                outcome = await play_live(world, task, cast)
            episode, failure = outcome.played.episode, outcome.played.failure
            span.note(
                {"verilabel.episode.ending": episode.ending, "verilabel.episode.events": len(episode.events)}
            )
            if failure is not None:
                span.fail(failure.kind)
        return _exchange_of(task, outcome, watch)

    def _refuse_shared_names(self, suite: Suite) -> None:
        own = {tool.name for tool in self._environment.open(suite.samples[0]).tools}
        if shared := sorted(own & {tool.name for tool in self._around.outside}):
            raise UsageError(f"the world and an MCP server both have a tool {shared[0]!r}", where="--mcp")

    def _set_task(self, request: ModelRequest, world: World) -> EpisodeTask:
        place = self._places[request.sample]
        return make_task(
            environment=self._name,
            key=(request.suite, request.sample, request.epoch),
            model=self._model.provider_model,
            messages=request.messages,
            world=world,
            outside=self._around.outside,
            params=request.params,
            settings=self._around.settings,
            roles=choose_roles(self._around.addresses, self._environment.roles, place, request.epoch),
        )

    def _cast(self, request: ModelRequest) -> Cast:
        around, place = self._around, self._places[request.sample]
        return Cast(
            agent=self._agent,
            roles=choose_roles(around.roles, self._environment.roles, place, request.epoch),
            open_box=self._open_box if self._environment.needs_box else None,
            attestation=around.attestation.digest if around.attestation else None,
            open_outside=around.open_outside,
            observer=around.observer,
        )

    async def _open_box(self) -> Box:
        if self._around.open_box is not None:
            return await self._around.open_box(self._around.box)
        from verilabel.sandbox.opening import open_box

        return await open_box(self._around.box)


def _exchange_of(task: EpisodeTask, outcome: Outcome, watch: Stopwatch) -> Exchange:
    episode, failure = outcome.played.episode, outcome.played.failure
    body = episode_bytes(episode)
    if len(body) > MAX_BODY_BYTES:
        body, failure = b"", Failure("too_large", f"an episode of over {MAX_BODY_BYTES} bytes")
    facts = facts_of(episode, failure)
    return Exchange(
        request=task_bytes(task),
        response=body,
        output=output_of(episode) if failure is None else None,
        finish=facts.finish,
        served_model=facts.served_model,
        fingerprint=facts.fingerprint,
        usage=facts.usage,
        failure=failure,
        started_us=watch.started_us,
        elapsed_us=watch.elapsed_us,
        retry_after_s=outcome.retry_after_s if failure is not None and failure.retryable else None,
    )
