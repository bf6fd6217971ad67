"""A model provider for tests of the gateway: real HTTP on loopback, in a thread, that does what a test tells it.

What it answers is set by the test (`answer`, `reasoning`, `tool_arguments`), how it behaves by the model's name:
`error-500`, `error-429`, `dies` (mid-stream), `silent` (never ends), `broken-sse`, `no-done`, `html`, `gzip-bomb`,
`wrong-key`, `slow`; every other name answers well. It speaks chat, completions, embeddings, responses and messages.
"""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CHUNK = 4


@dataclass
class Upstream:
    """What the provider answers, and what it has seen."""

    answer: str = "The answer is 42."
    reasoning: str = ""
    tool_arguments: str = ""
    choices: int = 1
    chunk: int = CHUNK
    pause_s: float = 0.0
    served_model: str | None = None
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    cancelled: int = 0
    fail_first: int = 0
    """So many requests are answered with 500 before any is answered well."""

    @property
    def base_url(self) -> str:
        """Where it is, with /v1."""
        return f"{self.url}/v1"

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
        app.router.add_post("/v1/chat/completions", lambda request: _chat(upstream, request))
        app.router.add_post("/v1/completions", lambda request: _completions(upstream, request))
        app.router.add_post("/v1/embeddings", lambda request: _embeddings(upstream, request))
        app.router.add_post("/v1/messages", lambda request: _messages(upstream, request))
        app.router.add_post("/v1/responses", lambda request: _responses(upstream, request))
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
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


def _pieces(upstream: Upstream, text: str) -> list[str]:
    return [text[i : i + upstream.chunk] for i in range(0, len(text), upstream.chunk)]


async def _misbehave(
    upstream: Upstream, request: web.Request, body: dict[str, Any]
) -> web.StreamResponse | None:
    upstream.requests.append(body)
    upstream.headers.append(dict(request.headers))
    model = str(body.get("model"))
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


def _sse(document: dict[str, Any], event: str | None = None) -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


async def _chat(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if (refused := await _misbehave(upstream, request, body)) is not None:
        return refused
    model = upstream.served_model or str(body["model"])
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    head = {"id": "chatcmpl-1", "created": 1, "model": model, "system_fingerprint": "fp_1"}
    calls = [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "send", "arguments": upstream.tool_arguments},
        }
    ]
    if not body.get("stream"):
        choices = []
        for i in range(upstream.choices):
            message: dict[str, Any] = {"role": "assistant", "content": upstream.answer, "refusal": None}
            if upstream.reasoning:
                message["reasoning_content"] = upstream.reasoning
            if upstream.tool_arguments:
                message["tool_calls"] = calls
            choices.append({"index": i, "message": message, "finish_reason": "stop", "logprobs": None})
        return web.json_response({**head, "object": "chat.completion", "choices": choices, "usage": usage})
    head["object"] = "chat.completion.chunk"
    events = []
    for i in range(upstream.choices):

        def chunk(delta: dict[str, Any], finish: str | None = None, i: int = i) -> bytes:
            return _sse({**head, "choices": [{"index": i, "delta": delta, "finish_reason": finish}]})

        events.append(chunk({"role": "assistant", "content": ""}))
        events += [chunk({"reasoning_content": piece}) for piece in _pieces(upstream, upstream.reasoning)]
        events += [chunk({"content": piece}) for piece in _pieces(upstream, upstream.answer)]
        if upstream.tool_arguments:
            events.append(
                chunk(
                    {
                        "tool_calls": [
                            {
                                "index": 0,
                                "id": "call_1",
                                "type": "function",
                                "function": {"name": "send", "arguments": ""},
                            }
                        ]
                    }
                )
            )
            events += [
                chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
                for piece in _pieces(upstream, upstream.tool_arguments)
            ]
        events.append(chunk({}, "tool_calls" if upstream.tool_arguments else "stop"))
    options = body.get("stream_options") or {}
    if options.get("include_usage"):
        events.append(_sse({**head, "choices": [], "usage": usage}))
    if str(body["model"]) != "no-done":
        events.append(b"data: [DONE]\n\n")
    return await _stream(upstream, request, str(body["model"]), events)


async def _completions(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if (refused := await _misbehave(upstream, request, body)) is not None:
        return refused
    head = {"id": "cmpl-1", "created": 1, "model": str(body["model"]), "object": "text_completion"}

    def document(text: str, finish: str | None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}]}

    if body.get("stream"):
        events = [_sse(document(piece, None)) for piece in _pieces(upstream, upstream.answer)]
        events += [_sse(document("", "stop")), b"data: [DONE]\n\n"]
        return await _stream(upstream, request, str(body["model"]), events)
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return web.json_response({**document(upstream.answer, "stop"), "usage": usage})


async def _embeddings(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if (refused := await _misbehave(upstream, request, body)) is not None:
        return refused
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [{"object": "embedding", "index": i, "embedding": [0.5, -0.25]} for i in range(len(inputs))]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return web.json_response({"object": "list", "data": data, "model": str(body["model"]), "usage": usage})


async def _messages(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if (refused := await _misbehave(upstream, request, body)) is not None:
        return refused
    model = str(body["model"])
    content: list[dict[str, Any]] = [{"type": "text", "text": upstream.answer}]
    if upstream.tool_arguments:
        content.append(
            {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "send",
                "input": json.loads(upstream.tool_arguments),
            }
        )
    stop = "tool_use" if upstream.tool_arguments else "end_turn"
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    if not body.get("stream"):
        usage = {"input_tokens": 11, "output_tokens": 7}
        return web.json_response(
            {**head, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}
        )
    start = {
        **head,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 1},
    }
    events = [_sse({"type": "message_start", "message": start}, "message_start")]

    def block(index: int, first: dict[str, Any], deltas: list[dict[str, Any]]) -> None:
        events.append(
            _sse(
                {"type": "content_block_start", "index": index, "content_block": first}, "content_block_start"
            )
        )
        events.extend(
            _sse({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")
            for delta in deltas
        )
        events.append(_sse({"type": "content_block_stop", "index": index}, "content_block_stop"))

    block(
        0,
        {"type": "text", "text": ""},
        [{"type": "text_delta", "text": piece} for piece in _pieces(upstream, upstream.answer)],
    )
    if upstream.tool_arguments:
        block(
            1,
            {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {}},
            [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in _pieces(upstream, upstream.tool_arguments)
            ],
        )
    delta = {"stop_reason": stop, "stop_sequence": None}
    events.append(
        _sse({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}, "message_delta")
    )
    events.append(_sse({"type": "message_stop"}, "message_stop"))
    return await _stream(upstream, request, model, events)


async def _responses(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if (refused := await _misbehave(upstream, request, body)) is not None:
        return refused
    model = str(body["model"])
    part = {"type": "output_text", "text": upstream.answer, "annotations": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
    usage = {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 18,
    }
    whole: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": model,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }
    if not body.get("stream"):
        return web.json_response(whole)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    documents: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *(
            {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            for piece in _pieces(upstream, upstream.answer)
        ),
        {"type": "response.output_text.done", **place, "text": upstream.answer, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    events = [
        _sse({**document, "sequence_number": i}, str(document["type"]))
        for i, document in enumerate(documents)
    ]
    return await _stream(upstream, request, model, events)
