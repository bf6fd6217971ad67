"""The server over streamable HTTP: who is let in, with what rights, and bodies that everybody reads alike.

Without a token it is served on loopback only, for reading, to requests that name loopback as their host (so that no web
page reaches it). With tokens each request carries one: the reading token reads, the writing one also files incidents.
Every request is a connection of its own: nothing is kept between them but what was verified.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
from collections.abc import Callable
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from verilabel.errors import MalformedInput, PolicyError
from verilabel.gateway.connection import ClientConnection
from verilabel.gateway.mcp.messages import refusal_of
from verilabel.gateway.mcp.server.serving import RIGHTS_KEY, Rights
from verilabel.gateway.mcp.strict_json import MAX_BYTES, read_strictly
from verilabel.models.endpoint import is_loopback
from verilabel.serving import BodyRefused, read_body

PATH = "/mcp"
MAX_CONNECTIONS = 256
ANYBODY_HERE = Rights("loopback")


class Tokens:
    """Who may come in by which token. Without any, whoever is on this machine may read."""

    def __init__(self, reading: str | None, writing: str | None) -> None:
        self._known = [
            (token, Rights(f"token:{hashlib.sha256(token.encode()).hexdigest()[:8]}", may_write=may_write))
            for token, may_write in ((writing, True), (reading, False))
            if token is not None
        ]

    def __bool__(self) -> bool:
        return bool(self._known)

    def find_rights(self, authorization: str) -> Rights | None:
        """The rights that an Authorization header gives; None where it gives none."""
        if not self._known:
            return ANYBODY_HERE
        kind, _, given = authorization.partition(" ")
        found = None
        for token, rights in self._known:
            is_same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode("utf-8"))
            if is_same and found is None:
                found = rights
        return found if kind.lower() == "bearer" else None


def check_place(host: str, tokens: Tokens) -> None:
    """Check that the server may listen there. Raises PolicyError."""
    if not is_loopback(host) and not tokens:
        raise PolicyError(
            "off loopback, anybody could ask this server",
            where=f"--http {host}",
            hint="give readers a token: --token-env VARIABLE",
        )


def make_app(server: Server[Any], tokens: Tokens) -> ASGIApp:
    """The ASGI application: the library's, behind the door and the strict reader."""
    loopback = ("127.0.0.1", "localhost", "[::1]")
    security = TransportSecuritySettings(
        # a token in a header is what no web page can send; without one the host must be this machine
        enable_dns_rebinding_protection=not tokens,
        allowed_hosts=[f"{name}{end}" for name in loopback for end in ("", ":*")],
        allowed_origins=[f"http://{name}:*" for name in loopback],
    )
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MAX_BYTES,
        transport_security=security,
    )
    return Door(app, tokens)


class Door:
    """Lets in who may come in, and reads bodies before anything is made of them."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        rights = self._tokens.find_rights(request.headers.get("authorization", ""))
        if rights is None:
            refusal = JSONResponse(
                {"error": "a bearer token is needed"}, status_code=401, headers={"WWW-Authenticate": "Bearer"}
            )
            await refusal(scope, receive, send)
            return
        scope[RIGHTS_KEY] = rights
        if request.method != "POST":
            await self._app(scope, receive, send)
            return
        await self._serve_post(request, scope, receive, send)

    async def _serve_post(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        try:
            body = await read_body(request, MAX_BYTES)
            if not isinstance(read_strictly(body), dict):
                raise MalformedInput("a message is an object; batches are not served", where="message")
        except BodyRefused as refused:
            await JSONResponse({"error": str(refused)}, status_code=refused.status)(scope, receive, send)
            return
        except MalformedInput as error:
            response = JSONResponse(None, status_code=400)
            response.body = refusal_of(body, error.message)
            response.init_headers({"content-type": "application/json"})
            await response(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def serve(app: ASGIApp, listener: socket.socket, *, announce: Callable[[str], None]) -> None:
    """Serve until the process is told to stop; `announce` gets the URL first."""
    import uvicorn

    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        http=ClientConnection,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=10,
    )
    announce(f"http://[{host}]:{port}{PATH}" if ":" in host else f"http://{host}:{port}{PATH}")
    uvicorn.Server(config).run(sockets=[listener])
