"""What an agent is shown of servers: what is admitted, and what the policy could allow; never what is quarantined.

Lists are for one principal and say so (`cacheScope: private`), because each may see something else.
"""

from __future__ import annotations

from typing import Any

from verilabel.gateway.mcp.relay.carriers import GET, READ
from verilabel.gateway.mcp.relay.services import Principal, Services
from verilabel.gateway.mcp.upstream.pool import View

_TOOL_KEYS = ("title", "description", "inputSchema", "outputSchema", "annotations", "icons")
_PRIVATE = {"ttlMs": 0, "cacheScope": "private"}


async def view_of(services: Services, principal: Principal) -> View:
    """What one principal may be shown. Raises ServerLost where too many principals are at work."""
    return await (await services.pool.of(principal.identity)).view()


async def list_tools(services: Services, principal: Principal) -> dict[str, Any]:
    """`tools/list`: the tools of all servers under the names that agents use."""
    view = await view_of(services, principal)
    tools = [
        {"name": name, **{key: shown.raw[key] for key in _TOOL_KEYS if key in shown.raw}}
        for name, shown in sorted(view.tools.items())
        if services.boundary.policy.shows(shown.server, shown.name)
    ]
    return {"tools": tools, **_PRIVATE}


async def list_prompts(services: Services, principal: Principal) -> dict[str, Any]:
    """`prompts/list`."""
    view = await view_of(services, principal)
    prompts = [
        {**{k: shown.raw[k] for k in ("title", "description", "arguments") if k in shown.raw}, "name": name}
        for name, shown in sorted(view.prompts.items())
        if services.boundary.policy.shows(shown.server, GET)
    ]
    return {"prompts": prompts, **_PRIVATE}


async def list_resources(services: Services, principal: Principal, *, templates: bool) -> dict[str, Any]:
    """`resources/list`, or the templates."""
    view = await view_of(services, principal)
    key = "uriTemplate" if templates else "uri"
    wanted = (key, "name", "title", "description", "mimeType", "size")
    found = [
        {k: shown.raw[k] for k in wanted if k in shown.raw}
        for _, shown in sorted(view.resources.items())
        if key in shown.raw and services.boundary.policy.shows(shown.server, READ)
    ]
    return {"resourceTemplates" if templates else "resources": found, **_PRIVATE}
