"""What a provider of the tests says in each of the four dialects: a whole document, and the events of a stream of it.

Pure functions of what is to be said: text, thought, tool calls, choices, log probabilities.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FINGERPRINT = "fp_1"
VECTOR = (0.5, -0.25)


@dataclass
class Saying:
    """What is to be said; `chunk` is how many characters an event of a stream holds."""

    model: str
    text: str
    thought: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Name and arguments, as JSON."""
    choices: int = 1
    chunk: int = 4
    has_logprobs: bool = False
    has_usage: bool = True
    has_done: bool = True

    def pieces(self, text: str) -> list[str]:
        """The text cut as a stream brings it."""
        return [text[i : i + self.chunk] for i in range(0, len(text), self.chunk)]


class Spoken(NamedTuple):
    """One answer, whole and as the events of a stream."""

    whole: dict[str, Any]
    events: list[bytes]


def sse(document: dict[str, Any], event: str | None = None) -> bytes:
    """One event of a stream."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


# --- chat completions
def speak_chat(saying: Saying) -> Spoken:
    """As OpenAI's chat completions."""
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    head = {"id": "chatcmpl-1", "created": 1, "model": saying.model, "system_fingerprint": FINGERPRINT}
    whole = {
        **head,
        "object": "chat.completion",
        "choices": [_chat_choice(saying, i) for i in range(saying.choices)],
        "usage": usage,
    }
    head["object"] = "chat.completion.chunk"
    events = [
        sse({**head, "choices": [{"index": i, "logprobs": None, "finish_reason": None, **choice}]})
        for i in range(saying.choices)
        for choice in _chat_chunks(saying)
    ]
    if saying.has_usage:
        events.append(sse({**head, "choices": [], "usage": usage}))
    if saying.has_done:
        events.append(b"data: [DONE]\n\n")
    return Spoken(whole, events)


def _chat_choice(saying: Saying, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": saying.text, "refusal": None}
    if saying.thought:
        message["reasoning_content"] = saying.thought
    if saying.calls:
        message["tool_calls"] = [
            {"id": f"call_{i + 1}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(saying.calls)
        ]
    logprobs = {"content": [_token(piece) for piece in saying.pieces(saying.text)], "refusal": None}
    return {
        "index": index,
        "message": message,
        "finish_reason": _chat_finish(saying),
        "logprobs": logprobs if saying.has_logprobs else None,
    }


def _chat_finish(saying: Saying) -> str:
    return "tool_calls" if saying.calls else "stop"


def _token(text: str) -> dict[str, Any]:
    return {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []}


def _chat_chunks(saying: Saying) -> list[dict[str, Any]]:
    """The choices of one stream, each without its index."""
    chunks: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": ""}}]
    chunks += [{"delta": {"reasoning_content": piece}} for piece in saying.pieces(saying.thought)]
    for piece in saying.pieces(saying.text):
        logprobs = {"content": [_token(piece)], "refusal": None} if saying.has_logprobs else None
        chunks.append({"delta": {"content": piece}, "logprobs": logprobs})
    for i, (name, arguments) in enumerate(saying.calls):
        call = {
            "index": i,
            "id": f"call_{i + 1}",
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        chunks.append({"delta": {"tool_calls": [call]}})
        chunks += [
            {"delta": {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}}
            for piece in saying.pieces(arguments)
        ]
    chunks.append({"delta": {}, "finish_reason": _chat_finish(saying)})
    return chunks


# --- completions and embeddings
def speak_completion(saying: Saying) -> Spoken:
    """As OpenAI's completions."""
    head = {"id": "cmpl-1", "created": 1, "model": saying.model, "object": "text_completion"}

    def document(text: str, finish: str | None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}]}

    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    events = [sse(document(piece, None)) for piece in saying.pieces(saying.text)]
    return Spoken(
        {**document(saying.text, "stop"), "usage": usage},
        [*events, sse(document("", "stop")), b"data: [DONE]\n\n"],
    )


def speak_embeddings(model: str, count: int, *, as_base64: bool) -> dict[str, Any]:
    """As OpenAI's embeddings: `count` times the same two numbers."""
    vector: Any = list(VECTOR)
    if as_base64:
        vector = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(count)]
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


