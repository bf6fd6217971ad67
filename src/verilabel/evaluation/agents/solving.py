"""A model whose agentic suites are answered by solvers and whose plain ones by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import msgspec

from verilabel.evaluation.agents.interface import Solver
from verilabel.evaluation.agents.observing import NO_OBSERVER, Observer
from verilabel.evaluation.agents.settings import model_params
from verilabel.models.interface import Exchange, Model, ModelRequest
from verilabel.records.system import Identity


class SolvingModel:
    """`inner` with a solver for each agentic suite (`id@version`). What it says of itself is what `inner` says.

    Opening it opens `inner` first, then the solvers; closing goes the other way.
    """

    def __init__(
        self,
        inner: Model,
        solvers: Mapping[str, Solver],
        *,
        observer: Observer = NO_OBSERVER,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._inner = inner
        self._solvers = dict(solvers)
        self._observer = observer
        self._notes = notes
        self._stack = AsyncExitStack()

    @property
    def address(self) -> str:
        """The inner model's address."""
        return self._inner.address

    @property
    def identity(self) -> Identity:
        """The inner model's identity."""
        return self._inner.identity

    @property
    def provider_model(self) -> str:
        """The inner model's name."""
        return self._inner.provider_model

    @property
    def fixed_outcomes(self) -> bool:
        """True where the inner model's answers are fixed, and so its episodes."""
        return self._inner.fixed_outcomes

    @property
    def weights(self) -> str | None:
        """The digest of the inner model's weights."""
        return self._inner.weights

    @property
    def base_url(self) -> str | None:
        """Where the inner model is."""
        return self._inner.base_url

    @property
    def max_concurrency(self) -> int | None:
        """Samples in flight: as many as the inner model bears questions, as an episode asks one at a time."""
        return self._inner.max_concurrency

    @property
    def notes(self) -> tuple[str, ...]:
        """The inner model's notes, and those on the agent."""
        return (*self._inner.notes, *self._notes)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, self._observer.close)
            await stack.enter_async_context(self._inner)
            for solver in self._solvers.values():
                await stack.enter_async_context(solver)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def ask(self, request: ModelRequest) -> Exchange:
        """Answer a sample: by its suite's solver, or by the inner model; neither is sent the agent's settings."""
        request = msgspec.structs.replace(request, params=model_params(request.params))
        solver = self._solvers.get(request.suite)
        return await self._inner.ask(request) if solver is None else await solver.solve(request)
