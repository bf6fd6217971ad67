"""JSON that every parser reads alike, or not at all: what is decided is what is forwarded.

A message with a key that stands twice, a number that is not finite or beyond 2^53, a lone surrogate, or nesting beyond
`MAX_DEPTH` may mean one thing to us and another to a server, so it is refused before anything is decided.
"""

from __future__ import annotations

import json
import math
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.canonical import MAX_INTEGER

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 64
MAX_VALUES = 200_000


def read_strictly(data: bytes, *, where: str = "message", max_bytes: int = MAX_BYTES) -> Any:
    """A JSON value. Raises LimitExceeded for one that is too large or deep, MalformedInput for all else.

    No text of the value is repeated in an error.
    """
    if len(data) > max_bytes:
        raise LimitExceeded(f"a message has at most {max_bytes} bytes", where=where)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_int=_bounded,
            parse_constant=_refuse,
        )
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from None
    except RecursionError:
        raise LimitExceeded(f"nested deeper than {MAX_DEPTH}", where=where) from None
    except _Ambiguous as error:
        raise MalformedInput(str(error), where=where) from None
    except ValueError:
        raise MalformedInput("not JSON", where=where) from None
    check_shape(value, where=where)
    return value


def check_shape(value: Any, *, where: str) -> None:
    """Check depth, number of values and texts of a value. Raises LimitExceeded, MalformedInput."""
    level: list[Any] = [value]
    seen = depth = 0
    while level:
        depth += 1
        seen += len(level)
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"nested deeper than {MAX_DEPTH}", where=where)
        if seen > MAX_VALUES:
            raise LimitExceeded(f"more than {MAX_VALUES} values", where=where)
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.keys())
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
            elif isinstance(each, str) and not each.isascii():
                _check_text(each, where)
            elif isinstance(each, float) and not math.isfinite(each):
                raise MalformedInput("a number is not finite", where=where)
        level = below


def write_canonically(value: Any) -> bytes:
    """The bytes that stand for a value in digests and records: sorted keys, no white space, UTF-8."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


class _Ambiguous(Exception):
    """A value that two parsers may read differently."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Ambiguous("a key stands twice in one object")
    return result


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Ambiguous("a number is too large")
    return number


def _bounded(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise _Ambiguous("an integer is beyond 2^53; send it as text")
    return int(text)


def _refuse(text: str) -> Any:
    del text
    raise _Ambiguous("a number is not finite")


def _check_text(text: str, where: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedInput("a lone surrogate is no text", where=where) from None
