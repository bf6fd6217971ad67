"""What a wire dialect is: where to post, what carries the key, how to write a request, read a response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from verilabel.errors import UsageError
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure, Usage
from verilabel.records.system import Scalar

DECIMAL_PARAMS = frozenset(
    {
        "temperature",
        "top_p",
        "top_a",
        "min_p",
        "typical_p",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "length_penalty",
    }
)
"""Parameters that travel as numbers; records keep them as decimal strings."""
MAX_MESSAGE_CHARS = 300
MAX_NAME_CHARS = 128
MAX_TOKENS = 10**9
"""Tokens of one answer; more is nonsense, and the sum of such counts would be beyond what records can hold."""
_number = msgspec.json.Decoder(int | float)


def short_name(name: str | None) -> str | None:
    """A name that a provider gives, cut to what a name needs: the distinct ones of a whole run are listed."""
    return name if name is None else name[:MAX_NAME_CHARS]


class Decoded(msgspec.Struct, frozen=True):
    """An answer read from a response body; the provider's names in it are cut by `short_name`."""

    output: str
    finish: str | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    usage: Usage | None = None

    def __post_init__(self) -> None:
        for field in ("finish", "served_model", "fingerprint"):
            name = getattr(self, field)
            if name is not None and len(name) > MAX_NAME_CHARS:
                msgspec.structs.force_setattr(self, field, short_name(name))


class Dialect(msgspec.Struct, frozen=True):
    """One codec. `encode(request, name)` gives the exact body; `decode(body)` reads a body of status 200.

    `path(name)` is appended to the base URL; `auth(key)` gives the headers that carry a key; `headers` are
    sent always. `encode` raises UsageError for a parameter that cannot be sent; `decode` never raises.
    """

    name: str
    path: Callable[[str], str]
    auth: Callable[[str], dict[str, str]]
    encode: Callable[[ModelRequest, str], bytes]
    decode: Callable[[bytes], Decoded | Failure]
    headers: dict[str, str] = {}


class ErrorDetail(msgspec.Struct, frozen=True):
    """What a provider says went wrong, as far as it says so."""

    message: str = ""
    code: str = ""


class _ErrorObject(msgspec.Struct):
    message: Any = None
    code: Any = None
    type: Any = None
    status: Any = None


class _ErrorBody(msgspec.Struct):
    error: _ErrorObject | str | None = None
    message: Any = None
    detail: Any = None


_error_decoder = msgspec.json.Decoder(_ErrorBody)
DECODE_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What decoding hostile bytes can raise."""


def read_error(body: bytes) -> ErrorDetail:
    """The message and code of a provider's error body, shortened; empty where it has none. Never raises."""
    try:
        document = _error_decoder.decode(body)
    except DECODE_ERRORS:
        return ErrorDetail()
    if isinstance(document.error, _ErrorObject):
        error = document.error
        codes = (error.code, error.type, error.status)
        return ErrorDetail(_short(error.message), " ".join(code for code in codes if isinstance(code, str)))
    return ErrorDetail(_short(document.error or document.message or document.detail))


def _short(text: object) -> str:
    if not isinstance(text, str):
        return ""
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= MAX_MESSAGE_CHARS else one_line[: MAX_MESSAGE_CHARS - 3] + "..."


def malformed(reason: object) -> Failure:
    """The failure of a response that is not what the dialect promises."""
    return Failure("malformed", f"the response cannot be read: {_short(str(reason))}", retryable=True)


def empty(reason: str) -> Failure:
    """The failure of a response without an answer in it."""
    return Failure("empty", f"the response holds no answer: {reason}", retryable=True)


def filtered(reason: str) -> Failure:
    """The failure of an answer that the provider withheld."""
    return Failure("filtered", f"the provider withheld the answer: {_short(reason)}")


def tokens(sent: float | None, received: float | None) -> Usage | None:
    """Usage from a provider's counts; None where it gives none, or gives nonsense."""
    counts = [
        int(count) if count is not None and 0 <= count <= MAX_TOKENS else 0 for count in (sent, received)
    ]
    return Usage(counts[0], counts[1]) if any(counts) else None


def wire_params(
    params: Mapping[str, Scalar],
    *,
    reserved: frozenset[str],
    rename: Mapping[str, str] | None = None,
    lists: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Parameters as the wire wants them: sorted, renamed, decimals as numbers digit by digit, dots nested.

    `lists` names parameters whose text travels as a list of one. Raises UsageError for a reserved parameter,
    a decimal that is not a JSON number, or two parameters that claim the same place.
    """
    result: dict[str, Any] = {}
    for key in sorted(params):
        where = f"$.params.{key}"
        if key.split(".")[0] in reserved:
            raise UsageError(f"the parameter {key!r} is set by the program", where=where)
        value: Any = params[key]
        if key.rsplit(".", 1)[-1] in DECIMAL_PARAMS and isinstance(value, str):
            value = _as_number(value, where)
        if key in lists:
            value = [value]
        _place(result, (rename or {}).get(key, key), value, where)
    return result


def _as_number(text: str, where: str) -> msgspec.Raw:
    try:
        _number.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise UsageError(f"{text!r} is not a number", where=where, hint="write it like 0.7") from error
    return msgspec.Raw(text.strip().encode())


def _place(result: dict[str, Any], path: str, value: Any, where: str) -> None:
    *outer, last = path.split(".")
    place = result
    for name in outer:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise UsageError(f"two parameters claim {name!r}", where=where)
    if last in place or not last:
        raise UsageError(
            f"two parameters claim {path!r}" if last else f"{path!r} is not a parameter", where=where
        )
    place[last] = value
