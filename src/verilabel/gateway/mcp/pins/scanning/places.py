"""JSON, YAML and TOML with the line of every value: what a finding points to.

The JSON of clients is read as their editors write it: with comments and trailing commas. A key that stands twice is
refused, since readers differ about which counts.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.strict_yaml import load_strict_yaml

MAX_BYTES = 32 * 2**20
MAX_YAML_BYTES = 2**20
MAX_DEPTH = 96
MAX_VALUES = 1_000_000
Path = tuple[str | int, ...]
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,399})(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,4})?", re.ASCII)
_STRINGS = json.JSONDecoder()
_WORDS = {"true": True, "false": False, "null": None}


class Placed(NamedTuple):
    """A document and the line (from 1) of each value, by its path; lines of objects in lists and of keys."""

    value: Any
    lines: dict[Path, int]

    def line(self, *path: str | int) -> int | None:
        """The line of a value, or of the nearest thing around it that is known."""
        for size in range(len(path), -1, -1):
            if path[:size] in self.lines:
                return self.lines[path[:size]]
        return None


def read_placed_json(data: bytes, *, where: str) -> Placed:
    """Read JSON, comments and trailing commas allowed. Raises MalformedInput with the line, LimitExceeded."""
    if len(data) > MAX_BYTES:
        raise LimitExceeded(f"the file has {len(data)} bytes, at most {MAX_BYTES} are read", where=where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from None
    return _Reader(text, where).read()


def read_placed_yaml(data: bytes, *, where: str) -> Placed:
    """Read strict YAML (`records.strict_yaml`). Raises MalformedInput, LimitExceeded."""
    value = load_strict_yaml(data, where=where, max_bytes=MAX_YAML_BYTES)
    node = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    return Placed(value, dict(_yaml_lines(node, ())))


def read_placed_toml(data: bytes, *, where: str) -> Placed:
    """Read TOML; known are the lines of its tables. Raises MalformedInput, LimitExceeded."""
    if len(data) > MAX_YAML_BYTES:
        raise LimitExceeded(f"the file has {len(data)} bytes, at most {MAX_YAML_BYTES} are read", where=where)
    try:
        text = data.decode()
        value = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MalformedInput(f"not TOML: {str(error)[:120]}", where=where) from None
    lines: dict[Path, int] = {(): 1}
    for number, line in enumerate(text.split("\n"), 1):
        header = line.partition("#")[0].strip()
        if header.startswith("[") and header.endswith("]"):
            path = tuple(part.strip(" \"'") for part in header.strip("[] ").split("."))
            lines.setdefault(path, number)
    return Placed(value, lines)


def _yaml_lines(node: Any, path: Path) -> Iterator[tuple[Path, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            yield from _yaml_lines(inner, (*path, str(key.value)))
            yield (*path, str(key.value)), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, inner in enumerate(node.value):
            yield from _yaml_lines(inner, (*path, index))


class _Reader:
    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}

    def read(self) -> Placed:
        value = self._read_value((), 0)
        self._skip()
        if self._at != len(self._text):
            raise self._malformed("something stands behind the document")
        return Placed(value, self._lines)

    def _read_value(self, path: Path, depth: int) -> Any:
        self._skip()
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"nested deeper than {MAX_DEPTH} levels", where=self._place())
        self._lines.setdefault(path, self._line())
        if len(self._lines) > MAX_VALUES:
            raise LimitExceeded(f"more than {MAX_VALUES} values", where=self._where)
        char = self._text[self._at : self._at + 1]
        if char == "{":
            return self._read_object(path, depth)
        if char == "[":
            return self._read_list(path, depth)
        return self._read_string() if char == '"' else self._read_word()

    def _read_object(self, path: Path, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        self._at += 1
        while not self._closes("}"):
            if self._text[self._at : self._at + 1] != '"':
                raise self._malformed("a key in quotes is expected")
            self._lines[(*path, self._peek_key())] = self._line()
            key = self._read_string()
            if key in values:
                raise self._malformed("a key stands twice in one object")
            self._skip()
            self._expect(":")
            values[key] = self._read_value((*path, key), depth + 1)
            self._separate("}")
        return values

    def _peek_key(self) -> str:
        at = self._at
        key = self._read_string()
        self._at = at
        return key

    def _read_list(self, path: Path, depth: int) -> list[Any]:
        values: list[Any] = []
        self._at += 1
        while not self._closes("]"):
            values.append(self._read_value((*path, len(values)), depth + 1))
            self._separate("]")
        return values

    def _closes(self, bracket: str) -> bool:
        self._skip()
        if self._text[self._at : self._at + 1] != bracket:
            return False
        self._at += 1
        return True

    def _separate(self, bracket: str) -> None:
        self._skip()
        if self._text[self._at : self._at + 1] != bracket:
            self._expect(",")

    def _expect(self, char: str) -> None:
        if self._text[self._at : self._at + 1] != char:
            raise self._malformed(f"{char!r} is expected")
        self._at += 1

    def _read_string(self) -> str:
        try:
            value, self._at = _STRINGS.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            raise self._malformed(f"not JSON: {error.msg}") from None
        return str(value)

    def _read_word(self) -> Any:
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            raise self._malformed("a value is expected")
        self._at = number.end()
        return float(number[0]) if number[1] or number[2] else int(number[0])

    def _skip(self) -> None:
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = self._at if space is None else space.end()
            end = {"//": "\n", "/*": "*/"}.get(self._text[self._at : self._at + 2])
            if end is None:
                return
            found = self._text.find(end, self._at + 2)
            if found < 0 and end == "*/":
                raise self._malformed("a comment has no end")
            self._at = len(self._text) if found < 0 else found + len(end)

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1

    def _place(self) -> str:
        return f"{self._where}:{self._line()}"

    def _malformed(self, message: str) -> MalformedInput:
        return MalformedInput(message, where=self._place())
