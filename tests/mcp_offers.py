"""Offers of MCP servers for tests: what a sound server shows, and the same with one thing changed."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.gateway.mcp.pins.interface import Offer

HIDDEN_ORDER = "SERVER TEXT THAT NO AGENT MAY SEE"


def make_tool(name: str, description: str = "Does what its name says.", **fields: Any) -> dict[str, Any]:
    """A tool as a server sends it."""
    schema = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    return {"name": name, "description": description, "inputSchema": schema} | fields


def make_offer(*tools: dict[str, Any], server: str = "mail", **fields: Any) -> Offer:
    """A sound server with three tools, a resource, a template and a prompt, or with the tools given."""
    sound = Offer(
        server=server,
        command=("mail-mcp", "--read-only"),
        identity={"serverInfo": {"name": "mail", "version": "1.2.0"}, "protocolVersion": "2025-11-25"},
        instructions="Read the inbox first.",
        tools=tools
        or (
            make_tool("read_inbox", annotations={"readOnlyHint": True}),
            make_tool("send_mail", outputSchema={"type": "object"}),
            make_tool("search", **{"x-vendor": {"rate": 0.5}}),
        ),
        resources=(
            {"uri": "mail://inbox", "name": "inbox", "size": 10},
            {"uriTemplate": "mail://inbox/{id}", "name": "one mail"},
        ),
        prompts=({"name": "summarise", "description": "Summarise the inbox."},),
    )
    return msgspec.structs.replace(sound, **fields)


def with_tools(offer: Offer, *tools: dict[str, Any]) -> Offer:
    """An offer with other tools."""
    return msgspec.structs.replace(offer, tools=tools)


def without(content: dict[str, Any], *fields: str) -> dict[str, Any]:
    """An object without some of its fields."""
    return {key: value for key, value in content.items() if key not in fields}