# --- Messages
def speak_messages(saying: Saying) -> Spoken:
    """As Anthropic's Messages."""
    content: list[dict[str, Any]] = []
    if saying.thought:
        content.append({"type": "thinking", "thinking": saying.thought, "signature": "c2lnbmVk"})
    content.append({"type": "text", "text": saying.text})
    content += [
        {"type": "tool_use", "id": f"toolu_{i + 1}", "name": name, "input": json.loads(arguments)}
        for i, (name, arguments) in enumerate(saying.calls)
    ]
    ended = {"stop_reason": "tool_use" if saying.calls else "end_turn", "stop_sequence": None}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": saying.model}
    whole = {**head, "content": content, **ended, "usage": {"input_tokens": 11, "output_tokens": 7}}
    begun = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": 11, "output_tokens": 1}}
    documents: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(content):
        documents += _block_events(saying, index, block)
    documents += [
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    return Spoken(whole, [sse(document, str(document["type"])) for document in documents])


def _block_events(saying: Saying, index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    if block["type"] == "thinking":
        start: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
        deltas: list[dict[str, Any]] = [
            {"type": "thinking_delta", "thinking": piece} for piece in saying.pieces(block["thinking"])
        ]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif block["type"] == "text":
        start = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in saying.pieces(block["text"])]
    else:
        start = {**block, "input": {}}
        source = json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in saying.pieces(source)]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


# --- Responses
def speak_response(saying: Saying) -> Spoken:
    """As OpenAI's Responses."""
    output = _items(saying)
    whole: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": saying.model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 11,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 18,
        },
    }
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    documents: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(output):
        documents += _item_events(saying, index, item)
    documents.append({"type": "response.completed", "response": whole})
    events = [
        sse({**document, "sequence_number": i}, str(document["type"])) for i, document in enumerate(documents)
    ]
    return Spoken(whole, events)


def _items(saying: Saying) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if saying.thought:
        summary = [{"type": "summary_text", "text": saying.thought}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary})
    part = {"type": "output_text", "text": saying.text, "annotations": []}
    items.append(
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
    )
    items += [
        {
            "type": "function_call",
            "id": f"fc_{i + 1}",
            "call_id": f"call_{i + 1}",
            "name": name,
            "arguments": arguments,
            "status": "completed",
        }
        for i, (name, arguments) in enumerate(saying.calls)
    ]
    return items


def _item_events(saying: Saying, index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    place: dict[str, Any] = {"item_id": item["id"], "output_index": index}
    if item["type"] == "reasoning":
        place["summary_index"] = 0
        begun = {**item, "summary": []}
        inner = _part_events("reasoning_summary", place, item["summary"][0], saying)
    elif item["type"] == "message":
        place["content_index"] = 0
        begun = {**item, "status": "in_progress", "content": []}
        inner = _part_events("output", place, item["content"][0], saying)
    else:
        begun = {**item, "status": "in_progress", "arguments": ""}
        kind = "response.function_call_arguments"
        inner = [
            {"type": f"{kind}.delta", **place, "delta": piece} for piece in saying.pieces(item["arguments"])
        ]
        inner.append({"type": f"{kind}.done", **place, "name": item["name"], "arguments": item["arguments"]})
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *inner,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _part_events(
    kind: str, place: dict[str, Any], part: dict[str, Any], saying: Saying
) -> list[dict[str, Any]]:
    text = part["text"]
    more: dict[str, Any] = {"logprobs": []} if kind == "output" else {}
    part_kind = "content_part" if kind == "output" else f"{kind}_part"
    return [
        {"type": f"response.{part_kind}.added", **place, "part": {**part, "text": ""}},
        *(
            {"type": f"response.{kind}_text.delta", **place, "delta": piece, **more}
            for piece in saying.pieces(text)
        ),
        {"type": f"response.{kind}_text.done", **place, "text": text, **more},
        {"type": f"response.{part_kind}.done", **place, "part": part},
    ]


# --- Gemini
def speak_generated(saying: Saying) -> Spoken:
    """As Google's generateContent; its streams end with the connection."""
    thought: list[dict[str, Any]] = [
        {"text": piece, "thought": True} for piece in saying.pieces(saying.thought)
    ]
    text = [{"text": piece} for piece in saying.pieces(saying.text)]
    calls: list[dict[str, Any]] = [
        {"functionCall": {"name": name, "args": json.loads(arguments)}} for name, arguments in saying.calls
    ]
    parts = [*thought, *text, *calls]
    joined: list[dict[str, Any]] = [{"text": saying.text}, *calls]
    if saying.thought:
        joined.insert(0, {"text": saying.thought, "thought": True})
    events = [sse(_generated(saying, [part], None)) for part in parts]
    return Spoken(_generated(saying, joined, "STOP"), [*events, sse(_generated(saying, [], "STOP"))])


def _generated(saying: Saying, parts: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    usage = {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": saying.model,
        "responseId": "gen-1",
    }
