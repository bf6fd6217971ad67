"""The Messages dialect of Anthropic."""

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
from verilabel.models.dialects.openai_chat import Count
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure

API_VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096
"""The dialect requires `max_tokens`; this is sent where no parameter says otherwise."""
RESERVED = frozenset({"model", "messages", "system", "stream", "tools"})
RENAME = {"stop": "stop_sequences"}
LISTS = frozenset({"stop"})


class _Block(msgspec.Struct):
    type: str
    text: str | None = None


class _StopDetails(msgspec.Struct):
    category: Any = None


class _Usage(msgspec.Struct):
    input_tokens: Count = None
    output_tokens: Count = None


class _Message(msgspec.Struct):
    content: list[_Block]
    model: str | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: _Usage | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Message)


def path(name: str) -> str:
    """The path under the base URL; the model's name is in the body."""
    del name
    return "/v1/messages"


def auth(key: str) -> dict[str, str]:
    """The key in the header the provider reads it from."""
    return {"x-api-key": key}


def encode(request: ModelRequest, name: str) -> bytes:
    """The request body, system turns apart from the others. Raises UsageError as `wire_params` does."""
    system = [message.content for message in request.messages if message.role == "system"]
    turns = [message for message in request.messages if message.role != "system"]
    body: dict[str, Any] = {"model": name, "max_tokens": DEFAULT_MAX_TOKENS, "messages": turns}
    if system:
        body["system"] = "\n\n".join(system)
    body.update(wire_params(request.params, reserved=RESERVED, rename=RENAME, lists=LISTS))
    return _encoder.encode(body)


def decode(body: bytes) -> Decoded | Failure:
    """Read the text blocks; an answer stopped by the provider's classifiers is withheld. Never raises."""
    try:
        message = _decoder.decode(body)
    except DECODE_ERRORS as error:
        return malformed(error)
    if message.stop_reason == "refusal":
        category = message.stop_details.category if message.stop_details else None
        said = f", category {category[:60]}" if isinstance(category, str) else ""
        return filtered(f"stop_reason refusal{said}")
    output = "".join(block.text or "" for block in message.content if block.type == "text")
    if not output.strip():
        kinds = ", ".join(sorted({block.type[:40] for block in message.content})) or "nothing"
        return empty(f"content holds {kinds}; stop_reason {message.stop_reason}")
    usage = tokens(message.usage.input_tokens, message.usage.output_tokens) if message.usage else None
    return Decoded(output, message.stop_reason, message.model, None, usage)


ANTHROPIC = Dialect(
    name="anthropic",
    path=path,
    auth=auth,
    encode=encode,
    decode=decode,
    headers={"anthropic-version": API_VERSION},
)
