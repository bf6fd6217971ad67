"""Approvals of a store that is opened directly, for `verilabel approvals` on the gateway's own machine."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from verilabel.errors import CheckFailed, UsageError
from verilabel.evidence.keys import load_key
from verilabel.gateway.access.interface import Holder, Role
from verilabel.gateway.access.store import check_user
from verilabel.gateway.administration.views import view_approval
from verilabel.gateway.approvals.deciding import Desk, VoteRefused
from verilabel.gateway.approvals.queue import DatabaseQueue
from verilabel.registry.database import open_database

_T = TypeVar("_T")


class LocalApprovals:
    """A queue opened from a shell. Without a user it only looks; with one it votes in that name, and says so."""

    def __init__(
        self, store: str, *, user: str = "", role: Role = "auditor", key: Path | None = None
    ) -> None:
        shell = f"local:{getpass.getuser()}"
        self._holder = Holder(id=shell, name=shell, role=role, user=user and check_user(user))
        self._runner = asyncio.Runner()
        signing = None if key is None else load_key(key)
        try:
            self._database = self._run(open_database(store))
            self._queue = self._run(DatabaseQueue.open(self._database))
        except BaseException:
            self._runner.close()
            raise
        self._desk = Desk(self._queue, key=signing)

    def close(self) -> None:
        """Let go of the store."""
        self._run(self._queue.close())
        self._run(self._database.close())
        self._runner.close()

    def list_approvals(self, *, states: tuple[Any, ...] = (), limit: int = 100) -> list[dict[str, Any]]:
        """Approvals in given states, the newest first."""
        found = self._run(self._queue.list_approvals(states=states, limit=limit))
        return [view_approval(approval, self._holder) for approval in found]

    def show_approval(self, approval: str) -> dict[str, Any]:
        """One approval with its signed votes. Raises UsageError where there is none."""
        found = self._run(self._queue.find(approval))
        if found is None:
            raise UsageError(
                "there is no such approval", where=approval[:80], hint="verilabel approvals list"
            )
        return view_approval(found, self._holder, envelopes=True)

    def decide(self, approval: str, *, verdict: Any, reason: str) -> dict[str, Any]:
        """Vote; the approval as it stands after it. Raises as over HTTP: CheckFailed where it comes too late."""
        try:
            decided = self._run(self._desk.decide(approval, by=self._holder, verdict=verdict, reason=reason))
        except VoteRefused as refused:
            if refused.why == "unknown":
                raise UsageError(refused.message, where=refused.where) from None
            if refused.why in ("decided", "voted"):
                raise CheckFailed(refused.message, where=refused.where) from None
            raise
        return view_approval(decided, self._holder)

    def follow(self) -> Iterator[dict[str, Any]]:
        """Every change from now on."""
        self._run(self._queue.watch.begin())
        with self._queue.watch.reading() as changes:
            while (change := self._run(changes.get())) is not None:
                found = self._run(self._queue.find(change.approval))
                if found is not None:
                    yield view_approval(found, self._holder)

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._runner.run(work)
