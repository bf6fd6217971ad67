"""What answers a sample by more than one question: a solver for each suite that needs one."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from verilabel.models.interface import Exchange, ModelRequest


class Solver(Protocol):
    """Answers the samples of one suite by episodes. Open it with `async with`, use it from one event loop.

    The exchange's `request` and `response` are canonical JSON that a verifier can read again (`evaluation.wire`); its
    `output` follows from the response alone. A solver never raises for what happens within an episode: a model's
    failure is the exchange's failure; SandboxError is raised where no episode could run at all.
    """

    suite: str
    """`id@version` of the suite it solves."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def solve(self, request: ModelRequest) -> Exchange:
        """Carry out one episode on one sample. Cancelling it leaves no process behind."""
        ...
