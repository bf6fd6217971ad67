"""Limits in this process: reserve and settle over counters in memory, without a lock, since nothing here waits."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from verilabel.gateway.limits.counters import PS_A_SECOND, BudgetCounters, RateCounters, SlotCounters
from verilabel.gateway.limits.exceeding import exceeded
from verilabel.gateway.limits.interface import Charge, Exceeded, Quantity, Reservation, Standing
from verilabel.gateway.limits.periods import HOLD_NS

LEASE_S = 3600.0
"""How long a request that is never settled holds its slots."""
MAX_COUNTERS = 200_000
"""Counters that are not full, of each of the three kinds; some 200 bytes each."""

MAX_USED = 10**15

_TIDY_EVERY = 8


class Open(msgspec.Struct, frozen=True, gc=False):
    """A reservation that is not settled: until when its slots are held at most, and the mark of every counter."""

    until: int
    charges: tuple[Charge, ...]
    marks: tuple[int, ...]


class MemoryLimiter:
    """Counters of limits in this process (Limiter). `len` is how many are kept.

    Clocks are arguments: `clock_ns` for rates and leases (monotonic), `wall_ns` for days and months (Unix time). Both
    may jump: time here never goes back for rates, so a jump back delays nobody, and a jump ahead gives at most one
    burst. A wall clock that goes back by an hour or less stands still; one that goes back further keeps what was
    spent for the day that it is now.

    A reservation that is not settled within `lease_s` seconds keeps what it reserved of rates and budgets and loses
    its slots. At `capacity` counters of a kind that are not full, requests that would need another one are refused.
    """

    def __init__(
        self,
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        capacity: int = MAX_COUNTERS,
        lease_s: float = LEASE_S,
    ) -> None:
        self._clock_ns = clock_ns
        self._wall_ns = wall_ns
        self._last_ns = clock_ns()
        self._shift_ns = 0
        self._last_wall_ns = wall_ns()
        self._rates = RateCounters(capacity)
        self._budgets = BudgetCounters(capacity)
        self._slots = SlotCounters(capacity)
        self._lease_ps = round(lease_s * PS_A_SECOND)
        self._open: OrderedDict[str, Open] = OrderedDict()
        self._begun = 0

    def __len__(self) -> int:
        return len(self._rates) + len(self._budgets) + len(self._slots)

    @property
    def open_reservations(self) -> int:
        """Reservations that are not settled."""
        return len(self._open)

    async def reserve(self, charges: Sequence[Charge]) -> Reservation | Exceeded:
        """Take from all counters at once, or from none."""
        now = self._now()
        self._begun = begun = self._begun + 1
        if not begun % _TIDY_EVERY:
            self._tidy(now)
        taken = self._take(charges, now)
        if taken is None:
            # what has recovered or was never settled may be what is missing
            self._tidy(now)
            taken = self._take(charges, now)
        if taken is None:
            return self._refusal(charges, now)
        standings, marks = taken
        token = str(begun)
        reservation = Reservation(tuple(charges), standings, token, now / PS_A_SECOND)
        self._open[token] = Open(now + self._lease_ps, reservation.charges, marks)
        return reservation

    async def settle(self, reservation: Reservation, used: Mapping[Quantity, int]) -> None:
        """Put the counters right; a quantity that `used` does not name was used as reserved. A second call for a
        reservation does nothing."""
        kept = self._open.pop(reservation.token, None)
        if kept is None:
            return
        now = self._now()
        for charge, mark in zip(kept.charges, kept.marks, strict=True):
            limit = charge.limit
            if limit.quantity == "concurrency":
                self._slots.end(charge)
                continue
            amount = min(max(used.get(limit.quantity, charge.amount), 0), MAX_USED)
            if amount == charge.amount:
                continue
            if limit.window_s:
                self._rates.settle(charge, mark, amount, now)
            else:
                self._budgets.settle(charge, mark, amount, self._wall())

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go."""

    def _now(self) -> int:
        now = self._clock_ns() + self._shift_ns
        if now < self._last_ns:
            self._shift_ns += self._last_ns - now
            now = self._last_ns
        self._last_ns = now
        return now * 1000

    def _wall(self) -> int:
        wall = self._wall_ns()
        last = self._last_wall_ns
        if wall < last:
            if last - wall <= HOLD_NS:
                return last
            self._budgets.follow_back(wall)
        self._last_wall_ns = wall
        return wall

    def _take(
        self, charges: Sequence[Charge], now: int
    ) -> tuple[tuple[Standing, ...], tuple[int, ...]] | None:
        standings: list[Standing] = []
        marks: list[int] = []
        for charge in charges:
            limit = charge.limit
            if limit.window_s:
                mark = self._rates.take(charge, now, standings)
            elif limit.calendar:
                mark = self._budgets.take(charge, self._wall(), standings)
            else:
                mark = self._slots.take(charge, standings)
            if mark is None:
                self._undo(charges[: len(marks)])
                return None
            marks.append(mark)
        return tuple(standings), tuple(marks)

    def _undo(self, taken: Sequence[Charge]) -> None:
        for charge in taken:
            if charge.limit.window_s:
                self._rates.undo(charge)
            elif charge.limit.calendar:
                self._budgets.undo(charge)
            else:
                self._slots.end(charge)

    def _refusal(self, charges: Sequence[Charge], now: int) -> Exceeded:
        looks = []
        for charge in charges:
            if charge.limit.window_s:
                looks.append(self._rates.look(charge, now))
            elif charge.limit.calendar:
                looks.append(self._budgets.look(charge, self._wall()))
            else:
                looks.append(self._slots.look(charge))
        return exceeded(charges, [wait for _, wait in looks], [standing for standing, _ in looks])

    def _tidy(self, now: int) -> None:
        self._rates.sweep(now)
        if len(self._budgets):
            self._budgets.sweep(self._wall())
        while self._open:
            token, oldest = next(iter(self._open.items()))
            if oldest.until > now:
                return
            del self._open[token]
            for charge in oldest.charges:
                if charge.limit.quantity == "concurrency":
                    self._slots.end(charge)
