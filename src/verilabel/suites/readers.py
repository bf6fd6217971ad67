"""Readers of data files: exact bytes in, rows out, and a clear place for every mistake.

Bounded in bytes, rows and cell length; gzip is recognised by its first two bytes. Blank lines of CSV, JSONL
and text lines hold no row; everything else that cannot be read is an error, never skipped.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from verilabel.errors import LimitExceeded, MalformedInput, MissingExtra
from verilabel.suites.format import DataFormat

MAX_DATA_BYTES = 512 * 2**20
"""Bytes of a data file, before and after decompression."""
MAX_ROWS = 2_000_000
MAX_CELL_CHARACTERS = 2**20
MAX_COLUMNS = 10_000
MAX_COMPARED_NAMES = 200
"""Column names, and characters of one, that are searched for the nearest to a misspelt name."""
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number among the rows (from 1), its place in the file, its cells by column."""

    number: int
    place: str
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A read data file: every column that some row has, in order of first appearance, and the rows."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(
    data: bytes, form: DataFormat, *, where: str, records: str = "", layout: str = "records"
) -> Table:
    """Read the rows of a data file.

    `form` is the data format; `records` names the list inside a JSON object; `layout` `groups` reads a JSON
    object of lists as columns `group` and `item`. Raises MalformedInput (LimitExceeded beyond a limit) with
    the file and the line or row.
    """
    data = _unpacked(data, where)
    match form:
        case "csv":
            rows = _delimited_rows(_decoded(data, where), ",", where)
        case "tsv":
            rows = _delimited_rows(_decoded(data, where), "\t", where)
        case "jsonl":
            rows = _json_line_rows(data, where)
        case "json":
            rows = _json_rows(_decoded(data, where), where, records, layout)
        case "parquet":
            rows = _parquet_rows(data, where)
        case "lines":
            rows = _text_line_rows(_decoded(data, where), where)
    found = tuple(_bounded(rows, where))
    if not found:
        raise MalformedInput("the data has no rows", where=where)
    columns = tuple(dict.fromkeys(column for row in found for column in row.cells))
    return Table(columns, found)


def explain_missing_column(column: str, columns: Iterable[str], *, where: str) -> MalformedInput:
    """The error for a column that does not exist: it names those that do, and the nearest."""
    known = [name for name in columns if len(name) <= MAX_COMPARED_NAMES][:MAX_COMPARED_NAMES]
    near = difflib.get_close_matches(column, known, n=1, cutoff=0.5)
    folded = [name for name in known if name.casefold().strip() == column.casefold().strip()]
    listed = ", ".join(map(repr, known[:40])) + (", ..." if len(known) > 40 else "")
    guess = (folded or near)[:1]
    return MalformedInput(
        f"the data has no column {column!r}",
        where=where,
        hint=f"did you mean {guess[0]!r}? The columns are {listed}" if guess else f"the columns are {listed}",
    )


def _bounded(rows: Iterable[Row], where: str) -> Iterator[Row]:
    for count, row in enumerate(rows, 1):
        if count > MAX_ROWS:
            raise LimitExceeded(f"more than {MAX_ROWS} rows", where=where)
        yield row


def _unpacked(data: bytes, where: str) -> bytes:
    if len(data) > MAX_DATA_BYTES:
        raise LimitExceeded(f"{len(data)} bytes of data, the limit is {MAX_DATA_BYTES}", where=where)
    if not data.startswith(GZIP_MAGIC):
        return data
    parts: list[bytes] = []
    size, rest = 0, data
    try:
        while rest:  # a gzip file may have several members
            stream = zlib.decompressobj(wbits=31)
            part = stream.decompress(rest, MAX_DATA_BYTES - size + 1)
            size += len(part)
            if size > MAX_DATA_BYTES:
                raise LimitExceeded(f"more than {MAX_DATA_BYTES} bytes after decompression", where=where)
            if not stream.eof:
                raise MalformedInput("the gzip data is cut off", where=where)
            parts.append(part)
            rest = stream.unused_data
    except zlib.error as error:
        raise MalformedInput(f"not valid gzip: {error}", where=where) from error
    return b"".join(parts)


def _decoded(data: bytes, where: str) -> str:
    """The text of UTF-8 bytes without its byte order mark; NUL and other encodings are refused by offset."""
    nul = data.find(b"\x00")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise MalformedInput(
            f"a NUL at byte {nul} (line {line})",
            where=where,
            hint="is it UTF-16 or a binary file? Save it as UTF-8",
        )
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedInput(
            f"not UTF-8 at byte {error.start} (line {line})", where=where, hint="save the file as UTF-8"
        ) from error


