"""A database on a PostgreSQL server: a few connections, bounded waits, and a quick way back when it was gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from verilabel.errors import MissingExtra, UsageError
from verilabel.registry.interface import DatabaseConflict, DatabaseLost, Row, Value

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CONNECTIONS = 6
CONNECT_TIMEOUT_S = 4
STATEMENT_TIMEOUT_S = 10.0
REST_S = 0.25
"""How long nobody tries again after a failed connection, so that a lost database costs each caller nothing."""
_NOW_US = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


def shown_place(url: str) -> str:
    """A database's URL without password and options, for people."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "postgresql://"
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{host}{f':{port}' if port else ''}{parts.path}"


@lru_cache(maxsize=512)
def for_postgres(sql: str) -> str:
    """A statement with the placeholders and the clock of PostgreSQL; what stands in quotes stays as it is."""
    parts = sql.replace("%", "%%").split("'")
    parts[::2] = [part.replace("?", "%s").replace("now_us()", _NOW_US) for part in parts[::2]]
    return "'".join(parts)


class PostgresDatabase:
    """Connections to one database, at most `CONNECTIONS` at once; a broken one is thrown away, never mended."""

    kind: Literal["postgresql"] = "postgresql"

    def __init__(self, url: str) -> None:
        self.where = shown_place(url)
        self._url = url
        self._idle: list[AsyncConnection[Row]] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._rests_until = 0.0
        self._is_closed = False

    @classmethod
    async def open(cls, url: str) -> PostgresDatabase:
        """Connect. Raises MissingExtra, UsageError for a URL that is none, DatabaseLost."""
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("psycopg", "postgres") from None
        database = cls(url)
        try:
            psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            # the library's words would repeat the URL, and with it the password
            raise UsageError(
                "the database's URL cannot be read",
                where=database.where,
                hint="postgresql://user:password@host:5432/name",
            ) from None
        await database.fetch("SELECT 1")
        return database

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """The rows of a statement that only reads; asked once more where a connection had died unseen."""
        async with self._slot():
            connection, is_fresh = await self._take()
            try:
                rows, _ = await self._ask(connection, sql, params)
            except DatabaseLost:
                if is_fresh:
                    raise
                connection = await self._replace(connection)
                rows, _ = await self._ask(connection, sql, params)
            except DatabaseConflict:
                self._give(connection)
                raise
            self._give(connection)
            return rows

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run one statement as a transaction of its own; how many rows it changed."""
        async with self.transaction() as transaction:
            return await transaction.execute(sql, params)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Statements that are committed when the block ends, and undone where it raises."""
        async with self._slot():
            connection = await self._begin()
            try:
                yield PostgresTransaction(self, connection)
                await self._ask(connection, "COMMIT", ())
            except BaseException:
                # closing undoes it on the server, whatever state the connection is in
                await self._discard(connection)
                raise
            self._give(connection)

    async def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        await self._discard_idle()

    async def ask(
        self, connection: AsyncConnection[Row], sql: str, params: Sequence[Value]
    ) -> tuple[list[Row], int]:
        """One statement on a connection that a transaction holds."""
        return await self._ask(connection, sql, params)

    # -- connections ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(STATEMENT_TIMEOUT_S):
                await self._slots.acquire()
        except TimeoutError:
            raise DatabaseLost(
                f"no connection to the database became free in {STATEMENT_TIMEOUT_S:.0f} s", where=self.where
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    async def _begin(self) -> AsyncConnection[Row]:
        connection, is_fresh = await self._take()
        try:
            await self._ask(connection, "BEGIN", ())
        except DatabaseLost:
            if is_fresh:
                raise
            connection = await self._replace(connection)  # nothing was asked of it yet
            await self._ask(connection, "BEGIN", ())
        return connection

    async def _take(self) -> tuple[AsyncConnection[Row], bool]:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection, False
        return await self._connect(), True

    async def _replace(self, connection: AsyncConnection[Row]) -> AsyncConnection[Row]:
        await self._discard(connection)
        await self._discard_idle()  # they were open when this one died
        return await self._connect()

    def _give(self, connection: AsyncConnection[Row]) -> None:
        if not connection.closed and not self._is_closed:
            self._idle.append(connection)

    async def _connect(self) -> AsyncConnection[Row]:
        import psycopg

        if self._is_closed:
            raise DatabaseLost("the database was closed", where=self.where)
        if time.monotonic() < self._rests_until:
            raise DatabaseLost("the database could not be reached a moment ago", where=self.where)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S + 1):
                return await psycopg.AsyncConnection.connect(
                    self._url,
                    autocommit=True,
                    prepare_threshold=None,  # poolers in between may not know prepared statements
                    connect_timeout=CONNECT_TIMEOUT_S,
                    keepalives_idle=10,
                    keepalives_interval=5,
                    keepalives_count=2,
                    tcp_user_timeout=int(STATEMENT_TIMEOUT_S * 1000),
                    application_name="verilabel",
                )
        except (psycopg.Error, TimeoutError, OSError):
            self._rests_until = time.monotonic() + REST_S
            raise DatabaseLost(
                "the database cannot be reached, or refuses the user", where=self.where
            ) from None

    async def _discard(self, connection: AsyncConnection[Row]) -> None:
        with suppress(Exception):
            await connection.close()

    async def _discard_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await self._discard(connection)

    async def _ask(
        self, connection: AsyncConnection[Row], sql: str, params: Sequence[Value]
    ) -> tuple[list[Row], int]:
        import psycopg

        query: Any = for_postgres(sql)
        try:
            async with asyncio.timeout(STATEMENT_TIMEOUT_S):
                cursor = await connection.execute(query, tuple(params))
                rows = await cursor.fetchall() if cursor.description else []
                return rows, max(cursor.rowcount, 0)
        except psycopg.IntegrityError as error:
            raise DatabaseConflict(
                f"a rule of the schema does not allow it: {error.sqlstate}", where=self.where
            ) from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            await self._discard(connection)
            state = f" ({error.sqlstate})" if error.sqlstate else ""
            raise DatabaseLost(f"the database broke off{state}", where=self.where) from None
        except TimeoutError:
            await self._discard(connection)
            raise DatabaseLost(
                f"the database did not answer in {STATEMENT_TIMEOUT_S:.0f} s", where=self.where
            ) from None
        except BaseException:
            await self._discard(connection)
            raise


class PostgresTransaction:
    """The statements between BEGIN and COMMIT on one connection."""

    __slots__ = ("_connection", "_database")

    def __init__(self, database: PostgresDatabase, connection: AsyncConnection[Row]) -> None:
        self._database = database
        self._connection = connection

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """The rows that a statement gives."""
        return (await self._database.ask(self._connection, sql, params))[0]

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run a statement; how many rows it changed."""
        return (await self._database.ask(self._connection, sql, params))[1]
