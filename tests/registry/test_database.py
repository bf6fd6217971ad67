"""Databases of both kinds behave alike: what is committed is there, what fails is undone, secrets stay in."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import opened, shared_postgres
from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.registry.database import DatabaseConflict, DatabaseLost, open_database, shown_store
from verilabel.registry.postgres_database import PostgresDatabase, for_postgres, shown_place

TABLE = "CREATE TABLE things (id BIGINT PRIMARY KEY, word TEXT, raw BYTEA)"


async def test_what_was_written_is_read_back_alike_on_both(store_url: str) -> None:
    async with opened(store_url) as database:
        await database.execute(TABLE)
        word, raw = "50 % of 'quoted?' \U0001f600", bytes(range(256))
        assert 1 == await database.execute("INSERT INTO things VALUES (?, ?, ?)", (2**53, word, raw))
        assert [(2**53, word, raw)] == await database.fetch("SELECT id, word, raw FROM things")
        assert 0 == await database.execute("DELETE FROM things WHERE word = ?", ("other",))


async def test_a_block_that_raises_leaves_nothing_behind(store_url: str) -> None:
    async with opened(store_url) as database:
        await database.execute(TABLE)
        with pytest.raises(RuntimeError, match="on purpose"):
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO things (id) VALUES (1)")
                raise RuntimeError("on purpose")
        assert [] == await database.fetch("SELECT id FROM things")


async def test_a_transaction_gives_the_rows_that_it_changed(store_url: str) -> None:
    async with opened(store_url) as database:
        await database.execute(TABLE)
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO things (id, word) VALUES (1, 'a'), (2, 'b')")
            rows = await transaction.fetch(
                "UPDATE things SET word = ? WHERE id = 2 RETURNING id, word", ("c",)
            )
        assert [(2, "c")] == rows
        assert [(1, "a"), (2, "c")] == await database.fetch("SELECT id, word FROM things ORDER BY id")


async def test_what_is_there_twice_is_a_conflict_and_the_database_goes_on(store_url: str) -> None:
    async with opened(store_url) as database:
        await database.execute(TABLE)
        await database.execute("INSERT INTO things (id, word) VALUES (1, 'secret word')")
        with pytest.raises(DatabaseConflict) as caught:
            await database.execute("INSERT INTO things (id, word) VALUES (1, 'secret word')")
        assert "secret word" not in str(caught.value)
        assert [(1,)] == await database.fetch("SELECT id FROM things")


async def test_a_cancelled_transaction_is_undone_and_the_next_one_runs(store_url: str) -> None:
    async with opened(store_url) as database:
        await database.execute(TABLE)
        entered = asyncio.Event()

        async def stays() -> None:
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO things (id) VALUES (1)")
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(stays())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 1 == await database.execute("INSERT INTO things (id) VALUES (1)")


async def test_many_at_once_lose_no_change(store_url: str) -> None:
    async with opened(store_url) as database, opened(store_url) as other:
        await database.execute("CREATE TABLE counter (n BIGINT)")
        await database.execute("INSERT INTO counter VALUES (0)")

        async def add(which: int) -> None:
            store = (database, other)[which % 2]
            async with store.transaction() as transaction:
                await transaction.execute("UPDATE counter SET n = n + 1")

        await asyncio.gather(*(add(n) for n in range(60)))
        assert [(60,)] == await other.fetch("SELECT n FROM counter")


async def test_a_closed_database_says_so(store_url: str) -> None:
    database = await open_database(store_url)
    await database.close()
    await database.close()
    with pytest.raises(DatabaseLost):
        await database.fetch("SELECT 1")


INSERTING = f"""
import asyncio, sys
from verilabel.registry.database import open_database
async def main():
    database = await open_database(sys.argv[1])
    await database.execute({TABLE!r})
    for n in range(10**6):
        await database.execute("INSERT INTO things (id) VALUES (?)", (n,))
        print(n, flush=True)
asyncio.run(main())
"""


def committed_until_killed(url: str) -> set[int]:
    """The numbers that a process said it had committed before it was killed."""
    command = [sys.executable, "-c", INSERTING, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = {int(process.stdout.readline()) for _ in range(40)}
        os.kill(process.pid, signal.SIGKILL)
        return said | {int(line) for line in process.stdout.read().split("\n")[:-1]}


async def test_a_committed_row_survives_the_kill_of_its_process(store_url: str) -> None:
    said = await asyncio.to_thread(committed_until_killed, store_url)
    async with opened(store_url) as database:
        kept = {row[0] for row in await database.fetch("SELECT id FROM things")}
    assert set() == said - kept


# -- SQLite ------------------------------------------------------------------------------------------------------


def modes_in(folder: Path) -> dict[str, int]:
    """The modes of the files in a folder."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_a_new_file_and_those_beside_it_are_its_owners_alone(tmp_path: Path) -> None:
    async with opened(str(tmp_path / "gateway.db")) as database:
        await database.execute(TABLE)
        modes = modes_in(tmp_path)
    assert {"gateway.db": 0o600, "gateway.db-wal": 0o600, "gateway.db-shm": 0o600} == modes


