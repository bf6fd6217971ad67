"""Connections of the older protocol by key: one key cannot take all that the gateway keeps open.

Since 2025-03-26 a client over HTTP opens a session by `initialize` and names it from then on; the gateway keeps it
until it ends or is idle. These are connections: labels belong to the key, whichever session a call comes by.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_OF_ONE = 100
"""Open sessions of one key."""
IDLE_S = 30 * 60.0
"""After so long without a request the protocol library closes a session."""


class SessionShares:
    """Who has how many sessions open."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: dict[str, OrderedDict[str, float]] = {}

    def has_room(self, holder: str) -> bool:
        """True if a key may open one more."""
        used = self._used.get(holder)
        if used is None:
            return True
        while used and next(iter(used.values())) < self._clock() - IDLE_S:
            used.popitem(last=False)
        return len(used) < MAX_OF_ONE

    def note(self, holder: str, session: str) -> None:
        """A request by a session of this key was served."""
        used = self._used.setdefault(holder, OrderedDict())
        used[session] = self._clock()
        used.move_to_end(session)

    def forget(self, holder: str, session: str) -> None:
        """A session ended, or was not there."""
        used = self._used.get(holder)
        if used is not None:
            used.pop(session, None)
            if not used:
                del self._used[holder]
