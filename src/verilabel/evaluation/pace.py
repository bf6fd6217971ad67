"""How many questions are in flight: additive increase, multiplicative decrease on the provider's push-back."""

from __future__ import annotations

import asyncio
import random
from types import TracebackType

BACKOFF_BASE_S = 0.5
BACKOFF_MOST_S = 60.0
DECREASE = 0.7


class Pace:
    """A limit of questions in flight that starts at `most`, shrinks on push-back and grows again on success."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._in_flight = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._shrunk_at = 0
        self._finished = 0

    @property
    def limit(self) -> int:
        """Questions that may be in flight now."""
        return max(1, int(self._limit))

    @property
    def in_flight(self) -> int:
        """Questions in flight now."""
        return self._in_flight

    async def __aenter__(self) -> Pace:
        while self._in_flight >= self.limit:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._in_flight += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight -= 1
        self._finished += 1
        self._wake()

    def note_success(self) -> None:
        """An answer came: allow about one more per full round of answers."""
        if self._limit < self._most:
            self._limit = min(self._most, self._limit + 1 / self._limit)

    def note_push_back(self) -> None:
        """The provider pushed back (429, 503, time-out): shrink, at most once per round of answers."""
        if self._finished - self._shrunk_at >= self.limit or self._shrunk_at == 0:
            self._limit = max(1.0, self._limit * DECREASE)
            self._shrunk_at = max(1, self._finished)

    def _wake(self) -> None:
        free = self.limit - self._in_flight
        while free > 0 and self._waiting:
            turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                free -= 1


def backoff_s(attempt: int, retry_after_s: float | None) -> float:
    """Seconds to wait before attempt `attempt` + 1: what the provider asked for, else exponential with jitter."""
    wait = min(BACKOFF_MOST_S, BACKOFF_BASE_S * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
    return min(BACKOFF_MOST_S, max(wait, retry_after_s)) if retry_after_s else wait
