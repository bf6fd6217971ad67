"""A model provider for tests of the gateway: real HTTP on loopback, in a thread, that does what a test tells it.

What it answers is set by the test (`answer`, `reasoning`, `tool_arguments`), how it behaves by the model's name:
`error-500`, `error-429`, `dies` (mid-stream), `silent` (never ends), `broken-sse`, `no-done`, `html`, `gzip-bomb`,
`wrong-key`, `slow`; every other name answers well. It speaks chat, completions, embeddings, responses, messages and
generateContent (`spoken.py` has their forms).
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import web

from servers.spoken import (
    Saying,
    Spoken,
    speak_chat,
    speak_completion,
    speak_embeddings,
    speak_generated,
    speak_messages,
    speak_response,
)

CHUNK = 4
SPOKEN_AT: dict[str, Callable[[Saying], Spoken]] = {
    "/v1/chat/completions": speak_chat,
    "/v1/completions": speak_completion,
    "/v1/messages": speak_messages,
    "/v1/responses": speak_response,
    "/v1/models/{called}": speak_generated,
}


@dataclass
class Upstream:
    """What the provider answers, and what it has seen."""

    answer: str = "The answer is 42."
    reasoning: str = ""
    tool_arguments: str = ""
    """Of one call of `send`."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Name and arguments of calls, instead of that one."""
    choices: int = 1
    chunk: int = CHUNK
    pause_s: float = 0.0
    served_model: str | None = None
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    cancelled: int = 0
    fail_first: int = 0
    """So many requests are answered with 500 before any is answered well."""

    @property
    def base_url(self) -> str:
        """Where it is, with /v1."""
        return f"{self.url}/v1"

    def reset(self, **settings: Any) -> None:
        """Begin anew: the settings given, the rest as at first, and nothing seen."""
        fresh = Upstream(**{"url": self.url, **settings})
        for name, value in vars(fresh).items():
            setattr(self, name, value)

    @property
    def last(self) -> dict[str, Any]:
        """The last request's body."""
        return self.requests[-1]


@contextmanager
def upstream_server(**settings: Any) -> Iterator[Upstream]:
    """A running provider."""
    upstream = Upstream(**settings)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=64 * 2**20)
        for path, speak in SPOKEN_AT.items():
            app.router.add_post(path, partial(_speak, upstream, speak))
        app.router.add_post("/v1/embeddings", partial(_embeddings, upstream))
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        upstream.url = f"http://{host}:{port}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


async def _misbehave(
    upstream: Upstream, request: web.Request, body: dict[str, Any], model: str
) -> web.StreamResponse | None:
    upstream.requests.append(body)
    upstream.headers.append(dict(request.headers))
    upstream.paths.append(request.path)
    if upstream.fail_first:
        upstream.fail_first -= 1
        return web.json_response({"error": {"message": "not now"}}, status=500)
    if model.startswith("error-"):
        status = int(model.removeprefix("error-"))
        headers = {"retry-after": "7"} if status == 429 else {}
        return web.json_response(
            {"error": {"message": f"status {status}", "type": "x"}}, status=status, headers=headers
        )
    if model == "wrong-key":
        return web.json_response({"error": {"message": "bad key sk-upstream"}}, status=401)
    if model == "html":
        return web.Response(text="<html>hello</html>", content_type="text/html")
    if model == "gzip-bomb":
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        data = b"".join(packer.compress(b"\0" * 2**20) for _ in range(200)) + packer.flush()
        return web.Response(
            body=data, headers={"content-encoding": "gzip", "content-type": "application/json"}
        )
    if model == "slow":
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            upstream.cancelled += 1
            raise
    return None


async def _stream(
    upstream: Upstream, request: web.Request, model: str, events: list[bytes]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    try:
        for i, event in enumerate(events):
            if model == "dies" and i == len(events) // 2:
                assert request.transport is not None
                request.transport.close()
                return response
            if model == "broken-sse" and i == len(events) // 2:
                await response.write(b"data: {not json\n\n")
            if model == "silent" and i == len(events) // 2:
                await asyncio.sleep(60)
            await response.write(event)
            if upstream.pause_s:
                await asyncio.sleep(upstream.pause_s)
    except (asyncio.CancelledError, ConnectionResetError):
        upstream.cancelled += 1
        raise
    await response.write_eof()
    return response


def _says(upstream: Upstream, body: dict[str, Any], model: str) -> Saying:
    """What the test has set, as this request asks for it."""
    options = body.get("stream_options") or {}
    return Saying(
        model=upstream.served_model or model,
        text=upstream.answer,
        thought=upstream.reasoning,
        calls=upstream.calls or ([("send", upstream.tool_arguments)] if upstream.tool_arguments else []),
        choices=max(upstream.choices, int(body.get("n") or 1)),
        chunk=upstream.chunk,
        has_logprobs=bool(body.get("logprobs")),
        has_usage=bool(options.get("include_usage")),
        has_done=model != "no-done",
    )


async def _speak(
    upstream: Upstream, speak: Callable[[Saying], Spoken], request: web.Request
) -> web.StreamResponse:
    body = await request.json()
    called = request.match_info.get("called", "")
    model, _, verb = called.rpartition(":") if called else (str(body.get("model")), "", "")
    if (refused := await _misbehave(upstream, request, body, model)) is not None:
        return refused
    spoken = speak(_says(upstream, body, model))
    if body.get("stream") or verb.startswith("stream"):
        return await _stream(upstream, request, model, spoken.events)
    return web.json_response(spoken.whole)


async def _embeddings(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    model = str(body.get("model"))
    if (refused := await _misbehave(upstream, request, body, model)) is not None:
        return refused
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    as_base64 = body.get("encoding_format") == "base64"
    return web.json_response(speak_embeddings(model, len(inputs), as_base64=as_base64))
