"""Noticing clients that go away: their requests are cancelled, and with them what is asked of the upstream.

Watching a connection costs a task, so it begins only for requests that are not answered after `WATCH_AFTER_S`; one
timer looks for those.
"""

from __future__ import annotations

import asyncio
from typing import Any

from verilabel.gateway.pipeline.exchange import Receive

WATCH_AFTER_S = 0.05


class Watch:
    """One request: `is_gone` is True once its client has gone and it was cancelled."""

    __slots__ = ("_receive", "_request", "_task", "is_gone", "since")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._request: asyncio.Task[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self.since = 0.0
        self.is_gone = False

    def begin(self) -> None:
        """The request's body is there: from now on, in a while."""
        self._request = asyncio.current_task()
        _waiting.add(self)

    def end(self) -> None:
        """The request is answered."""
        _waiting.discard(self)
        if self._task is not None:
            self._task.cancel()

    def start(self) -> None:
        """Watch the connection from now on."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                if self._request is not None:
                    self._request.cancel()
                return


class _Waiting:
    """Requests whose connection is not watched yet. The timer runs only while there are any."""

    def __init__(self) -> None:
        self._watches: dict[Watch, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: Watch) -> None:
        """A request has begun."""
        loop = self._loop
        if self._timer is None or loop is None or loop.is_closed():
            loop = self._loop = asyncio.get_running_loop()
            self._timer = loop.call_later(WATCH_AFTER_S / 2, self._look)
        watch.since = loop.time()
        self._watches[watch] = None

    def discard(self, watch: Watch) -> None:
        """A request has ended."""
        self._watches.pop(watch, None)

    def _look(self) -> None:
        assert self._loop is not None
        due = self._loop.time() - WATCH_AFTER_S
        for watch in [each for each in self._watches if each.since <= due]:
            del self._watches[watch]
            watch.start()
        self._timer = self._loop.call_later(WATCH_AFTER_S / 2, self._look) if self._watches else None


_waiting = _Waiting()
