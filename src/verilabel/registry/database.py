"""Opening a database by what a user names: a SQLite file, or a PostgreSQL server's URL."""

from __future__ import annotations

from pathlib import Path

from verilabel.errors import UsageError
from verilabel.registry.interface import Database, DatabaseConflict, DatabaseLost, Row, Transaction, Value
from verilabel.registry.postgres_database import PostgresDatabase, shown_place
from verilabel.registry.sqlite_database import SqliteDatabase

__all__ = [
    "Database",
    "DatabaseConflict",
    "DatabaseLost",
    "Row",
    "Transaction",
    "Value",
    "is_file_store",
    "open_database",
    "shown_store",
]

_POSTGRES = ("postgresql://", "postgres://")


def is_file_store(url: str) -> bool:
    """True if the store is a SQLite file on this machine, which whoever can write it rules."""
    return not url.startswith(_POSTGRES)


def shown_store(url: str) -> str:
    """A store's place for people, never with a password."""
    return url if is_file_store(url) else shown_place(url)


async def open_database(url: str | Path) -> Database:
    """Open `postgresql://...`, or a SQLite file by its path (also `sqlite:PATH`), which is made where there is none.

    Raises UsageError, MalformedInput, MissingExtra or DatabaseLost. No schema is made: `migrations.migrate` does.
    """
    text = str(url)
    if not is_file_store(text):
        return await PostgresDatabase.open(text)
    path = text.removeprefix("sqlite://").removeprefix("sqlite:")
    if "://" in path or not path:
        raise UsageError(
            "not a database", where=path.partition("://")[0], hint="a file's path, or postgresql://host/name"
        )
    return await SqliteDatabase.open(Path(path))
