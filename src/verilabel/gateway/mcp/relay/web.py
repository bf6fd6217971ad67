"""The gateway over streamable HTTP: who may come in, and what a body must be before the protocol library reads it.

1. the host that the request names is ours (no other name for this machine, no page of somebody else's site)
2. the key is in force; it names the principal, whatever else the request says
3. the body is one JSON-RPC message that every parser reads alike, of bounded size, and came in time
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import mcp_types as types
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from verilabel.errors import VerilabelError
from verilabel.gateway.access.interface import NOBODY, Holder, KeyRing
from verilabel.gateway.mcp.messages import refusal_of
from verilabel.gateway.mcp.relay.services import Principal
from verilabel.gateway.mcp.relay.shares import SessionShares
from verilabel.gateway.mcp.strict_json import MAX_BYTES, read_strictly
from verilabel.serving import BodyRefused, read_body

PATH = "/mcp"
HOLDER = "verilabel.holder"
SESSION = b"mcp-session-id"
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def principal_of(context: Any) -> Principal:
    """Who sent a request over HTTP. Raises MCPError where the door was not passed."""
    request = context.request
    holder = None if request is None else request.scope.get(HOLDER)
    if not isinstance(holder, Holder):
        raise MCPError(code=types.INVALID_REQUEST, message="nobody is known here")
    return Principal(holder=holder, identity=f"key:{holder.id}")


class Door:
    """The ASGI application: `/mcp` for agents, everything else for `people` (administration and approvals)."""

    def __init__(
        self, server: Server[Any], people: Asgi, *, ring: KeyRing | None, hosts: tuple[str, ...], port: int
    ) -> None:
        names = ("127.0.0.1", "localhost", "[::1]", *hosts)
        security = TransportSecuritySettings(
            allowed_hosts=[f"{name}:*" for name in names] + list(names),
            allowed_origins=[f"http://{name}:*" for name in names] + [f"https://{name}" for name in hosts],
        )
        self._inner = server.streamable_http_app(
            streamable_http_path=PATH,
            json_response=True,
            max_request_body_size=MAX_BYTES,
            transport_security=security,
            max_sessions=1_000,
        )
        self._agents = AuthContextMiddleware(self._inner)
        self._people = people
        self._shares = SessionShares()
        self._ring = ring
        self.port = port

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == PATH:
            await self._serve_agent(scope, receive, send)
        else:
            await self._people(scope, receive, send)

    async def _serve_agent(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        holder = self._find_holder(scope)
        if holder is None:
            await answer(send, 401, error_body("a key that is in force is needed"), challenge=True)
            return
        scope[HOLDER] = holder
        scope["user"] = AuthenticatedUser(AccessToken(token="-", client_id=holder.id, scopes=[]))  # noqa: S106
        if scope["method"] != "POST":
            await self._pass_on(holder, scope, receive, send)
            return
        try:
            body = await read_body(Request(scope, receive), MAX_BYTES)
        except BodyRefused as error:
            await answer(send, error.status, error_body(str(error)))
            return
        try:
            value = read_strictly(body, where="the body")
            if not isinstance(value, dict):
                raise BodyRefused(400, "a body is one message; batches are not served")
        except VerilabelError as error:
            await answer(send, 400, refusal_of(body, error.message))
            return
        except BodyRefused as error:
            await answer(send, error.status, error_body(str(error)))
            return
        if value.get("method") == "initialize" and not self._shares.has_room(holder.id):
            await answer(send, 503, error_body("this key has too many sessions open; end some of them"))
            return
        await self._pass_on(holder, scope, _replaying(body, receive), send)

    async def _pass_on(
        self, holder: Holder, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Hand a request to the protocol library, and note which session of the holder it was served by."""
        named = _header(scope["headers"], SESSION)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                session = _header(message.get("headers", ()), SESSION) or named
                is_over = message["status"] == 404 or scope["method"] == "DELETE"
                if session and is_over:
                    self._shares.forget(holder.id, session)
                elif session and message["status"] < 400:
                    self._shares.note(holder.id, session)
            await send(message)

        await self._agents(scope, receive, noting)

    def _find_holder(self, scope: MutableMapping[str, Any]) -> Holder | None:
        if self._ring is None:
            return NOBODY
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return None
        kind, _, token = given[0].decode("latin-1").partition(" ")
        return self._ring.find(token.strip()) if kind.lower() == "bearer" else None


def _header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name.lower() == wanted), "")


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def error_body(message: str) -> bytes:
    """A JSON-RPC error without an id."""
    error = {"code": types.INVALID_REQUEST, "message": message}
    return json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode("utf-8")


async def answer(send: Send, status: int, body: bytes, *, challenge: bool = False) -> None:
    """Answer with a JSON body."""
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if challenge:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
