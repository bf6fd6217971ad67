"""Running a small HTTP service: where it listens, who may write to it, and how large a request may be.

TLS is a reverse proxy's work. Off loopback, writing needs a bearer token; on loopback without one, writing is taken
only from requests that name loopback as their host, so that neither a web page nor a proxy opens it to others.
"""

from __future__ import annotations

import asyncio
import hmac
import importlib.util
import os
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from verilabel.errors import MissingExtra, PolicyError, UsageError
from verilabel.models.endpoint import is_loopback

if TYPE_CHECKING:
    from starlette.requests import Request

BODY_TIMEOUT_S = 10.0
MIN_TOKEN_LENGTH = 16
_MAX_CONNECTIONS = 512
_MAX_HEADER_BYTES = 16 * 1024


class BodyRefused(Exception):
    """A request's body that was not taken; `status` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def require_server() -> None:
    """Check that the packages for serving are installed. Raises MissingExtra."""
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "server")


def read_token(variable: str | None, environ: Mapping[str, str] | None = None) -> str | None:
    """The token in an environment variable, or None where no variable is named.

    Raises UsageError where the variable is unset, or too short to be a secret.
    """
    if variable is None:
        return None
    token = (os.environ if environ is None else environ).get(variable, "").strip()
    if len(token) < MIN_TOKEN_LENGTH or not token.isascii() or any(char.isspace() for char in token):
        raise UsageError(
            f"the environment variable {variable} holds no token of at least {MIN_TOKEN_LENGTH} characters",
            hint="openssl rand -hex 32",
        )
    return token


def check_listening(host: str, token: str | None) -> None:
    """Check that a service that takes entries may listen there. Raises PolicyError."""
    if not is_loopback(host) and token is None:
        raise PolicyError(
            "off loopback, anybody could write to this log",
            where=f"--host {host}",
            hint="give writers a token: --token-env VARIABLE",
        )


def refuses_writer(headers: Mapping[str, str], token: str | None) -> str | None:
    """Why a request may not write, or None where it may."""
    if token is not None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode("utf-8"))
        return None if kind.lower() == "bearer" and same else "a bearer token is needed"
    try:
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        return "without a token, entries are taken from this machine alone"
    return None


async def read_body(request: Request, limit: int) -> bytes:
    """A request's whole body. Raises BodyRefused where it is too large or does not come."""
    from starlette.requests import ClientDisconnect

    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise BodyRefused(413, f"more than {limit} bytes")
                parts.append(chunk)
    except TimeoutError:
        raise BodyRefused(408, "the body did not come in time") from None
    except ClientDisconnect:
        raise BodyRefused(400, "the body broke off") from None
    return b"".join(parts)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises UsageError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, or asyncio would not send small answers at once (TCP_NODELAY)
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(f"cannot listen there: {error}", where=f"{host}:{port}") from None
    return listener


def serve(app: Any, listener: socket.socket, *, announce: Callable[[str], None]) -> None:
    """Serve an ASGI application until the process is told to stop; `announce` gets its URL first."""
    import uvicorn

    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_graceful_shutdown=10,
    )
    announce(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    uvicorn.Server(config).run(sockets=[listener])
