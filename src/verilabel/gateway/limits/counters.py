"""Counters in memory: rates by GCRA, budgets by calendar, slots by lease. Times are integers, so nothing is rounded.

GCRA, the generic cell rate algorithm: ATM Forum, Traffic Management Specification 4.0 (af-tm-0056.000, 1996),
section 4.4.2, virtual scheduling; for rate limits of requests: B. Rothenberg's and others' use of one theoretical
arrival time (TAT) a counter. With an increment I = window / amount a unit and a tolerance burst * I, n units fit at a
time t if max(TAT, t) + n * I - t <= tolerance, and then TAT becomes max(TAT, t) + n * I. At most `burst` units are
taken at one time, and at most burst + amount * T / window within any time T.

A counter whose TAT has passed, whose day or month is over or whose slots are free is equal to no counter, and is
dropped. `capacity` bounds those that are left; beyond it new ones are refused, never old ones forgotten.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from verilabel.gateway.limits.exceeding import FITS, NEVER, UNKNOWN
from verilabel.gateway.limits.interface import Charge, Limit, Standing
from verilabel.gateway.limits.periods import SECOND_NS, period
from verilabel.gateway.limits.recovery import RecoveryQueue

PS_A_SECOND = 10**12
PS_A_US = 10**6
MAX_DEBT_PS = 86_400 * PS_A_SECOND
"""A reply that used more than was reserved delays what follows, but by no more than a day."""
SWEPT_AT_ONCE = 64

_MAX_GAITS = 10_000


class Gait(msgspec.Struct, frozen=True, gc=False):
    """A rate in picoseconds: `increment` a unit, rounded up, and `tolerance` for a burst."""

    increment: int
    tolerance: int


class RateCounters:
    """Theoretical arrival times by name, in picoseconds of a clock that never goes back."""

    __slots__ = ("_capacity", "_gaits", "_queue", "_tats")

    def __init__(self, capacity: int) -> None:
        self._tats: dict[str, int] = {}
        self._queue = RecoveryQueue()
        self._gaits: dict[Limit, Gait] = {}
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._tats)

    def take(self, charge: Charge, now: int, standings: list[Standing]) -> int | None:
        """Take a charge and say how the counter stands then; or nothing (None) where it does not fit.

        The TAT that it gives is what `settle` asks for."""
        limit = charge.limit
        gait = self._gaits.get(limit) or self._gait(limit)
        key = charge.key
        ahead = charge.amount * gait.increment
        tat = self._tats.get(key)
        if tat is None:
            if ahead > gait.tolerance or len(self._tats) >= self._capacity:
                return None
            self._queue.add(key, (now + ahead) // PS_A_SECOND + 1)
        else:
            if tat > now:
                ahead += tat - now
            if ahead > gait.tolerance:
                return None
        self._tats[key] = tat = now + ahead
        standings.append(Standing(limit, (gait.tolerance - ahead) // gait.increment, ahead / PS_A_SECOND))
        return tat

    def undo(self, charge: Charge) -> None:
        """Put back what was just taken. A new counter stays until it is swept, so that it is queued once."""
        self._tats[charge.key] -= charge.amount * self._gaits[charge.limit].increment

    def look(self, charge: Charge, now: int) -> tuple[Standing, int]:
        """How a counter stands, and the wait for a charge in microseconds (or FITS, NEVER, UNKNOWN)."""
        limit = charge.limit
        gait = self._gaits.get(limit) or self._gait(limit)
        tat = self._tats.get(charge.key)
        ahead = 0 if tat is None or tat < now else tat - now
        standing = Standing(limit, max(gait.tolerance - ahead, 0) // gait.increment, ahead / PS_A_SECOND)
        taken = charge.amount * gait.increment
        if taken > gait.tolerance:
            return standing, NEVER
        if tat is None and len(self._tats) >= self._capacity:
            return standing, UNKNOWN
        return standing, max(-(-(ahead + taken - gait.tolerance) // PS_A_US), FITS)

    def settle(self, charge: Charge, mark: int, used: int, now: int) -> None:
        """Give back what was not used, but no more than what has not flowed off since (`mark` is the TAT right after
        the charge): what the limit would have let through meanwhile is not saved up. Or take what was used beyond."""
        limit = charge.limit
        gait = self._gaits.get(limit) or self._gait(limit)
        tat = self._tats.get(charge.key)
        beyond = (used - charge.amount) * gait.increment
        if beyond > 0:
            if tat is None:
                self._queue.add(charge.key, now // PS_A_SECOND + 1)
            ahead = (tat - now if tat is not None and tat > now else 0) + beyond
            self._tats[charge.key] = now + min(ahead, gait.tolerance + MAX_DEBT_PS)
        elif beyond < 0 and tat is not None:
            self._tats[charge.key] = tat - min(-beyond, max(mark - now, 0))

    def sweep(self, now: int) -> None:
        """Drop a bounded number of counters that are full again."""
        second = now // PS_A_SECOND
        if self._queue.due > second:
            return
        tats = self._tats
        for key in self._queue.take(second, SWEPT_AT_ONCE):
            if tats[key] <= now:
                del tats[key]
            else:
                self._queue.add(key, tats[key] // PS_A_SECOND + 1)

    def _gait(self, limit: Limit) -> Gait:
        if len(self._gaits) >= _MAX_GAITS:
            self._gaits.clear()
        increment = -(-round(limit.window_s * PS_A_SECOND) // limit.amount)
        gait = self._gaits[limit] = Gait(increment, limit.burst * increment)
        return gait


class Budget(msgspec.Struct, gc=False):
    """What was spent in a day or month that begins at `begin` and ends at `end` (nanoseconds of Unix time)."""

    calendar: Literal["", "day", "month"]
    begin: int
    end: int
    used: int


class BudgetCounters:
    """Spent amounts by name. Times are nanoseconds of Unix time."""

    __slots__ = ("_budgets", "_capacity", "_periods", "_queue")

    def __init__(self, capacity: int) -> None:
        self._budgets: dict[str, Budget] = {}
        self._queue = RecoveryQueue()
        self._periods: dict[str, tuple[int, int]] = {"day": (0, 0), "month": (0, 0)}
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._budgets)

    def take(self, charge: Charge, wall: int, standings: list[Standing]) -> int | None:
        """Take a charge and say how the counter stands then; or nothing (None) where it does not fit.

        The begin of the period that it gives is what `settle` asks for."""
        limit = charge.limit
        begin, end = self._period(limit, wall)
        budget = self._budgets.get(charge.key)
        if budget is None:
            if len(self._budgets) >= self._capacity or charge.amount > limit.amount:
                return None
            budget = self._add(charge, begin, end)
        elif budget.begin != begin:
            _turn(budget, begin, end)
        used = budget.used + charge.amount
        if used > limit.amount:
            return None
        budget.used = used
        standings.append(Standing(limit, limit.amount - used, _seconds_up(end - wall)))
        return begin

    def undo(self, charge: Charge) -> None:
        """Put back what was just taken."""
        self._budgets[charge.key].used -= charge.amount

    def look(self, charge: Charge, wall: int) -> tuple[Standing, int]:
        """How a counter stands, and the wait for a charge in microseconds (or FITS, NEVER, UNKNOWN)."""
        limit = charge.limit
        begin, end = self._period(limit, wall)
        budget = self._budgets.get(charge.key)
        used = 0 if budget is None or budget.begin < begin else budget.used
        standing = Standing(limit, max(limit.amount - used, 0), _seconds_up(end - wall))
        if charge.amount > limit.amount:
            return standing, NEVER
        if budget is None and len(self._budgets) >= self._capacity:
            return standing, UNKNOWN
        return standing, -(-(end - wall) // 1000) if used + charge.amount > limit.amount else FITS

    def settle(self, charge: Charge, mark: int, used: int, wall: int) -> None:
        """Put right what was spent, where the period in which it was reserved (`mark`) has not ended."""
        begin, end = self._period(charge.limit, wall)
        if mark != begin or used == charge.amount:
            return
        budget = self._budgets.get(charge.key)
        if budget is None:
            budget = self._add(charge, begin, end)
        elif budget.begin != begin:
            _turn(budget, begin, end)
        budget.used = max(budget.used + used - charge.amount, 0)

    def sweep(self, wall: int) -> None:
        """Drop a bounded number of counters whose day or month is over."""
        second = wall // SECOND_NS
        if self._queue.due > second:
            return
        budgets = self._budgets
        for key in self._queue.take(second, SWEPT_AT_ONCE):
            if budgets[key].end <= wall:
                del budgets[key]
            else:
                self._queue.add(key, budgets[key].end // SECOND_NS)

    def follow_back(self, wall: int) -> None:
        """The wall clock went far back: what was spent stands in the day or month that it is now."""
        self._queue.clear()
        for key, budget in self._budgets.items():
            begin, end = period(budget.calendar, wall)
            if budget.begin != begin:
                _turn(budget, begin, end)
            self._queue.add(key, budget.end // SECOND_NS)

    def _add(self, charge: Charge, begin: int, end: int) -> Budget:
        budget = self._budgets[charge.key] = Budget(charge.limit.calendar, begin, end, 0)
        self._queue.add(charge.key, end // SECOND_NS)
        return budget

    def _period(self, limit: Limit, wall: int) -> tuple[int, int]:
        begin, end = self._periods[limit.calendar]
        if not begin <= wall < end:
            begin, end = self._periods[limit.calendar] = period(limit.calendar, wall)
        return begin, end


def _turn(budget: Budget, begin: int, end: int) -> None:
    # a period that lies behind begins with nothing spent; one that was ahead was a clock's error, and what was spent
    # in it counts, so that a clock that goes back opens nothing and one that went ahead locks nothing
    if budget.begin < begin:
        budget.used = 0
    budget.begin = begin
    budget.end = end


def _seconds_up(ns: int) -> float:
    return -(-ns // 1000) / 1e6


class SlotCounters:
    """Slots that are held, by name."""

    __slots__ = ("_capacity", "_held")

    def __init__(self, capacity: int) -> None:
        self._held: dict[str, int] = {}
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._held)

    def take(self, charge: Charge, standings: list[Standing]) -> int | None:
        """Take a slot and say how many are left; or nothing (None) where none is free."""
        limit = charge.limit
        held = self._held.get(charge.key, 0)
        if held >= limit.amount or (not held and len(self._held) >= self._capacity):
            return None
        self._held[charge.key] = held = held + 1
        standings.append(Standing(limit, limit.amount - held, 0.0))
        return held

    def look(self, charge: Charge) -> tuple[Standing, int]:
        """How a counter stands, and whether a slot is free (FITS) or not (UNKNOWN)."""
        limit = charge.limit
        held = self._held.get(charge.key, 0)
        fits = held < limit.amount and (held > 0 or len(self._held) < self._capacity)
        return Standing(limit, max(limit.amount - held, 0), 0.0), FITS if fits else UNKNOWN

    def end(self, charge: Charge) -> None:
        """Free a slot that is held."""
        held = self._held[charge.key] - 1
        if held:
            self._held[charge.key] = held
        else:
            del self._held[charge.key]
