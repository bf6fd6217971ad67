"""Deciding on what is held: who may vote, what votes come to, and the signed record of each.

In order, in one transaction: 1 what is overdue is expired; 2 the action still waits; 3 the person may vote: another
user than the requester's, in a role that the policy names, once; 4 the decision is written and signed; 5 one denial
denies, and as many approvals by different users as the quorum approve. Afterwards: 6 the decision's digest is logged;
one that could not be is tried again with the next. What is held is allowed or not, as it is: it cannot be edited, since
an approval fits exactly the bytes that people were shown the digest of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Literal

from verilabel.errors import MalformedInput, PolicyError
from verilabel.evidence.keys import PrivateKey
from verilabel.gateway.access.interface import Holder
from verilabel.gateway.approvals import statements
from verilabel.gateway.approvals.interface import Approval, State, Vote
from verilabel.gateway.approvals.queue import DatabaseQueue
from verilabel.gateway.approvals.schema import approval_of, vote_of
from verilabel.gateway.approvals.signing import Decision, DecisionLog, sign_decision, written_time
from verilabel.gateway.approvals.watching import Change
from verilabel.records.canonical import digest
from verilabel.registry.clock import Moment, tick
from verilabel.registry.database import Transaction

Verdict = Literal["approve", "deny"]
Objection = Literal["unknown", "decided", "own_request", "role", "voted"]
MAX_REASON = 2000
_LOG_PAGE = 200

_log = logging.getLogger("verilabel.gateway.approvals")


class VoteRefused(PolicyError):
    """A vote that does not count; `why` is a stable word."""

    def __init__(self, why: Objection, message: str, *, where: str | None = None) -> None:
        super().__init__(message, where=where)
        self.why = why


class Desk:
    """Where people decide. `key` signs decisions; `log` keeps their digests in a transparency log."""

    def __init__(
        self, queue: DatabaseQueue, *, key: PrivateKey | None = None, log: DecisionLog | None = None
    ) -> None:
        self.queue = queue
        self._key = key
        self._log = log
        self._logging = asyncio.Lock()

    async def decide(self, approval: str, *, by: Holder, verdict: Verdict, reason: str) -> Approval:
        """Record a person's vote; the approval as it stands after it.

        Raises VoteRefused where the vote does not count, MalformedInput where the reason is missing or too long,
        DatabaseLost: whether the vote was kept is then not known.
        """
        said = check_reason(reason)
        async with self.queue.database.transaction() as transaction:
            moment = await tick(transaction)
            row = await self.queue.open_row(transaction, moment, approval)  # 1
            if row is None:
                raise VoteRefused("unknown", "there is no such approval", where=approval[:80])
            votes = [vote_of(found) for found in await transaction.fetch(statements.VOTES, (approval,))]
            before = approval_of(row, votes)
            # an approval that turns out overdue stays expired: nothing of this transaction is undone
            objection = objection_to(before, by)  # 2, 3
            if objection is None:
                vote = await self._add_vote(transaction, before, by, verdict, said, moment)  # 4
                state = outcome_of([*votes, vote], before.action.quorum)  # 5
                await self._set_state(transaction, approval, state, moment)
        if objection is not None:
            raise objection
        self.queue.watch.note(Change(approval, state, moment.tick))
        await self._append_to_log()  # 6
        return approval_of((*row[: statements.STATE], state, *row[statements.STATE + 1 :]), [*votes, vote])

    async def append_waiting(self) -> None:
        """Log decisions that could not be logged before: for the start of a gateway."""
        await self._append_to_log()

    async def _add_vote(
        self,
        transaction: Transaction,
        approval: Approval,
        by: Holder,
        verdict: Verdict,
        reason: str,
        moment: Moment,
    ) -> Vote:
        decision = decision_of(approval, by, verdict, reason, moment.wall_us)
        envelope = "" if self._key is None else sign_decision(decision, self._key)
        await transaction.execute(
            statements.ADD_VOTE,
            (
                approval.id,
                by.user,
                verdict,
                reason,
                by.id,
                moment.wall_us,
                envelope,
                digest(decision.payload()),
                0 if self._log is not None else 1,
            ),
        )
        return Vote(by=by.user, verdict=verdict, reason=reason, at_us=moment.wall_us, envelope=envelope)

    async def _set_state(self, transaction: Transaction, approval: str, state: State, moment: Moment) -> None:
        if state == "denied":
            given = (moment.wall_us, b"", moment.tick, approval)
            await transaction.execute(statements.DENY, given)
        elif state == "approved":
            await transaction.execute(statements.APPROVE, (moment.wall_us, moment.tick, approval))
        else:
            await transaction.execute(statements.TOUCH, (moment.tick, approval))

    async def _append_to_log(self) -> None:
        """A log that cannot be written to takes no decision back: its entries wait in the database."""
        if self._log is None:
            return
        try:
            async with self._logging:
                while rows := await self.queue.database.fetch(statements.UNLOGGED, (_LOG_PAGE,)):
                    await asyncio.to_thread(self._log.append, [row[2] for row in rows])
                    async with self.queue.database.transaction() as transaction:
                        for approval, voter, _ in rows:
                            await transaction.execute(statements.SET_LOGGED, (approval, voter))
        except Exception as error:  # the decision stands; it is logged with the next one
            _log.error("decisions wait to be logged: %s", type(error).__name__)


def objection_to(approval: Approval, by: Holder) -> VoteRefused | None:
    """Why this person may not vote on this approval now; None where they may."""
    action = approval.action
    if approval.state != "pending":
        return VoteRefused("decided", f"it was decided already: {approval.state}", where=approval.id)
    if by.role not in action.roles:
        roles = ", ".join(action.roles)
        return VoteRefused("role", f"a key of the role {by.role} does not decide here, but {roles}")
    user = by.user.casefold()
    if not user or user == action.requester.casefold() or by.id == action.key:
        return VoteRefused("own_request", "nobody approves or denies what they asked for themselves")
    if any(vote.by.casefold() == user for vote in approval.votes):
        return VoteRefused("voted", f"{by.user} has voted already", where=approval.id)
    return None


def outcome_of(votes: Sequence[Vote], quorum: int) -> State:
    """What votes come to: one denial denies, `quorum` different users approve, and otherwise it waits on."""
    if any(vote.verdict == "deny" for vote in votes):
        return "denied"
    approving = {vote.by.casefold() for vote in votes if vote.verdict == "approve"}
    return "approved" if len(approving) >= quorum else "pending"


def decision_of(approval: Approval, by: Holder, verdict: Verdict, reason: str, at_us: int) -> Decision:
    """The document of one decision."""
    action = approval.action
    return Decision(
        approval=approval.id,
        subject=action.subject,
        kind=action.kind,
        policy=action.policy,
        requester=action.requester,
        verdict=verdict,
        by=by.user,
        role=by.role,
        key=by.id,
        reason=reason,
        at=written_time(at_us),
        quorum=action.quorum,
    )


def check_reason(reason: str) -> str:
    """A reason without white space around it. Raises MalformedInput where there is none, or it is too long."""
    said = reason.strip().replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if not 1 <= len(said) <= MAX_REASON:
        raise MalformedInput(f"a decision needs a reason of 1 to {MAX_REASON} characters", where="$.reason")
    return said
