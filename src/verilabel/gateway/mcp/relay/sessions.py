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
from verilabel.gateway.mcp.policy.provenance import MAX_VOUCHING_CHARS, keep_end
from verilabel.registry.database import Database, Row
from verilabel.registry.migrations import Step, migrate

MAX_PROMPT_CHARS = 64 * 1024
MAX_SESSIONS = 10_000
"""Sessions in memory; the labels of others are read again."""
STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE mcp_sessions (id TEXT PRIMARY KEY, epoch BIGINT NOT NULL, labels TEXT NOT NULL,"
        " calls BIGINT NOT NULL, changed_us BIGINT NOT NULL)",
    ),
    (
        "CREATE TABLE mcp_session_labels (id TEXT NOT NULL, epoch BIGINT NOT NULL, label TEXT NOT NULL,"
        " PRIMARY KEY (id, epoch, label))",
        "INSERT INTO mcp_session_labels (id, epoch, label) SELECT id, epoch, labels FROM mcp_sessions"
        " WHERE labels <> ''",
    ),
)
"""Labels are rows of their own, so that writers that know nothing of each other only ever add. Step 2 brings the words
of a session over as they stood, several in one row; `_READ` takes them apart."""
_READ = (
    "SELECT s.epoch, s.calls, l.label FROM mcp_sessions s LEFT JOIN mcp_session_labels l"
    " ON l.id = s.id AND l.epoch = s.epoch WHERE s.id = ?"
)
_EPOCH = "SELECT epoch FROM mcp_sessions WHERE id = ?"
_TOUCH = (
    "INSERT INTO mcp_sessions (id, epoch, labels, calls, changed_us) VALUES (?, 0, '', 0, now_us())"
    " ON CONFLICT (id) DO UPDATE SET changed_us = excluded.changed_us"
)
_ADD = (
    "INSERT INTO mcp_session_labels (id, epoch, label) SELECT id, epoch, ? FROM mcp_sessions WHERE id = ?"
    " ON CONFLICT (id, epoch, label) DO NOTHING"
)
_COUNT = "UPDATE mcp_sessions SET calls = calls + ?, changed_us = now_us() WHERE id = ? AND epoch = ?"
_END = (
    "INSERT INTO mcp_sessions (id, epoch, labels, calls, changed_us) VALUES (?, 1, '', 0, now_us())"
    " ON CONFLICT (id) DO UPDATE SET epoch = mcp_sessions.epoch + 1, labels = '', calls = 0,"
    " changed_us = excluded.changed_us"
)
_LIST = (
    "SELECT s.id, s.epoch, s.calls, s.changed_us, l.label FROM (SELECT * FROM mcp_sessions"
    " ORDER BY changed_us DESC LIMIT ?) s LEFT JOIN mcp_session_labels l ON l.id = s.id AND l.epoch = s.epoch"
    " ORDER BY s.changed_us DESC, s.id"
)
SessionRow = tuple[str, int, frozenset[str], int, int]
CALLS_KEPT_EVERY = 20
"""A crash may forget this many calls of a session's budget, and no label."""


class Session:
    """One session as the gateway works with it."""

    __slots__ = (
        "calls",
        "epoch",
        "identity",
        "in_flight",
        "kept",
        "labels",
        "prompt",
        "trusted",
        "uncounted",
    )

    def __init__(self, identity: str, epoch: int, labels: frozenset[str], calls: int) -> None:
        self.identity = identity
        self.epoch = epoch
        self.labels = self.kept = labels
        """Labels that hold here, and those of them that are on the disk."""
        self.calls = calls
        self.uncounted = 0
        """Of the calls, those that are not on the disk yet."""
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
        self.trusted = keep_end(f"{self.trusted}\n{folded}", MAX_VOUCHING_CHARS)


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
            epoch, calls = (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)
            kept = frozenset(word for row in rows for word in str(row[2] or "").split())
            found = self._open.get(identity)
            if found is None or found.epoch != epoch:
                found = self._open[identity] = Session(identity, epoch, kept, calls)
            else:
                found.kept |= kept
                found.labels |= kept
                found.calls = max(found.calls, calls + found.uncounted)
            self._open.move_to_end(identity)
            self._forget_idle()
        return found

    def _forget_idle(self) -> None:
        for name in list(self._open)[: max(0, len(self._open) - MAX_SESSIONS)]:
            if self._database is not None and not self._open[name].in_flight:
                del self._open[name]

    async def add(self, session: Session, labels: Iterable[str]) -> None:
        """Give a session labels; they are on the disk when this returns.

        Where the session was ended meanwhile, the one that began after it gets them: what a call brings reaches the
        agent all the same. Raises DatabaseLost, after which they hold in this process, and are written with the next
        call that brings them.
        """
        wanted = frozenset(labels)
        session.labels |= wanted
        if not wanted or self._database is None:
            return
        if wanted <= session.kept:
            rows = await self._database.fetch(_EPOCH, (session.identity,))
            if rows and int(rows[0][0]) == session.epoch:
                return
        async with self._database.transaction() as transaction:
            await transaction.execute(_TOUCH, (session.identity,))
            for label in sorted(wanted):
                await transaction.execute(_ADD, (label, session.identity))
        session.kept |= wanted

    async def count(self, session: Session) -> None:
        """Count a call that was let through. Raises DatabaseLost."""
        session.calls += 1
        session.uncounted += 1
        if self._database is None or session.uncounted < CALLS_KEPT_EVERY:
            return
        counted = session.uncounted
        session.uncounted = 0
        async with self._database.transaction() as transaction:
            await transaction.execute(_TOUCH, (session.identity,))
            await transaction.execute(_COUNT, (counted, session.identity, session.epoch))

    async def end(self, identity: str) -> None:
        """Begin a session anew, without labels: a person's act. Raises DatabaseLost."""
        self._open.pop(identity, None)
        if self._database is not None:
            await self._database.execute(_END, (identity,))

    async def list(self, limit: int = 200) -> list[SessionRow]:
        """Sessions that changed last: identity, epoch, labels, calls, microseconds since 1970."""
        if self._database is None:
            return [(s.identity, s.epoch, s.labels, s.calls, 0) for s in self._open.values()]
        return _read_rows(await self._database.fetch(_LIST, (limit,)))


def _read_rows(rows: Iterable[Row]) -> list[SessionRow]:
    found: dict[str, SessionRow] = {}
    for name, epoch, calls, changed, label in rows:
        labels = found[name][2] if name in found else frozenset()
        words = labels | frozenset(str(label or "").split())
        found[name] = (str(name), int(epoch), words, int(calls), int(changed))
    return [*found.values()]
