"""Held requests as records: what waits for people, and what they decided."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

State = Literal["pending", "approved", "denied", "expired", "consumed"]


class HeldAction(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is asked to allow: exactly one action, bound by digest.

    `subject` is SHA-256 over the canonical bytes of request, requester and policy digest (and of the reply, where a
    reply is held). `kind` says what is held; `summary` is what people see (redacted, bounded), `reason` which guard
    or rule held it. `payload` is the held reply, kept until it is decided and used, then removed.
    """

    subject: str
    kind: Literal["request", "reply", "tool_call"]
    requester: str
    """User behind the key."""
    key: str
    route: str
    policy: str
    """Digest of the policy."""
    reason: tuple[str, ...]
    summary: str
    payload: bytes = b""
    quorum: int = 1
    roles: tuple[str, ...] = ("approver", "admin")
    expires_s: int = 3600


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """One person's signed decision: `envelope` is the DSSE envelope over it, where a key signs."""

    by: str
    verdict: Literal["approve", "deny"]
    reason: str
    at_us: int
    envelope: str = ""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A held action as it stands."""

    id: str
    action: HeldAction
    state: State
    created_us: int
    expires_us: int
    votes: tuple[Vote, ...] = ()


class ApprovalQueue(Protocol):
    """The queue, in a database that outlives workers. Times are of the database's machine or monotone within it;
    an expired approval is denied whatever else it says."""

    async def hold(self, action: HeldAction, *, webhook: str | None = None) -> Approval:
        """Add an action, durably; the same subject that is still pending or approved is given back, not doubled.

        `webhook` is told where the action is new."""
        ...

    async def find(self, approval: str) -> Approval | None:
        """One approval by its id."""
        ...

    async def read_payload(self, approval: str) -> bytes:
        """The held reply of an approval; empty where it is gone."""
        ...

    async def consume(self, subject: str) -> Approval | None:
        """Use an approved, unexpired approval of exactly this subject: once over all workers and restarts."""
        ...

    async def wait(self, approval: str, timeout_s: float) -> Approval:
        """The approval once it is no longer pending, or as it stands after the timeout."""
        ...
