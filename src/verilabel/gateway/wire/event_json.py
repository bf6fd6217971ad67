"""JSON inside events: read strictly, so that no two readers see two things in it, and written again."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import msgspec

from verilabel.gateway.wire.interface import MalformedStream

DEPTH_LIMIT = 64
"""Objects and lists inside each other, in an event."""


def read_object(data: bytes) -> dict[str, Any]:
    """The object that an event's data is.

    Raises MalformedStream for anything else, and for keys that stand twice, NaN, numbers out of range, what is not
    UTF-8 and nesting beyond what the parser takes.
    """
    try:
        value = _decode(data.decode("utf-8"))
    except MalformedStream:
        raise
    except RecursionError:
        raise MalformedStream("an event of the upstream's stream is nested too deeply") from None
    except ValueError:
        # the parser's own message quotes what it read
        raise MalformedStream("an event of the upstream's stream is not JSON") from None
    if not isinstance(value, dict):
        raise MalformedStream("an event of the upstream's stream is no JSON object")
    return value


def write_json(value: Any) -> bytes:
    """JSON of a value that was read. Halves of surrogate pairs, which UTF-8 cannot say, become escapes."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedStream("an event of the upstream's stream has a key twice in one object")
    return found


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise MalformedStream("an event of the upstream's stream has a number out of range")
    return value


def _refuse_constant(_name: str) -> NoReturn:
    raise MalformedStream("an event of the upstream's stream has a number that JSON does not know")


_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
).decode
