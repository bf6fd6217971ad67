"""What awaited guards share: those that ask a model, a server or another process, or that may take their time."""

from __future__ import annotations

from verilabel.gateway.guards.interface import Conversation, GuardError, Judgement
from verilabel.gateway.guards.quick import Place
from verilabel.gateway.verdicts import Direction, Field


class AwaitedGuard:
    """A guard that is never asked on the spot. A subclass looks (`look`), and may open and close things."""

    is_quick = False
    reads_whole = False

    def __init__(self, version: str) -> None:
        self.version = version

    async def look(self, text: str, place: Place, /) -> Judgement:
        """Judge a passage. Raises GuardError."""
        raise NotImplementedError

    async def judge(self, text: str, field: Field, direction: Direction, about: Conversation) -> Judgement:
        """Judge a passage. Raises GuardError."""
        return await self.look(text, Place(field, direction, about))

    def judge_now(self, text: str, field: Field, direction: Direction, about: Conversation) -> Judgement:
        """Not for these guards. Raises GuardError."""
        del text, field, direction, about
        raise GuardError(f"{type(self).__name__} is not quick: it must be awaited")

    async def open(self) -> None:
        """Load and connect what is needed."""
        return

    async def close(self) -> None:
        """Let go of it."""
        return
