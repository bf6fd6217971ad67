"""One open connection to an MCP server: started or reached, negotiated, asked; whatever it says is taken as it came.

Results come back as the raw objects that the server sent, so that pins see every field; what an agent is shown is what
the protocol's own vocabulary leaves of them. A connection lives in a task of its own, because its library wants to be
closed by the task that opened it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ConfigDict, ValidationError

from verilabel import __version__
from verilabel.errors import LimitExceeded, MalformedInput, ModelError, UsageError, VerilabelError
from verilabel.gateway.mcp.pins.interface import Offer
from verilabel.gateway.mcp.policy.document import ServerEntry
from verilabel.gateway.mcp.strict_json import check_shape
from verilabel.gateway.mcp.upstream.bounded_http import BoundedTransport
from verilabel.gateway.mcp.upstream.lines import process_streams
from verilabel.gateway.mcp.upstream.quiet_library import keep_library_quiet
from verilabel.models.endpoint import check_base_url
from verilabel.sandbox.interface import BoxSpec, Containment
from verilabel.sandbox.opening import open_box

CONNECT_S = 30.0
MAX_TOOLS = 10_000
MAX_PAGES = 200
LIST_CHANGED = frozenset(f"notifications/{what}/list_changed" for what in ("tools", "resources", "prompts"))
_CLIENT = types.Implementation(name="verilabel-mcp-gateway", version=__version__)


class _Raw(BaseModel):
    """A result as it came."""

    model_config = ConfigDict(extra="allow")


class ServerLost(VerilabelError):
    """A server that cannot be reached, died, or did not answer in time."""

    status = ModelError.status


class ServerSaidNo(VerilabelError):
    """A JSON-RPC error of a server: `error_code` is its number; its text belongs to the server."""

    def __init__(self, error_code: int, message: str) -> None:
        super().__init__(message[:2000])
        self.error_code = error_code


class Upstream:
    """An open connection. Made by `open_upstream`; `is_lost` once it ended by itself."""

    def __init__(self, name: str, entry: ServerEntry) -> None:
        self.name = name
        self.entry = entry
        self.containment: Containment | None = None
        self.changed: Callable[[], None] = lambda: None
        """Called where the server says that its lists changed."""
        self.in_flight = 0
        self.used_at = 0.0
        self._session: ClientSession | None = None
        self._lost = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """True once the server went away."""
        return self._lost.is_set()

    @property
    def command(self) -> tuple[str, ...]:
        """What it is reached by: its argument list, or its URL."""
        return self.entry.command or (self.entry.url or "",)

    async def ask(
        self, method: str, params: Mapping[str, Any], *, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """The raw result of one request.

        Raises ServerSaidNo for an error of the server, ServerLost where it went away, was too slow, or said what is no
        result.
        """
        session = self._session
        if session is None or self.is_lost:
            raise ServerLost("the server is gone", where=self.name)
        self.in_flight += 1
        try:
            return await self._ask(session, method, params, timeout_s or self.entry.timeout_s)
        finally:
            self.in_flight -= 1

    async def _ask(
        self, session: ClientSession, method: str, params: Mapping[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        request = types.Request[dict[str, Any], str](method=method, params=dict(params))
        try:
            raw = await session.send_request(request, _Raw, request_read_timeout_seconds=timeout_s)
            result: dict[str, Any] = raw.model_extra or {}
            check_shape(result, where=self.name)
        except (LimitExceeded, MalformedInput) as error:
            raise ServerLost(f"an answer that is not taken: {error.message}", where=self.name) from None
        except MCPError as error:
            if error.error.code == types.REQUEST_TIMEOUT:
                raise ServerLost(f"no answer within {timeout_s:g} s", where=self.name) from None
            if error.error.code == types.CONNECTION_CLOSED:
                self._lost.set()
                raise ServerLost("the server went away", where=self.name) from None
            raise ServerSaidNo(error.error.code, error.error.message) from None
        except ValidationError:
            raise ServerLost("the answer is not what the protocol asks for", where=self.name) from None
        except (OSError, RuntimeError) as error:
            self._lost.set()
            raise ServerLost(f"the connection failed: {type(error).__name__}", where=self.name) from None
        return result

    async def offer(self) -> Offer:
        """All that the server shows, raw. Raises ServerLost."""
        session = self._session
        if session is None:
            raise ServerLost("the server is gone", where=self.name)
        capabilities = session.server_capabilities
        info = session.server_info
        return Offer(
            server=self.name,
            command=self.command,
            identity={
                "serverInfo": {}
                if info is None
                else info.model_dump(by_alias=True, mode="json", exclude_none=True),
                "protocolVersion": session.protocol_version or "",
            },
            instructions=session.instructions,
            tools=await self._list("tools", capabilities is None or capabilities.tools is not None),
            resources=await self._list_resources(capabilities),
            prompts=await self._list(
                "prompts", capabilities is not None and capabilities.prompts is not None
            ),
        )

    async def _list_resources(
        self, capabilities: types.ServerCapabilities | None
    ) -> tuple[dict[str, Any], ...]:
        if capabilities is None or capabilities.resources is None:
            return ()
        plain = await self._list("resources", True)
        try:
            return plain + await self._list("resources/templates", True, key="resourceTemplates")
        except ServerSaidNo:
            return plain

    async def _list(self, what: str, is_there: bool, key: str = "") -> tuple[dict[str, Any], ...]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES if is_there else 0):
            params = {} if cursor is None else {"cursor": cursor}
            try:
                page = await self.ask(f"{what}/list", params)
            except ServerSaidNo as error:
                if error.error_code == types.METHOD_NOT_FOUND:
                    return ()
                raise
            items = page.get(key or what)
            if not isinstance(items, list):
                raise ServerLost(f"the list of {what} is none", where=self.name)
            found += items  # what is no object is for the pins to say
            cursor = page.get("nextCursor")
            if len(found) > MAX_TOOLS:
                raise ServerLost(f"more than {MAX_TOOLS} {what}", where=self.name)
            if not isinstance(cursor, str) or not cursor:
                return tuple(found)
        if is_there:
            raise ServerLost(f"the list of {what} has no end", where=self.name)
        return ()

    async def _note(self, message: object) -> None:
        method = getattr(message, "method", None)
        if method in LIST_CHANGED:
            self.changed()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open it for the length of a block, in the task that runs the block."""
        keep_library_quiet()
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(CONNECT_S):
                    transport = await self._reach(stack)
                    client = Client(transport, client_info=_CLIENT, message_handler=self._note, cache=None)
                    self._session = (await stack.enter_async_context(client)).session
            except TimeoutError:
                raise ServerLost(f"not ready within {CONNECT_S:g} s", where=self.name) from None
            except (MCPError, OSError, RuntimeError, ValidationError) as error:
                raise ServerLost(f"no MCP server answers: {type(error).__name__}", where=self.name) from None
            try:
                yield
            finally:
                self._lost.set()
                self._session = None

    async def _reach(self, stack: AsyncExitStack) -> AbstractAsyncContextManager[tuple[Any, Any]]:
        if self.entry.url is not None:
            headers = headers_of(self.entry, self.name)
            url = check_base_url(self.entry.url, has_key=bool(headers), allow_insecure=False)
            timeout = httpx2.Timeout(self.entry.timeout_s, read=300.0)
            bounded = BoundedTransport(httpx2.AsyncHTTPTransport())
            client = await stack.enter_async_context(
                httpx2.AsyncClient(headers=headers, timeout=timeout, transport=bounded)
            )
            return streamable_http_client(url, http_client=client)
        if not self.entry.command:
            raise UsageError("a server has a command or a url", where=f"$.servers.{self.name}")
        wanted = self.entry.sandbox
        spec = BoxSpec(
            provider=wanted.provider,
            at_least=wanted.min_containment,
            limits=wanted.limits,
            mounts=wanted.mounts,
        )
        box = await open_box(spec)
        stack.push_async_callback(box.close)
        self.containment = box.containment
        process = await box.start(self.entry.command, env=environment_of(self.entry, self.name))
        stack.push_async_callback(process.stop)
        return process_streams(process, name=self.name)


