"""JSON source as the rules read it, and back: escapes become the characters they mean, and are written again."""

from __future__ import annotations

import json.encoder
from collections import deque
from collections.abc import Iterator
from itertools import groupby

from verilabel.detectors.spans.unicode_text import SurrogateJoiner

_SIMPLE = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_HEX = frozenset("0123456789abcdefABCDEF")
_STRUCTURE = frozenset('{}[]:,"\\ \t\n\r')


class JsonReader:
    """Reads a stream of JSON source: `\\u0040` comes out as `@`, `\\n` as a line break, `\\"` as a quote of which the
    place is noted. Joined results are the same for any parts. Lone halves of characters become U+FFFD; a backslash
    that begins no escape stands for itself.
    """

    def __init__(self) -> None:
        self._pending = ""
        self._joiner = SurrogateJoiner()
        self._count = 0

    @property
    def held_chars(self) -> int:
        """Characters of an unfinished escape."""
        return len(self._pending) + len(self._joiner.carry)

    def read(self, text: str, escaped: deque[int]) -> str:
        """The next part, decoded; places of escaped quotes, counted over the decoded stream, go to `escaped`."""
        if not self._pending and "\\" not in text:
            return self._add(text)
        text = self._pending + text
        self._pending = ""
        out: list[str] = []
        at = 0
        while (slash := text.find("\\", at)) >= 0:
            out.append(self._add(text[at:slash]))
            char, length = _read_escape(text, slash)
            if not length:
                self._pending = text[slash:]
                return "".join(out)
            out.append(self._add(char))
            if char == '"':
                escaped.append(self._count - 1)
            at = slash + length
        out.append(self._add(text[at:]))
        return "".join(out)

    def finish(self) -> str:
        """What was kept; an unfinished escape as it stands."""
        rest = self._add(self._pending) + self._joiner.finish()
        self._pending = ""
        return rest

    def _add(self, text: str) -> str:
        joined = self._joiner.join(text)
        self._count += len(joined)
        return joined


def _read_escape(text: str, slash: int) -> tuple[str, int]:
    """The character that an escape means and its length in the source; length 0 if more must come."""
    kind = text[slash + 1 : slash + 2]
    if kind == "u":
        digits = text[slash + 2 : slash + 6]
        if not _HEX.issuperset(digits):
            return "\\", 1
        return (chr(int(digits, 16)), 6) if len(digits) == 4 else ("", 0)
    if not kind:
        return "", 0
    return (_SIMPLE[kind], 2) if kind in _SIMPLE else ("\\", 1)


class JsonWriter:
    """Writes decoded JSON source again: valid where it was valid, whatever was replaced.

    Inside strings characters are escaped where they must be; a replacement is written as part of its string. A number
    that was found whole becomes a string with the replacement; of one found in part the digits become `1`.
    Structure is never replaced.
    """

    def __init__(self) -> None:
        self.escaped: deque[int] = deque()
        self._position = 0
        self._is_in_string = False

    def keep(self, text: str) -> str:
        """The source of a text that stays."""
        if '"' not in text:
            self._position += len(text)
            return _escape(text) if self._is_in_string else text
        return "".join(_escape(piece) if in_string else piece for piece, in_string in self._split(text))

    def replace(self, text: str, replacement: str, is_token: bool) -> str:
        """The source of what stands in place of a text. `is_token` says that its neighbours end JSON tokens."""
        out = []
        for piece, in_string in self._split(text):
            if in_string:
                out.append(_escape(replacement))
            elif piece == text and is_token and _STRUCTURE.isdisjoint(piece):
                out.append(f'"{_escape(replacement)}"')
            else:
                out.append(_mask_digits(piece))
        return "".join(out)

    def drop(self, text: str) -> str:
        """The source of a text of a long kind that is left out; of numbers every digit becomes `1`."""
        # one character at a time, because the parts of a stream may cut a number anywhere
        return "".join(
            "" if in_string else "".join("1" if _is_digit(char) else char for char in piece)
            for piece, in_string in self._split(text)
        )

    def find_bound(self, text: str) -> int:
        """Where a long kind must end: at the quote that ends its string, outside of strings at any structure."""
        if not self._is_in_string:
            return next((place for place, char in enumerate(text) if char in _STRUCTURE), -1)
        noted = iter(self.escaped)
        place = text.find('"')
        while place >= 0 and next(noted, -1) == self._position + place:
            place = text.find('"', place + 1)
        return place

    def _split(self, text: str) -> Iterator[tuple[str, bool]]:
        """Pieces of a text with whether they are inside a string; a quote that begins or ends one is outside."""
        start = 0
        place = text.find('"')
        while place >= 0:
            if self.escaped and self.escaped[0] == self._position + place:
                self.escaped.popleft()
            else:
                if start < place:
                    yield text[start:place], self._is_in_string
                yield '"', False
                self._is_in_string = not self._is_in_string
                start = place + 1
            place = text.find('"', place + 1)
        if start < len(text):
            yield text[start:], self._is_in_string
        self._position += len(text)


def _escape(text: str) -> str:
    return json.encoder.encode_basestring(text)[1:-1]


def _mask_digits(text: str) -> str:
    return "".join("1" if is_digit else "".join(run) for is_digit, run in groupby(text, _is_digit))


def _is_digit(char: str) -> bool:
    return char.isascii() and char.isdigit()
