"""The same answers as each of four upstreams gives them, whole and streamed: words, thoughts, calls, ends, usage."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from gateway.translation.sdk_exchange import sse

TEXT = "Salt lowers the freezing point — so ice melts. 🧂"
THOUGHT = "The question is about roads in winter."
CALLS = (("lookup_weather", {"city": "Oslo", "days": 2}), ("lookup_weather", {"city": "Bergen", "days": 1}))
IDS = ("call_a1", "call_b2")


class Recorded(NamedTuple):
    """A whole answer and the same streamed."""

    whole: dict[str, Any]
    stream: bytes


def _pieces(text: str) -> list[str]:
    return [text[start : start + 5] for start in range(0, len(text), 5)]


# --- chat completions
def _completion(message: dict[str, Any], finish: str, **choice: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-77",
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": "served-model",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, **message},
                "finish_reason": finish,
            }
            | choice
        ],
        "usage": OPENAI_USAGE,
    }


OPENAI_USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 20,
    "total_tokens": 60,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def _chunks(*deltas: dict[str, Any], finish: str) -> bytes:
    head = {
        "id": "chatcmpl-77",
        "object": "chat.completion.chunk",
        "created": 1_780_000_000,
        "model": "served-model",
        "system_fingerprint": "fp_1",
    }
    chunks: list[Any] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None}
        for delta in ({"role": "assistant", "content": ""}, *deltas)
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": None})
    chunks.append({**head, "choices": [], "usage": OPENAI_USAGE})
    return sse(*chunks, "[DONE]")


def _openai_calls() -> Recorded:
    whole = [
        {"id": identity, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for identity, (name, arguments) in zip(IDS, CALLS, strict=True)
    ]
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(whole):
        head = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        deltas.append({"tool_calls": [head]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in _pieces(call["function"]["arguments"])
        ]
    return Recorded(_completion({"tool_calls": whole}, "tool_calls"), _chunks(*deltas, finish="tool_calls"))


def _openai() -> dict[str, Recorded]:
    text = [{"content": piece} for piece in _pieces(TEXT)]
    thought = [{"reasoning_content": piece} for piece in _pieces(THOUGHT)]
    refused = [{"refusal": piece} for piece in _pieces("No, I will not.")]
    return {
        "text": Recorded(_completion({"content": TEXT}, "stop"), _chunks(*text, finish="stop")),
        "thought": Recorded(
            _completion({"content": TEXT, "reasoning_content": THOUGHT}, "stop"),
            _chunks(*thought, *text, finish="stop"),
        ),
        "calls": _openai_calls(),
        "length": Recorded(_completion({"content": TEXT}, "length"), _chunks(*text, finish="length")),
        "filtered": Recorded(
            _completion({"content": ""}, "content_filter"), _chunks(finish="content_filter")
        ),
        "refused": Recorded(
            _completion({"refusal": "No, I will not."}, "stop"), _chunks(*refused, finish="stop")
        ),
    }


# --- Anthropic
ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 0,
    "output_tokens": 20,
    "output_tokens_details": {"thinking_tokens": 5},
}


def _anthropic_message(content: list[dict[str, Any]], stop: str, **members: Any) -> dict[str, Any]:
    return {
        "id": "msg_77",
        "type": "message",
        "role": "assistant",
        "model": "served-model",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": ANTHROPIC_USAGE,
    } | members


def _anthropic_stream(content: list[dict[str, Any]], stop: str, **members: Any) -> bytes:
    start = _anthropic_message([], stop) | {"stop_reason": None}
    start["usage"] = {**ANTHROPIC_USAGE, "output_tokens": 1, "output_tokens_details": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(content):
        opened, deltas = _anthropic_block(block)
        events.append({"type": "content_block_start", "index": index, "content_block": opened})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop, "stop_sequence": None, **members}
    usage = {"output_tokens": 20, "output_tokens_details": {"thinking_tokens": 5}}
    events.append({"type": "message_delta", "delta": delta, "usage": usage})
    events.append({"type": "message_stop"})
    return sse(*events, named=True)


def _anthropic_block(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [
                {"type": "text_delta", "text": piece} for piece in _pieces(block["text"])
            ]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {**block, "thinking": "", "signature": ""}, deltas
        case "tool_use":
            source = json.dumps(block["input"]) if block["input"] else ""
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": piece} for piece in ["", *_pieces(source)]
            ]
        case _:
            return block, []


def _anthropic() -> dict[str, Recorded]:
    text = {"type": "text", "text": TEXT}
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": "c2lnbmVk"}
    calls = [
        {"type": "tool_use", "id": identity, "name": name, "input": arguments}
        for identity, (name, arguments) in zip(IDS, CALLS, strict=True)
    ]
    details = {"stop_details": {"type": "refusal", "category": None, "explanation": "It may do harm."}}

    def both(content: list[dict[str, Any]], stop: str, **members: Any) -> Recorded:
        return Recorded(
            _anthropic_message(content, stop, **members), _anthropic_stream(content, stop, **members)
        )

    return {
        "text": both([text], "end_turn"),
        "thought": both([thought, text], "end_turn"),
        "calls": both(calls, "tool_use"),
        "length": both([text], "max_tokens"),
        "filtered": both([], "refusal", **details),
        "sequence": both([text], "stop_sequence", stop_sequence="END"),
        "no_arguments": both(
            [{"type": "tool_use", "id": "call_c3", "name": "read_clock", "input": {}}], "tool_use"
        ),
        "hidden": both([{"type": "redacted_thinking", "data": "b3BhcXVl"}, text], "end_turn"),
    }


# --- Google
GOOGLE_USAGE = {
    "promptTokenCount": 40,
    "cachedContentTokenCount": 30,
    "candidatesTokenCount": 15,
    "thoughtsTokenCount": 5,
    "totalTokenCount": 60,
}


def _generated(parts: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {
        "candidates": [candidate],
        "usageMetadata": GOOGLE_USAGE,
        "modelVersion": "served-model",
        "responseId": "r77",
    }


def _google() -> dict[str, Recorded]:
    text = [{"text": piece} for piece in _pieces(TEXT)]
    thought = [{"text": piece, "thought": True} for piece in _pieces(THOUGHT)]
    calls = [
        {"functionCall": {"id": identity, "name": name, "args": arguments}}
        for identity, (name, arguments) in zip(IDS, CALLS, strict=True)
    ]
    signed = [{**calls[0], "thoughtSignature": "Z29vZ2xl"}, calls[1]]

    def both(parts: list[dict[str, Any]], reason: str) -> Recorded:
        chunks = [_generated([part], None) for part in parts[:-1]] + [_generated(parts[-1:], reason)]
        return Recorded(_generated(parts, reason), sse(*chunks))

    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 40}}
    return {
        "text": both(text, "STOP"),
        "thought": both([*thought, *text], "STOP"),
        "calls": both(calls, "STOP"),
        "signed": both(signed, "STOP"),
        "length": both(text, "MAX_TOKENS"),
        "filtered": both([], "SAFETY"),
        "blocked": Recorded(blocked, sse(blocked)),
    }


# --- Responses
RESPONSES_USAGE = {
    "input_tokens": 40,
    "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 60,
}


def _response(output: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    return {
        "id": "resp_77",
        "object": "response",
        "created_at": 1_780_000_000,
        "status": "completed" if reason is None else "incomplete",
        "incomplete_details": None if reason is None else {"reason": reason},
        "error": None,
        "model": "served-model",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE,
    }


def _response_stream(output: list[dict[str, Any]], reason: str | None) -> bytes:
    begun = _response([], None) | {"status": "in_progress", "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(output):
        events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        events += _item_deltas(index, item)
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    final = "response.completed" if reason is None else "response.incomplete"
    events.append({"type": final, "response": _response(output, reason)})
    return sse(*(event | {"sequence_number": place} for place, event in enumerate(events)), named=True)


def _item_deltas(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": index}
    if item["type"] == "function_call":
        return [
            {"type": "response.function_call_arguments.delta", **place, "delta": piece}
            for piece in _pieces(item["arguments"])
        ]
    if item["type"] == "reasoning":
        return [
            {"type": "response.reasoning_summary_text.delta", **place, "summary_index": 0, "delta": piece}
            for summary in item["summary"]
            for piece in _pieces(summary["text"])
        ]
    part = item["content"][0]
    kind, text = ("refusal", part["refusal"]) if part["type"] == "refusal" else ("output_text", part["text"])
    return [
        {"type": f"response.{kind}.delta", **place, "content_index": 0, "delta": piece}
        for piece in _pieces(text)
    ]


def _responses() -> dict[str, Recorded]:
    def message(content: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [content],
        }

    text = message({"type": "output_text", "text": TEXT, "annotations": []})
    refused = message({"type": "refusal", "refusal": "No, I will not."})
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": THOUGHT}],
        "encrypted_content": "ZW5j",
    }
    calls = [
        {
            "type": "function_call",
            "id": f"fc_{identity}",
            "call_id": identity,
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        for identity, (name, arguments) in zip(IDS, CALLS, strict=True)
    ]

    def both(output: list[dict[str, Any]], reason: str | None = None) -> Recorded:
        return Recorded(_response(output, reason), _response_stream(output, reason))

    return {
        "text": both([text]),
        "thought": both([thought, text]),
        "calls": both(calls),
        "length": both([text], "max_output_tokens"),
        "filtered": both([], "content_filter"),
        "refused": both([refused]),
    }


RECORDED: dict[str, dict[str, Recorded]] = {
    "openai": _openai(),
    "openai-responses": _responses(),
    "anthropic": _anthropic(),
    "google": _google(),
}
"""By upstream and by what is answered."""
PAIRS = [
    ("chat", "openai-responses"),
    ("chat", "anthropic"),
    ("chat", "google"),
    ("responses", "openai"),
    ("responses", "anthropic"),
    ("responses", "google"),
    ("messages", "openai"),
    ("messages", "openai-responses"),
    ("messages", "google"),
]
