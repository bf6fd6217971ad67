"""Asking MCP servers what they show, each in its box: what `mcp pin` and `mcp scan --live` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from verilabel.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from verilabel.gateway.mcp.pins.interface import Offer
    from verilabel.gateway.mcp.policy.document import ServerEntry


def ask_servers(entries: Mapping[str, ServerEntry], *, allow_network: bool) -> dict[str, Offer]:
    """What each server shows. Servers with a command run in their boxes, one after the other.

    Raises UsageError for an address without `allow_network`, and what starting and asking a server raises.
    """
    import asyncio

    for name, entry in entries.items():
        if entry.url is not None and not allow_network:
            raise UsageError(
                f"the server {name!r} is reached over a network",
                where=f"$.servers.{name}",
                hint="--allow-network",
            )
    return asyncio.run(_ask(entries))


async def _ask(entries: Mapping[str, ServerEntry]) -> dict[str, Offer]:
    try:
        import mcp  # noqa: F401 (asked for by what follows)
    except ImportError:
        raise MissingExtra("mcp", "agents") from None
    from verilabel.gateway.mcp.upstream.connection import open_upstream

    offers: dict[str, Offer] = {}
    for name, entry in entries.items():
        async with open_upstream(name, entry) as upstream:
            offers[name] = await upstream.offer()
    return offers
