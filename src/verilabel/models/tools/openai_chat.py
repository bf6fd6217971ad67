"""Tool calls in the chat completions dialect."""

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
from verilabel.models.dialects.openai_chat import RESERVED, Count
from verilabel.models.tools.codec import (
    ABSENT,
    NORMAL_ENDINGS,
    UNNAMED,
    DecodedTurn,
    ToolCodec,
    arguments_text,
    compact,
    make_turn,
)
from verilabel.models.tools.interface import Answered, Returned, ToolQuestion, Turn
from verilabel.records.attempt import Failure
from verilabel.records.episode import ToolSpec, ToolUse

OFFICIAL_NAMES = {"max_tokens": "max_completion_tokens"}
"""OpenAI itself has replaced this parameter; servers that speak like it have not."""
_RESERVED = RESERVED | {"messages"}


class _Function(msgspec.Struct):
    name: str
    arguments: msgspec.Raw = ABSENT


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None
    type: str | None = None
    extra_content: msgspec.Raw = ABSENT
    """Where Google's servers of this dialect put the signature of a thought."""


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    reasoning_content: msgspec.Raw = ABSENT
    reasoning_details: msgspec.Raw = ABSENT


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count = None
    completion_tokens: Count = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None


class _Kept(msgspec.Struct):
    """What some servers want back with a turn: their reasoning, and what they put beside each call."""

    reasoning: dict[str, msgspec.Raw] = {}
    beside: dict[str, msgspec.Raw] = {}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Completion)
_kept = msgspec.json.Decoder(_Kept)


def encode(question: ToolQuestion, name: str) -> bytes:
    """The request body. Raises UsageError for a parameter that cannot be sent."""
    return _encode(question, name, {})


def encode_for_openai(question: ToolQuestion, name: str) -> bytes:
    """The request body for OpenAI itself."""
    return _encode(question, name, OFFICIAL_NAMES)


def _encode(question: ToolQuestion, name: str, rename: dict[str, str]) -> bytes:
    body: dict[str, Any] = {"model": name, "messages": [_message(turn) for turn in question.turns]}
    if question.tools:
        body["tools"] = [_tool(tool) for tool in question.tools]
    body.update(wire_params(question.params, reserved=_RESERVED, rename=rename))
    return _encoder.encode(body)


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _message(turn: Turn) -> dict[str, Any]:
    match turn:
        case Returned():
            return {"role": "tool", "tool_call_id": turn.call, "content": turn.text}
        case Answered():
            return _answered(turn)
        case _:
            return {"role": turn.role, "content": turn.text}


def _answered(turn: Answered) -> dict[str, Any]:
    kept = _kept.decode(turn.kept) if turn.kept else _Kept()
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None, **kept.reasoning}
    calls = []
    for call in turn.calls:
        function = {"name": call.name, "arguments": call.arguments}
        sent: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
        if (extra := kept.beside.get(call.id)) is not None:
            sent["extra_content"] = extra
        calls.append(sent)
    if calls:
        message["tool_calls"] = calls
    elif not turn.text:
        message["content"] = ""
    return message


def decode(body: bytes) -> DecodedTurn | Failure:
    """Read the first choice: text, calls, and the reasoning that its server wants back. Never raises."""
    try:
        completion = _decoder.decode(body)
        return _read(completion)
    except DECODE_ERRORS as error:
        return malformed(error)


def _read(completion: _Completion) -> DecodedTurn | Failure:
    if not completion.choices:
        return empty("no choices")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter":
        return filtered("finish_reason content_filter")
    message, finish = choice.message, choice.finish_reason
    usage = None
    if completion.usage is not None:
        usage = tokens(completion.usage.prompt_tokens, completion.usage.completion_tokens)
    decoded = Decoded(_text(message), finish, completion.model, completion.system_fingerprint, usage)
    calls, beside = [], {}
    for index, call in enumerate(message.tool_calls or ()):
        if call.type not in (None, "function"):
            return malformed("a call of a kind that was not offered")
        number = call.id or f"{UNNAMED}{index}"
        calls.append(ToolUse(number, call.function.name, arguments_text(call.function.arguments)))
        if _is_said(call.extra_content):
            beside[number] = call.extra_content
    silent = finish in NORMAL_ENDINGS
    why_empty = None if silent else empty(f"no text and no call, finish_reason {finish}")
    return make_turn(decoded, calls, kept=_keep(message, beside), why_empty=why_empty)


def _keep(message: _Message, beside: dict[str, msgspec.Raw]) -> str:
    fields = {"reasoning_content": message.reasoning_content, "reasoning_details": message.reasoning_details}
    reasoning = {key: raw for key, raw in fields.items() if _is_said(raw)}
    return compact(_Kept(reasoning, beside)) if reasoning or beside else ""


def _is_said(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null", b'""', b"[]", b"{}")


def _text(message: _Message) -> str:
    content = message.content
    if isinstance(content, list):
        content = "".join(part.text or part.refusal or "" for part in content)
    return content or message.refusal or ""


OPENAI_CHAT_TOOLS = ToolCodec(name="openai-chat", encode=encode, decode=decode)
OPENAI_CHAT_OFFICIAL_TOOLS = ToolCodec(name="openai-chat", encode=encode_for_openai, decode=decode)
