"""Servers by principal: each principal has connections of its own, and sees what its lock admits of them.

A catalogue knows every server's offer, because names are only safe in company: a tool that another server has too is
kept from agents. It is made anew where a server says that it changed, or went away and came back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from verilabel.errors import VerilabelError
from verilabel.gateway.mcp.pins.interface import Admitted, Offer, Pins, Quarantined
from verilabel.gateway.mcp.policy.document import ServerEntry
from verilabel.gateway.mcp.upstream.connection import Held, ServerLost, Upstream

IDLE_S = 900.0
MAX_PRINCIPALS = 256
RETRY_S = 5.0
"""How long a server that could not be reached is left alone."""

_log = logging.getLogger("verilabel.mcp.upstream")
Kind = Literal["tool", "resource", "prompt"]


@dataclass(frozen=True)
class Shown:
    """A tool, resource or prompt that an agent may be shown: where it is, and its raw definition."""

    server: str
    name: str
    raw: dict[str, Any]
    pin: str = ""


@dataclass(frozen=True)
class View:
    """What one principal may see of all servers. Tools by the name that agents use; resources by URI."""

    tools: Mapping[str, Shown] = field(default_factory=dict)
    resources: Mapping[str, Shown] = field(default_factory=dict)
    prompts: Mapping[str, Shown] = field(default_factory=dict)
    instructions: tuple[str, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    """Servers that could not be reached, and why."""


class Catalogue:
    """The servers of one principal. Use from one event loop; `close` ends its connections."""

    def __init__(self, entries: Mapping[str, ServerEntry], pins: Mapping[str, Pins]) -> None:
        self._entries = entries
        self._pins = pins
        self._held: dict[str, Held] = {}
        self._offers: dict[str, Offer] = {}
        self._absent: dict[str, tuple[str, float]] = {}
        self._view: View | None = None
        self._stale: set[str] = set()
        self._turn = asyncio.Lock()
        self.used_at = time.monotonic()

    @property
    def in_flight(self) -> int:
        """Requests that wait for a server."""
        return sum(held.upstream.in_flight for held in self._held.values())

    async def view(self) -> View:
        """What may be shown now. Servers that cannot be reached are absent; the others are there."""
        self.used_at = time.monotonic()
        if self._view is not None and not self._needs_look():
            return self._view
        async with self._turn:
            if self._view is None or self._needs_look():
                await self._look()
        assert self._view is not None
        return self._view

    def upstream(self, server: str) -> Upstream:
        """The open connection of a server of the view. Raises ServerLost."""
        held = self._held.get(server)
        if held is None or held.upstream.is_lost:
            raise ServerLost("the server is not there", where=server)
        return held.upstream

    async def close(self) -> None:
        """Close every connection."""
        held, self._held = self._held, {}
        await asyncio.gather(*(each.close() for each in held.values()))

    def _needs_look(self) -> bool:
        if self._stale or any(held.upstream.is_lost for held in self._held.values()):
            return True
        now = time.monotonic()
        return any(now >= again for _, again in self._absent.values())

    async def _look(self) -> None:
        await asyncio.gather(*(self._refresh(name) for name in self._entries))
        self._view = self._compose()

    async def _refresh(self, name: str) -> None:
        held = self._held.get(name)
        if held is not None and held.upstream.is_lost:
            await self._drop(name)
            held = None
        absent = self._absent.get(name)
        if held is None and absent is not None and time.monotonic() < absent[1]:
            return
        if held is not None and name not in self._stale:
            return
        self._stale.discard(name)
        try:
            if held is None:
                held = Held(Upstream(name, self._entries[name]))
                self._held[name] = held
                upstream = await held.ready()
                upstream.changed = lambda: self._stale.add(name)
            self._offers[name] = await held.upstream.offer()
            self._absent.pop(name, None)
        except VerilabelError as error:
            _log.warning("the MCP server %s is not there: %s", name, error.message)
            self._absent[name] = (error.message, time.monotonic() + RETRY_S)
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        self._offers.pop(name, None)
        held = self._held.pop(name, None)
        if held is not None:
            await held.close()

    def _compose(self) -> View:
        composing = _Composing()
        for name, offer in self._offers.items():
            others = {other: each for other, each in self._offers.items() if other != name}
            composing.add(
                offer, self._pins[name].examine(offer, others), prefix_of(name, self._entries[name])
            )
        for each in composing.quarantined:
            _log.warning("quarantined: %s %s of %s: %s", each.kind, each.name, each.server, each.change)
        return composing.view({name: why for name, (why, _) in self._absent.items()})


def prefix_of(name: str, entry: ServerEntry) -> str:
    """What stands before the names of a server's tools and prompts."""
    return f"{name}__" if entry.prefix is None else entry.prefix


