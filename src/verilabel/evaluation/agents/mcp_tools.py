"""Tools of MCP servers, or of our MCP gateway, offered to an agent beside the world's.

The servers are asked once what they offer, before the plan; that list is bound to the system by digest and shown to the
model as it was. Every episode gets a session of its own, so that no episode sees what another one did. A server that is
a command is started by the sandbox's process (level C0: a server that needs containing belongs behind the gateway).
What a server says is untrusted: names are made plain, sizes are bounded, and nothing of it stands in an error.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from verilabel.errors import (
    LimitExceeded,
    MalformedInput,
    MissingExtra,
    ModelError,
    SandboxError,
    UsageError,
    VerilabelError,
)
from verilabel.evaluation.agents.arguments import canonical_text
from verilabel.evaluation.agents.loop import OutsideTools, OutsideUnreachable
from verilabel.records.episode import ToolSpec, ToolStep

if TYPE_CHECKING:
    from mcp import Client

MAX_TOOLS = 256
MAX_NAME_CHARS = 64
MAX_DESCRIPTION_CHARS = 8_000
MAX_SCHEMA_BYTES = 64 * 1024
MAX_RESULT_CHARS = 100_000
CALL_TIMEOUT_S = 60.0
OPEN_TIMEOUT_S = 30.0
PROMPT_META = "verilabel/userPrompt"
"""The key of `_meta` by which the gateway learns what the person asked for."""
VERDICT_META = "verilabel/verdict"
"""The key of a result's `_meta` by which the gateway says how it decided; `RULES_META` names the rules."""
RULES_META = "verilabel/rules"
MAX_RULES = 32
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Place:
    """Where a server is, and the bearer token that is sent there; the token is never shown."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self.address = address
        self._token = token

    def __repr__(self) -> str:
        return f"Place({self.address!r})"

    @property
    def is_url(self) -> bool:
        """True for a server behind HTTP, False for a command."""
        return self.address.startswith(("http://", "https://"))

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}


@dataclass(frozen=True)
class McpServers:
    """Servers with the tools that they offered. `origins` maps a shown name to its server's number and its own name."""

    places: tuple[Place, ...]
    tools: tuple[ToolSpec, ...]
    origins: Mapping[str, tuple[int, str]]

    @asynccontextmanager
    async def open(self, prompt: str) -> AsyncIterator[OutsideTools]:
        """Sessions for one episode, whose person asked `prompt`. Raises OutsideUnreachable."""
        async with AsyncExitStack() as stack:
            try:
                clients = [await stack.enter_async_context(connect(place)) for place in self.places]
            except (ModelError, SandboxError) as error:
                raise OutsideUnreachable from error
            yield McpTools(clients, self.origins, prompt)


async def list_servers(places: Sequence[Place]) -> McpServers:
    """Ask the servers what they offer. Raises ModelError where one cannot be reached, LimitExceeded, MalformedInput."""
    specs: list[ToolSpec] = []
    origins: dict[str, tuple[int, str]] = {}
    for number, place in enumerate(places):
        async with connect(place) as client:
            for tool in await _list_tools(client, place):
                shown = _plain_name(tool.name, origins)
                origins[shown] = (number, tool.name)
                description = (tool.description or "")[:MAX_DESCRIPTION_CHARS]
                specs.append(ToolSpec(shown, description, _plain_schema(tool.input_schema, place)))
    return McpServers(tuple(places), tuple(specs), origins)


async def _list_tools(client: Client, place: Place) -> list[Any]:
    tools: list[Any] = []
    cursor: str | None = None
    while True:
        try:
            listed = await client.list_tools(cursor=cursor)
        except Exception as error:  # whatever the library raises, the server cannot be used
            raise ModelError("the MCP server does not list its tools", where=place.address) from error
        tools += listed.tools
        if len(tools) > MAX_TOOLS:
            raise LimitExceeded(f"more than {MAX_TOOLS} tools", where=place.address)
        if not (cursor := listed.next_cursor):
            return tools


def _plain_name(name: str, taken: Mapping[str, object]) -> str:
    """A name that every dialect allows, and that no other tool has."""
    plain = "".join(char if char in _PLAIN else "_" for char in name)[:MAX_NAME_CHARS] or "tool"
    if plain not in taken:
        return plain
    stem = plain[: MAX_NAME_CHARS - 4]
    return next(f"{stem}_{n}" for n in range(2, MAX_TOOLS + 2) if f"{stem}_{n}" not in taken)


