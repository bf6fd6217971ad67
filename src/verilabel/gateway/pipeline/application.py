"""The ASGI application: model requests straight to the pipeline, health and metrics beside it, the rest to people."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from verilabel.gateway.pipeline.decoding import encode
from verilabel.gateway.pipeline.exchange import Receive, Scope, Send
from verilabel.gateway.pipeline.handling import serve
from verilabel.gateway.pipeline.receiving import authenticate_headers, check_local_host, repeats_header
from verilabel.gateway.pipeline.services import Services
from verilabel.gateway.pipeline.snapshot import may_use
from verilabel.gateway.telemetry.exposition import CONTENT_TYPE
from verilabel.gateway.verdicts import Refusal, Refused
from verilabel.gateway.wire.catalogue import DIALECTS
from verilabel.gateway.wire.interface import ClientDialect
from verilabel.models.endpoint import is_loopback

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
_JSON = b"application/json"
_CREATED = int(time.time())


class Application:
    """The gateway as ASGI sees it. `services` is there once `start` has run; `people` serves /verilabel/."""

    def __init__(
        self,
        start: Callable[[], Awaitable[tuple[Services, Asgi]]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._start = start
        self._stop = stop
        self._services: Services | None = None
        self._people: Asgi | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the lifespan."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if b"%" in scope["raw_path"] and not path.startswith("/v1/models/"):
                # no path here needs an escape, and whoever stands before the gateway may not see through it
                await _refuse(send, None, 404, "not_found", "there is nothing here")
                return
            dialect = DIALECTS.get(path)
            if dialect is not None and self._services is not None:
                pairs = scope["headers"]
                headers = dict(pairs)
                if len(headers) != len(pairs) and repeats_header(pairs):
                    await _refuse(
                        send, dialect, 400, "header_repeated", "a header stands twice that may stand once"
                    )
                elif scope["method"] == "POST":
                    await serve(self._services, dialect, headers, receive, send)
                else:
                    await _refuse(send, dialect, 405, "method", "models are asked by POST")
                return
            await self._serve_beside(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self._services, self._people = await self._start()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                _leave_to_itself_what_stays()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve_beside(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        services = self._services
        if services is None:
            await _send(send, 503, b'{"status":"starting"}')
        elif path.startswith("/verilabel/") and self._people is not None:
            await self._people(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await _refuse(send, None, 404, "not_found", "there is nothing here")
        elif path == "/health/live":
            await _send(send, 200, b'{"status":"live"}')
        elif path == "/health/ready":
            ready = not services.is_leaving
            await _send(send, 200 if ready else 503, encode({"status": "ready" if ready else "leaving"}))
        elif path == "/metrics" and services.snapshot.config.telemetry.metrics:
            await _send_metrics(services, scope, send)
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            await _send_models(services, scope, send)
        else:
            await _refuse(send, None, 404, "not_found", "there is nothing here")


async def _send_metrics(services: Services, scope: Scope, send: Send) -> None:
    """All metrics. On loopback they are shown under a loopback name alone, so that no web page reads them."""
    try:
        if is_loopback(services.snapshot.config.host):
            check_local_host(dict(scope["headers"]))
    except Refused:
        await _refuse(send, None, 403, "not_local", "metrics are shown under a loopback name alone")
        return
    await _send(send, 200, await services.exposition.render(), CONTENT_TYPE.encode())


def _leave_to_itself_what_stays() -> None:
    """Have the garbage collector look at young objects alone, and less often.

    What was made at start stays for good; requests leave hardly any cycles, and looking for them among everything took
    a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _send_models(services: Services, scope: Scope, send: Send) -> None:
    """The models that the key may use, in the form of the API that is asked by."""
    headers = dict(scope["headers"])
    try:
        holder = authenticate_headers(services, headers)
    except Refused as refused:
        await _refuse(send, None, refused.refusal.status, refused.refusal.code, refused.refusal.message)
        return
    names = [
        route.name
        for route in services.snapshot.routes
        if not route.name.endswith("*") and may_use(holder, route.name)
    ]
    for_anthropic = b"anthropic-version" in headers
    wanted = scope["path"].removeprefix("/v1/models").removeprefix("/")
    if wanted:
        if wanted not in names:
            await _refuse(send, None, 404, "model_not_found", "there is no such model for this key")
            return
        await _send(send, 200, encode(_model(wanted, for_anthropic=for_anthropic)))
        return
    models = [_model(name, for_anthropic=for_anthropic) for name in names]
    page: dict[str, Any] = {"object": "list", "data": models}
    if for_anthropic:
        page = {
            "data": models,
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
    await _send(send, 200, encode(page))


def _model(name: str, *, for_anthropic: bool) -> dict[str, Any]:
    if for_anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "verilabel"}


async def _send(send: Send, status: int, body: bytes, kind: bytes = _JSON) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(send: Send, dialect: ClientDialect | None, status: int, code: str, message: str) -> None:
    if dialect is not None:
        body = dialect.refusal_body(
            Refusal(status=status, kind="invalid_request", code=code, message=message), ""
        )
    else:
        kind = "authentication_error" if status == 401 else "invalid_request_error"
        body = msgspec.json.encode({"error": {"message": message, "type": kind, "code": code, "param": None}})
    await _send(send, status, body)
