"""The yardstick: a pass-through in pure ASGI with an aiohttp client, on uvicorn with uvloop and httptools.

It decodes nothing, checks nothing and keeps nothing: what any Python gateway on this stack costs at least.
`python -m verilabel.gateway_bench.bare UPSTREAM` takes a free port, prints `ready PORT` and serves.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import ClientSession

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_JSON = {"content-type": "application/json"}


class PassThrough:
    """The ASGI application: a POST goes to the same path of the upstream, and back come its status, type and bytes."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: ClientSession | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] != "POST":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        session = self._session
        if session is None:
            session = self._session = self._open()
        async with session.post(self._upstream + scope["path"], data=body, headers=_JSON) as reply:
            kind = reply.headers.get("content-type", "application/json").encode()
            head: Message = {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [(b"content-type", kind)],
            }
            if kind.startswith(b"text/event-stream"):
                await send(head)
                async for part in reply.content.iter_any():
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
                return
            data = await reply.read()
            head["headers"].append((b"content-length", str(len(data)).encode()))
            await send(head)
            await send({"type": "http.response.body", "body": data})

    def _open(self) -> ClientSession:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(), auto_decompress=False
        )


def main() -> None:
    """Serve until ended."""
    import uvicorn

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    config = uvicorn.Config(
        PassThrough(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
    )
    print("ready", listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
