"""Tool calls in the Responses dialect of OpenAI: calls are items, and so is reasoning."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.models.dialects.dialect import (
    DECODE_ERRORS,
    Decoded,
    empty,
    filtered,
    malformed,
    tokens,
    wire_params,
)
from verilabel.models.dialects.openai_chat import Count
from verilabel.models.dialects.openai_responses import RENAME, RESERVED
from verilabel.models.tools.codec import (
    NORMAL_ENDINGS,
    DecodedTurn,
    ToolCodec,
    as_json,
    make_turn,
    raw_items,
)
from verilabel.models.tools.interface import Answered, Returned, ToolQuestion, Turn
from verilabel.records.attempt import Failure
from verilabel.records.episode import ToolSpec, ToolUse

LISTS = frozenset({"include"})
"""`include=reasoning.encrypted_content` asks reasoning models for what lets them go on where they stopped."""


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str
    content: list[_Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    encrypted_content: str | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Error(msgspec.Struct):
    message: str | None = None


class _Usage(msgspec.Struct):
    input_tokens: Count = None
    output_tokens: Count = None


class _Response(msgspec.Struct):
    output: list[msgspec.Raw]
    status: str | None = None
    model: str | None = None
    incomplete_details: _Incomplete | None = None
    error: _Error | None = None
    usage: _Usage | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Response)
_item = msgspec.json.Decoder(_Item)


def encode(question: ToolQuestion, name: str) -> bytes:
    """The request body, not to be stored unless a parameter says so. Raises what `wire_params` raises."""
    items = [item for turn in question.turns for item in _items(turn)]
    body: dict[str, Any] = {"model": name, "input": items, "stream": False, "store": False}
    if question.tools:
        body["tools"] = [_tool(tool) for tool in question.tools]
    body.update(wire_params(question.params, reserved=RESERVED, rename=RENAME, lists=LISTS))
    return _encoder.encode(body)


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": False,
    }


def _items(turn: Turn) -> list[Any]:
    match turn:
        case Returned():
            return [{"type": "function_call_output", "call_id": turn.call, "output": turn.text}]
        case Answered() if turn.kept:
            return list(raw_items(turn.kept))
        case Answered():
            said = [{"role": "assistant", "content": turn.text}] if turn.text or not turn.calls else []
            return said + [
                {"type": "function_call", "call_id": c.id, "name": c.name, "arguments": c.arguments}
                for c in turn.calls
            ]
        case _:
            return [{"role": turn.role, "content": turn.text}]


def decode(body: bytes) -> DecodedTurn | Failure:
    """Read messages and calls; items are kept verbatim where reasoning came in a form that can be given back.

    Reasoning without its encrypted content cannot: the provider stored nothing that its id could mean. Never raises.
    """
    try:
        response = _decoder.decode(body)
        items = [_item.decode(raw) for raw in response.output]
    except DECODE_ERRORS as error:
        return malformed(error)
    return _read(response, items)


def _read(response: _Response, items: list[_Item]) -> DecodedTurn | Failure:
    reason = response.incomplete_details.reason if response.incomplete_details else None
    if reason == "content_filter":
        return filtered("incomplete_details.reason content_filter")
    if response.status in ("failed", "cancelled"):
        said = response.error.message if response.error and response.error.message else "no reason given"
        return Failure(
            "server_error", f"the response has status {response.status}: {said[:200]}", retryable=True
        )
    calls = [item for item in items if item.type == "function_call"]
    if any(not item.call_id or not item.name for item in calls):
        return malformed("a call without an id or a name")
    output = "".join(
        part.text or part.refusal or "" for i in items if i.type == "message" for part in i.content or ()
    )
    usage = tokens(response.usage.input_tokens, response.usage.output_tokens) if response.usage else None
    finish = reason or response.status
    decoded = Decoded(output, finish, response.model, None, usage)
    silent = finish in NORMAL_ENDINGS
    why_empty = None if silent else empty(f"no text and no call; {reason or response.status}")
    return make_turn(
        decoded,
        [ToolUse(c.call_id or "", c.name or "", "{}" if c.arguments is None else c.arguments) for c in calls],
        kept=_keep(response.output, items),
        why_empty=why_empty,
    )


def _keep(raw: list[msgspec.Raw], items: list[_Item]) -> str:
    reasoning = [item for item in items if item.type == "reasoning"]
    if not reasoning or not all(item.encrypted_content for item in reasoning):
        return ""
    return _encoder.encode([as_json(bytes(item).decode("utf-8")) for item in raw]).decode("utf-8")


OPENAI_RESPONSES_TOOLS = ToolCodec(name="openai-responses", encode=encode, decode=decode)
