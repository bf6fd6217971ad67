"""Canonical bytes and digests: RFC 8785 (JCS) over the subset of JSON that two programs cannot read differently.

Numbers are integers with |x| <= 2^53; decimals travel as strings. Floats are refused, so that no digest depends
on how a language prints them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput

MAX_INTEGER = 2**53
DIGEST_PREFIX = "sha256:"
_quote = (
    json.encoder.encode_basestring
)  # the escapes of RFC 8785 section 3.2.2.2, without building an encoder a string


def jcs(value: Any) -> bytes:
    """Canonical UTF-8 bytes of a JSON value (RFC 8785).

    Raises MalformedInput for floats, integers beyond 2^53, lone surrogates and non-string keys.
    """
    parts: list[str] = []
    _write(value, parts, "$")
    try:
        return "".join(parts).encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedInput("text with a lone surrogate has no canonical form") from error


def _write(value: Any, parts: list[str], path: str) -> None:
    match value:
        case None:
            parts.append("null")
        case bool():
            parts.append("true" if value else "false")
        case str():
            parts.append(_quote(value))
        case int():
            if abs(value) > MAX_INTEGER:
                raise MalformedInput(f"integer {value} is beyond 2^53 and has no canonical form", where=path)
            parts.append(str(value))
        case Mapping():
            _write_object(value, parts, path)
        case list() | tuple():
            parts.append("[")
            for index, item in enumerate(value):
                if index:
                    parts.append(",")
                _write(item, parts, f"{path}[{index}]")
            parts.append("]")
        case _:
            raise MalformedInput(
                f"a {type(value).__name__} has no canonical form",
                where=path,
                hint="write decimals as strings",
            )


def _write_object(value: Mapping[Any, Any], parts: list[str], path: str) -> None:
    for key in value:
        if not isinstance(key, str):
            raise MalformedInput(f"object key {key!r} is not a string", where=path)
    parts.append("{")
    # RFC 8785 section 3.2.3: keys sorted by their UTF-16 code units
    for index, key in enumerate(sorted(value, key=lambda k: k.encode("utf-16-be", "surrogatepass"))):
        if index:
            parts.append(",")
        parts.append(_quote(key) + ":")
        _write(value[key], parts, f"{path}.{key}")
    parts.append("}")


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest(data: bytes) -> str:
    """The digest of bytes as this project writes it: `sha256:` and 64 hexadecimal digits."""
    return DIGEST_PREFIX + sha256_hex(data)


def is_digest(text: str) -> bool:
    """True if the text is a digest in the form that `digest` writes."""
    body = text.removeprefix(DIGEST_PREFIX)
    return len(body) == 64 and len(text) == 71 and all(c in "0123456789abcdef" for c in body)


def parse_json(data: bytes, *, where: str, max_bytes: int = 16 * 2**20, max_depth: int = 64) -> Any:
    """Parse small, possibly hostile JSON: UTF-8, no duplicate keys, no floats, no huge numbers, bounded depth.

    For documents (manifests, plans, envelopes); record files have their own faster reader.
    """
    if len(data) > max_bytes:
        raise LimitExceeded(f"{len(data)} bytes of JSON, the limit is {max_bytes}", where=where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from error
    _check_depth(text, max_depth, where)
    try:
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: _unique(pairs, where),
            parse_float=lambda number: _refuse_number(number, where),
            parse_constant=lambda number: _refuse_number(number, where),
            parse_int=lambda number: _bounded_int(number, where),
        )
    except json.JSONDecodeError as error:
        raise MalformedInput(
            f"not JSON: {error.msg} at line {error.lineno} column {error.colno}", where=where
        ) from error


def _check_depth(text: str, max_depth: int, where: str) -> None:
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    if deepest > max_depth:
        raise LimitExceeded(f"JSON nested {deepest} deep, the limit is {max_depth}", where=where)


def _unique(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedInput(f"key {twice!r} stands twice in one object", where=where)
    return result


def _refuse_number(number: str, where: str) -> Any:
    raise MalformedInput(
        f"number {number[:40]} is not an integer", where=where, hint="write decimals as strings"
    )


def _bounded_int(number: str, where: str) -> int:
    if len(number) > 17 or abs(int(number)) > MAX_INTEGER:
        raise LimitExceeded(f"integer {number[:40]} is beyond 2^53", where=where)
    return int(number)