def environment_of(entry: ServerEntry, name: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that a server starts with: those written, and secrets by name. Raises UsageError for one unset."""
    passed = {}
    for variable in entry.secrets:
        if variable not in environ:
            raise UsageError(f"the variable {variable} is not set", where=f"$.servers.{name}.secrets")
        passed[variable] = environ[variable]
    return {**entry.env, **passed}


def headers_of(entry: ServerEntry, name: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The headers of a server's URL. Raises UsageError where a variable is unset."""
    headers = {}
    for header, variable in entry.headers_from.items():
        if variable not in environ:
            raise UsageError(f"the variable {variable} is not set", where=f"$.servers.{name}.headers_from")
        headers[header] = environ[variable]
    return headers


class Held:
    """A connection kept open by a task of its own until `close`."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"mcp {upstream.name}")

    async def ready(self) -> Upstream:
        """The connection, once it is open. Raises what opening it raised."""
        await asyncio.shield(self._ready)
        return self.upstream

    async def close(self) -> None:
        """Close it and wait for the end."""
        self._closing.set()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            async with self.upstream.opened():
                self._ready.set_result(None)
                await self._closing.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(_as_own(error, self.upstream.name))
                self._ready.exception()
            elif not isinstance(error, Exception):
                raise


def _as_own(error: BaseException, name: str) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, VerilabelError | asyncio.CancelledError):
        return error
    return ServerLost(f"the server cannot be reached: {type(error).__name__}", where=name)


@asynccontextmanager
async def open_upstream(name: str, entry: ServerEntry) -> AsyncIterator[Upstream]:
    """A connection for the length of a block. Raises ServerLost, SandboxError, UsageError, PolicyError."""
    held = Held(Upstream(name, entry))
    try:
        yield await held.ready()
    finally:
        await held.close()
