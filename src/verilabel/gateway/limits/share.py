"""One process's share of limits that several processes hold together without a shared store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from verilabel.gateway.limits.interface import Charge, Exceeded, Limit, Quantity, Reservation
from verilabel.gateway.limits.memory import MemoryLimiter

_MAX_SHARES = 10_000


class ShareLimiter:
    """Gives this process 1/workers of every limit (Limiter), counted in memory.

    It approximates: no process knows of the others, so a client whose requests all meet one process gets that one's
    share. The shares add up to no more than the limit, with two exceptions. A request larger than the share of a burst
    is let in where that share is unused, up to the whole burst: all processes together can let in as many bursts as
    they are, once, and no more than the rate afterwards. And every process has at least one slot of a concurrency.
    """

    def __init__(self, workers: int, memory: MemoryLimiter | None = None) -> None:
        self._workers = max(workers, 1)
        self._memory = MemoryLimiter() if memory is None else memory
        self._shares: dict[Limit, Limit] = {}

    async def reserve(self, charges: Sequence[Charge]) -> Reservation | Exceeded:
        """Take this process's share from all counters, or from none."""
        shared = [Charge(self._share(charge), charge.key, charge.amount) for charge in charges]
        answer = await self._memory.reserve(shared)
        if isinstance(answer, Reservation):
            return answer
        first = next(i for i, charge in enumerate(shared) if charge is answer.charge)
        return Exceeded(charges[first], answer.retry_after_s, answer.standings)

    async def settle(self, reservation: Reservation, used: Mapping[Quantity, int]) -> None:
        """Put the counters right."""
        await self._memory.settle(reservation, used)

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go."""

    def _share(self, charge: Charge) -> Limit:
        limit = charge.limit
        share = self._shares.get(limit)
        if share is None:
            if len(self._shares) >= _MAX_SHARES:
                self._shares.clear()
            share = self._shares[limit] = self._divide(limit)
        if limit.window_s and share.burst < charge.amount <= limit.burst:
            return msgspec.structs.replace(share, burst=charge.amount)
        return share

    def _divide(self, limit: Limit) -> Limit:
        workers = self._workers
        if limit.window_s:
            return msgspec.structs.replace(
                limit, window_s=limit.window_s * workers, burst=-(-limit.burst // workers)
            )
        if limit.calendar:
            return msgspec.structs.replace(limit, amount=limit.amount // workers)
        return msgspec.structs.replace(limit, amount=max(limit.amount // workers, 1))
