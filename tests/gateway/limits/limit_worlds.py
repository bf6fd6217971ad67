"""Limits, charges and clocks for tests of limits."""

from __future__ import annotations

from dataclasses import dataclass

from verilabel.gateway.limits.interface import Charge, Exceeded, Limit, Reservation
from verilabel.gateway.limits.memory import MemoryLimiter

SECOND_NS = 1_000_000_000


@dataclass
class Clocks:
    """A monotonic and a wall clock that stand still until they are moved (nanoseconds)."""

    monotonic: int = 5_000 * SECOND_NS
    wall: int = 1_790_000_000 * SECOND_NS

    def advance(self, ns: int) -> None:
        """Let time pass on both."""
        self.monotonic += ns
        self.wall += ns

    def advance_s(self, seconds: float) -> None:
        """Let seconds pass, to the microsecond."""
        self.advance(round(seconds * 1e6) * 1000)

    def limiter(self, **settings: float) -> MemoryLimiter:
        """A limiter that reads these clocks."""
        return MemoryLimiter(clock_ns=lambda: self.monotonic, wall_ns=lambda: self.wall, **settings)  # type: ignore[arg-type]


def rate(amount: int, window_s: float = 60.0, burst: int | None = None, *, id: str = "rate") -> Limit:
    """A rate of requests."""
    return Limit(
        id=id, quantity="requests", amount=amount, window_s=window_s, burst=amount if burst is None else burst
    )


def tokens(amount: int, window_s: float = 60.0, burst: int | None = None, *, id: str = "tokens") -> Limit:
    """A rate of tokens."""
    return Limit(
        id=id, quantity="tokens", amount=amount, window_s=window_s, burst=amount if burst is None else burst
    )


def budget(amount: int, calendar: str = "day", *, id: str = "budget") -> Limit:
    """A calendar budget of cost."""
    return Limit(id=id, quantity="cost", amount=amount, calendar=calendar)  # type: ignore[arg-type]


def at_once(amount: int, *, id: str = "slots") -> Limit:
    """A number at once."""
    return Limit(id=id, quantity="concurrency", amount=amount)


def take(limit: Limit, amount: int = 1, who: str = "somebody") -> Charge:
    """A charge on a limit's counter for somebody."""
    return Charge(limit, f"{limit.id};key={who}", amount)


def reserved(answer: Reservation | Exceeded) -> Reservation:
    """The answer, which must be a reservation."""
    assert isinstance(answer, Reservation), answer
    return answer


def refused(answer: Reservation | Exceeded) -> Exceeded:
    """The answer, which must be a refusal."""
    assert isinstance(answer, Exceeded), answer
    return answer