class _Composing:
    """A view while it is put together. A name that two servers show belongs to neither."""

    def __init__(self) -> None:
        self.quarantined: list[Quarantined] = []
        self._instructions: list[str] = []
        self._shown: dict[Kind, dict[str, list[Shown]]] = {"tool": {}, "resource": {}, "prompt": {}}

    def add(self, offer: Offer, admitted: Admitted, prefix: str) -> None:
        """Add what is admitted of one server."""
        self.quarantined += admitted.quarantined
        if admitted.instructions and offer.instructions:
            self._instructions.append(offer.instructions)
        self._add("tool", offer, offer.tools, admitted.tools, admitted.pins, prefix)
        self._add("resource", offer, offer.resources, admitted.resources, {}, "")
        self._add("prompt", offer, offer.prompts, admitted.prompts, {}, prefix)

    def _add(
        self,
        kind: Kind,
        offer: Offer,
        items: tuple[dict[str, Any], ...],
        admitted: frozenset[str],
        pins: Mapping[str, str],
        prefix: str,
    ) -> None:
        for raw in items:
            if not isinstance(raw, dict):
                continue  # the pins have said what it is
            own = raw.get("uri", raw.get("uriTemplate")) if kind == "resource" else raw.get("name")
            if isinstance(own, str) and own in admitted:
                shown = Shown(offer.server, own, raw, pins.get(own, ""))
                self._shown[kind].setdefault(prefix + own, []).append(shown)

    def view(self, absent: Mapping[str, str]) -> View:
        """The view, without the names that stand twice."""
        tools, resources, prompts = (self._unique(kind) for kind in ("tool", "resource", "prompt"))
        return View(tools, resources, prompts, tuple(self._instructions), tuple(self.quarantined), absent)

    def _unique(self, kind: Kind) -> dict[str, Shown]:
        unique: dict[str, Shown] = {}
        for name, found in self._shown[kind].items():
            if len(found) == 1:
                unique[name] = found[0]
                continue
            for each in found:
                harmless = each.name[:64].encode("ascii", "backslashreplace").decode("ascii")
                detail = "it stands twice among what the servers show"
                self.quarantined.append(
                    Quarantined(
                        server=each.server, kind=kind, name=harmless, change="shadowed", detail=detail
                    )
                )
        return unique


class Pool:
    """Catalogues by principal; those that nobody used for a while are closed."""

    def __init__(self, entries: Mapping[str, ServerEntry], pins: Mapping[str, Pins]) -> None:
        self._entries = entries
        self._pins = pins
        self._catalogues: OrderedDict[str, Catalogue] = OrderedDict()
        self._tidying: asyncio.Task[None] | None = None

    async def of(self, principal: str) -> Catalogue:
        """The catalogue of a principal. Raises ServerLost where too many principals are at work."""
        found = self._catalogues.get(principal)
        if found is None:
            if len(self._catalogues) >= MAX_PRINCIPALS and not await self._close_idle(0.0):
                raise ServerLost("too many principals are connected")
            found = self._catalogues[principal] = Catalogue(self._entries, self._pins)
        self._catalogues.move_to_end(principal)
        found.used_at = time.monotonic()
        if self._tidying is None:
            self._tidying = asyncio.create_task(self._keep_tidy(), name="mcp pool")
        return found

    async def close(self) -> None:
        """Close every connection."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        catalogues, self._catalogues = self._catalogues, OrderedDict()
        await asyncio.gather(*(each.close() for each in catalogues.values()))

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S / 10)
            await self._close_idle(IDLE_S)

    async def _close_idle(self, idle_s: float) -> int:
        now = time.monotonic()
        idle = [
            name
            for name, each in self._catalogues.items()
            if not each.in_flight and now - each.used_at >= idle_s
        ]
        chosen = idle[:1] if idle_s == 0 else idle
        for name in chosen:
            await self._catalogues.pop(name).close()
        return len(chosen)
