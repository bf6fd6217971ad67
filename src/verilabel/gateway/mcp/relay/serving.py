"""The gateway as an MCP server: the protocol library's low-level server, with our handlers in it.

Every handler finds out who calls, and hands over; no exception's text reaches a client but those made for it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError

from verilabel import __version__
from verilabel.errors import VerilabelError
from verilabel.gateway.mcp.relay.calling import call_tool
from verilabel.gateway.mcp.relay.carriers import REFUSED, get_prompt, read_resource
from verilabel.gateway.mcp.relay.listing import list_prompts, list_resources, list_tools
from verilabel.gateway.mcp.relay.services import Principal, Services
from verilabel.gateway.mcp.upstream.quiet_library import keep_library_quiet

NAME = "verilabel-mcp-gateway"
INSTRUCTIONS = (
    "Tools of several servers behind a gateway. A call may be denied by a policy or held for a person: the result says "
    "which rule, and what to do. Do not try to get around a denial."
)
STATE_TTL_S = 600.0
Context = ServerRequestContext[Any, Any]
FindPrincipal = Callable[[Context], Principal]

_log = logging.getLogger("verilabel.mcp")


def make_server(services: Services, find_principal: FindPrincipal) -> Server[Any]:
    """The server that agents speak to. `find_principal` raises MCPError where nobody is known."""

    async def tools(context: Context, params: object) -> Any:
        del params
        return await _guarded(list_tools(services, find_principal(context)))

    async def call(context: Context, params: types.CallToolRequestParams) -> Any:
        return await _guarded(call_tool(services, find_principal(context), context, params))

    async def resources(context: Context, params: object) -> Any:
        del params
        return await _guarded(list_resources(services, find_principal(context), templates=False))

    async def templates(context: Context, params: object) -> Any:
        del params
        return await _guarded(list_resources(services, find_principal(context), templates=True))

    async def read(context: Context, params: types.ReadResourceRequestParams) -> Any:
        return await _guarded(read_resource(services, find_principal(context), context, str(params.uri)))

    async def prompts(context: Context, params: object) -> Any:
        del params
        return await _guarded(list_prompts(services, find_principal(context)))

    async def prompt(context: Context, params: types.GetPromptRequestParams) -> Any:
        given = params.arguments or {}
        return await _guarded(get_prompt(services, find_principal(context), context, params.name, given))

    keep_library_quiet()
    server: Server[Any] = Server(
        NAME,
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=tools,
        on_call_tool=call,
        on_list_resources=resources,
        on_list_resource_templates=templates,
        on_read_resource=read,
        on_list_prompts=prompts,
        on_get_prompt=prompt,
    )
    security = RequestStateSecurity(
        keys=[services.secret],
        ttl=STATE_TTL_S,
        bind_principal=lambda context: find_principal(context).identity,
    )
    server.middleware.append(RequestStateBoundary(security, default_audience=NAME))
    return server


async def _guarded(work: Awaitable[Any]) -> Any:
    """What the work gives; its failures as errors that hold no text of arguments, results or files."""
    try:
        result = await work
        return {**result, "resultType": "complete"} if isinstance(result, dict) else result
    except MCPError:
        raise
    except VerilabelError as error:
        _log.warning("refused: %s", error.code)
        raise MCPError(code=REFUSED, message=f"Not done: {error.code}") from None
    except Exception as error:
        # the place and not the words: those may repeat what was sent
        _log.error("failed: %s at %s", type(error).__name__, _place_of(error))
        raise MCPError(code=types.INTERNAL_ERROR, message="Internal error of the gateway") from None


def _place_of(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "nowhere"
