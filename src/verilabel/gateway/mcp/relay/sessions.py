"""What a session carries: labels that only grow, texts that vouch for arguments, and how much it did.

A session belongs to an identity that the gateway knows (the holder of a key; on stdio the process), never to an id that
a client chose: a new connection, another server or another transport finds the same labels. They are on the disk before
a result that brought them is shown, so that a crash launders nothing. A person ends a session, or issues another key.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from verilabel.gateway.mcp.policy.interface import SessionView
from verilabel.registry.database import Database
from verilabel.registry.migrations import Step, migrate

MAX_VOUCHING_CHARS = 256 * 1024
"""Of trusted text that a session remembers; older text vouches no more, which only leads to more questions."""
MAX_PROMPT_CHARS = 64 * 1024
MAX_SESSIONS = 10_000
"""Sessions in memory; the labels of others are read again."""
STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE mcp_sessions (id TEXT PRIMARY KEY, epoch BIGINT NOT NULL, labels TEXT NOT NULL,"
        " calls BIGINT NOT NULL, changed_us BIGINT NOT NULL)",
    ),
)
_READ = "SELECT epoch, labels, calls FROM mcp_sessions WHERE id = ?"
_KEEP = (
    "INSERT INTO mcp_sessions (id, epoch, labels, calls, changed_us) VALUES (?, ?, ?, ?, now_us())"
    " ON CONFLICT (id) DO UPDATE SET labels = excluded.labels, calls = excluded.calls,"
    " changed_us = excluded.changed_us WHERE mcp_sessions.epoch = excluded.epoch"
)
_END = (
    "INSERT INTO mcp_sessions (id, epoch, labels, calls, changed_us) VALUES (?, 1, '', 0, now_us())"
    " ON CONFLICT (id) DO UPDATE SET epoch = mcp_sessions.epoch + 1, labels = '', calls = 0,"
    " changed_us = excluded.changed_us"
)
_LIST = "SELECT id, epoch, labels, calls, changed_us FROM mcp_sessions ORDER BY changed_us DESC LIMIT ?"
CALLS_KEPT_EVERY = 20
"""A crash may forget this many calls of a session's budget, and no label."""


class Session:
    """One session as the gateway works with it."""

    __slots__ = ("calls", "epoch", "identity", "in_flight", "kept_calls", "labels", "prompt", "trusted")

    def __init__(self, identity: str, epoch: int, labels: frozenset[str], calls: int) -> None:
        self.identity = identity
        self.epoch = epoch
        self.labels = labels
        self.calls = self.kept_calls = calls
        self.in_flight = 0
        self.prompt = ""
        self.trusted = ""

    @property
    def name(self) -> str:
        """As records name it."""
        return f"{self.identity}#{self.epoch}"

    @property
    def view(self) -> SessionView:
        """What a decision may know of it."""
        return SessionView(
            labels=self.labels, user_prompt=self.prompt, trusted_text=self.trusted, calls=self.calls
        )

    def vouch(self, folded: str) -> None:
        """Remember a trusted tool's text, already folded."""
        self.trusted = f"{self.trusted}\n{folded}"[-MAX_VOUCHING_CHARS:]


class Sessions:
    """All sessions, in memory and in the database (None: in memory alone, for a process that is one session)."""

    def __init__(self, database: Database | None) -> None:
        self._database = database
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Make the schema where it is not there yet."""
        if self._database is not None:
            await migrate(self._database, "mcp_sessions", STEPS)

    async def of(self, identity: str) -> Session:
        """The session of an identity, as it stands in the database. Raises DatabaseLost."""
        found = self._open.get(identity)
        if found is not None and self._database is None:
            return found
        async with self._turn:
            rows = [] if self._database is None else await self._database.fetch(_READ, (identity,))
            epoch, labels, calls = rows[0] if rows else (0, "", 0)
            kept = frozenset(str(labels).split())
            found = self._open.get(identity)
            if found is None or found.epoch != epoch:
                found = self._open[identity] = Session(identity, int(epoch), kept, int(calls))
            else:
                found.labels |= kept
            self._open.move_to_end(identity)
            self._forget_idle()
        return found

    def _forget_idle(self) -> None:
        for name in list(self._open)[: max(0, len(self._open) - MAX_SESSIONS)]:
            if self._database is not None and not self._open[name].in_flight:
                del self._open[name]

    async def add(self, session: Session, labels: Iterable[str]) -> None:
        """Give a session labels, durably. Raises DatabaseLost, after which they hold in this process all the same."""
        grown = session.labels | frozenset(labels)
        if grown != session.labels:
            session.labels = grown
            await self.keep(session)

    async def count(self, session: Session) -> None:
        """Count a call that was let through. Raises DatabaseLost."""
        session.calls += 1
        if session.calls - session.kept_calls >= CALLS_KEPT_EVERY:
            await self.keep(session)

    async def keep(self, session: Session) -> None:
        """Write a session down. Raises DatabaseLost."""
        if self._database is None:
            return
        calls = session.calls
        labels = " ".join(sorted(session.labels))
        await self._database.execute(_KEEP, (session.identity, session.epoch, labels, calls))
        session.kept_calls = calls

    async def end(self, identity: str) -> None:
        """Begin a session anew, without labels: a person's act. Raises DatabaseLost."""
        self._open.pop(identity, None)
        if self._database is not None:
            await self._database.execute(_END, (identity,))

    async def list(self, limit: int = 200) -> list[tuple[str, int, frozenset[str], int, int]]:
        """Sessions that changed last: identity, epoch, labels, calls, microseconds since 1970."""
        if self._database is None:
            return [(s.identity, s.epoch, s.labels, s.calls, 0) for s in self._open.values()]
        rows = await self._database.fetch(_LIST, (limit,))
        return [(str(r[0]), int(r[1]), frozenset(str(r[2]).split()), int(r[3]), int(r[4])) for r in rows]
