"""The end of what can be read of a shard, before its end."""

from __future__ import annotations


class Torn(Exception):
    """The rest of a shard cannot be read. Never leaves the package: it becomes an entry of `unread`.

    `stored` are the stored bytes that nobody read, where that is known.
    """

    def __init__(self, reason: str, stored: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.stored = stored
