"""Telling the operator why a guard could not look: at most once a minute each, without any text it was to look at."""

from __future__ import annotations

import logging
import time

from verilabel.gateway.guards.interface import GuardError

EVERY_S = 60.0
_log = logging.getLogger("verilabel.gateway.guards")


class FaultNotes:
    """Remembers when each guard's fault was told last, and how many were not told since."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def note(self, guard: str, error: BaseException) -> None:
        """Tell, or count, that a guard could not look. The words of our own errors hold no content."""
        now = time.monotonic()
        if now - self._told.get(guard, -EVERY_S) < EVERY_S:
            self._untold[guard] = self._untold.get(guard, 0) + 1
            return
        self._told[guard] = now
        untold = self._untold.pop(guard, 0)
        reason = str(error) if isinstance(error, GuardError) else type(error).__name__
        more = f" ({untold} more in between)" if untold else ""
        _log.warning("the guard %s could not look: %s%s", guard, reason, more)


FAULTS = FaultNotes()
"""Of this process."""
