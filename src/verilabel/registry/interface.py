"""What a database gives its users: rows, changes, transactions; the same words for SQLite and PostgreSQL.

SQL is written once for both: parameters are `?`, `now_us()` is the database machine's clock in microseconds, types are
`TEXT`, `BIGINT`, `BYTEA`. A statement holds no value from outside; values are parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol

from verilabel.errors import ExitStatus, VerilabelError

Value = str | int | float | bytes | None
Row = tuple[Any, ...]


class DatabaseLost(VerilabelError):
    """The database cannot be asked, or did not answer in time. What was being written may or may not be there."""

    status = ExitStatus.USAGE


class DatabaseConflict(VerilabelError):
    """A statement breaks a rule of the schema (something unique is there already); its transaction was undone."""

    status = ExitStatus.USAGE


class Transaction(Protocol):
    """Statements that take effect together or not at all."""

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """The rows that a statement gives; one that changes rows gives those of its RETURNING."""
        ...

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run a statement; how many rows it changed."""
        ...


class Database(Protocol):
    """An open database. It belongs to the event loop that it was opened in.

    Every method raises DatabaseLost where the database cannot be asked; it may be asked again at once, and connects
    anew when the database is back.
    """

    @property
    def kind(self) -> Literal["sqlite", "postgresql"]:
        """Which of the two."""
        ...

    @property
    def where(self) -> str:
        """The place, for people; never with a password."""
        ...

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """The rows of a statement that only reads; asked once more where a connection had died unseen."""
        ...

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """Run one statement as a transaction of its own, durable when this returns; how many rows it changed."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Statements that are committed, durably, when the block ends, and undone where it raises."""
        ...

    async def close(self) -> None:
        """Let go of files and connections."""
        ...
