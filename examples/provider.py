"""A stand-in for a model provider, for trying a gateway without a key: OpenAI's chat API with answers learned by heart.

python examples/provider.py        prints `provider at http://127.0.0.1:PORT/v1` and serves until it is ended
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

ANSWERS = {
    "who": "Ask the office: its number is 202-555-0147, its address contact@example.com.",
    "key": "The key of the machine is ghp_a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6, keep it well.",
    "transfer": "The transfer is done.",
}
"""By a word of the question; whoever asks anything else is told so."""
USAGE = {"prompt_tokens": 12, "completion_tokens": 20, "total_tokens": 32}


def answer(body: dict[str, Any]) -> str:
    """What is said to the last question."""
    question = str(body["messages"][-1]["content"]).lower()
    return next((said for word, said in ANSWERS.items() if word in question), "I have no answer to that.")


async def complete(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`, whole or a few characters at a time."""
    body = await request.json()
    said, model = answer(body), str(body["model"])
    head = {"id": "chatcmpl-1", "created": 1, "model": model}
    if not body.get("stream"):
        message = {"role": "assistant", "content": said}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": USAGE}
        return web.json_response(whole)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    pieces = [said[i : i + 5] for i in range(0, len(said), 5)]
    for delta, finish in [*(({"content": piece}, None) for piece in pieces), ({}, "stop")]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def main() -> None:
    """Serve on a free port of this machine."""
    from verilabel.serving import listen

    listener = listen("127.0.0.1", 0)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    print(f"provider at http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)
    web.run_app(app, sock=listener, print=None)


if __name__ == "__main__":
    main()
