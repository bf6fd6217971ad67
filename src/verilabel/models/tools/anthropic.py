"""Tool calls in the Messages dialect of Anthropic: blocks of content, thoughts with signatures among them."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.models.dialects.anthropic import DEFAULT_MAX_TOKENS, LISTS, RENAME, RESERVED
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
from verilabel.models.tools.codec import (
    ABSENT,
    NORMAL_ENDINGS,
    DecodedTurn,
    ToolCodec,
    arguments_text,
    as_json,
    as_object,
    make_turn,
)
from verilabel.models.tools.interface import Answered, Returned, Said, ToolQuestion, Turn
from verilabel.records.attempt import Failure
from verilabel.records.episode import ToolSpec, ToolUse

THOUGHTS = frozenset({"thinking", "redacted_thinking"})


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = ABSENT


class _StopDetails(msgspec.Struct):
    category: Any = None


class _Usage(msgspec.Struct):
    input_tokens: Count = None
    output_tokens: Count = None


class _Message(msgspec.Struct):
    content: list[msgspec.Raw]
    model: str | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: _Usage | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Message)
_block = msgspec.json.Decoder(_Block)


def encode(question: ToolQuestion, name: str) -> bytes:
    """The request body, system turns apart from the others. Raises UsageError as `wire_params` does."""
    system = [turn.text for turn in question.turns if isinstance(turn, Said) and turn.role == "system"]
    body: dict[str, Any] = {
        "model": name,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": _messages(question.turns),
    }
    if system:
        body["system"] = "\n\n".join(system)
    if question.tools:
        body["tools"] = [_tool(tool) for tool in question.tools]
    body.update(wire_params(question.params, reserved=RESERVED, rename=RENAME, lists=LISTS))
    return _encoder.encode(body)


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}


def _messages(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    """Turns as messages; the results of one turn's calls must stand together in one."""
    messages: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for turn in turns:
        if isinstance(turn, Returned):
            if not results:
                messages.append({"role": "user", "content": results})
            results.append(_result(turn))
            continue
        results = []
        if isinstance(turn, Answered):
            messages.append({"role": "assistant", "content": _blocks(turn)})
        elif turn.role == "user":
            messages.append({"role": "user", "content": turn.text})
    return messages


def _result(turn: Returned) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": turn.call, "content": turn.text}
    return {**block, "is_error": True} if turn.failed else block


def _blocks(turn: Answered) -> Any:
    if turn.kept:
        return as_json(turn.kept)
    # the provider refuses a block of blank text
    blocks: list[Any] = [{"type": "text", "text": turn.text}] if turn.text.strip() or not turn.calls else []
    for call in turn.calls:
        blocks.append(
            {"type": "tool_use", "id": call.id, "name": call.name, "input": as_object(call.arguments)}
        )
    return blocks


def decode(body: bytes) -> DecodedTurn | Failure:
    """Read text and calls; the blocks are kept verbatim where thoughts are among them. Never raises."""
    try:
        message = _decoder.decode(body)
        blocks = [_block.decode(raw) for raw in message.content]
        calls = [b for b in blocks if b.type == "tool_use"]
        uses = [ToolUse(b.id or "", b.name or "", arguments_text(b.input)) for b in calls]
    except DECODE_ERRORS as error:
        return malformed(error)
    if message.stop_reason == "refusal":
        category = message.stop_details.category if message.stop_details else None
        said = f", category {category[:60]}" if isinstance(category, str) else ""
        return filtered(f"stop_reason refusal{said}")
    if any(not use.id or not use.name for use in uses):
        return malformed("a call without an id or a name")
    output = "".join(block.text or "" for block in blocks if block.type == "text")
    usage = tokens(message.usage.input_tokens, message.usage.output_tokens) if message.usage else None
    decoded = Decoded(output, message.stop_reason, message.model, None, usage)
    kept = ""
    if any(block.type in THOUGHTS for block in blocks):
        kept = _encoder.encode([as_json(bytes(raw).decode("utf-8")) for raw in message.content]).decode(
            "utf-8"
        )
    silent = message.stop_reason in NORMAL_ENDINGS
    why_empty = None if silent else empty(f"no text and no call; stop_reason {message.stop_reason}")
    return make_turn(decoded, uses, kept=kept, why_empty=why_empty)


ANTHROPIC_TOOLS = ToolCodec(name="anthropic", encode=encode, decode=decode)
