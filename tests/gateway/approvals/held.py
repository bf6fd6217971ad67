"""Held actions, people and queues for the tests of approvals."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from stores import opened
from verilabel.evidence.keys import PrivateKey, new_key
from verilabel.gateway.access.interface import Holder, Role
from verilabel.gateway.approvals.deciding import Desk
from verilabel.gateway.approvals.interface import HeldAction
from verilabel.gateway.approvals.queue import DatabaseQueue, QueueLimits
from verilabel.gateway.approvals.signing import DecisionLog

KEY: PrivateKey = new_key("gateway.example.org")


def subject(word: object = "x") -> str:
    """A digest for a word."""
    return f"sha256:{hashlib.sha256(str(word).encode()).hexdigest()}"


def action(word: object = "x", **given: Any) -> HeldAction:
    """A held action whose subject is of a word."""
    settings: dict[str, Any] = {
        "subject": subject(word),
        "kind": "tool_call",
        "requester": "asker",
        "key": "key-of-asker",
        "route": "gpt-4o",
        "policy": subject("policy"),
        "reason": ("payments: transfer",),
        "summary": "transfer 100 to [redacted]",
    }
    return HeldAction(**(settings | given))


def person(user: str, role: Role = "approver") -> Holder:
    """Somebody with a key of their own."""
    return Holder(id=f"key-of-{user}", name=user, role=role, user=user)


FIRST, SECOND, THIRD = person("reviewer"), person("colleague"), person("third", "admin")


@asynccontextmanager
async def a_desk(
    url: str,
    *,
    key: PrivateKey | None = None,
    log: DecisionLog | None = None,
    limits: QueueLimits | None = None,
) -> AsyncIterator[Desk]:
    """A desk over a queue of its own, as one worker has it."""
    async with opened(url) as database:
        queue = await DatabaseQueue.open(database, limits=limits)
        try:
            yield Desk(queue, key=key, log=log)
        finally:
            await queue.close()
