"""Routes of approvals: list, show, decide, follow, and a requester's own look at one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Literal, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from verilabel.errors import MalformedInput, VerilabelError
from verilabel.gateway.access.interface import Holder, Role
from verilabel.gateway.administration.authority import (
    HEADERS,
    ApiRefusal,
    Authority,
    answer,
    read_json,
    token_of,
)
from verilabel.gateway.administration.services import Administration
from verilabel.gateway.administration.views import view_approval, view_state
from verilabel.gateway.approvals.interface import Approval, State
from verilabel.gateway.approvals.watching import Change

READERS: tuple[Role, ...] = ("approver", "auditor", "admin")
MAX_WAIT_S = 60.0
KEEP_ALIVE_S = 15.0
KEY_CHECK_S = 1.0
"""How soon a stream ends after its key was revoked."""


class VoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a decision is sent as."""

    verdict: Literal["approve", "deny"]
    reason: str


class ApprovalsApi:
    """The handlers of `/verilabel/api/approvals`."""

    def __init__(self, services: Administration, authority: Authority) -> None:
        self._desk = services.desk
        self._queue = services.desk.queue
        self._authority = authority

    async def list_approvals(self, request: Request) -> Response:
        """`GET approvals?state=pending&requester=USER&limit=100&before=ID`: the newest first."""
        reader = self._authority.require(request, *READERS)
        asked = request.query_params
        states = tuple(asked.getlist("state"))
        if unknown := set(states) - set(get_args(State)):
            raise MalformedInput(f"no state {min(unknown)[:40]!r}", where="state")
        found = await self._queue.list_approvals(
            states=states,  # type: ignore[arg-type]
            requester=asked.get("requester"),
            limit=_whole(asked.get("limit", "100"), "limit"),
            before=asked.get("before", ""),
        )
        return answer(
            {
                "approvals": [view_approval(approval, reader) for approval in found],
                "open": await self._queue.count_open(),
                "now_us": time.time_ns() // 1000,
            }
        )

    async def show_approval(self, request: Request) -> Response:
        """`GET approvals/ID?wait=SECONDS`: whole for people who decide or audit, its state for who asked for it."""
        reader = self._authority.require(request)
        found = await self._queue.find(request.path_params["id"])
        if found is None or not (reader.role in READERS or _is_requester(found, reader)):
            raise ApiRefusal(404, "unknown", "there is no such approval")
        wait_s = _whole(request.query_params.get("wait", "0"), "wait")
        if wait_s and found.state == "pending":
            found = await self._queue.wait(found.id, min(wait_s, MAX_WAIT_S))
        if reader.role in READERS:
            return answer(view_approval(found, reader, envelopes=True))
        return answer(view_state(found))

    async def decide(self, request: Request) -> Response:
        """`POST approvals/ID/decision {"verdict": "approve", "reason": "..."}`."""
        reader = self._authority.require(request, *READERS)
        body = await read_json(request, VoteBody)
        with self._authority.recording(f"approval_{body.verdict}", reader) as told:
            decided = await self._desk.decide(
                request.path_params["id"], by=reader, verdict=body.verdict, reason=body.reason
            )
            told |= {"approval": decided.id, "code": decided.state}
        return answer(view_approval(decided, reader))

    async def follow(self, request: Request) -> Response:
        """`GET approvals/stream`: server-sent events, an `approval` for each change."""
        reader = self._authority.require(request, *READERS)
        if self._queue.watch.is_full:
            raise ApiRefusal(429, "limit", "too many follow the approvals already")
        await self._queue.watch.begin()
        return StreamingResponse(
            self._events(reader, token_of(request)), headers=HEADERS, media_type="text/event-stream"
        )

    async def _events(self, reader: Holder, token: str) -> AsyncIterator[bytes]:
        """Ends where the key is no longer in force or the database is lost: the client asks again, and is told why."""
        silent_s = 0.0
        with self._queue.watch.reading() as changes, suppress(ApiRefusal, VerilabelError):
            yield b": follow\n\n"
            while True:
                change = await _next_within(changes, KEY_CHECK_S)
                self._authority.holder_of(token)
                if isinstance(change, Change):
                    found = await self._queue.find(change.approval)
                    silent_s = 0.0
                    if found is not None:
                        yield _event(view_approval(found, reader))
                elif change == "ended":
                    return
                else:
                    silent_s += KEY_CHECK_S
                    if silent_s >= KEEP_ALIVE_S:
                        silent_s = 0.0
                        yield b": still here\n\n"


async def _next_within(
    changes: asyncio.Queue[Change | None], timeout_s: float
) -> Change | Literal["ended", "silent"]:
    try:
        async with asyncio.timeout(timeout_s):
            change = await changes.get()
    except TimeoutError:
        return "silent"
    return "ended" if change is None else change


def _event(document: dict[str, Any]) -> bytes:
    return b"event: approval\ndata: " + msgspec.json.encode(document) + b"\n\n"


def _is_requester(approval: Approval, holder: Holder) -> bool:
    action = approval.action
    return holder.id == action.key or (bool(holder.user) and holder.user == action.requester)


def _whole(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise MalformedInput("not a whole number", where=where)
    return int(text)
