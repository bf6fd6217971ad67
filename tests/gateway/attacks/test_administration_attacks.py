"""People's rights: nothing that they grant takes effect without a record, and nobody's key outlives its end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Literal

import pytest

from gateway.administration.served import Served, administration
from gateway.approvals.held import action
from verilabel.cli import main
from verilabel.errors import LimitExceeded
from verilabel.gateway.access.ring import CachedKeyRing
from verilabel.gateway.access.store import KeyStore, KeyWish
from verilabel.gateway.approvals.queue import DatabaseQueue, QueueLimits
from verilabel.gateway.audit.trail import AuditUnwritable
from verilabel.registry.database import Database, Row, Transaction, Value, open_database

API = "/verilabel/api"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with administration(str(tmp_path / "gateway.db")) as running:
        yield running


def _refuse(_: object) -> None:
    raise AuditUnwritable("the disk is full")


def test_an_approval_that_cannot_be_recorded_is_not_given(served: Served) -> None:
    held = served.hold("unrecorded")
    object.__setattr__(served.services, "record", _refuse)
    body = {"verdict": "approve", "reason": "seen"}
    assert 500 == served.ask(f"{API}/approvals/{held.id}/decision", by="reviewer", body=body)[0]
    found = served.run(lambda: served.services.desk.queue.find(held.id))
    assert found is not None
    assert ("pending", ()) == (found.state, found.votes)


def test_a_key_that_cannot_be_recorded_is_not_made(served: Served) -> None:
    object.__setattr__(served.services, "record", _refuse)
    before = served.run(served.services.keys.list_keys)
    assert 500 == served.ask(f"{API}/keys", by="admin", body={"name": "backdoor", "role": "admin"})[0]
    assert before == served.run(served.services.keys.list_keys)


def test_a_vote_that_does_not_count_is_on_record_as_one_that_failed(served: Served) -> None:
    held = served.hold("mine", requester="reviewer", key=served.key_ids["reviewer"])
    body = {"verdict": "approve", "reason": "seen"}
    assert 403 == served.ask(f"{API}/approvals/{held.id}/decision", by="reviewer", body=body)[0]
    assert ["begun", "approval_approve_failed"] == [each.event for each in served.recorded]
    assert 1 == len({each.id for each in served.recorded})
    assert 404 == served.ask(f"{API}/keys/k/<script>", by="admin", body={})[0]
    assert 2 == len(served.recorded)


class SlowDatabase:
    """A database on a slow road: the rows of one reading arrive only when they are let through."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.kind: Literal["sqlite", "postgresql"] = inner.kind
        self.where = inner.where
        self.held: asyncio.Event | None = None
        self.is_read = asyncio.Event()

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """Rows, late where they are held."""
        rows = await self._inner.fetch(sql, params)
        held, self.held = (self.held, None) if "change > ?" in sql else (None, self.held)
        if held is not None:
            self.is_read.set()
            await held.wait()
        return rows

    async def execute(self, sql: str, params: Sequence[Value] = ()) -> int:
        """As the inner one."""
        return await self._inner.execute(sql, params)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """As the inner one."""
        return self._inner.transaction()

    async def close(self) -> None:
        """As the inner one."""
        await self._inner.close()


async def test_a_late_answer_of_the_database_revives_no_revoked_key(tmp_path: Path) -> None:
    database = SlowDatabase(await open_database(tmp_path / "gateway.db"))
    keys = await KeyStore.open(database)
    ring = CachedKeyRing(keys)
    made = await keys.create(KeyWish(name="leaver"), by="test")
    database.held = letting = asyncio.Event()
    late = asyncio.create_task(ring.renew())
    await database.is_read.wait()
    await keys.revoke(made.record.holder.id)
    soon = asyncio.create_task(ring.renew())
    await asyncio.wait({soon}, timeout=0.2)
    letting.set()
    await asyncio.gather(late, soon)
    await ring.renew()
    assert None is ring.find(made.token)
    await database.close()


def test_what_init_writes_goes_into_no_file_that_somebody_planted(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "shared"
    folder.mkdir()
    for name in ("gateway.yaml", "policy.yaml"):
        (folder / f".{name}.{os.getpid()}").symlink_to(victim)
    assert 0 == main(["gateway", "init", "--out", str(folder)])
    assert ("mine", True) == (victim.read_text(), (folder / "gateway.yaml").read_text().startswith("#"))


async def test_one_requester_cannot_fill_the_queue_for_all_others(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "gateway.db")
    queue = await DatabaseQueue.open(database, limits=QueueLimits(actions=10))
    try:
        with suppress(LimitExceeded):
            for number in range(20):
                await queue.hold(action(number, requester="flooder"))
        assert "pending" == (await queue.hold(action("other", requester="somebody"))).state
    finally:
        await queue.close()
        await database.close()