def _delimited_rows(text: str, delimiter: str, where: str) -> Iterator[Row]:
    previous = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        records = list(_delimited_records(text, delimiter, where))
    finally:
        csv.field_size_limit(previous)
    if not records:
        return
    _, header = records[0]
    if len(header) > MAX_COLUMNS:
        raise LimitExceeded(f"{len(header)} columns, the limit is {MAX_COLUMNS}", where=f"{where}:1")
    if len(set(header)) != len(header):
        raise MalformedInput(f"two columns are named {_first_repeated(header)!r}", where=f"{where}:1")
    for number, (line, cells) in enumerate(records[1:], 1):
        if len(cells) != len(header):
            raise MalformedInput(
                f"{len(cells)} cells where the header names {len(header)} columns",
                where=f"{where}:{line}",
                hint="a cell with the delimiter, a quote or a line break stands in double quotes",
            )
        yield Row(number, f"{where}:{line}", dict(zip(header, cells, strict=True)))


def _delimited_records(text: str, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not a blank line, with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        kind = LimitExceeded if "field limit" in str(error) else MalformedInput
        raise kind(f"not readable as CSV: {error}", where=f"{where}:{line}") from error


def _json_line_rows(data: bytes, where: str) -> Iterator[Row]:
    text = _decoded(data, where)
    number = 0
    # only LF ends a line: JSON strings may hold U+2028, which str.splitlines would cut at
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        number += 1
        at = f"{where}:{line}"
        value = _json_value(content, at)
        if not isinstance(value, dict):
            raise MalformedInput(f"a line holds one JSON object, not {_kind(value)}", where=at)
        yield Row(number, at, value)


def _json_rows(text: str, where: str, records: str, layout: str) -> Iterator[Row]:
    document = _json_value(text, where)
    if layout == "groups":
        yield from _group_rows(document, where)
        return
    path = f"$.{records}" if records else "$"
    if records:
        if not isinstance(document, dict) or records not in document:
            keys = list(document) if isinstance(document, dict) else []
            raise explain_missing_column(records, keys, where=f"{where} $")
        document = document[records]
    if not isinstance(document, list):
        names = ", ".join(map(repr, list(document)[:20])) if isinstance(document, dict) else ""
        raise MalformedInput(
            f"the rows are a JSON list, here is {_kind(document)}",
            where=f"{where} {path}",
            hint=f"name the key of the list with 'records'; the keys are {names}" if names else None,
        )
    for index, value in enumerate(document):
        at = f"{where} {path}[{index}]"
        if not isinstance(value, dict):
            raise MalformedInput(f"a row is a JSON object, here is {_kind(value)}", where=at)
        yield Row(index + 1, at, value)


def _group_rows(document: Any, where: str) -> Iterator[Row]:
    if not isinstance(document, dict):
        raise MalformedInput(f"groups are a JSON object, here is {_kind(document)}", where=f"{where} $")
    number = 0
    for group, items in document.items():
        if not isinstance(items, list):
            raise MalformedInput(
                f"a group is a JSON list, here is {_kind(items)}", where=f"{where} $.{group}"
            )
        for index, item in enumerate(items):
            number += 1
            yield Row(number, f"{where} $.{group}[{index}]", {"group": group, "item": item})


def _text_line_rows(text: str, where: str) -> Iterator[Row]:
    number = 0
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            number += 1
            yield Row(number, f"{where}:{line}", {"text": content.removesuffix("\r")})


def _parquet_rows(data: bytes, where: str) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data))
        metadata = file.metadata
        if metadata.num_rows > MAX_ROWS:
            raise LimitExceeded(f"more than {MAX_ROWS} rows", where=where)
        size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        if size > MAX_DATA_BYTES:
            raise LimitExceeded(
                f"{size} bytes after decompression, the limit is {MAX_DATA_BYTES}", where=where
            )
        records: list[dict[str, Any]] = file.read().to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise MalformedInput(f"not readable as Parquet: {error}", where=where) from error
    for number, cells in enumerate(records, 1):
        yield Row(number, f"{where} row {number}", cells)


def _json_value(text: str, where: str) -> Any:
    """A JSON value whose decimals stay the text they were written as; duplicate keys and NaN are refused."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique_keys(where),
            parse_float=str,
            parse_constant=lambda name: _refuse(f"{name} is no JSON number", where),
            parse_int=lambda digits: (
                int(digits) if len(digits) <= 40 else _refuse("an integer of over 40 digits", where)
            ),
        )
    except json.JSONDecodeError as error:
        raise MalformedInput(
            f"not JSON: {error.msg} at line {error.lineno} column {error.colno}", where=where
        ) from error
    except RecursionError:
        raise LimitExceeded("JSON nested too deep", where=where) from None


def _unique_keys(where: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            twice = _first_repeated([name for name, _ in pairs])
            _refuse(f"key {twice!r} stands twice in one object", where)
        return result

    return build


def _first_repeated(names: list[str]) -> str:
    return Counter(names).most_common(1)[0][0]


def _refuse(message: str, where: str) -> NoReturn:
    raise MalformedInput(message, where=where)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")