async def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.touch(mode=0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        await open_database(path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(b"no database, but long enough to be looked at " * 40)
    path.chmod(0o600)
    with pytest.raises(MalformedInput):
        await open_database(path)


@pytest.mark.parametrize("place", ["mysql://host/x", "", "sqlite:"])
async def test_another_kind_of_store_is_refused(place: str) -> None:
    with pytest.raises(UsageError):
        await open_database(place)


async def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await open_database(tmp_path / "none" / "gateway.db")


async def test_a_file_that_was_replaced_takes_no_more_writes(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    async with opened(str(path)) as database:
        await database.execute(TABLE)
        path.rename(tmp_path / "moved.db")
        with pytest.raises(DatabaseLost, match="gone"):
            await database.execute("INSERT INTO things (id) VALUES (1)")
        path.touch(mode=0o600)
        with pytest.raises(DatabaseLost, match="replaced"):
            await database.fetch("SELECT id FROM things")


async def test_reading_changes_nothing(tmp_path: Path) -> None:
    async with opened(str(tmp_path / "gateway.db")) as database:
        await database.execute(TABLE)
        with pytest.raises(VerilabelError):
            await database.fetch("INSERT INTO things (id) VALUES (1) RETURNING id")
        assert [] == await database.fetch("SELECT id FROM things")


async def test_commits_are_flushed_to_the_disk(tmp_path: Path) -> None:
    async with opened(str(tmp_path / "gateway.db")) as database:
        async with database.transaction() as transaction:
            assert [(2,)] == await transaction.fetch("PRAGMA synchronous")
            assert [("wal",)] == await transaction.fetch("PRAGMA journal_mode")
        with sqlite3.connect(tmp_path / "gateway.db") as other:
            assert ("wal",) == other.execute("PRAGMA journal_mode").fetchone()


# -- PostgreSQL --------------------------------------------------------------------------------------------------


async def test_a_lost_server_is_told_at_once_and_found_again_when_it_is_back() -> None:
    server = shared_postgres()
    async with opened(server.new_database()) as database:
        await database.execute(TABLE)
        async with database.transaction() as transaction:
            await transaction.execute("INSERT INTO things (id) VALUES (1)")
        server.stop()
        try:
            async with asyncio.timeout(60):  # no wait without end: refusals, not time-outs of the network
                for _ in range(50):
                    with pytest.raises(DatabaseLost):
                        await database.fetch("SELECT id FROM things")
        finally:
            server.start()
        assert [(1,)] == await until_answered(database)


async def until_answered(database: PostgresDatabase) -> list[tuple[object, ...]]:
    """Ask until the server is back."""
    while True:
        try:
            return await database.fetch("SELECT id FROM things")
        except DatabaseLost:
            await asyncio.sleep(0.05)


async def test_a_server_lost_in_the_middle_of_a_transaction_undoes_it() -> None:
    server = shared_postgres()
    url = server.new_database()
    async with opened(url) as database:
        await database.execute(TABLE)
        with pytest.raises(DatabaseLost):
            async with database.transaction() as transaction:
                await transaction.execute("INSERT INTO things (id) VALUES (1)")
                server.ask(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'verilabel'"
                )
                await transaction.execute("INSERT INTO things (id) VALUES (2)")
        assert [] == await database.fetch("SELECT id FROM things")


async def test_connections_that_died_unseen_are_replaced_unnoticed() -> None:
    server = shared_postgres()
    async with opened(server.new_database()) as database:
        await database.execute(TABLE)
        for _ in range(2):
            server.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'verilabel'"
            )
            assert [] == await database.fetch("SELECT id FROM things")
            server.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'verilabel'"
            )
            assert 0 == await database.execute("DELETE FROM things")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://alice:geheim@127.0.0.1:1/labels",
        "postgres://alice:geheim@127.0.0.1:1/labels?password=geheim&connect_timeout=2",
        "postgresql://alice:geheim@127.0.0.1:nonsense/labels",
        "postgresql://alice:geheim@[/labels",
        "postgresql://alice@127.0.0.1:1/x?nonsense=geheim",
    ],
)
async def test_a_password_is_in_no_error(url: str) -> None:
    with pytest.raises(VerilabelError) as caught:
        await open_database(url)
    chain: BaseException | None = caught.value
    while chain is not None and not (chain is not caught.value and caught.value.__suppress_context__):
        assert "geheim" not in f"{chain}{chain!r}"
        chain = chain.__cause__
    assert "geheim" not in shown_store(url)


def test_a_place_is_shown_without_password_and_options() -> None:
    assert "postgresql://alice@db.example.org:5433/labels" == shown_place(
        "postgresql://alice:geheim@db.example.org:5433/labels?sslmode=require"
    )


@given(st.lists(st.sampled_from(["?", "%", "'?%'", "now_us()", " x = ", "'it''s ?'"])))
def test_placeholders_in_quotes_are_text(parts: list[str]) -> None:
    translated = for_postgres(" ".join(parts))
    outside = "".join(translated.split("'")[::2])
    assert parts.count("?") == outside.count("%s")
    assert "?" not in outside
    assert "now_us()" not in outside
