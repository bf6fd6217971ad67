"""The Responses dialect of OpenAI: typed output items instead of choices."""

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
from verilabel.models.dialects.openai_chat import Count, bearer
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure

RESERVED = frozenset({"model", "input", "messages", "stream", "background", "tools", "previous_response_id"})
RENAME = {"max_tokens": "max_output_tokens"}


class _Part(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str
    content: list[_Part] | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Error(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _Usage(msgspec.Struct):
    input_tokens: Count = None
    output_tokens: Count = None


class _Response(msgspec.Struct):
    output: list[_Item]
    status: str | None = None
    model: str | None = None
    incomplete_details: _Incomplete | None = None
    error: _Error | None = None
    usage: _Usage | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Response)


def path(name: str) -> str:
    """The path under the base URL; the model's name is in the body."""
    del name
    return "/responses"


def encode(request: ModelRequest, name: str) -> bytes:
    """The request body, not to be stored unless a parameter says so. Raises what `wire_params` raises.

    It says that the answer is not to be streamed, as some servers of this dialect stream unless they are told.
    """
    body: dict[str, Any] = {"model": name, "input": request.messages, "stream": False, "store": False}
    body.update(wire_params(request.params, reserved=RESERVED, rename=RENAME))
    return _encoder.encode(body)


def decode(body: bytes) -> Decoded | Failure:
    """Read the text of all message items; a refusal part is an answer too. Never raises."""
    try:
        response = _decoder.decode(body)
    except DECODE_ERRORS as error:
        return malformed(error)
    reason = response.incomplete_details.reason if response.incomplete_details else None
    if reason == "content_filter":
        return filtered("incomplete_details.reason content_filter")
    if response.status in ("failed", "cancelled"):
        said = response.error.message if response.error and response.error.message else "no reason given"
        return Failure(
            "server_error", f"the response has status {response.status}: {said[:200]}", retryable=True
        )
    messages = [item for item in response.output if item.type == "message"]
    output = "".join(part.text or part.refusal or "" for item in messages for part in item.content or ())
    if not output.strip():
        kinds = ", ".join(sorted({item.type[:40] for item in response.output})) or "nothing"
        return empty(f"output holds {kinds}; status {response.status}, {reason or 'complete'}")
    usage = tokens(response.usage.input_tokens, response.usage.output_tokens) if response.usage else None
    return Decoded(output, reason or response.status, response.model, None, usage)


OPENAI_RESPONSES = Dialect(name="openai-responses", path=path, auth=bearer, encode=encode, decode=decode)
