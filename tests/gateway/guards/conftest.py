"""Opening guards as a policy would, and asking them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from verilabel.gateway.guards.catalogue import Resources, open_guard
from verilabel.gateway.guards.interface import Conversation, Judgement, PassageGuard, SpanGuard
from verilabel.gateway.policy.document import GuardEntry
from verilabel.gateway.verdicts import Direction, Field

ABOUT_NOTHING = Conversation()


class Opened:
    """A guard that is open; `ask` gives its judgement of a text."""

    def __init__(self, guard: PassageGuard) -> None:
        self.guard = guard

    async def ask(
        self,
        text: str,
        *,
        direction: Direction = "output",
        field: Field = "content",
        about: Conversation = ABOUT_NOTHING,
    ) -> Judgement:
        """Ask as the pipeline does."""
        if self.guard.is_quick:
            now = self.guard.judge_now(text, field, direction, about)
            awaited = await self.guard.judge(text, field, direction, about)
            assert now == awaited
            return now
        return await self.guard.judge(text, field, direction, about)


Open = Callable[..., Awaitable[Opened]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens guards by kind and settings, with files in the test's folder; they are closed afterwards."""
    running: list[PassageGuard] = []

    async def open_one(
        use: str,
        settings: dict[str, Any] | None = None,
        *,
        environ: dict[str, str] | None = None,
        timeout_ms: int = 5000,
    ) -> Opened:
        entry = GuardEntry(id="tested", use=use, settings=settings or {}, timeout_ms=timeout_ms)
        guard = open_guard(entry, Resources(folder=tmp_path, environ=environ or {}))
        assert not isinstance(guard, SpanGuard)
        await guard.open()
        running.append(guard)
        return Opened(guard)

    yield open_one
    for guard in running:
        await guard.close()
