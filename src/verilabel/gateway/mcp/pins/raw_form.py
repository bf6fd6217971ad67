"""Canonical bytes of what a server sent: RFC 8785 over all of JSON, so that no field and no change of one is lost.

`records.canonical` refuses fractions because records have none; schemas of tools do, and a pin must hold for every
tool. Two values have the same bytes exactly if they are the same JSON value: `1` and `1.0` are, `1` and `true` are not.
Whole numbers beyond 2^53, which RFC 8785 rounds, are written in full, so that a change of one is seen.
"""

from __future__ import annotations

import json
import math
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.canonical import digest

MAX_DEPTH = 64
MAX_OBJECT_BYTES = 2**20
"""Of one tool, resource or prompt."""
MAX_INTEGER_DIGITS = 400
LARGEST_EXACT = 2**53
_quote = json.encoder.encode_basestring  # the escapes of RFC 8785 section 3.2.2.2


def write_raw(value: Any, *, max_bytes: int = MAX_OBJECT_BYTES) -> bytes:
    """Canonical UTF-8 bytes of a JSON value.

    Raises MalformedInput for what is no JSON (NaN, other types, keys that are no text, lone surrogates), LimitExceeded
    beyond MAX_DEPTH levels or `max_bytes`. Messages repeat nothing of the value.
    """
    parts: list[str] = []
    _write(value, parts, [max_bytes], 0)
    try:
        data = "".join(parts).encode()
    except UnicodeEncodeError:
        raise MalformedInput("text with a lone surrogate") from None
    if len(data) > max_bytes:
        raise LimitExceeded(f"more than {max_bytes} bytes")
    return data


def digest_raw(value: Any, *, max_bytes: int = MAX_OBJECT_BYTES) -> str:
    """The digest of a JSON value's canonical bytes. Raises as `write_raw` does."""
    return digest(write_raw(value, max_bytes=max_bytes))


def _write(value: Any, parts: list[str], left: list[int], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            _add(_quote(value) if len(value) <= left[0] else value, parts, left)
        case None:
            _add("null", parts, left)
        case bool():
            _add("true" if value else "false", parts, left)
        case int() | float():
            _add(_write_number(value), parts, left)
        case dict():
            _write_object(value, parts, left, depth)
        case list() | tuple():
            _add("[", parts, left)
            for index, item in enumerate(value):
                if index:
                    _add(",", parts, left)
                _write(item, parts, left, depth + 1)
            _add("]", parts, left)
        case _:
            raise MalformedInput(f"a {type(value).__name__}, which JSON has not")


def _write_object(value: dict[Any, Any], parts: list[str], left: list[int], depth: int) -> None:
    if not all(isinstance(key, str) for key in value):
        raise MalformedInput("a key that is no text")
    _add("{", parts, left)
    # RFC 8785 section 3.2.3: keys sorted by their UTF-16 code units
    for index, key in enumerate(sorted(value, key=lambda k: k.encode("utf-16-be", "surrogatepass"))):
        _add(("," if index else "") + _quote(key) + ":", parts, left)
        _write(value[key], parts, left, depth + 1)
    _add("}", parts, left)


def _add(text: str, parts: list[str], left: list[int]) -> None:
    left[0] -= len(text)
    if left[0] < 0:
        raise LimitExceeded("an object that is too large")
    parts.append(text)


def _write_number(value: int | float) -> str:
    if isinstance(value, int):
        # the bound stands before the conversion, whose cost grows faster than the number
        if value.bit_length() > MAX_INTEGER_DIGITS * 3:
            raise LimitExceeded("an integer that is too large")
        return str(value)
    if not math.isfinite(value):
        raise MalformedInput("a number that is not finite")
    if value.is_integer() and abs(value) >= LARGEST_EXACT:
        return str(int(value))
    return _write_fraction(value)


def _write_fraction(value: float) -> str:
    """A finite double as ECMAScript writes it (RFC 8785 section 3.2.2.3, ECMA-262 Number::toString)."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # the place of the point, counted from the first digit that is not zero
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
