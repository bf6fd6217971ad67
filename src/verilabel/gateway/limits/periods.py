"""Days and months of UTC as spans of the wall clock, for budgets that begin anew at midnight or on the first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
HOLD_NS = 3600 * SECOND_NS
"""A wall clock that goes back by no more than this is taken to stand still, so that no midnight comes twice."""


def period(calendar: Literal["", "day", "month"], wall_ns: int) -> tuple[int, int]:
    """Begin and end of the day or month around a moment, in nanoseconds of Unix time (UTC, without leap seconds)."""
    if calendar == "day":
        begin = wall_ns - wall_ns % DAY_NS
        return begin, begin + DAY_NS
    day = datetime.fromtimestamp(wall_ns // SECOND_NS, UTC)
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    begin = int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp())
    return begin * SECOND_NS, int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * SECOND_NS
