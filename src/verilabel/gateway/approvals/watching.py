"""Who waits for a change of an approval: woken at once by this worker, within half a second by the others.

One task asks the database for all who wait here: changes since the last number, and whether a deadline has passed. Its
ticks also keep the database's clock moving while anything waits, so that a clock set back afterwards revives nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from verilabel.errors import LimitExceeded
from verilabel.gateway.approvals import statements
from verilabel.registry.database import Database

POLL_S = 0.5
MAX_BACKLOG = 1000
"""Changes that a reader may leave unread before it is told to start anew."""
MAX_READERS = 200
_PAGE = 500
_AFTER_ALL = "~"
"""Sorts behind every id of an approval."""

_log = logging.getLogger("verilabel.gateway.approvals")


class Change(msgspec.Struct, frozen=True):
    """That an approval changed, and to what."""

    approval: str
    state: str
    number: int


class Watch:
    """The changes of one queue. A queue that never held or waited for anything asks nothing of the database."""

    def __init__(self, database: Database, expire: Callable[[], Awaitable[int]]) -> None:
        self._database = database
        self._expire = expire
        self._seen: tuple[int, str] | None = None
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._readers: set[asyncio.Queue[Change | None]] = set()
        self._polling: asyncio.Task[None] | None = None
        self._is_closed = False

    def start(self) -> None:
        """Look at the database from now on, also for deadlines: a queue that holds an action calls it."""
        if self._polling is None and not self._is_closed:
            self._polling = asyncio.create_task(self._keep_polling(), name="approvals")

    async def begin(self) -> None:
        """Look from now on: every change that is committed after this returns will be told. Raises DatabaseLost.

        Who waits begins first and looks at the approval afterwards; the other way round a change could fall between.
        """
        await self._begin()
        self.start()

    async def _begin(self) -> tuple[int, str]:
        if self._seen is None:
            rows = await self._database.fetch(statements.LAST_CHANGE)
            found = (int(rows[0][0]), _AFTER_ALL)
            self._seen = found if self._seen is None else min(self._seen, found)
        return self._seen

    async def close(self) -> None:
        """Stop looking and wake everybody."""
        self._is_closed = True
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling
            self._polling = None
        for events in self._waiting.values():
            for event in events:
                event.set()
        for reader in list(self._readers):
            self._end(reader)

    def note(self, change: Change) -> None:
        """Wake whom a change of this worker concerns."""
        if change.state != "pending":
            for event in self._waiting.get(change.approval, ()):
                event.set()
        for reader in list(self._readers):
            if reader.full():
                self._end(reader)
            else:
                reader.put_nowait(change)

    @contextmanager
    def waiting_for(self, approval: str) -> Iterator[Callable[[float], Awaitable[None]]]:
        """Wait for an approval to leave `pending`: what is given waits so many seconds at most. `begin` comes first."""
        event = asyncio.Event()
        self._waiting.setdefault(approval, set()).add(event)

        async def changed(timeout_s: float) -> None:
            if self._is_closed:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await event.wait()

        try:
            yield changed
        finally:
            events = self._waiting[approval]
            events.discard(event)
            if not events:
                del self._waiting[approval]

    @property
    def is_full(self) -> bool:
        """True if nobody else can read the changes now."""
        return len(self._readers) >= MAX_READERS

    @contextmanager
    def reading(self) -> Iterator[asyncio.Queue[Change | None]]:
        """All changes from now on, in order; None ends them, where a reader was too slow or the watch ended.

        `begin` comes first. A change of this worker may come twice. Raises LimitExceeded where too many read already.
        """
        if self.is_full:
            raise LimitExceeded(f"{MAX_READERS} read the changes already")
        reader: asyncio.Queue[Change | None] = asyncio.Queue(MAX_BACKLOG)
        if self._is_closed:
            self._end(reader)
        else:
            self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def _end(self, reader: asyncio.Queue[Change | None]) -> None:
        self._readers.discard(reader)
        if reader.full():
            reader.get_nowait()
        reader.put_nowait(None)

    async def _keep_polling(self) -> None:
        is_lost = False
        while True:
            try:
                await self._poll()
                if is_lost:
                    _log.warning("the approvals can be read again")
                is_lost = False
            except (
                Exception
            ) as error:  # whatever it is: who waits asks for himself at his timeout, and is refused
                if not is_lost:
                    _log.error("the approvals cannot be read: %s", type(error).__name__)
                is_lost = True
            await asyncio.sleep(POLL_S)

    async def _poll(self) -> None:
        seen = await self._begin()
        if await self._database.fetch(statements.ANY_OPEN):
            await self._expire()
        while rows := await self._database.fetch(statements.CHANGES, (*seen, _PAGE)):
            for number, approval, state in rows:
                self.note(Change(approval, state, number))
            seen = self._seen = (rows[-1][0], rows[-1][1])
