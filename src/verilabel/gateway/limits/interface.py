"""What limits give the pipeline: reserve before, settle after, and an honest time to come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

Quantity = Literal["requests", "tokens", "cost", "concurrency"]


class Limit(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """A compiled limit: `amount` units every `window_s` seconds by GCRA with `burst` units at once; or a calendar
    budget (`calendar`), or a number at once (`concurrency`, no window). Cost counts in whole microdollars."""

    id: str
    quantity: Quantity
    amount: int
    window_s: float = 0.0
    burst: int = 0
    calendar: Literal["", "day", "month"] = ""


class Charge(msgspec.Struct, frozen=True):
    """What one request takes from one limit: `key` names the counter (limit id and who shares it)."""

    limit: Limit
    key: str
    amount: int


class Standing(msgspec.Struct, frozen=True):
    """How a counter stands after a reservation: for the usual response headers."""

    limit: Limit
    remaining: int
    reset_s: float


class Reservation(msgspec.Struct, frozen=True):
    """What was taken and must be settled. `token` is the store's own."""

    charges: tuple[Charge, ...]
    standings: tuple[Standing, ...] = ()
    token: str = ""
    at: float = 0.0


class Exceeded(msgspec.Struct, frozen=True):
    """The first limit that a request does not fit under, and when it would (None: never, it is larger than the
    limit itself; or the wait is not known, as for concurrency)."""

    charge: Charge
    retry_after_s: float | None
    standings: tuple[Standing, ...] = ()


class LimitsLost(Exception):
    """The shared store cannot be asked."""


class Limiter(Protocol):
    """Counters of limits, in this process or shared. All charges of a request are taken, or none."""

    async def reserve(self, charges: Sequence[Charge]) -> Reservation | Exceeded:
        """Take from all counters at once. Raises LimitsLost."""
        ...

    async def settle(self, reservation: Reservation, used: Mapping[Quantity, int]) -> None:
        """Put the counters right: give back what was not used, take what was used beyond, end concurrency.

        Never raises: what cannot be settled now is tried again, and expires by itself.
        """
        ...

    async def open(self) -> None:
        """Connect. Raises VerilabelError."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...
