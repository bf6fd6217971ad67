"""Reading decoded JSON by declared shapes: what is not declared is refused with its path, or is no reply at all."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from verilabel.errors import MalformedInput
from verilabel.gateway.translation.conversation import Request
from verilabel.gateway.translation.interface import Untranslatable
from verilabel.gateway.wire.event_json import write_json as encode_json
from verilabel.gateway.wire.interface import MalformedStream

T = TypeVar("T")
MAX_NAME_CHARS = 64
"""Of a member's name that a refusal repeats."""


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """Part of a request: a member that is not declared cannot be translated."""


class Heard(msgspec.Struct):
    """Part of a reply: members that are not declared are of no use to the client's API."""


def read_request(body: dict[str, Any], shape: type[T]) -> T:
    """A request as its shape. Raises Untranslatable with the path of what the shape has no word for."""
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        raise _untranslatable(error) from None


def _untranslatable(error: msgspec.ValidationError) -> Untranslatable:
    what, at = _split_path(error)
    unknown = what.partition("unknown field `")[2].partition("`")[0]
    where = f"{at}.{unknown[:MAX_NAME_CHARS]}" if unknown else at
    return Untranslatable(
        "this part of the request has no translation to the upstream's API",
        where=where,
        hint="leave it out, or ask for a model whose provider speaks this API",
    )


def _split_path(error: msgspec.ValidationError) -> tuple[str, str]:
    what, separator, at = str(error).rpartition(" - at `")
    return (what, at.rstrip("`")) if separator else (at, "$")


def unsayable(api: str, what: str, where: str, hint: str | None = None) -> Untranslatable:
    """The error that says: the API of the upstream has no word for this."""
    return Untranslatable(f"the {api} API has no word for {what}", where=where, hint=hint)


def refuse_members(api: str, request: Request, **members: str) -> None:
    """Refuse each named member that the request gives, `member="what it is"`. Raises Untranslatable."""
    for member, what in members.items():
        if getattr(request, member):
            raise unsayable(api, what, request.where(member))


def read_reply(body: dict[str, Any], shape: type[T]) -> T:
    """A whole reply as its shape. Raises MalformedInput for what is none."""
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        raise MalformedInput(
            "the upstream's reply has not the form of its API", where=_split_path(error)[1]
        ) from None


def read_event(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """One event of a stream. Raises MalformedStream."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedStream("the upstream sent an event that cannot be read") from None


def read_arguments(source: str, where: str) -> dict[str, Any]:
    """The arguments of a call as an object. Raises Untranslatable for source that is none, NaN and infinities."""
    try:
        value = msgspec.json.decode(source or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Untranslatable("the arguments of this call are not a JSON object", where=where)
    return value


def write_json(value: Any) -> str:
    """A value as compact JSON source text."""
    return encode_json(value).decode()
