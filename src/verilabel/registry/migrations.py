"""Schemas that grow by numbered steps: each is made once, in order, by whichever process comes first.

Each room of the product keeps its own steps (`approvals`, `keys`). A step that was published is never edited: what
was made is remembered by its digest.
"""

from __future__ import annotations

from collections.abc import Sequence

from verilabel.errors import MalformedInput, UsageError
from verilabel.records.canonical import digest
from verilabel.registry.interface import Database, Transaction

Step = tuple[str, ...]
"""The statements of one step."""

_LOCK = 0x7665726C  # "verl": PostgreSQL's advisory locks are numbers
_TABLE = (
    "CREATE TABLE IF NOT EXISTS registry_steps (room TEXT NOT NULL, number BIGINT NOT NULL, digest TEXT NOT NULL,"
    " made_us BIGINT NOT NULL, PRIMARY KEY (room, number))"
)


async def migrate(database: Database, room: str, steps: Sequence[Step]) -> int:
    """Bring a room's schema to its last step, under a lock, all missing steps or none; how many were made.

    Raises UsageError where the database was made by a newer version, MalformedInput where a step that was made is
    not the one that this version knows.
    """
    async with database.transaction() as transaction:
        if database.kind == "postgresql":
            await transaction.fetch("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
        await transaction.execute(_TABLE)
        made = await _made_steps(transaction, room)
        if len(made) > len(steps):
            raise UsageError(
                f"the database was made by a newer version: {room} has {len(made)} steps, not {len(steps)}",
                where=database.where,
                hint="install that version",
            )
        for number, step in enumerate(steps, 1):
            if number > len(made):
                await _make_step(transaction, room, number, step)
            elif made[number - 1] != (number, _digest_of(step)):
                raise MalformedInput(
                    f"step {number} of {room} is not the one that this version makes", where=database.where
                )
        return len(steps) - len(made)


async def _made_steps(transaction: Transaction, room: str) -> list[tuple[int, str]]:
    rows = await transaction.fetch(
        "SELECT number, digest FROM registry_steps WHERE room = ? ORDER BY number", (room,)
    )
    return [(int(number), str(text)) for number, text in rows]


async def _make_step(transaction: Transaction, room: str, number: int, step: Step) -> None:
    for statement in step:
        await transaction.execute(statement)
    await transaction.execute(
        "INSERT INTO registry_steps (room, number, digest, made_us) VALUES (?, ?, ?, now_us())",
        (room, number, _digest_of(step)),
    )


def _digest_of(step: Step) -> str:
    return digest("\n".join(step).encode("utf-8"))
