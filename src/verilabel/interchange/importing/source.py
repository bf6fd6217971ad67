"""Files of other tools read within bounds: exact bytes with their digest, JSON documents, lines, and parts of JSON.

Tools in Python and JavaScript write `NaN` and `Infinity` where JSON has none. Documents and parts are read with them,
so that a log is not lost for one number; a score that is none is then unscored, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.interchange.importing.printed import PrintedNumber, exact_number, print_claim
from verilabel.interchange.importing.run import SourceFile
from verilabel.records.canonical import digest

MAX_FILE_BYTES = 2 * 2**30
MAX_DOCUMENT_BYTES = 512 * 2**20
"""Of a JSON document that is read as a whole."""
MAX_RECORDS = 2_000_000
MAX_RECORD_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Source:
    """A file's exact bytes."""

    path: Path
    data: bytes
    name: str = ""
    """Its name in the report: relative to the folder that was imported."""

    @property
    def where(self) -> str:
        """The place for messages."""
        return str(self.path)

    @property
    def file(self) -> SourceFile:
        """What the report says of it."""
        return SourceFile(self.name or self.path.name, digest(self.data), len(self.data))


def read_source(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> Source:
    """Read a file. Raises UsageError where there is none, LimitExceeded where it is too large."""
    if not path.is_file():
        raise UsageError("no such file", where=str(path))
    size = path.stat().st_size
    if size > max_bytes:
        raise LimitExceeded(f"{size} bytes, the limit is {max_bytes}", where=str(path))
    return Source(path, path.read_bytes())


def parse_document(data: bytes, where: str) -> Any:
    """A JSON value whose decimals remember their text; `NaN` and infinities become floats.

    Raises MalformedInput for what is not JSON, for duplicate keys and numbers beyond the limits, LimitExceeded for
    what is too large or too deep.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise LimitExceeded(f"{len(data)} bytes of JSON, the limit is {MAX_DOCUMENT_BYTES}", where=where)
    text = _decode(data, where)
    try:
        return json.loads(text, parse_float=PrintedNumber, object_pairs_hook=_unique_pairs)
    except json.JSONDecodeError as error:
        raise MalformedInput(
            f"not JSON: {error.msg} at line {error.lineno} column {error.colno}", where=where
        ) from error
    except RecursionError as error:
        raise LimitExceeded("JSON nested too deep", where=where) from error
    except ValueError as error:
        raise MalformedInput(str(error), where=where) from error


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    """As `parse_document`, for a document that must be an object."""
    value = parse_document(data, where)
    if not isinstance(value, dict):
        raise MalformedInput(f"a JSON object is expected, this is a {type(value).__name__}", where=where)
    return value


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from error


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice[:80]!r} stands twice in one object")
    return result


# -- parts of JSON, by their exact bytes ---------------------------------------------------------------------

_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_array = msgspec.json.Decoder(list[msgspec.Raw])


def object_parts(data: bytes | msgspec.Raw, where: str) -> dict[str, bytes]:
    """The values of a JSON object as their exact bytes. Raises MalformedInput."""
    try:
        return {key: bytes(raw) for key, raw in _raw_object.decode(data).items()}
    except msgspec.ValidationError as error:
        raise MalformedInput("a JSON object is expected", where=where) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Splitter(bytes(data), where).object()


def array_parts(data: bytes | msgspec.Raw, where: str) -> list[bytes]:
    """The items of a JSON array as their exact bytes. Raises MalformedInput, LimitExceeded for too many."""
    try:
        parts = [bytes(raw) for raw in _raw_array.decode(data)]
    except msgspec.ValidationError as error:
        raise MalformedInput("a JSON array is expected", where=where) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        parts = _Splitter(bytes(data), where).array()
    if len(parts) > MAX_RECORDS:
        raise LimitExceeded(f"{len(parts)} records, the limit is {MAX_RECORDS}", where=where)
    return parts


class _Splitter:
    """Finds where the values of an object or array begin and end, in JSON that may hold NaN."""

    def __init__(self, data: bytes, where: str) -> None:
        self._text = _decode(data, where)
        self._where = where
        self._decoder = json.JSONDecoder()
        self._at = 0

    def object(self) -> dict[str, bytes]:
        """The values of the object."""
        parts: dict[str, bytes] = {}
        self._expect("{", "a JSON object is expected")
        while self._peek() != "}":
            if parts:
                self._expect(",", "not JSON: a comma is missing")
            key = self._value_text()
            self._expect(":", "not JSON: a colon is missing")
            name = json.loads(key)
            if not isinstance(name, str) or name in parts:
                raise MalformedInput(f"key {str(name)[:80]!r} stands twice, or is no text", where=self._where)
            parts[name] = self._value_text().encode()
        self._at += 1
        self._end()
        return parts

    def array(self) -> list[bytes]:
        """The items of the array."""
        parts: list[bytes] = []
        self._expect("[", "a JSON array is expected")
        while self._peek() != "]":
            if parts:
                self._expect(",", "not JSON: a comma is missing")
            parts.append(self._value_text().encode())
        self._at += 1
        self._end()
        return parts

    def _peek(self) -> str:
        while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
            self._at += 1
        if self._at >= len(self._text):
            self._refuse("the JSON is cut off")
        return self._text[self._at]

    def _expect(self, char: str, message: str) -> None:
        if self._peek() != char:
            self._refuse(message)
        self._at += 1

    def _value_text(self) -> str:
        self._peek()
        start = self._at
        try:
            _, self._at = self._decoder.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            raise MalformedInput(
                f"not JSON: {error.msg} at character {error.pos}", where=self._where
            ) from error
        except RecursionError as error:
            raise LimitExceeded("JSON nested too deep", where=self._where) from error
        except ValueError as error:
            raise MalformedInput(f"not JSON: {error}", where=self._where) from error
        return self._text[start : self._at]

    def _end(self) -> None:
        if self._text[self._at :].strip(" \t\r\n"):
            self._refuse("something follows the JSON value")

    def _refuse(self, message: str) -> NoReturn:
        raise MalformedInput(f"{message} at character {self._at}", where=self._where)


# -- lines -----------------------------------------------------------------------------------------------------


def split_lines(source: Source) -> Iterator[tuple[str, bytes]]:
    """Every line that is not blank, with its place; a last line without an end is a line too.

    Raises LimitExceeded for too many or too long ones.
    """
    count = 0
    for number, line in enumerate(source.data.split(b"\n"), 1):
        line = line.removesuffix(b"\r")  # noqa: PLW2901
        if not line.strip():
            continue
        count += 1
        if count > MAX_RECORDS:
            raise LimitExceeded(f"more than {MAX_RECORDS} lines", where=source.where)
        if len(line) > MAX_RECORD_BYTES:
            raise LimitExceeded(f"a line of {len(line)} bytes", where=f"{source.where}:{number}")
        yield f"{source.where}:{number}", line


def plain_json(value: Any) -> Any:
    """A JSON value without floats, for canonical bytes: decimals become text."""
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if isinstance(value, PrintedNumber):
        return value.text
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    return value


def as_text(value: Any) -> str:
    """A scalar of a header as text; empty for what is no scalar."""
    if isinstance(value, PrintedNumber):
        return value.text
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def as_count(value: Any) -> int | None:
    """A whole number of a header that is not negative, also where it is written as text; None for anything else."""
    text = print_claim(value)
    number = None if text is None else exact_number(text)
    return int(number) if number is not None and number.denominator == 1 and number >= 0 else None


def as_dict(value: Any) -> dict[str, Any]:
    """The value where it is an object, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value where it is an array, otherwise an empty one."""
    return value if isinstance(value, list) else []


def add_param(params: dict[str, str | int | bool], name: str, value: Any) -> None:
    """Add a setting where it is a scalar; decimals become text, as descriptors hold them."""
    if isinstance(value, bool | int):
        params[name] = value
    elif isinstance(value, str) and value:
        params[name] = value[:1000]
    elif isinstance(value, PrintedNumber):
        params[name] = value.text
    elif isinstance(value, float):
        params[name] = repr(value)
