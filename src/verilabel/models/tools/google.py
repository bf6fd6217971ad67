"""Tool calls in the generateContent dialect of Google: parts of content, some of them signed."""

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
from verilabel.models.dialects.google import LISTS, RENAME, RESERVED, WITHHELD
from verilabel.models.dialects.openai_chat import Count
from verilabel.models.tools.codec import (
    ABSENT,
    NORMAL_ENDINGS,
    UNNAMED,
    DecodedTurn,
    ToolCodec,
    arguments_text,
    as_json,
    as_object,
    make_turn,
    raw_items,
)
from verilabel.models.tools.interface import Answered, Returned, Said, ToolQuestion, Turn
from verilabel.records.attempt import Failure
from verilabel.records.episode import ToolSpec, ToolUse


class _Function(msgspec.Struct):
    name: str
    args: msgspec.Raw = ABSENT
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Function | None = None


class _Content(msgspec.Struct):
    parts: list[msgspec.Raw] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: Count = None
    candidates_token_count: Count = None
    thoughts_token_count: Count = None


class _Response(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    model_version: str | None = None
    usage_metadata: _Usage | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Response)
_part = msgspec.json.Decoder(_Part)


def encode(question: ToolQuestion, name: str) -> bytes:
    """The request body, system turns apart from the others. Raises UsageError as `wire_params` does."""
    del name
    system = [turn.text for turn in question.turns if isinstance(turn, Said) and turn.role == "system"]
    body: dict[str, Any] = {"contents": _contents(question.turns)}
    if system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    if question.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in question.tools]}]
    if question.params:
        body["generationConfig"] = wire_params(question.params, reserved=RESERVED, rename=RENAME, lists=LISTS)
    return _encoder.encode(body)


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}


def _contents(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for turn in turns:
        if isinstance(turn, Returned):
            if not results:
                contents.append({"role": "user", "parts": results})
            results.append(_result(turn))
            continue
        results = []
        if isinstance(turn, Answered):
            contents.append({"role": "model", "parts": _parts(turn)})
        elif turn.role == "user":
            contents.append({"role": "user", "parts": [{"text": turn.text}]})
    return contents


def _result(turn: Returned) -> dict[str, Any]:
    response: dict[str, Any] = {
        "name": turn.name,
        "response": {"error": turn.text} if turn.failed else {"result": turn.text},
    }
    if not turn.call.startswith(UNNAMED):
        response["id"] = turn.call
    return {"functionResponse": response}


def _parts(turn: Answered) -> list[Any]:
    if turn.kept:
        return list(raw_items(turn.kept))
    parts: list[Any] = [{"text": turn.text}] if turn.text or not turn.calls else []
    for call in turn.calls:
        function: dict[str, Any] = {"name": call.name, "args": as_object(call.arguments)}
        if not call.id.startswith(UNNAMED):
            function["id"] = call.id
        parts.append({"functionCall": function})
    return parts


def decode(body: bytes) -> DecodedTurn | Failure:
    """Read the first candidate; its parts are kept verbatim where one is signed. Never raises."""
    try:
        response = _decoder.decode(body)
        candidate = response.candidates[0] if response.candidates else None
        raw = (candidate.content.parts if candidate and candidate.content else None) or []
        parts = [_part.decode(part) for part in raw]
        uses = _uses(parts)
    except DECODE_ERRORS as error:
        return malformed(error)
    if candidate is None:
        if response.prompt_feedback and response.prompt_feedback.block_reason:
            return filtered(f"promptFeedback.blockReason {response.prompt_feedback.block_reason}")
        return empty("no candidates")
    finish = candidate.finish_reason
    if finish in WITHHELD:
        return filtered(f"finishReason {finish}")
    output = "".join(part.text or "" for part in parts if not part.thought)
    decoded = Decoded(output, finish, response.model_version, None, _usage(response.usage_metadata))
    kept = ""
    if any(part.thought_signature for part in parts):
        kept = _encoder.encode([as_json(bytes(part).decode("utf-8")) for part in raw]).decode("utf-8")
    why_empty = None if finish in NORMAL_ENDINGS else empty(f"no text and no call, finishReason {finish}")
    return make_turn(decoded, uses, kept=kept, why_empty=why_empty)


def _uses(parts: list[_Part]) -> list[ToolUse]:
    calls = [part.function_call for part in parts if part.function_call is not None]
    return [
        ToolUse(call.id or f"{UNNAMED}{index}", call.name, arguments_text(call.args))
        for index, call in enumerate(calls)
    ]


def _usage(usage: _Usage | None) -> Any:
    if usage is None:
        return None
    counts = (usage.candidates_token_count, usage.thoughts_token_count)
    return tokens(usage.prompt_token_count, sum(count for count in counts if count is not None))


GOOGLE_TOOLS = ToolCodec(name="google", encode=encode, decode=decode)
