"""The generateContent dialect of Google's Gemini API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

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
from verilabel.models.dialects.openai_chat import Count
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure
from verilabel.records.sample import Message

RESERVED = frozenset({"contents", "systemInstruction", "tools", "candidateCount", "stream"})
RENAME = {
    "max_tokens": "maxOutputTokens",
    "top_p": "topP",
    "top_k": "topK",
    "stop": "stopSequences",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}
LISTS = frozenset({"stop"})
WITHHELD = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE", "OTHER"}
)
"""Finish reasons without an answer that the provider lets through."""


class _Part(msgspec.Struct):
    text: str | None = None
    thought: bool | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


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


def path(name: str) -> str:
    """The path under the base URL, with the model's name in it."""
    return f"/v1beta/models/{quote(name, safe='')}:generateContent"


def auth(key: str) -> dict[str, str]:
    """The key in a header, never in the URL, where logs would keep it."""
    return {"x-goog-api-key": key}


def encode(request: ModelRequest, name: str) -> bytes:
    """The request body, system turns apart from the others. Raises UsageError as `wire_params` does."""
    del name
    system = [message.content for message in request.messages if message.role == "system"]
    turns = [_turn(message) for message in request.messages if message.role != "system"]
    body: dict[str, Any] = {"contents": turns}
    if system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    if request.params:
        body["generationConfig"] = wire_params(request.params, reserved=RESERVED, rename=RENAME, lists=LISTS)
    return _encoder.encode(body)


def _turn(message: Message) -> dict[str, Any]:
    role = "model" if message.role == "assistant" else "user"
    return {"role": role, "parts": [{"text": message.content}]}


def decode(body: bytes) -> Decoded | Failure:
    """Read the first candidate's text without its thoughts. Never raises."""
    try:
        response = _decoder.decode(body)
    except DECODE_ERRORS as error:
        return malformed(error)
    if not response.candidates:
        if response.prompt_feedback and response.prompt_feedback.block_reason:
            return filtered(f"promptFeedback.blockReason {response.prompt_feedback.block_reason}")
        return empty("no candidates")
    candidate = response.candidates[0]
    if candidate.finish_reason in WITHHELD:
        return filtered(f"finishReason {candidate.finish_reason}")
    parts = (candidate.content.parts if candidate.content else None) or ()
    output = "".join(part.text or "" for part in parts if not part.thought)
    if not output.strip():
        return empty(f"no text, finishReason {candidate.finish_reason}")
    return Decoded(
        output, candidate.finish_reason, response.model_version, None, _usage(response.usage_metadata)
    )


def _usage(usage: _Usage | None) -> Any:
    if usage is None:
        return None
    received = sum(
        count for count in (usage.candidates_token_count, usage.thoughts_token_count) if count is not None
    )
    return tokens(usage.prompt_token_count, received)


GOOGLE = Dialect(name="google", path=path, auth=auth, encode=encode, decode=decode)
