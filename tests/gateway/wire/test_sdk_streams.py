"""Rewritten streams as the real SDKs gather them: whole messages, tool calls and responses."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import pytest

from gateway.wire.stream_makers import MARK, SECRET, chat_stream, chunk, cut, open_everything, run, sse
from verilabel.gateway.wire.catalogue import DIALECTS

TEXT = f"Hello, the key is {SECRET}, and this is s"
ARGUMENTS = f'{{"key": "{SECRET}", "n": 1}}'
SIZES = [[1], [40], [333], [100_000]]


def pieces(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def answer(path: str, data: bytes, sizes: list[int]) -> httpx2.Client:
    out = run(DIALECTS[path].rewriter(open_everything, keeps_passages=False), cut(data, sizes))
    head = {"content-type": "text/event-stream"}
    return httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=out, headers=head))
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_sdk_of_openai_gathers_a_chat(sizes: list[int]) -> None:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    data = chat_stream(
        chunk({"role": "assistant", "content": ""}),
        *[chunk({"content": piece}) for piece in pieces(TEXT)],
        chunk({"tool_calls": [call]}),
        *[
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            for piece in pieces(ARGUMENTS)
        ],
        chunk(finish="tool_calls"),
    )
    client = openai.OpenAI(
        api_key="k", base_url="http://x/v1", http_client=answer("/v1/chat/completions", data, sizes)
    )
    with client.chat.completions.stream(model="m", messages=[]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert TEXT.replace(SECRET, MARK) == message.content
    assert message.tool_calls is not None
    assert [ARGUMENTS.replace(SECRET, MARK)] == [each.function.arguments for each in message.tool_calls]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_sdk_of_anthropic_gathers_a_message(sizes: list[int]) -> None:
    def event(kind: str, **more: Any) -> bytes:
        return sse({"type": kind, **more}, kind)

    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "usage": usage}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    deltas = [({"type": "text_delta", "text": piece}, 0) for piece in pieces(TEXT)]
    inputs = [({"type": "input_json_delta", "partial_json": piece}, 1) for piece in pieces(ARGUMENTS)]
    data = event("message_start", message={**message, "stop_reason": None, "stop_sequence": None})
    for block, parts in (({"type": "text", "text": ""}, deltas), (call, inputs)):
        index = parts[0][1]
        data += event("content_block_start", index=index, content_block=block)
        data += b"".join(event("content_block_delta", index=at, delta=delta) for delta, at in parts)
        data += event("content_block_stop", index=index)
    data += event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}) + event(
        "message_stop"
    )
    client = anthropic.Anthropic(
        api_key="k", base_url="http://x", http_client=answer("/v1/messages", data, sizes)
    )
    with client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        text, tool = stream.get_final_message().content
    assert TEXT.replace(SECRET, MARK) == text.text  # type: ignore[union-attr]
    assert {"key": MARK, "n": 1} == tool.input  # type: ignore[union-attr]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_sdk_of_openai_gathers_a_response(sizes: list[int]) -> None:
    base = {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "parallel_tool_calls": True,
        "tools": [],
    }
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    item = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    whole = {**item, "status": "completed", "content": [{**part, "text": TEXT}]}
    said: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**base, "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *[{"type": "response.output_text.delta", **place, "delta": p, "logprobs": []} for p in pieces(TEXT)],
        {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": {**part, "text": TEXT}},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": {**base, "output": [whole]}},
    ]
    data = b"".join(
        sse({**body, "sequence_number": number}, body["type"]) for number, body in enumerate(said)
    )
    client = openai.OpenAI(
        api_key="k", base_url="http://x/v1", http_client=answer("/v1/responses", data, sizes)
    )
    texts: list[str] = []
    with client.responses.stream(model="m", input="x") as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                texts.append(event.delta)
                assert "".join(texts) == event.snapshot
        final = stream.get_final_response()
    assert TEXT.replace(SECRET, MARK) == final.output_text == "".join(texts)
