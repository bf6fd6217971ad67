"""The form that a stream repeats: what stands before and after the text in its delta events, learned once."""

from __future__ import annotations

from typing import Any

import msgspec

from verilabel.gateway.wire.event_json import write_json
from verilabel.gateway.wire.interface import MalformedStream
from verilabel.gateway.wire.sse import read_event

_read_text = msgspec.json.Decoder(str).decode
_PADDING = b'"obfuscation":"'
_NUMBER = b'"sequence_number":'
_SENTINELS = ("verilabel-a", "verilabel-b", "verilabel-c")
_SENTINEL_NUMBER = 4_503_599
_CANDIDATES = 4


class DeltaTemplate:
    """Events that differ in one text alone, and in a sequence number and padding where the stream has them.

    An event that begins with `head` (up to the text's opening quote, with it) and ends with `tail` (from the closing
    quote on) is the learned event with another text if, and only if, what is between is the inside of one JSON
    string: a JSON parser that has read `head` is in a state that does not depend on what follows, and leaves the
    string at its first unescaped quote. So reading that string alone is exactly reading the event.
    """

    __slots__ = (
        "_after",
        "_before",
        "_end",
        "_head",
        "_inside",
        "_least",
        "_number_after",
        "_padding_at",
        "_tail",
    )

    def __init__(self, head: bytes, number_after: bytes, tail: bytes, end: bytes) -> None:
        """`head` … [number] `number_after` text `tail` [padding] `end`; both holes only where the bytes are given."""
        self._head = head
        self._number_after = number_after
        self._tail = tail
        self._end = end
        self._before = (number_after or head)[:-1]
        self._after = tail[1:] + end
        self._least = len(head) + len(tail)
        self._padding_at = len(tail)
        self._inside = slice(len(head) - 1, 1 - len(tail) if len(tail) > 1 else None)

    @property
    def is_simple(self) -> bool:
        """True if only the text differs."""
        return not self._number_after and not self._end

    def read(self, raw: bytes) -> str | None:
        """The text of an event of this form; None for any other event."""
        if not raw.startswith(self._head):
            return None
        if self._number_after or self._end:
            return self._read_with_holes(raw)
        if not raw.endswith(self._tail) or len(raw) < self._least:
            return None
        try:
            return _read_text(raw[self._inside])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def write(self, text: str, like: bytes) -> bytes:
        """An event of this form with this text, numbered as the event `like` of this form is, without padding."""
        if self._number_after:
            start = len(self._head)
            number = like[start : like.find(self._number_after, start)]
            return b"".join((self._head, number, self._before, write_json(text), self._after))
        return b"".join((self._before, write_json(text), self._after))

    def _read_with_holes(self, raw: bytes) -> str | None:
        start = len(self._head)
        if self._number_after:
            digits_end = raw.find(self._number_after, start)
            if digits_end < 0 or not _is_number(raw[start:digits_end]):
                return None
            start = digits_end + len(self._number_after)
        if self._end:
            stop = raw.find(self._tail, start)
            padding = raw[stop + self._padding_at : -len(self._end)]
            if stop < 0 or not raw.endswith(self._end) or not (not padding or padding.isalnum()):
                return None
            if stop + self._padding_at + len(self._end) > len(raw):
                return None
        else:
            stop = len(raw) - len(self._tail)
            if stop < start or not raw.endswith(self._tail):
                return None
        try:
            return _read_text(raw[start - 1 : stop + 1])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def learn_template(raw: bytes, body: dict[str, Any], container: Any, key: str) -> DeltaTemplate | None:
    """The form of an event whose only text is `container[key]`, proved by reading it with other words in its place.

    `body` is what `raw` says; it is as before when this returns. None where the form cannot be told.
    """
    text = container[key]
    for start, stop in _spans_of(raw, key):
        number, padding = _holes(raw, start, stop)
        if number and number[0] == number[1]:
            continue
        head = raw[: number[0]] if number else raw[:start]
        number_after = raw[number[1] : start] if number else b""
        tail = raw[stop : padding[0]] if padding else raw[stop:]
        end = raw[padding[1] :] if padding else b""
        sentinel = _SENTINELS[0] if text != _SENTINELS[0] else _SENTINELS[1]
        parts = [head, b"%d" % _SENTINEL_NUMBER if number else b"", number_after, sentinel.encode(), tail]
        expected = {**body, "sequence_number": _SENTINEL_NUMBER} if number else {**body}
        if padding:
            parts += [_SENTINELS[2].encode(), end]
            expected["obfuscation"] = _SENTINELS[2]
        container[key] = sentinel
        if container is body:
            expected[key] = sentinel
        try:
            if _says(b"".join(parts), expected):
                return DeltaTemplate(head, number_after, tail, end)
        finally:
            container[key] = text
    return None


def _is_number(digits: bytes) -> bool:
    return digits.isdigit() and len(digits) < 16 and (len(digits) == 1 or not digits.startswith(b"0"))


def _spans_of(raw: bytes, key: str) -> list[tuple[int, int]]:
    """Where strings stand that are the value of a member of this name: first byte inside, closing quote."""
    spans: list[tuple[int, int]] = []
    name = write_json(key)
    at = raw.find(name)
    while at >= 0 and len(spans) < _CANDIDATES:
        start = at + len(name)
        rest = raw[start : start + 8].lstrip(b" ")
        if rest.startswith(b":") and rest[1:].lstrip(b" ").startswith(b'"'):
            start = raw.index(b'"', start) + 1
            spans.append((start, _closing_quote(raw, start)))
        at = raw.find(name, at + 1)
    return [span for span in spans if span[1] > span[0]]


def _closing_quote(raw: bytes, start: int) -> int:
    at = raw.find(b'"', start)
    while at > 0:
        backslashes = at
        while raw[backslashes - 1 : backslashes] == b"\\" and backslashes > start:
            backslashes -= 1
        if (at - backslashes) % 2 == 0:
            return at
        at = raw.find(b'"', at + 1)
    return at


def _holes(raw: bytes, start: int, stop: int) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    number = padding = None
    at = raw.find(_NUMBER, 0, start)
    if at >= 0:
        first = at + len(_NUMBER)
        last = first
        while raw[last : last + 1].isdigit():
            last += 1
        number = (first, last)
    at = raw.find(_PADDING, stop)
    if at >= 0:
        first = at + len(_PADDING)
        last = raw.find(b'"', first)
        padding = (first, last) if last >= 0 else None
    return number, padding


def _says(variant: bytes, expected: dict[str, Any]) -> bool:
    try:
        event = read_event(variant)
        return event.is_plain and event.data is not None and expected == msgspec.json.decode(event.data)
    except (MalformedStream, msgspec.DecodeError, UnicodeDecodeError):
        return False
