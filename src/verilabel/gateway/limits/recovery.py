"""Names of counters by the second in which they are expected to be full again and can be forgotten."""

from __future__ import annotations

import heapq

NEVER = 1 << 62


class RecoveryQueue:
    """Buckets of names by second. Every counter has one entry; an entry is looked at again when its second has
    passed, so that a charge on a counter that exists costs nothing here."""

    __slots__ = ("_buckets", "_seconds", "due")

    def __init__(self) -> None:
        self._buckets: dict[int, list[str]] = {}
        self._seconds: list[int] = []
        self.due = NEVER
        """The first second at which something can be looked at."""

    def add(self, name: str, second: int) -> None:
        """Look at `name` once `second` has come."""
        bucket = self._buckets.get(second)
        if bucket is not None:
            bucket.append(name)
            return
        self._buckets[second] = [name]
        heapq.heappush(self._seconds, second)
        self.due = self._seconds[0]

    def take(self, second: int, at_most: int) -> list[str]:
        """Names whose second has come by `second`, no more than `at_most` of them; they are no longer kept here."""
        names: list[str] = []
        while self._seconds and self._seconds[0] <= second and len(names) < at_most:
            bucket = self._buckets[self._seconds[0]]
            room = at_most - len(names)
            names += bucket[-room:]
            del bucket[-room:]
            if not bucket:
                del self._buckets[heapq.heappop(self._seconds)]
        self.due = self._seconds[0] if self._seconds else NEVER
        return names

    def clear(self) -> None:
        """Forget all entries."""
        self._buckets.clear()
        self._seconds.clear()
        self.due = NEVER
