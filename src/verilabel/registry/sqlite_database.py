"""A database in one SQLite file: one thread that writes, one that reads, durable on commit, private to its owner."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

from verilabel.errors import MalformedInput, UsageError
from verilabel.registry.interface import DatabaseConflict, DatabaseLost, Row, Value

BUSY_TIMEOUT_S = 10.0
TURN_TIMEOUT_S = 15.0
_NOW_US = "CAST((julianday('now') - 2440587.5) * 86400000000 AS BIGINT)"
"""Microseconds since 1970 by the machine's clock; a double of days resolves some 40 of them."""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_T = TypeVar("_T")


@lru_cache(maxsize=512)
def _for_sqlite(sql: str) -> str:
    return sql.replace("now_us()", _NOW_US)


class SqliteDatabase:
    """One file in WAL mode. Transactions of this process queue here; those of others wait in SQLite, bounded.

    Threads do the work, so that no disk stops the event loop; a statement that was begun is finished even where its
    caller was cancelled, and the transaction is undone after it.
    """

    kind: Literal["sqlite"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="database writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="database reader")
        self._turn = asyncio.Lock()
        self._is_closed = False

    @classmethod
    async def open(cls, path: Path) -> SqliteDatabase:
        """Open a file, made with mode 0600 where there is none.

        Raises UsageError where it cannot be used or others can read it, MalformedInput where it is no database.
        """
        database = cls(path)
        try:
            await database._on(database._writer, database._connect_writer)
            await database._on(database._reader, database._connect_reader)
        except BaseException:
            database._stop_threads()
            raise
        return database

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """The rows of a statement that only reads: the reader's connection can change nothing."""
        return await self._on(self._reader, lambda: self._run(self._reading, sql, params)[0])

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run one statement as a transaction of its own; how many rows it changed."""
        async with self._own_turn():
            return await self._on(self._writer, lambda: self._run(self._writing, sql, params)[1])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqliteTransaction]:
        """Statements that are committed when the block ends, and undone where it raises."""
        async with self._own_turn():
            transaction = SqliteTransaction(self)
            try:
                yield transaction
                if transaction.is_open:
                    await self._on(self._writer, lambda: self._writing.execute("COMMIT"))
                    transaction.is_open = False
            finally:
                # handed over and not awaited: the thread undoes it before whatever it is given next
                if transaction.is_open:
                    with suppress(RuntimeError):
                        self._writer.submit(self._undo)

    @asynccontextmanager
    async def _own_turn(self) -> AsyncIterator[None]:
        """The right to write, for one caller of this process; a caller who waits too long hears so."""
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseLost(
                f"others of this process kept the database for {TURN_TIMEOUT_S:.0f} s", where=self.where
            ) from None
        try:
            yield
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Finish what was begun and let go of the file."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._on(self._writer, self._writing.close, closing=True)
        await self._on(self._reader, self._reading.close, closing=True)
        self._stop_threads()

    # -- in the threads ------------------------------------------------------------------------------------

    def run_in_transaction(self, sql: str, params: Sequence[Value], *, first: bool) -> tuple[list[Row], int]:
        """One statement of a transaction, which the first begins by keeping all other writers out."""
        if first:
            self._check_file()
            self._writing.execute("BEGIN IMMEDIATE")
        return self._execute(self._writing, sql, params)

    def _run(
        self, connection: sqlite3.Connection, sql: str, params: Sequence[Value]
    ) -> tuple[list[Row], int]:
        self._check_file()
        return self._execute(connection, sql, params)

    @staticmethod
    def _execute(connection: sqlite3.Connection, sql: str, params: Sequence[Value]) -> tuple[list[Row], int]:
        cursor = connection.execute(_for_sqlite(sql), params)
        rows = cursor.fetchall()  # a statement with RETURNING has run to its end only when its rows were read
        return rows, max(cursor.rowcount, 0)

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            if self._writing.in_transaction:
                self._writing.rollback()

    def _check_file(self) -> None:
        """A file that was removed or replaced still takes writes, and keeps them from everybody else."""
        try:
            now = os.stat(self._path)  # noqa: PTH116
        except OSError:
            raise DatabaseLost("the database's file is gone", where=self.where) from None
        if (now.st_dev, now.st_ino) != self._identity:
            raise DatabaseLost(
                "the database's file was replaced while it was open", where=self.where, hint="start again"
            )

    def _connect_writer(self) -> None:
        _make_private(self._path)
        self._writing = _connect(self._path)
        mode = self._writing.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            self._writing.close()
            raise UsageError(
                "SQLite cannot keep a write-ahead log here", where=self.where, hint="a local disk"
            )
        self._writing.execute("PRAGMA synchronous = FULL")
        self._writing.execute("PRAGMA foreign_keys = ON")
        self._writing.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
        self._writing.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        found = self._path.stat()
        self._identity = (found.st_dev, found.st_ino)

    def _connect_reader(self) -> None:
        self._reading = _connect(self._path)
        self._reading.execute("PRAGMA query_only = ON")

    # -- between the loop and the threads --------------------------------------------------------------------

    async def run_on_writer(self, call: Callable[[], _T]) -> _T:
        """Have the writing thread do something; errors come back as those of the tree."""
        return await self._on(self._writer, call)

    async def _on(self, thread: ThreadPoolExecutor, call: Callable[[], _T], *, closing: bool = False) -> _T:
        if self._is_closed and not closing:
            raise DatabaseLost("the database was closed", where=self.where)

        def translated() -> _T:
            with sqlite_errors(self.where):
                return call()

        future: Future[_T] = thread.submit(translated)
        return await asyncio.wrap_future(future)

    def _stop_threads(self) -> None:
        self._writer.shutdown(wait=False)
        self._reader.shutdown(wait=False)


class SqliteTransaction:
    """The statements between BEGIN, which goes with the first of them, and COMMIT."""

    __slots__ = ("_database", "is_open")

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.is_open = False

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """The rows that a statement gives."""
        return (await self._run(sql, params))[0]

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run a statement; how many rows it changed."""
        return (await self._run(sql, params))[1]

    async def _run(self, sql: str, params: Sequence[Value]) -> tuple[list[Row], int]:
        first, self.is_open = not self.is_open, True
        return await self._database.run_on_writer(
            lambda: self._database.run_in_transaction(sql, params, first=first)
        )


@contextmanager
def sqlite_errors(where: str) -> Iterator[None]:
    """Turn SQLite's errors into those of the tree; no parameter is in their words."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise DatabaseConflict(
            f"a rule of the schema does not allow it: {_name_of(error)}", where=where
        ) from None
    except sqlite3.DatabaseError as error:
        name = _name_of(error)
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise DatabaseLost(
                f"another program kept the database locked for {BUSY_TIMEOUT_S:.0f} s", where=where
            ) from None
        if name.startswith(_DAMAGED):
            raise MalformedInput("the file is no SQLite database, or a damaged one", where=where) from None
        if name == "SQLITE_ERROR" or not name:
            raise  # a mistake in a statement of ours is no loss of the database
        raise DatabaseLost(f"the database's file cannot be used: {name}", where=where) from None


def _name_of(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _make_private(path: Path) -> None:
    """Make the file for its owner alone; SQLite gives the files beside it the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))
    except FileExistsError:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UsageError("the database is no regular file", where=str(path)) from None
        if os.name == "posix" and found.st_mode & 0o077:
            raise UsageError(
                f"others on this machine can read the database (mode {stat.S_IMODE(found.st_mode):04o})",
                where=str(path),
                hint=f"chmod 600 {path}",
            ) from None
    except OSError as error:
        raise UsageError(f"the database cannot be made: {error.strerror}", where=str(path)) from None
