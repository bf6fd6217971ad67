"""YAML read strictly: what every reader of YAML agrees on, and a clear refusal of the rest.

Rubrics, suites and trust policies are signed by their exact bytes, so two readers must never see two things
in one file. Refused: anchors, aliases, tags, directives, merge keys, duplicate keys, several documents, other
encodings than UTF-8, bare words and numbers that YAML 1.1 and 1.2 read differently (`no`, `on`, `012`,
`1_000`, `12:30`), infinities and NaN. Integers become int, numbers with a point or an exponent
`decimal.Decimal` exactly as written, dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from verilabel.errors import LimitExceeded, MalformedInput

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that JSON readers agree on (RFC 8785)."""
LONGEST_NUMBER = 40
"""Characters of the longest number."""
LARGEST_EXPONENT = 30
"""Decimal numbers lie between 1e-30 and 1e30, so that exact arithmetic on them stays cheap."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_AMBIGUOUS_WORDS = frozenset({"yes", "no", "on", "off", "y", "n"})
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|nan)", re.ASCII | re.IGNORECASE)
_AMBIGUOUS_NUMBER = re.compile(
    r"[-+]?(?:"
    r"0[xob][0-9a-f_]+"  # other bases
    r"|[0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9_]*)?"  # leading zeros, underscores, a point without digits
    r"|\.[0-9][0-9_]*(?:e[-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"  # base 60
    r")",
    re.ASCII | re.IGNORECASE,
)


def load_strict_yaml(data: bytes, *, where: str, max_bytes: int = 2**20, max_depth: int = 32) -> Any:
    """Read one YAML document into dict, list, str, int, Decimal, bool and None; keys are always text.

    `where` names the file in errors, which add `:line:column`. Raises MalformedInput where the document is
    not strict YAML, LimitExceeded where it is larger than `max_bytes`, deeper than `max_depth` or holds
    a number beyond LARGEST_INTEGER, LONGEST_NUMBER or LARGEST_EXPONENT.
    """
    if len(data) > max_bytes:
        raise LimitExceeded(f"the file has {len(data)} bytes, at most {max_bytes} are read", where=where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise MalformedInput("the file is not UTF-8", where=f"{where}:{line}:{column}") from None
    return _Reader(text, where, max_depth).read()


_Mark = Any
"""A position in the text; the stubs know two unrelated classes of it."""


def _code_point(character: object) -> int:
    return character if isinstance(character, int) else ord(str(character)[0])


class _Reader:
    """Builds the value of the one document from parser events; the tree is never deeper than `max_depth`."""

    def __init__(self, text: str, where: str, max_depth: int) -> None:
        self._where = where
        self._max_depth = max_depth
        self._text = text
        self._events: Iterator[Any] = iter(())

    def read(self) -> Any:
        try:
            # Always the pure-Python parser: its C twin differs in corner cases, and a file has one reading.
            self._events = iter(yaml.parse(self._text, Loader=yaml.SafeLoader))
            return self._read_document()
        except yaml.MarkedYAMLError as error:
            said = ", ".join(part for part in (error.context, error.problem) if part)
            raise self._malformed(f"not YAML: {said}", error.problem_mark or error.context_mark) from None
        except yaml.reader.ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            column = error.position - self._text.rfind("\n", 0, error.position)
            raise MalformedInput(
                f"the character U+{_code_point(error.character):04X} cannot stand in YAML",
                where=f"{self._where}:{line}:{column}",
            ) from None

    def _read_document(self) -> Any:
        next(self._events)  # the start of the stream
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise MalformedInput("the file holds no document", where=self._where)
        if start.version or start.tags:
            raise self._malformed("directives (%YAML, %TAG) are not read", start.start_mark)
        value = self._read_value(next(self._events), 0)
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._malformed(
                "a second document begins here", after.start_mark, hint="one file, one document"
            )
        return value

    def _read_value(self, event: Any, depth: int) -> Any:
        self._refuse_indirection(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._read_scalar(event)
        if depth >= self._max_depth:
            raise LimitExceeded(
                f"nested deeper than {self._max_depth} levels", where=self._position(event.start_mark)
            )
        if isinstance(event, yaml.SequenceStartEvent):
            return self._read_list(depth)
        return self._read_mapping(depth)

    def _read_list(self, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._read_value(event, depth + 1))
        return values

    def _read_mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._read_key(event)
            if key in values:
                raise self._malformed(f"the key {key!r} is given twice", event.start_mark)
            values[key] = self._read_value(next(self._events), depth + 1)
        return values

    def _read_key(self, event: Any) -> str:
        self._refuse_indirection(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._malformed("a key must be text", event.start_mark)
        if not event.implicit[0]:
            return self._text_of(event)
        if event.value == "<<":
            raise self._malformed("merge keys (<<) are not read", event.start_mark, hint="write the keys out")
        if event.value in _NULL or event.value in _BOOLEAN:
            raise self._malformed(
                f"{event.value!r} cannot be a key", event.start_mark, hint="put it in quotes"
            )
        if not _INTEGER.fullmatch(event.value):
            self._refuse_ambiguity(event)
        return self._text_of(event)

    def _read_scalar(self, event: Any) -> Any:
        text = event.value
        if not event.implicit[0]:
            return self._text_of(event)
        if text in _NULL:
            return None
        if text in _BOOLEAN:
            return _BOOLEAN[text]
        if _DECIMAL.fullmatch(text):
            return self._read_number(event)
        self._refuse_ambiguity(event)
        return self._text_of(event)

    def _read_number(self, event: Any) -> int | Decimal:
        text = event.value
        place = self._position(event.start_mark)
        if len(text) > LONGEST_NUMBER:
            raise LimitExceeded(
                f"a number of {len(text)} characters, at most {LONGEST_NUMBER} are read", where=place
            )
        if not _INTEGER.fullmatch(text):
            number = Decimal(text)
            if number and abs(number.adjusted()) > LARGEST_EXPONENT:
                raise LimitExceeded(f"{text} is not between 1e-30 and 1e30", where=place)
            return number
        if abs(int(text)) > LARGEST_INTEGER:
            raise LimitExceeded(
                f"{text} is beyond 2^53 - 1, where readers differ", where=place, hint="put it in quotes"
            )
        return int(text)

    def _text_of(self, event: Any) -> str:
        text = str(event.value)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self._malformed("half a surrogate pair is not a character", event.start_mark)
        return text

    def _refuse_ambiguity(self, event: Any) -> None:
        text = event.value
        if text.lower() in _AMBIGUOUS_WORDS:
            raise self._malformed(
                f"bare {text!r} is a truth value to some readers and text to others",
                event.start_mark,
                hint=f'write true, false or "{text}"',
            )
        if _NOT_FINITE.fullmatch(text):
            raise self._malformed(f"{text} is not a number that can be compared", event.start_mark)
        if _AMBIGUOUS_NUMBER.fullmatch(text):
            raise self._malformed(
                f"readers of YAML differ about {text}",
                event.start_mark,
                hint=f'write a plain decimal number such as 10 or 0.5, or text: "{text}"',
            )

    def _refuse_indirection(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self._malformed(
                f"aliases (*{event.anchor}) are not read", event.start_mark, hint="write it out"
            )
        if event.anchor is not None:
            raise self._malformed(
                f"anchors (&{event.anchor}) are not read", event.start_mark, hint="remove it"
            )
        if event.tag is not None:
            raise self._malformed(f"tags ({event.tag}) are not read", event.start_mark, hint="remove it")

    def _position(self, mark: _Mark | None) -> str:
        return self._where if mark is None else f"{self._where}:{mark.line + 1}:{mark.column + 1}"

    def _malformed(self, message: str, mark: _Mark | None, hint: str | None = None) -> MalformedInput:
        return MalformedInput(message, where=self._position(mark), hint=hint)
