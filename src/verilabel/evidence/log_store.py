"""Where a local log keeps its entries, tree nodes and signed checkpoints: one SQLite file, read as hostile
input.

Nothing here judges: it stores, looks up, and turns every database failure into an error of the tree.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.keys import PublicKey, parse_public
from verilabel.evidence.merkle import HASH_BYTES, leaf_hash, node_hash

DATABASE = "log.sqlite"
LOG_FORMAT = "verilabel/log/v1"
LOCK_TIMEOUT_S = 60.0

_SCHEMA = {
    "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "entries": "CREATE TABLE entries (number INTEGER PRIMARY KEY, entry BLOB NOT NULL, logged TEXT NOT NULL)",
    "nodes": (
        "CREATE TABLE nodes (level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,"
        " PRIMARY KEY (level, position)) WITHOUT ROWID"
    ),
    "checkpoints": "CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL)",
}
_COUNTS = {"nodes": "SELECT count(*) FROM nodes", "checkpoints": "SELECT count(*) FROM checkpoints"}
_LEAST = -(2**63)  # an audit also sees entries that stand before the first
_CANNOT_USE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")


def broken_log(message: str, where: str, number: int | None = None) -> SealError:
    """The error of a log that does not hold; `number` is the first entry that does not fit."""
    return SealError(
        message,
        where=where if number is None else f"{where}: entry {number}",
        hint="keep the folder as it is; compare it with a copy, or with checkpoints that others kept",
    )


class LogStore:
    """The database of one log, open for reading or for both. Every method may raise SealError or
    UsageError.
    """

    def __init__(self, folder: Path, *, writable: bool) -> None:
        self.where = str(folder)
        database = folder / DATABASE
        if not database.is_file():
            raise UsageError(
                "there is no log here", where=self.where, hint="a log is made with its first entry"
            )
        with database_errors(self.where):
            self._connection = _connect(database, writable=writable)
            try:
                self.public_key = self._read_identity()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def transaction(self, kind: Literal["IMMEDIATE", "DEFERRED"]) -> Iterator[None]:
        """One unchanging view of the log; IMMEDIATE also keeps all other writers out. An error undoes it
        whole.
        """
        with database_errors(self.where):
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def node(self, level: int, position: int) -> bytes:
        """The stored hash of a complete tree node (`merkle.Nodes`)."""
        hashed = self._one("SELECT hash FROM nodes WHERE level = ? AND position = ?", level, position)
        if type(hashed) is not bytes or len(hashed) != HASH_BYTES:
            raise broken_log(f"the tree node {level}/{position} is missing", self.where, position << level)
        return hashed

    def nodes(self, level: int, start: int, count: int) -> list[bytes]:
        """The stored hashes of consecutive complete nodes of a level."""
        with database_errors(self.where):
            rows = self._connection.execute(
                "SELECT position, hash FROM nodes WHERE level = ? AND position >= ? ORDER BY position LIMIT ?",
                (level, start, count),
            ).fetchall()
        hashes = []
        for position in range(start, start + count):
            found = rows[position - start] if position - start < len(rows) else (None, None)
            if found[0] != position or type(found[1]) is not bytes or len(found[1]) != HASH_BYTES:
                raise broken_log(
                    f"the tree node {level}/{position} is missing", self.where, position << level
                )
            hashes.append(found[1])
        return hashes

    def size(self) -> int:
        """How many entries there are."""
        return int(self._one("SELECT coalesce(max(number) + 1, 0) FROM entries"))

    def count(self, table: Literal["nodes", "checkpoints"]) -> int:
        """How many rows a table has."""
        return int(self._one(_COUNTS[table]))

    def rows(self, start: int = _LEAST, limit: int = -1) -> Iterator[tuple[int, object, str]]:
        """Number, stored bytes and time of the entries from `start` on, in order. Used inside a
        transaction.
        """
        return self._connection.execute(
            "SELECT number, entry, CAST(logged AS TEXT) FROM entries"
            " WHERE number >= ? ORDER BY number LIMIT ?",
            (start, limit),
        )

    def checkpoint_note(self, size: int | None = None) -> bytes:
        """The signed checkpoint over `size` entries, by default the last."""
        if size is None:
            note = self._one("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1")
        else:
            note = self._one("SELECT note FROM checkpoints WHERE size = ?", size)
        if type(note) is not bytes:
            last = "the last checkpoint" if size is None else f"the checkpoint over {size} entries"
            raise broken_log(f"{last} is missing", self.where, max((size or 0) - 1, 0))
        return note

    def add_entry(self, number: int, data: bytes, logged: str) -> None:
        """Store an entry and every tree node that it completes."""
        self._connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (number, data, logged))
        carried, level = leaf_hash(data), 0
        self._connection.execute("INSERT INTO nodes VALUES (0, ?, ?)", (number, carried))
        while number >> level & 1:
            carried = node_hash(self.node(level, (number >> level) - 1), carried)
            level += 1
            self._connection.execute("INSERT INTO nodes VALUES (?, ?, ?)", (level, number >> level, carried))

    def add_checkpoint(self, size: int, note: bytes) -> None:
        """Store a signed checkpoint."""
        self._connection.execute("INSERT INTO checkpoints VALUES (?, ?)", (size, note))

    def replace_checkpoint(self, size: int, note: bytes) -> None:
        """Store a signed checkpoint in place of the one over as many entries."""
        self._connection.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (note, size))

    def check_file(self) -> None:
        """Let SQLite check the structure of its file."""
        if self._one("PRAGMA quick_check(1)") != "ok":
            raise broken_log("the database file is damaged", self.where)

    def _one(self, query: str, *values: object) -> Any:
        with database_errors(self.where):
            row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def _read_identity(self) -> PublicKey:
        tables = dict(self._connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
        if tables != _SCHEMA:
            raise MalformedInput("not a log of this format", where=self.where)
        meta = dict(self._connection.execute("SELECT name, value FROM meta"))
        if meta.keys() != {"format", "key"} or meta["format"] != LOG_FORMAT:
            raise MalformedInput(f"not the format {LOG_FORMAT}", where=self.where)
        return parse_public(str(meta["key"]), where=f"{self.where}: key")


@contextmanager
def database_errors(where: str) -> Iterator[None]:
    """Turn SQLite's errors into the tree's: in use and not writable are UsageError, everything else
    SealError.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise UsageError(
                f"another program kept the log locked for {LOCK_TIMEOUT_S:.0f} s", where=where
            ) from error
        if name.startswith(_CANNOT_USE):
            raise UsageError(f"the log's file cannot be used: {error}", where=where) from error
        raise broken_log(f"the log's database does not hold: {error}", where) from error


def _connect(database: Path, *, writable: bool) -> sqlite3.Connection:
    mode = "rw" if writable else "ro"
    in_use = database.with_name(DATABASE + "-wal").exists()
    if not writable and not in_use and not os.access(database.parent, os.W_OK):
        mode = "ro&immutable=1"  # even readers of a WAL database write beside it, which this folder forbids
    uri = f"{database.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCK_TIMEOUT_S)
    try:
        # A log from elsewhere is hostile input: nothing in its schema may run.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        if writable:
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def create_database(folder: Path, key: PublicKey, note: bytes) -> None:
    """Make the database of an empty log: its key, and the signed checkpoint over no entries."""
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    try:
        with database_errors(str(folder)):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN")
            for statement in _SCHEMA.values():
                connection.execute(statement)
            facts = [("format", LOG_FORMAT), ("key", key.line)]
            connection.executemany("INSERT INTO meta VALUES (?, ?)", facts)
            connection.execute("INSERT INTO checkpoints VALUES (0, ?)", (note,))
            connection.commit()
    finally:
        connection.close()
