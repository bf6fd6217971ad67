"""A database in memory over the files of an audit: it reads them, and can neither write nor reach anything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.shards import ShardEntry
from verilabel.audit.proof.soundness import check_sound
from verilabel.audit.proof.verifying import check_files
from verilabel.audit.querying.views import View, quote, views_of
from verilabel.errors import LimitExceeded, MissingExtra, UsageError

MAX_SQL = 100_000
_GLOB = set("*?[]{}")
_ROWS_AT_ONCE = 1_000
SHARDS_WORDS = {
    "shard": "number of the shard, from 0",
    "name": "path below the input, and the part",
    "rows": "documents, as far as they could be counted",
    "read": "documents that were read",
    "root": "over its records",
}


@contextmanager
def open_database(folder: Path, *, memory: str = "1GB", is_checked: bool = True) -> Iterator[Database]:
    """The database over an audit. With `is_checked`, the digests of all files are checked first.

    Raises UsageError, MalformedInput, SealError for a folder that does not hold, MissingExtra without duckdb.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("duckdb", "query") from None
    audit = AuditFolder(folder.absolute())
    if _GLOB & set(str(audit.root)):
        raise UsageError(
            "SQL cannot name this folder", where=str(folder), hint=f"rename it: no {' '.join(sorted(_GLOB))}"
        )
    manifest = audit.manifest()
    check_sound(manifest)  # names of columns become SQL
    if is_checked:
        check_files(audit, manifest)
    entries = list(audit.shards())
    try:
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": memory,
                "temp_directory": "",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
            },
        )
    except duckdb.Error as error:
        raise UsageError(f"the database cannot be opened: {_first_line(error)}", where="--memory") from error
    with connection:
        views = list(views_of(audit.root, manifest, entries)) if entries else []
        for view in views:
            connection.execute(f'CREATE VIEW "{view.name}" AS {view.sql}')
        _make_shards(connection, entries)
        connection.execute(f"SET allowed_directories = [{quote(str(audit.root) + '/')}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield Database(connection, views)


def _make_shards(connection: Any, entries: Sequence[ShardEntry]) -> None:
    import pyarrow as pa

    lines = [entry.shard for entry in entries]
    columns: dict[str, Any] = {"shard": pa.array(range(len(lines)), pa.int64())}
    for name in ("name", "sha256", "root"):
        columns[name] = pa.array([getattr(line, name) for line in lines], pa.string())
    columns["form"] = pa.array([entry.form for entry in entries], pa.string())
    columns["compression"] = pa.array([entry.compression for entry in entries], pa.string())
    for name in (
        "stored_bytes",
        "rows",
        "read",
        "unread",
        "unknown",
        "repaired",
        "text_bytes",
        "unread_bytes",
    ):
        columns[name] = pa.array([getattr(line, name) for line in lines], pa.int64())
    connection.register("given_shards", pa.table(columns))
    connection.execute("CREATE TABLE shards AS SELECT * FROM given_shards")
    connection.unregister("given_shards")


class Database:
    """An audit that can be asked."""

    def __init__(self, connection: Any, views: Sequence[View]) -> None:
        self._connection = connection
        self._views = views

    def ask(self, sql: str) -> Answer:
        """What a SELECT says. Raises UsageError for another statement, more than one, or one that cannot be done."""
        import duckdb

        if len(sql) > MAX_SQL:
            raise LimitExceeded(f"a question of over {MAX_SQL} characters")
        try:
            statements = duckdb.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("one SELECT is asked at a time", hint="an audit is only read")
            return Answer(self._connection.execute(statements[0]))
        except duckdb.Error as error:
            raise _refused(error) from error

    def tables(self) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
        """Each view with its columns: name, type, and what it says."""
        for name, words in (*((view.name, view.words) for view in self._views), ("shards", SHARDS_WORDS)):
            described = self._connection.execute(f'DESCRIBE "{name}"').fetchall()
            yield name, [(column, kind, words.get(column, "")) for column, kind, *_ in described]


class Answer:
    """Rows as they come."""

    def __init__(self, result: Any) -> None:
        self._result = result
        self.names: list[str] = [column[0] for column in result.description]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows. Raises UsageError where the database cannot go on, as for want of memory."""
        import duckdb

        while True:
            try:
                some = self._result.fetchmany(_ROWS_AT_ONCE)
            except duckdb.Error as error:
                raise _refused(error) from error
            if not some:
                return
            for row in some:
                yield tuple(value.hex() if isinstance(value, bytes) else value for value in row)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:400]


def _refused(error: Exception) -> UsageError:
    lines = [line for line in str(error).strip().split("\n") if line.strip()]
    hint = "--tables lists what there is" if "Catalog" in lines[0] or "Binder" in lines[0] else None
    return UsageError(f"the database refuses: {_first_line(error)}", hint=hint)
