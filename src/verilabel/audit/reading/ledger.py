"""What reading a shard counts beside the texts: rows, repaired documents, and what could not be read."""

from __future__ import annotations

from verilabel.audit.reading.interface import Unread
from verilabel.audit.reading.reasons import REASONS

MOST_ENTRIES = 10_000
"""Stretches of unread rows that a shard names one by one; beyond, there is one entry a reason with their number."""


class Ledger:
    """Counts of one shard."""

    def __init__(self) -> None:
        self.rows = 0
        self.repaired = 0
        self._entries: list[Unread] = []
        self._beyond: dict[str, Unread] = {}

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read, by rising rows; neighbours with one reason are one entry."""
        return tuple(sorted([*self._entries, *self._beyond.values()], key=lambda entry: entry.row))

    def miss(self, row: int, reason: str, count: int = 1, stored: int = 0) -> None:
        """Note `count` unread documents from a row on, and the stored bytes that nobody read."""
        assert reason in REASONS
        last = self._entries[-1] if self._entries else None
        if not self._beyond and last is not None and _adjoins(last, row, reason, count):
            self._entries[-1] = Unread(last.row, reason, last.count + count, last.bytes + stored)
        elif not self._beyond and len(self._entries) < MOST_ENTRIES:
            self._entries.append(Unread(row, reason, count, stored))
        else:
            before = self._beyond.get(reason, Unread(row, reason, 0, 0))
            self._beyond[reason] = Unread(before.row, reason, before.count + count, before.bytes + stored)


def _adjoins(last: Unread, row: int, reason: str, count: int) -> bool:
    return last.reason == reason and count > 0 and last.count > 0 and last.row + last.count == row
