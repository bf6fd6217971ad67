"""Reading a request's JSON so that nobody further on can read it otherwise."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

from verilabel.gateway.verdicts import Refusal, Refused

MAX_DEPTH = 64
MAX_VALUES = 100_000
"""Values in a request's JSON: each is looked at by itself, whatever its size."""
_decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode
"""Compact JSON: what the guards saw is what is sent on, whatever the client's own bytes looked like."""


def decode_body(data: bytes) -> dict[str, Any]:
    """A request's JSON object. Raises Refused for anything else: other encodings, NaN, duplicate keys, great depth.

    A body that is exactly what encoding its value gives back cannot hold a key twice; only others are read again
    with every key looked at.
    """
    if len(data) > 2 * MAX_VALUES and count_values(data, MAX_VALUES) > MAX_VALUES:
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH * (data.count(b",") + 1):
            raise _refused("json_too_deep", f"the JSON is nested deeper than {MAX_DEPTH} levels")
        raise _refused("too_many_values", f"the JSON holds more than {MAX_VALUES} values")
    try:
        value = _decode(data)
    except RecursionError:
        raise _refused("json_too_deep", f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _refused("invalid_json", _say_what_is_wrong(data)) from None
    if not isinstance(value, dict):
        raise _refused("invalid_json", "the body is JSON, but not an object")
    if encode(value) != data:
        _refuse_duplicates(data)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    return value


def count_values(data: bytes, limit: int) -> int:
    """About how many values a JSON text holds, without decoding it; where it is beyond the limit, a bound from below.

    Escapes are taken out, so that every quote left begins or ends a string, and what stands outside is counted.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") <= limit:
        return limit
    plain = data
    if b"\\" in data:
        plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = plain.count(b'"')
    if quotes > 4 * limit:
        return quotes // 4
    outside = b"".join(plain.split(b'"')[::2])
    return outside.count(b",") + outside.count(b"[") + outside.count(b"{")


def _refuse_duplicates(data: bytes) -> None:
    try:
        json.loads(data, object_pairs_hook=_check_pairs, parse_constant=_refuse_constant)
    except RecursionError:
        raise _refused("json_too_deep", f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        raise _refused("invalid_json", "the body is not JSON") from None


def _check_pairs(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({key for key, _ in pairs}) != len(pairs):
        raise _refused("duplicate_key", "an object in the JSON holds a key twice")


def _refuse_constant(name: str) -> NoReturn:
    raise _refused("invalid_json", f"{name} is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise _refused("json_too_deep", f"the JSON is nested deeper than {MAX_DEPTH} levels")


def _say_what_is_wrong(data: bytes) -> str:
    if not data:
        return "the body is empty"
    for constant in (b"NaN", b"Infinity"):
        if constant in data:
            return f"the body is not JSON; {constant.decode()} is none"
    return "the body is not JSON in UTF-8"


def _refused(code: str, message: str) -> Refused:
    return Refused(Refusal(status=400, kind="invalid_request", code=code, message=message))
