"""Whether an upstream is worth asking: after failures in a row it rests, and one request at a time tries it again."""

from __future__ import annotations

FAILURES_UNTIL_REST = 3
FIRST_REST_S = 2.0
LONGEST_REST_S = 60.0


class Health:
    """The standing of one upstream. Times are of a monotonic clock, in seconds."""

    __slots__ = ("_failures", "_rest_s", "_rests_until", "_trying")

    def __init__(self) -> None:
        self._failures = 0
        self._rest_s = 0.0
        self._rests_until = 0.0
        self._trying = False

    def may_ask(self, now: float) -> bool:
        """True if the upstream may be asked; after a rest, for one request until that one has ended."""
        if self._failures < FAILURES_UNTIL_REST:
            return True
        if now < self._rests_until or self._trying:
            return False
        self._trying = True
        return True

    def note_success(self) -> None:
        """It answered."""
        if self._failures:
            self._failures = 0
            self._rest_s = 0.0
            self._trying = False

    def note_failure(self, now: float) -> None:
        """It failed in a way that is its own fault."""
        self._failures += 1
        self._trying = False
        if self._failures >= FAILURES_UNTIL_REST:
            self._rest_s = min(LONGEST_REST_S, self._rest_s * 2 or FIRST_REST_S)
            self._rests_until = now + self._rest_s

    def note_abandoned(self) -> None:
        """The client went away before it was known: the next request may try."""
        self._trying = False

    @property
    def is_resting(self) -> bool:
        """True while failures in a row keep requests away from it."""
        return self._failures >= FAILURES_UNTIL_REST
