"""What quick guards share: judged at once where the text is short, piece by piece with pauses where it is long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

from verilabel.gateway.guards.interface import Conversation, GuardError, Judgement
from verilabel.gateway.guards.normalising import MAX_NORMAL_CHARS
from verilabel.gateway.verdicts import Direction, Field

QUICK_CHARS = 16_384
"""Longer texts are better awaited (`judge`), which lets other requests go on between pieces."""
NOTHING = Judgement(found=False)


class Place(NamedTuple):
    """Where a text stands, and in which conversation."""

    field: Field
    direction: Direction
    about: Conversation


class QuickGuard:
    """A guard that computes its verdict itself. A subclass gives steps; each takes about a millisecond.

    `steps` yields judgements: the first that found something is the verdict; where none did, the last.
    """

    is_quick = True
    reads_whole = False
    max_chars: int | None = MAX_NORMAL_CHARS

    def __init__(self, version: str) -> None:
        self.version = version

    def steps(self, text: str, place: Place, /) -> Iterator[Judgement]:
        """Judge piece by piece."""
        raise NotImplementedError

    def judge_now(self, text: str, field: Field, direction: Direction, about: Conversation) -> Judgement:
        """Judge a passage at once. Raises GuardError for a text beyond a million characters."""
        self._refuse_long(text)
        judgement = NOTHING
        for judgement in self.steps(text, Place(field, direction, about)):
            if judgement.found:
                break
        return judgement

    async def judge(self, text: str, field: Field, direction: Direction, about: Conversation) -> Judgement:
        """Judge a passage, letting the event loop go on between pieces. Raises GuardError as `judge_now` does."""
        self._refuse_long(text)
        judgement = NOTHING
        for judgement in self.steps(text, Place(field, direction, about)):
            if judgement.found:
                break
            await asyncio.sleep(0)
        return judgement

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    def _refuse_long(self, text: str) -> None:
        if self.max_chars is not None and len(text) > self.max_chars:
            raise GuardError(f"a text of {len(text)} characters is longer than this guard reads")
