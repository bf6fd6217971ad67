"""The arguments of a call, read so that nobody further on can read them otherwise: an object, or a complaint.

A world or server is given what the canonical form says, never the model's own spelling, so that whoever plays an
episode again gives it the same values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from verilabel.records.canonical import MAX_INTEGER

MAX_ARGUMENT_BYTES = 2**20
MAX_DEPTH = 32


class BadArguments(Exception):
    """Arguments that are not carried out; the message is for the model and repeats nothing of them."""


def read_arguments(text: str) -> tuple[dict[str, Any], str]:
    """The arguments and their canonical JSON (RFC 8785). An empty text is an empty object.

    Raises BadArguments for what is no JSON object, keys twice, NaN, numbers that programs read differently, lone
    surrogates, depth and size.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ARGUMENT_BYTES:
        raise BadArguments(f"the arguments are larger than {MAX_ARGUMENT_BYTES} bytes")
    _check_depth(text)
    try:
        value = json.loads(
            text or "{}", object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_read_integer
        )
        if not isinstance(value, dict):
            raise BadArguments("the arguments are not a JSON object")
        canonical = canonical_text(value)
        canonical.encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise BadArguments("the arguments are not JSON") from error
    return json.loads(canonical), canonical


def canonical_text(value: Any) -> str:
    """Canonical JSON of a value with numbers of any kind, as RFC 8785 writes them."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            written = write_number(value)
            if abs(value) > MAX_INTEGER and written.lstrip("-").isdigit():
                raise BadArguments("an integer beyond 2^53 in the arguments")
            return written
        case Mapping():
            keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
            return "{" + ",".join(f"{canonical_text(key)}:{canonical_text(value[key])}" for key in keys) + "}"
        case list() | tuple():
            return "[" + ",".join(map(canonical_text, value)) + "]"
        case _:
            return json.dumps(value)


def write_number(value: float) -> str:
    """A finite double as ECMAScript writes it (ECMA-262, Number::toString), which RFC 8785 section 3.2.2.3 asks for."""
    if not math.isfinite(value):
        raise BadArguments("a number that JSON does not have")
    if value == 0:
        return "0"
    sign, digits, point = _shortest_digits(value)
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return sign + digits[0] + ("." + digits[1:] if count > 1 else "") + exponent


def _shortest_digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits that read back as the value, and how many of them stand before the point."""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return ("-" if value < 0 else ""), digits.rstrip("0"), point


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise BadArguments("a key stands twice in the arguments")
    return result


def _refuse_constant(name: str) -> Any:
    del name
    raise BadArguments("a number that JSON does not have")


def _read_integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise BadArguments("an integer beyond 2^53 in the arguments")
    return int(text)


def _check_depth(text: str) -> None:
    depth = 0
    in_string = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif in_string and char == "\\":
            escaped = True
        elif char == '"':
            in_string = not in_string
        elif not in_string and char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadArguments(f"the arguments are nested deeper than {MAX_DEPTH}")
        elif not in_string and char in "]}":
            depth -= 1
