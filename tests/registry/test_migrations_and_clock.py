"""Schemas grow once, by whoever comes first; the database's clock never goes back."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores import opened, pass_time
from verilabel.errors import MalformedInput, UsageError
from verilabel.registry.clock import make_clock, read_clock, tick
from verilabel.registry.database import Database
from verilabel.registry.migrations import migrate

FIRST = ("CREATE TABLE a (id BIGINT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
SECOND = ("ALTER TABLE a ADD COLUMN word TEXT",)


async def test_steps_are_made_once_and_later_ones_follow(store_url: str) -> None:
    async with opened(store_url) as database:
        assert 1 == await migrate(database, "a", [FIRST])
        assert 0 == await migrate(database, "a", [FIRST])
        assert 1 == await migrate(database, "a", [FIRST, SECOND])
        assert [(1, None)] == await database.fetch("SELECT id, word FROM a")


async def test_processes_that_start_together_make_a_schema_once(store_url: str) -> None:
    async with opened(store_url) as first, opened(store_url) as second, opened(store_url) as third:
        made = await asyncio.gather(*(migrate(d, "a", [FIRST, SECOND]) for d in (first, second, third)))
        assert [0, 0, 2] == sorted(made)


async def test_a_step_that_fails_leaves_no_step_behind(store_url: str) -> None:
    async with opened(store_url) as database:
        with pytest.raises(Exception, match=r"(?i)syntax"):
            await migrate(database, "a", [FIRST, ("CREATE NONSENSE",)])
        assert 2 == await migrate(database, "a", [FIRST, SECOND])


async def test_a_database_of_a_newer_version_is_refused(store_url: str) -> None:
    async with opened(store_url) as database:
        await migrate(database, "a", [FIRST, SECOND])
        with pytest.raises(UsageError, match="newer version"):
            await migrate(database, "a", [FIRST])


async def test_a_step_that_was_made_otherwise_is_refused(store_url: str) -> None:
    async with opened(store_url) as database:
        await migrate(database, "a", [FIRST])
        with pytest.raises(MalformedInput, match="step 1"):
            await migrate(database, "a", [SECOND])


async def steady(database: Database) -> int:
    async with database.transaction() as transaction:
        return (await tick(transaction)).steady_us


async def test_the_clock_goes_on_by_what_passed(store_url: str) -> None:
    async with opened(store_url) as database:
        await make_clock(database)
        before = await steady(database)
        await pass_time(database, 3600)
        assert 3600e6 <= (await read_clock(database)).steady_us - before < 3660e6
        assert 3600e6 <= await steady(database) - before < 3660e6


async def test_a_clock_that_was_set_back_stands_and_then_goes_on(store_url: str) -> None:
    async with opened(store_url) as database:
        await make_clock(database)
        before = await steady(database)
        await pass_time(database, -7200)
        assert before <= (read := (await read_clock(database)).steady_us) < before + 60e6
        assert read <= (back := await steady(database)) < before + 60e6
        await pass_time(database, 30)
        assert 30e6 <= await steady(database) - back < 90e6


async def test_ticks_are_numbered_in_the_order_in_which_they_can_be_seen(store_url: str) -> None:
    async with opened(store_url) as one, opened(store_url) as other:
        await make_clock(one)

        async def read_number(database: Database) -> int:
            async with database.transaction() as transaction:
                return (await tick(transaction)).tick

        numbers = await asyncio.gather(*(read_number((one, other)[n % 2]) for n in range(20)))
        assert list(range(1, 21)) == sorted(numbers)


@given(jumps=st.lists(st.integers(-(10**6), 10**6), max_size=8))
def test_no_order_of_jumps_makes_the_clock_go_back(jumps: list[int]) -> None:
    async def run() -> None:
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            async with opened(str(Path(folder) / "x.db")) as database:
                await make_clock(database)
                seen = await steady(database)
                for jump in jumps:
                    await pass_time(database, jump)
                    now = await steady(database)
                    assert seen + max(jump, 0) * 1_000_000 <= now < seen + (max(jump, 0) + 60) * 1_000_000
                    seen = now

    asyncio.run(run())
