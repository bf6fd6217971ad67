"""Telling a webhook that something is held: its id, why, and the redacted summary, never what was asked or answered.

A notice is a help and not a part of the decision: it is sent beside the request, tried a few times, and given up with
a line in the log. Chat services take it as it is where they accept any JSON.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from verilabel.errors import MissingExtra, PolicyError, UsageError
from verilabel.gateway.approvals.interface import Approval
from verilabel.models.endpoint import is_loopback

if TYPE_CHECKING:
    from aiohttp import ClientSession

MAX_WAITING = 1000
TIMEOUT_S = 5.0
PAUSES_S = (0.5, 3.0)
"""Between the tries: there is one more try than pauses."""

_log = logging.getLogger("verilabel.gateway.approvals")


class WebhookNotices:
    """Sends notices, one after the other, in the background. `link` is where people decide, for the notice."""

    def __init__(self, *, link: str | None = None, pauses_s: tuple[float, ...] = PAUSES_S) -> None:
        if importlib.util.find_spec("aiohttp") is None:
            raise MissingExtra("aiohttp", "gateway")
        self._link = link
        self._pauses_s = pauses_s
        self._waiting: asyncio.Queue[tuple[str, Approval]] = asyncio.Queue(MAX_WAITING)
        self._sending: asyncio.Task[None] | None = None
        self.sent = 0
        self.failed = 0

    def send(self, url: str, approval: Approval) -> None:
        """Have a webhook told of a held action; never waits and never raises."""
        try:
            self._waiting.put_nowait((url, approval))
        except asyncio.QueueFull:
            self._give_up("too many notices wait")
            return
        if self._sending is None:
            self._sending = asyncio.create_task(self._keep_sending(), name="approval notices")

    async def close(self, *, patience_s: float = 2.0) -> None:
        """Send what waits, for so many seconds, and stop."""
        if self._sending is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._waiting.join()
        self._sending.cancel()
        with suppress(asyncio.CancelledError):
            await self._sending
        self._sending = None

    async def _keep_sending(self) -> None:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            while True:
                url, approval = await self._waiting.get()
                try:
                    await self._deliver(session, url, approval)
                finally:
                    self._waiting.task_done()

    async def _deliver(self, session: ClientSession, url: str, approval: Approval) -> None:
        reason = ""
        for pause_s in (*self._pauses_s, None):
            try:
                async with session.post(
                    check_webhook(url), json=notice_of(approval, self._link), allow_redirects=False
                ) as answer:
                    if answer.status < 300:
                        self.sent += 1
                        return
                    reason = f"status {answer.status}"
            except Exception as error:  # a notice that fails must not end those behind it
                reason = type(error).__name__
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        self._give_up(reason)

    def _give_up(self, reason: str) -> None:
        self.failed += 1
        _log.warning("a webhook was not told of a held action: %s", reason)


def check_webhook(url: str) -> str:
    """A webhook's address. Raises UsageError or PolicyError where it is none, or would be sent in the open.

    The errors do not repeat it: the path of a webhook is often its password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError("the webhook's address cannot be read", where="webhook") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise UsageError("a webhook is https://host/path without credentials", where="webhook")
    if parts.scheme == "http" and not is_loopback(host):
        raise PolicyError(
            "notices would travel unencrypted to another machine", where="webhook", hint="https"
        )
    return url


def notice_of(approval: Approval, link: str | None = None) -> dict[str, Any]:
    """What a webhook is told. `text` says it in one line, as chat services show it."""
    action = approval.action
    told: dict[str, Any] = {
        "event": "held",
        "id": approval.id,
        "kind": action.kind,
        "requester": action.requester,
        "route": action.route,
        "reason": list(action.reason),
        "summary": action.summary,
        "created_us": approval.created_us,
        "expires_us": approval.expires_us,
        "quorum": action.quorum,
        "text": f"{approval.id}: a {action.kind.replace('_', ' ')} of {action.requester} is held for approval",
    }
    return told if link is None else told | {"link": link}
