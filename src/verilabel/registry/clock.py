"""Time that never goes back, kept in the database: deadlines hold although somebody sets a clock back.

The clock adds up how far the database machine's clock moved forward between two looks. A machine whose clock is set
back adds nothing and goes on from there; one that is set forward moves deadlines nearer, never away. What it reads is
for deadlines alone; people are shown the machine's own time. Each tick has a number, and since a tick holds the
clock's row until its transaction ends, changes that carry these numbers become visible in their order.
"""
# ruff: noqa: S608
# Statements are put together from words of this file alone.

from __future__ import annotations

from dataclasses import dataclass

from verilabel.registry.interface import Database, Transaction
from verilabel.registry.migrations import Step, migrate

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE registry_clock (id BIGINT PRIMARY KEY CHECK (id = 1), steady_us BIGINT NOT NULL,"
        " wall_us BIGINT NOT NULL, ticks BIGINT NOT NULL)",
        "INSERT INTO registry_clock (id, steady_us, wall_us, ticks) VALUES (1, 0, now_us(), 0)",
    ),
)
_FORWARD = "CASE WHEN now_us() > wall_us THEN now_us() - wall_us ELSE 0 END"


@dataclass(frozen=True)
class Moment:
    """One reading: `steady_us` never goes back, `wall_us` is the machine's time, `tick` numbers the change."""

    steady_us: int
    wall_us: int
    tick: int


async def make_clock(database: Database) -> None:
    """Make the clock where there is none yet."""
    await migrate(database, "clock", STEPS)


async def tick(transaction: Transaction) -> Moment:
    """Move the clock on, and keep every other tick out until this transaction ends."""
    rows = await transaction.fetch(
        f"UPDATE registry_clock SET steady_us = steady_us + {_FORWARD}, wall_us = now_us(), ticks = ticks + 1"
        " WHERE id = 1 RETURNING steady_us, wall_us, ticks"
    )
    return Moment(*map(int, rows[0]))


async def read_clock(database: Database) -> Moment:
    """How the clock stands, without moving it."""
    rows = await database.fetch(
        f"SELECT steady_us + {_FORWARD}, now_us(), ticks FROM registry_clock WHERE id = 1"
    )
    return Moment(*map(int, rows[0]))
