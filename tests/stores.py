"""Databases for tests of stores: a SQLite file each, or a database each on one PostgreSQL server for the whole run."""

from __future__ import annotations

import atexit
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

import pytest

from servers.postgres_server import PostgresServer, postgres_server
from verilabel.registry.database import Database, open_database


@cache
def shared_postgres() -> PostgresServer:
    """The one server of this run, started with its first use."""
    stack = ExitStack()
    server = stack.enter_context(postgres_server())
    atexit.register(stack.close)
    return server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store, once of each kind."""
    if request.param == "sqlite":
        yield str(tmp_path / "gateway.db")
    else:
        pytest.importorskip("psycopg", reason="the extra postgres is not installed")
        yield shared_postgres().new_database()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """An open database, closed when the block ends."""
    database = await open_database(url)
    try:
        yield database
    finally:
        await database.close()


async def pass_time(database: Database, seconds: float) -> None:
    """Let so many seconds pass by the database's clock: below 0, its machine's clock is set back."""
    await database.execute(
        "UPDATE registry_clock SET wall_us = wall_us - ? WHERE id = 1", (int(seconds * 1_000_000),)
    )
