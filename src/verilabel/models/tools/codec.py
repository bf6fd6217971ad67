"""What a tool codec is: how a conversation with tools in it is written in a dialect, and how a turn is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from verilabel.models.dialects.dialect import Decoded, malformed
from verilabel.models.tools.interface import Answered, ToolQuestion
from verilabel.records.attempt import Failure
from verilabel.records.episode import ToolUse

MAX_CALLS_IN_A_TURN = 64
MAX_TOOL_NAME_CHARS = 128
MAX_CALL_ID_CHARS = 256
ABSENT = msgspec.Raw()
"""A field of raw JSON that is not there; `Raw | None` cannot be decoded."""
UNNAMED = "#"
"""Begins the id of a call to which the provider gave none: `#0` is the first of its turn."""
NORMAL_ENDINGS = frozenset(
    {"stop", "end_turn", "stop_sequence", "completed", "STOP", "tool_calls", "tool_use"}
)
"""Reasons to stop after which an empty turn is the model's own choice to say nothing."""
_raw = msgspec.json.Decoder(msgspec.Raw)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)


class DecodedTurn(msgspec.Struct, frozen=True):
    """A model's turn read from a response body, and what a plain answer has beside its text."""

    decoded: Decoded
    turn: Answered


class ToolCodec(msgspec.Struct, frozen=True):
    """One codec. `encode(question, name)` gives the exact body; `decode(body)` reads a body of status 200.

    `encode` raises UsageError for a parameter that cannot be sent; `decode` never raises.
    """

    name: str
    encode: Callable[[ToolQuestion, str], bytes]
    decode: Callable[[bytes], DecodedTurn | Failure]


def arguments_text(raw: msgspec.Raw) -> str:
    """The arguments of a call as the model wrote them: a JSON string's content, or the text of any other value.

    Raises ValueError (msgspec.DecodeError) where a string is none.
    """
    data = bytes(raw)
    if data in (b"", b"null"):
        return "{}"
    return str(_text.decode(data)) if data[:1] == b'"' else data.decode("utf-8")


def as_object(arguments: str) -> msgspec.Raw:
    """Arguments as an object on the wire, byte for byte; an empty one where they are no JSON object.

    A model of a dialect that carries objects cannot have written anything else, so that only a conversation begun
    elsewhere can lose something here.
    """
    data = arguments.encode("utf-8", "replace")
    try:
        _object.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return msgspec.Raw(b"{}")
    return msgspec.Raw(data)


def as_json(text: str) -> msgspec.Raw:
    """Kept JSON text, to be sent back verbatim."""
    return msgspec.Raw(text.encode("utf-8"))


def raw_items(kept: str) -> list[msgspec.Raw]:
    """The items of a kept JSON list, each verbatim."""
    return msgspec.json.decode(kept, type=list[msgspec.Raw])


def make_turn(
    decoded: Decoded, calls: Iterable[ToolUse], *, kept: str = "", why_empty: Failure | None = None
) -> DecodedTurn | Failure:
    """A turn, checked: calls have names and ids of their own; `why_empty` where it holds neither text nor call."""
    found = tuple(calls)
    if not found and not decoded.output.strip() and why_empty is not None:
        return why_empty
    if len(found) > MAX_CALLS_IN_A_TURN:
        return malformed(f"{len(found)} calls in one turn, the limit is {MAX_CALLS_IN_A_TURN}")
    if len({call.id for call in found}) != len(found):
        return malformed("two calls of one turn have the same id")
    for call in found:
        if not call.name or len(call.name) > MAX_TOOL_NAME_CHARS or len(call.id) > MAX_CALL_ID_CHARS:
            return malformed("a call without a name, or with an endless one")
    return DecodedTurn(decoded, Answered(decoded.output, found, kept))


def compact(value: Any) -> str:
    """A value as JSON text, to be kept with a turn."""
    return msgspec.json.encode(value).decode("utf-8")
