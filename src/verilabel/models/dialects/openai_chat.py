"""The chat completions dialect: OpenAI and all that speak like it (vLLM, Ollama, llama.cpp, gateways)."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.models.dialects.dialect import (
    DECODE_ERRORS,
    Decoded,
    Dialect,
    empty,
    filtered,
    malformed,
    tokens,
    wire_params,
)
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure, Usage

RESERVED = frozenset({"model", "messages", "stream", "n", "tools", "functions"})
Count = int | float | None


class _Part(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None
    function_call: Any = None


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


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Completion)


def path(name: str) -> str:
    """The path under the base URL; the model's name is in the body."""
    del name
    return "/chat/completions"


def bearer(key: str) -> dict[str, str]:
    """The key as a bearer token."""
    return {"Authorization": f"Bearer {key}"}


def encode(request: ModelRequest, name: str) -> bytes:
    """The request body. Raises UsageError for a parameter that cannot be sent."""
    body: dict[str, Any] = {"model": name, "messages": request.messages}
    if request.params:
        body.update(wire_params(request.params, reserved=RESERVED))
    return _encoder.encode(body)


def encode_for_openai(request: ModelRequest, name: str) -> bytes:
    """The request body for OpenAI itself, where `max_tokens` has been replaced by `max_completion_tokens`."""
    body: dict[str, Any] = {"model": name, "messages": request.messages}
    if request.params:
        rename = {"max_tokens": "max_completion_tokens"}
        body.update(wire_params(request.params, reserved=RESERVED, rename=rename))
    return _encoder.encode(body)


def decode(body: bytes) -> Decoded | Failure:
    """Read the first choice: its text, or its refusal, which is an answer too. Never raises."""
    try:
        completion = _decoder.decode(body)
    except DECODE_ERRORS as error:
        return malformed(error)
    if not completion.choices:
        return empty("no choices")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter":
        return filtered("finish_reason content_filter")
    output = _text(choice.message)
    if not output.strip():
        return empty(_why_empty(choice))
    usage: Usage | None = None
    if completion.usage is not None:
        usage = tokens(completion.usage.prompt_tokens, completion.usage.completion_tokens)
    return Decoded(output, choice.finish_reason, completion.model, completion.system_fingerprint, usage)


def _text(message: _Message) -> str:
    content = message.content
    if isinstance(content, list):
        content = "".join(part.text or part.refusal or "" for part in content)
    return content or message.refusal or ""


def _why_empty(choice: _Choice) -> str:
    if choice.message.tool_calls or choice.message.function_call:
        return "only tool calls"
    return f"no text, finish_reason {choice.finish_reason}"


OPENAI_CHAT = Dialect(name="openai-chat", path=path, auth=bearer, encode=encode, decode=decode)
OPENAI_CHAT_OFFICIAL = Dialect(
    name="openai-chat", path=path, auth=bearer, encode=encode_for_openai, decode=decode
)
