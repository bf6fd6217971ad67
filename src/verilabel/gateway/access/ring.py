"""The keys in force in memory: found by their digest in about a microsecond, renewed when the database changes.

A ring asks the database twice a second whether any key changed. While the database cannot be asked it stays as it was,
for a bounded time; then it knows nobody, until the database is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from verilabel.errors import UsageError
from verilabel.gateway.access.interface import Holder
from verilabel.gateway.access.store import KeyStore
from verilabel.gateway.access.tokens import MAX_TOKEN_CHARS, token_hash

POLL_S = 0.4
ANSWER_S = 5.0
"""How long one look at the database may take."""
DEFAULT_STALE_AFTER_S = 60.0

_log = logging.getLogger("verilabel.gateway.access")


class CachedKeyRing:
    """The `KeyRing` of one worker. Call `open` first; it raises where the keys cannot be read at all.

    A key that was seen to have expired stays unknown, also where the machine's clock is set back afterwards.
    """

    def __init__(self, store: KeyStore, *, stale_after_s: float = DEFAULT_STALE_AFTER_S) -> None:
        if not 0 < stale_after_s <= 3600:
            raise UsageError("the ring's patience is above 0 and at most an hour", where="stale_after_s")
        self._store = store
        self._stale_after_s = stale_after_s
        self._holders: dict[bytes, Holder] = {}
        self._number = 0
        self._stale_at = 0.0
        self._renewing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def find(self, token: str) -> Holder | None:
        """The holder of a token that is in force now, or None."""
        if len(token) > MAX_TOKEN_CHARS:
            return None
        hashed = token_hash(token)
        holder = self._holders.get(hashed)
        if holder is None or time.monotonic() >= self._stale_at:
            return None
        if holder.expires_us is not None and time.time_ns() >= holder.expires_us * 1000:
            del self._holders[hashed]
            return None
        return holder

    @property
    def is_stale(self) -> bool:
        """True while the database was out of reach for too long: nobody is known then."""
        return time.monotonic() >= self._stale_at

    def __len__(self) -> int:
        return len(self._holders)

    async def open(self) -> None:
        """Read the keys and keep reading what changes. Raises DatabaseLost."""
        await self.renew()
        self._renewing = asyncio.create_task(self._keep_renewing(), name="key ring")

    async def close(self) -> None:
        """Stop reading."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
            self._renewing = None

    async def renew(self) -> None:
        """See what changed, now: for whoever has just changed a key. Raises DatabaseLost."""
        async with self._turn:  # of two answers the older may come last, and would put back what was revoked
            await self._renew()

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        last = await self._store.last_change()
        if last < self._number:  # an older copy of the database was put in its place
            self._holders.clear()
            self._number = 0
        changes = await self._store.changes_since(self._number) if last != self._number else []
        for change in changes:
            if change.is_in_force:
                self._holders[change.hash] = change.holder
            else:
                self._holders.pop(change.hash, None)
            self._number = max(self._number, change.number)
        self._stale_at = asked_at + self._stale_after_s

    async def _keep_renewing(self) -> None:
        is_lost = False
        while True:
            await asyncio.sleep(POLL_S)
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self.renew()
                if is_lost:
                    _log.warning("the keys can be read again")
                is_lost = False
            except Exception as error:  # whatever it is, the ring goes stale in its time and tries again
                if not is_lost:
                    _log.error("the keys cannot be read: %s", type(error).__name__)
                is_lost = True
