"""The queue of held actions in a database: durable before it answers, used once over all workers and restarts.

Every change begins by ticking the database's clock, which keeps all other changes out until it is committed, and ends
by writing the tick's number into the row. Deadlines are measured by that clock, which never goes back; what was seen
expired is written down as expired. A worker learns of the changes of others by their numbers, by one question for all
who wait, twice a second.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.approvals import statements
from verilabel.gateway.approvals.interface import Approval, HeldAction, State, Vote
from verilabel.gateway.approvals.notices import WebhookNotices
from verilabel.gateway.approvals.schema import STEPS, approval_of, vote_of, words_json
from verilabel.gateway.approvals.statements import DUE, STATE
from verilabel.gateway.approvals.watching import Change, Watch
from verilabel.records.canonical import is_digest
from verilabel.registry.clock import Moment, make_clock, read_clock, tick
from verilabel.registry.database import Database, Row, Transaction
from verilabel.registry.migrations import migrate

MAX_OPEN = 100_000
MAX_HELD_BYTES = 2**30
MAX_SUMMARY = 8_000
MAX_REASONS = 64
MAX_REASON = 300
MAX_LISTED = 500
LEAST_OF_ONE = 10
"""Actions that one requester may have waiting where a tenth of the whole is less, up to half of the whole."""
_MEASURE_EVERY = 64
_MAX_MEASURED = 4_096
"""Requesters whose measure is kept."""


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait at once: held actions, and bytes of held replies."""

    actions: int = MAX_OPEN
    payload_bytes: int = MAX_HELD_BYTES

    @property
    def of_one(self) -> QueueLimits:
        """What one requester may have of it, so that others find room: a tenth, of few actions more."""
        actions = min(max(self.actions // 10, LEAST_OF_ONE), self.actions // 2)
        return QueueLimits(actions=max(actions, 1), payload_bytes=self.payload_bytes // 10)


class _Measure(NamedTuple):
    """What waits: so many actions and bytes, and how many were added since it was counted."""

    actions: int
    size: int
    since: int

    def is_near(self, limits: QueueLimits, more_bytes: int) -> bool:
        """True where it must be counted again before something is added."""
        is_half_full = 2 * (self.actions + 1) > limits.actions
        return (
            self.since >= _MEASURE_EVERY
            or is_half_full
            or 2 * (self.size + more_bytes) > limits.payload_bytes
        )


_UNKNOWN = _Measure(0, 0, _MEASURE_EVERY)


class DatabaseQueue:
    """The `ApprovalQueue` of one worker. `notices` tells webhooks of what is newly held."""

    def __init__(
        self, database: Database, *, limits: QueueLimits | None = None, notices: WebhookNotices | None = None
    ) -> None:
        self.database = database
        self.watch = Watch(database, self.expire_overdue)
        self._limits = limits or QueueLimits()
        self._notices = notices
        self._measured = _UNKNOWN
        self._measured_of: dict[str, _Measure] = {}

    @classmethod
    async def open(
        cls, database: Database, *, limits: QueueLimits | None = None, notices: WebhookNotices | None = None
    ) -> DatabaseQueue:
        """The queue of a database, whose schema is made where it is not there yet. Raises as `migrate` does."""
        await make_clock(database)
        await migrate(database, "approvals", STEPS)
        queue = cls(database, limits=limits, notices=notices)
        await queue.expire_overdue()
        return queue

    async def close(self) -> None:
        """Stop watching. Who waits is woken and finds the approval as it stands; the database stays open."""
        await self.watch.close()

    async def hold(self, action: HeldAction, *, webhook: str | None = None) -> Approval:
        """Add an action; it is on the disk when this returns. `webhook` is told where it is new.

        The same subject that still waits or is approved is given back, not doubled. Raises LimitExceeded where too
        much is held already, of all or of its requester, DatabaseLost where it cannot be kept: either way the action
        must be refused.
        """
        checked = check_action(action)
        self.watch.start()  # what is held here is also swept from here, when its time is up
        async with self.database.transaction() as transaction:
            moment = await tick(transaction)
            rows = await self._open_rows(transaction, moment, checked.subject)
            if rows:
                return await self._with_votes(transaction, rows[0])
            await self._check_room(transaction, checked.requester, len(checked.payload))
            row = await self._insert(transaction, checked, moment)
        approval = approval_of(row, ())
        self.watch.note(Change(approval.id, "pending", moment.tick))
        if webhook is not None and self._notices is not None:
            self._notices.send(webhook, approval)
        return approval

    async def find(self, approval: str) -> Approval | None:
        """One approval by its id, without its payload. One that is overdue is written down as expired first."""
        found = await self._look(approval)
        if found is None:
            return None
        if found.state in ("pending", "approved") and await self._is_overdue(approval):
            await self.expire_overdue()
            found = await self._look(approval)
        return found

    async def read_payload(self, approval: str) -> bytes:
        """The held reply of an approval, for whoever must know what it is of before it is used; empty if it is gone."""
        rows = await self.database.fetch(statements.FIND_PAYLOAD, (approval,))
        return bytes(rows[0][0]) if rows else b""

    async def list_approvals(
        self,
        *,
        states: Sequence[State] = (),
        requester: str | None = None,
        limit: int = 100,
        before: str = "",
    ) -> list[Approval]:
        """Approvals in given states, the newest first; `before` is the id after which the next page begins."""
        await self._expire_if_overdue()
        statement = statements.list_statement(
            states=len(states), by_requester=requester is not None, after_another=bool(before)
        )
        params = [*states, *([] if requester is None else [requester]), *([before] if before else [])]
        rows = await self.database.fetch(statement, (*params, max(1, min(limit, MAX_LISTED))))
        votes = await self._votes_of([row[0] for row in rows])
        return [approval_of(row, votes.get(row[0], ())) for row in rows]

    async def count_open(self) -> dict[str, int]:
        """How many actions wait and how many are approved and unused."""
        rows = await self.database.fetch(statements.COUNT_STATES)
        return {"pending": 0, "approved": 0} | {str(state): int(count) for state, count in rows}

    async def consume(self, subject: str) -> Approval | None:
        """Use the approval of exactly this subject, with its payload; None where there is none that may be used.

        It is used up when this returns: an answer that is lost afterwards is not given twice. Raises DatabaseLost;
        whether it was used up is then not known, and the action must be refused.
        """
        seen = await self.database.fetch(statements.FIND_OPEN, (subject,))
        if not seen or seen[0][STATE] != "approved":
            return None  # most often: nothing is written for it
        async with self.database.transaction() as transaction:
            moment = await tick(transaction)
            rows = await self._open_rows(transaction, moment, subject)
            if not rows or rows[0][STATE] != "approved":
                return None
            key = rows[0][0]
            payload = (await transaction.fetch(statements.FIND_PAYLOAD, (key,)))[0][0]
            given = (moment.wall_us, b"", moment.tick, key, moment.steady_us)
            used = await transaction.fetch(statements.USE, given)
            if not used:
                return None
            votes = await transaction.fetch(statements.VOTES, (key,))
        self.watch.note(Change(key, "consumed", moment.tick))
        return approval_of(used[0], map(vote_of, votes), bytes(payload))

    async def wait(self, approval: str, timeout_s: float) -> Approval:
        """The approval once it is no longer pending, or as it stands after the timeout.

        Raises MalformedInput where there is none of this id, DatabaseLost.
        """
        await self.watch.begin()
        with self.watch.waiting_for(approval) as changed:
            found = await self.find(approval)
            if found is not None and found.state == "pending" and timeout_s > 0:
                await changed(timeout_s)
                found = await self.find(approval)
        if found is None:
            raise MalformedInput("there is no such approval", where=approval[:80])
        return found

    async def expire_overdue(self) -> int:
        """Deny what was not decided or not used in time, and forget its payload; how many that were."""
        async with self.database.transaction() as transaction:
            moment = await tick(transaction)
            given = (b"", moment.wall_us, moment.tick, moment.steady_us)
            rows = await transaction.fetch(statements.EXPIRE_ALL, given)
        for (key,) in rows:
            self.watch.note(Change(key, "expired", moment.tick))
        return len(rows)

    # -- statements ------------------------------------------------------------------------------------------

    async def open_row(self, transaction: Transaction, moment: Moment, approval: str) -> Row | None:
        """The row of an approval inside a transaction that has ticked, expired first where it is overdue."""
        given = (b"", moment.wall_us, moment.tick, approval, moment.steady_us)
        await transaction.execute(statements.EXPIRE_ONE, given)
        rows = await transaction.fetch(statements.FIND, (approval,))
        return rows[0] if rows else None

    async def _open_rows(self, transaction: Transaction, moment: Moment, subject: str) -> list[Row]:
        rows = await transaction.fetch(statements.FIND_OPEN, (subject,))
        if rows and rows[0][DUE] <= moment.steady_us:
            await self.open_row(transaction, moment, rows[0][0])
            return []
        return rows

    async def _check_room(self, transaction: Transaction, requester: str, more_bytes: int) -> None:
        """Counting what waits takes time that grows with it: far from the limits it is done now and then."""
        whole, one = self._limits, self._limits.of_one
        measured = self._measured
        if measured.is_near(whole, more_bytes):
            count, size = (await transaction.fetch(statements.ROOM))[0]
            measured = _Measure(int(count), int(size), 0)
        if measured.actions >= whole.actions or measured.size + more_bytes > whole.payload_bytes:
            raise LimitExceeded(
                "too much waits for approval already",
                where=self.database.where,
                hint="decide, or let it expire",
            )
        own = self._measured_of.get(requester, _UNKNOWN)
        if own.is_near(one, more_bytes):
            count, size = (await transaction.fetch(statements.ROOM_OF, (requester,)))[0]
            own = _Measure(int(count), int(size), 0)
        # a first reply is held however large it is: the whole has room for it
        if own.actions >= one.actions or (own.actions and own.size + more_bytes > one.payload_bytes):
            raise LimitExceeded(
                "too much of this requester waits for approval already",
                where=self.database.where,
                hint="decide what it asked for, or let it expire",
            )
        self._measured = _Measure(measured.actions + 1, measured.size + more_bytes, measured.since + 1)
        if len(self._measured_of) >= _MAX_MEASURED:
            self._measured_of.clear()
        self._measured_of[requester] = _Measure(own.actions + 1, own.size + more_bytes, own.since + 1)

    async def _insert(self, transaction: Transaction, action: HeldAction, moment: Moment) -> Row:
        rows = await transaction.fetch(
            statements.ADD,
            (
                f"ap_{secrets.token_hex(10)}",
                action.subject,
                action.kind,
                action.requester,
                action.key,
                action.route,
                action.policy,
                words_json(action.reason),
                action.summary,
                action.payload,
                len(action.payload),
                action.quorum,
                words_json(action.roles),
                action.expires_s,
                moment.wall_us,
                moment.steady_us + action.expires_s * 1_000_000,
                moment.tick,
            ),
        )
        return rows[0]

    async def _look(self, approval: str) -> Approval | None:
        rows = await self.database.fetch(statements.FIND, (approval,))
        if not rows:
            return None
        votes = await self.database.fetch(statements.VOTES, (approval,))
        return approval_of(rows[0], map(vote_of, votes))

    async def _with_votes(self, transaction: Transaction, row: Row) -> Approval:
        return approval_of(row, map(vote_of, await transaction.fetch(statements.VOTES, (row[0],))))

    async def _votes_of(self, keys: Sequence[str]) -> dict[str, list[Vote]]:
        votes: dict[str, list[Vote]] = {}
        if keys:
            rows = await self.database.fetch(statements.votes_statement(len(keys)), keys)
            for row in rows:
                votes.setdefault(row[0], []).append(vote_of(row[1:]))
        return votes

    async def _is_overdue(self, approval: str) -> bool:
        moment = await read_clock(self.database)
        rows = await self.database.fetch(statements.FIND_DUE, (approval,))
        return bool(rows) and rows[0][0] <= moment.steady_us

    async def _expire_if_overdue(self) -> None:
        moment = await read_clock(self.database)
        rows = await self.database.fetch(statements.NEXT_DUE)
        if rows[0][0] is not None and rows[0][0] <= moment.steady_us:
            await self.expire_overdue()


def check_action(action: HeldAction) -> HeldAction:
    """A held action within its bounds: long texts are cut. Raises MalformedInput where it cannot be held at all."""
    if not is_digest(action.subject):
        raise MalformedInput("a held action is bound by a digest", where="$.subject")
    if not 1 <= action.quorum <= 100 or not 1 <= action.expires_s <= 366 * 86_400 or not action.roles:
        raise MalformedInput(
            "an approval needs 1 to 100 people of some role, within 1 second to 366 days", where="$.approvals"
        )
    return msgspec.structs.replace(
        action,
        summary=_storable(action.summary, MAX_SUMMARY),
        reason=tuple(_storable(reason, MAX_REASON) for reason in action.reason[:MAX_REASONS]),
        requester=_storable(action.requester, 256),
        key=_storable(action.key, 256),
        policy=_storable(action.policy, 256),
        route=_storable(action.route, 512),
    )


def _storable(text: str, limit: int) -> str:
    """Text that both databases keep: no NUL, which PostgreSQL refuses, and no half characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return cut.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
