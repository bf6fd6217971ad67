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
from verilabel.gateway.mcp.upstream.connection import CONNECT_S, Held, ServerLost, Upstream

IDLE_S = 900.0
MAX_PRINCIPALS = 256
RETRY_S = 5.0
"""How long a server that could not be reached is left alone."""
LIST_S = 30.0
"""How long a server may take to list all that it has."""
PATIENCE_S = 2.0
"""How long a request waits for a server that is looked at anew."""
RESERVED = frozenset(("resources/read", "prompts/get"))
"""Names under which resources and prompts are decided: no tool may have them."""

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
    """The servers of one principal. Use from one event loop; `close` ends its connections.

    Every server is looked at in a task of its own that belongs to nobody's request: who gives up waiting stops
    nothing, and a server that stalls holds up others for `PATIENCE_S` at most. While a server is looked at anew,
    nothing of it is shown, since nobody knows what it is now.
    """

    def __init__(self, entries: Mapping[str, ServerEntry], pins: Mapping[str, Pins]) -> None:
        self._entries = entries
        self._pins = pins
        self._held: dict[str, Held] = {}
        self._offers: dict[str, Offer] = {}
        self._absent: dict[str, tuple[str, float]] = {}
        self._view: View | None = None
        self._stale: set[str] = set(entries)
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._slow: set[asyncio.Task[None]] = set()
        """Looks that somebody waited for in vain: nobody waits for them again."""
        self._was_shown = False
        self._closed = False
        self.used_at = time.monotonic()

    @property
    def in_flight(self) -> int:
        """Requests that wait for a server, and looks under way."""
        return len(self._looking) + sum(held.upstream.in_flight for held in self._held.values())

    async def view(self) -> View:
        """What may be shown now. Servers that cannot be reached are absent; the others are there.

        Raises ServerLost where the catalogue was closed.
        """
        self.used_at = time.monotonic()
        if self._closed:
            raise ServerLost("the connections of this principal were closed")
        patience = PATIENCE_S if self._was_shown else CONNECT_S + LIST_S
        for _ in range(2):  # a server that changed while it was looked at is looked at once more
            if awaited := self._begin_looks():
                _, slow = await asyncio.wait(awaited, timeout=patience)
                self._slow |= slow
        if self._view is None:
            self._view = self._compose()
            self._was_shown = True
        return self._view

    def upstream(self, server: str) -> Upstream:
        """The open connection of a server of the view. Raises ServerLost."""
        held = self._held.get(server)
        if held is None or held.upstream.is_lost:
            raise ServerLost("the server is not there", where=server)
        return held.upstream

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        looking = [*self._looking.values()]
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        held, self._held = self._held, {}
        await asyncio.gather(*(each.close() for each in held.values()))

    def _begin_looks(self) -> list[asyncio.Task[None]]:
        """Begin to look at every server that is due; the looks to wait for. One that was absent is tried aside."""
        now = time.monotonic()
        awaited = []
        for name in self._entries:
            held, absent = self._held.get(name), self._absent.get(name)
            if name not in self._looking:
                is_due = (
                    now >= absent[1]
                    if absent is not None
                    else name in self._stale or held is None or held.upstream.is_lost
                )
                if not is_due:
                    continue
                self._looking[name] = asyncio.create_task(self._look(name), name=f"mcp look {name}")
                self._view = None if absent is None else self._view
            if absent is None and self._looking[name] not in self._slow:
                awaited.append(self._looking[name])
        return awaited

    async def _look(self, name: str) -> None:
        # before it is asked: what it says has changed from here on is looked at again
        self._stale.discard(name)
        try:
            offer = await self._ask_for_offer(name)
        except (VerilabelError, TimeoutError) as error:
            why = str(error) if isinstance(error, VerilabelError) else f"no list within {LIST_S:g} s"
            _log.warning("the MCP server %s is not there: %s", name, why)
            self._absent[name] = (why, time.monotonic() + RETRY_S)
            await self._drop(name)
        except Exception as error:
            _log.error("the MCP server %s is not there: %s", name, type(error).__name__)
            self._absent[name] = (type(error).__name__, time.monotonic() + RETRY_S)
            await self._drop(name)
        else:
            self._absent.pop(name, None)
            self._offers[name] = offer
        finally:
            self._slow.discard(self._looking.pop(name))
            self._view = None

    async def _ask_for_offer(self, name: str) -> Offer:
        held = self._held.get(name)
        if held is not None and held.upstream.is_lost:
            await self._drop(name)
            held = None
        if held is None:
            held = self._held[name] = Held(Upstream(name, self._entries[name]))
            upstream = await held.ready()
            upstream.changed = lambda: self._stale.add(name)
        async with asyncio.timeout(LIST_S):
            return await held.upstream.offer()

    async def _drop(self, name: str) -> None:
        self._offers.pop(name, None)
        held = self._held.pop(name, None)
        if held is not None:
            await held.close()

    def _compose(self) -> View:
        composing = _Composing()
        for name, offer in self._offers.items():
            if name in self._looking and name not in self._absent:
                continue
            others = {other: each for other, each in self._offers.items() if other != name}
            composing.add(
                offer, self._pins[name].examine(offer, others), prefix_of(name, self._entries[name])
            )
        for each in composing.quarantined:
            _log.warning("quarantined: %s %s of %s: %s", each.kind, each.name, each.server, each.change)
        absent = dict.fromkeys(self._looking, "it is being looked at")
        return composing.view(absent | {name: why for name, (why, _) in self._absent.items()})


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
            if kind == "tool" and own in RESERVED:
                detail = "resources and prompts are decided under this name"
                self.quarantined.append(
                    Quarantined(server=offer.server, kind=kind, name=own, change="malformed", detail=detail)
                )
            elif isinstance(own, str) and own in admitted:
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
        if principal not in self._catalogues and len(self._catalogues) >= MAX_PRINCIPALS:
            await self._close_idle(0.0)
        # asked again: others had their turn while an idle one was closed
        found = self._catalogues.get(principal)
        if found is None:
            if len(self._catalogues) >= MAX_PRINCIPALS:
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