def _plain_schema(schema: Mapping[str, Any], place: Place) -> dict[str, object]:
    """A schema without fractions, which no canonical record can hold: a keyword with one is left out."""
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedInput("a tool's schema is not JSON", where=place.address) from error
    if len(text) > MAX_SCHEMA_BYTES:
        raise LimitExceeded(f"a tool's schema of more than {MAX_SCHEMA_BYTES} bytes", where=place.address)
    plain: dict[str, object] = _without_fractions(schema)
    return plain


def _without_fractions(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _without_fractions(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if not isinstance(item, float)}
    if isinstance(value, list):
        return [item for item in map(_without_fractions, value) if not isinstance(item, float)]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


class McpTools:
    """The sessions of one episode."""

    def __init__(
        self, clients: Sequence[Client], origins: Mapping[str, tuple[int, str]], prompt: str
    ) -> None:
        self._clients = clients
        self._origins = origins
        self._meta: Any = {PROMPT_META: prompt}

    @property
    def names(self) -> frozenset[str]:
        """What the tools are called here."""
        return frozenset(self._origins)

    async def call(self, call: str, tool: str, arguments: str) -> ToolStep:
        """Carry out one call; whatever goes wrong is a failed step."""
        number, name = self._origins[tool]
        try:
            result = await self._clients[number].call_tool(
                name, json.loads(arguments), CALL_TIMEOUT_S, meta=self._meta
            )
            text = text_of(result)
        except (
            Exception
        ):  # an error of a protocol, a time-out, a server that is gone or says what no record can hold
            return ToolStep(
                call=call,
                tool=tool,
                arguments=arguments,
                result="Error: the tool's server gave no result",
                failed=True,
            )
        verdict, rules = _verdict_of(result.meta)
        return ToolStep(
            call=call,
            tool=tool,
            arguments=arguments,
            result=text,
            failed=bool(result.is_error),
            verdict=verdict,
            rules=rules,
        )


def text_of(result: Any) -> str:
    """A result as the model is shown it: its texts, or its structured content, cut at the limit."""
    parts = []
    for block in result.content:
        text = getattr(block, "text", None)
        parts.append(text if isinstance(text, str) else f"[{getattr(block, 'type', 'content')}: not shown]")
    if not parts and result.structured_content is not None:
        parts.append(canonical_text(result.structured_content))
    whole = _plain_text("\n".join(parts))
    if len(whole) > MAX_RESULT_CHARS:
        return whole[:MAX_RESULT_CHARS] + f"\n[cut: {len(whole) - MAX_RESULT_CHARS} more characters]"
    return whole


def _plain_text(value: object) -> str:
    """A text that every record can hold: without half characters."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _verdict_of(
    meta: Mapping[str, Any] | None,
) -> tuple[Literal["", "allow", "ask", "deny"], tuple[str, ...]]:
    said = (meta or {}).get(VERDICT_META)
    rules = (meta or {}).get(RULES_META)
    named = tuple(_plain_text(rule)[:128] for rule in rules[:MAX_RULES]) if isinstance(rules, list) else ()
    for verdict in ("allow", "ask", "deny"):
        if said == verdict:
            return verdict, named
    return "", ()


@asynccontextmanager
async def connect(place: Place) -> AsyncIterator[Client]:
    """A session with a server. Raises ModelError where it cannot be reached, MissingExtra where `mcp` is missing."""
    try:
        from mcp import Client
    except ImportError:
        raise MissingExtra("mcp", "agents") from None
    stack = AsyncExitStack()
    try:
        transport = await _transport(stack, place)
        client = await stack.enter_async_context(Client(transport, read_timeout_seconds=OPEN_TIMEOUT_S))
    except VerilabelError:
        await _close(stack)
        raise
    except Exception as error:  # every library on the way has its own errors
        await _close(stack)
        raise ModelError("the MCP server cannot be reached", where=place.address) from error
    except BaseException:
        await _close(stack)
        raise
    try:
        yield client
    finally:
        await _close(stack)


async def _close(stack: AsyncExitStack) -> None:
    """Close a session; a server that is gone already is closed, too."""
    with suppress(Exception):
        await stack.aclose()


async def _transport(stack: AsyncExitStack, place: Place) -> AbstractAsyncContextManager[Any]:
    if not place.is_url:
        return await _start(stack, place)
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    http = await stack.enter_async_context(create_mcp_http_client(headers=place.headers))
    return streamable_http_client(place.address, http_client=http)


async def _start(stack: AsyncExitStack, place: Place) -> AbstractAsyncContextManager[Any]:
    from verilabel.evaluation.agents.mcp_lines import process_streams
    from verilabel.sandbox.process import small_environment, start_process

    try:
        argv = shlex.split(place.address)
    except ValueError as error:
        raise UsageError(f"the command cannot be split: {error}", where="--mcp") from error
    process = await start_process(argv, env=small_environment())
    stack.push_async_callback(process.stop)
    return process_streams(process)
