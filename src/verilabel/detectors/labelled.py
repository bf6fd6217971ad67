"""Answers with people's labels, read from a CSV, JSON Lines or JSON file."""

from __future__ import annotations

import csv
import difflib
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import digest

MAX_BYTES = 256 * 2**20
MAX_FIELD = 8 * 2**20


class LabelledRow(NamedTuple):
    """One answer, the prompt it answers (empty where not known) and whether people say the event is true of it."""

    prompt: str
    output: str
    event: bool


class Table(NamedTuple):
    """The rows of a file as they stand, its name and the digest of its bytes."""

    rows: list[Mapping[str, Any]]
    name: str
    sha256: str


class LabelledSet(NamedTuple):
    """The rows of one file, its name and the digest of its bytes."""

    rows: list[LabelledRow]
    name: str
    sha256: str


def read_labelled(
    path: str | PathLike[str],
    *,
    output_column: str,
    label_column: str,
    positive: Collection[str],
    prompt_column: str | None = None,
) -> LabelledSet:
    """Read labelled answers; a label among `positive` says that the event is true, any other that it is not.

    Raises UsageError for a column or a label that the file does not have (naming those it has), MalformedInput
    for a file that cannot be read or a row without a label, LimitExceeded beyond 256 MiB.
    """
    where = str(path)
    table = read_table(
        path, columns=(output_column, label_column, *([prompt_column] if prompt_column else []))
    )
    labels = [_label(row, label_column, f"{where}: row {index}") for index, row in enumerate(table.rows, 1)]
    check_labels(positive, labels, where)
    rows = [
        LabelledRow(
            cell_text(row.get(prompt_column)) if prompt_column else "",
            cell_text(row[output_column]),
            label in positive,
        )
        for row, label in zip(table.rows, labels, strict=True)
    ]
    return LabelledSet(rows, table.name, table.sha256)


def read_table(path: str | PathLike[str], *, columns: Collection[str]) -> Table:
    """Read a CSV, JSON Lines or JSON file of rows that all have `columns`.

    Raises UsageError for a column that the file does not have (naming those it has), MalformedInput for a file that
    cannot be read, LimitExceeded beyond 256 MiB.
    """
    where = str(path)
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise LimitExceeded(f"a file of more than {MAX_BYTES} bytes", where=where)
    rows = _read_rows(data, Path(path).suffix.lower(), where)
    if not rows:
        raise MalformedInput("no rows", where=where)
    for column in columns:
        _check_column(column, rows, where)
    return Table(rows, Path(path).name, digest(data))


def _read_rows(data: bytes, suffix: str, where: str) -> list[Mapping[str, Any]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from error
    if suffix in (".jsonl", ".ndjson"):
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [
            _object(_decode(line, f"{where}: line {number}"), f"{where}: line {number}")
            for number, line in lines
        ]
    if suffix == ".json":
        return _rows_of_document(_decode(text, where), where)
    return _read_csv(text, where)


def _read_csv(text: str, where: str) -> list[Mapping[str, Any]]:
    previous = csv.field_size_limit(MAX_FIELD)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows: list[Mapping[str, Any]] = []
        for row in reader:
            if None in row or None in row.values():
                raise MalformedInput(
                    "a row with more or fewer fields than the heading",
                    where=f"{where}: line {reader.line_num}",
                )
            rows.append(row)
        return rows
    except csv.Error as error:
        raise MalformedInput(f"not CSV: {error}", where=where) from error
    finally:
        csv.field_size_limit(previous)


def _decode(text: str, where: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedInput(f"not JSON: {error}", where=where) from error


def _rows_of_document(document: Any, where: str) -> list[Mapping[str, Any]]:
    if isinstance(document, dict):
        lists = [
            key
            for key, value in document.items()
            if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        if len(lists) != 1:
            raise MalformedInput(
                f"{len(lists)} lists of objects in the document, there must be one", where=where
            )
        document = document[lists[0]]
    if not isinstance(document, list):
        raise MalformedInput("neither a list of objects nor an object that holds one", where=where)
    return [_object(row, f"{where}: $[{index}]") for index, row in enumerate(document)]


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedInput("not an object", where=where)
    return value


def _check_column(column: str, table: Sequence[Mapping[str, Any]], where: str) -> None:
    for number, row in enumerate(table, 1):
        if column not in row:
            existing = list(row)
            near = difflib.get_close_matches(column, existing, n=1)
            hint = f"columns: {', '.join(existing)}" + (f"; did you mean {near[0]!r}?" if near else "")
            raise UsageError(f"no column {column!r} in row {number}", where=where, hint=hint)


def _label(row: Mapping[str, Any], column: str, where: str) -> str:
    label = cell_text(row[column]).strip()
    if not label:
        raise MalformedInput(f"no label in column {column!r}", where=where, hint="every row needs one")
    return label


def check_labels(positive: Collection[str], labels: Sequence[str], where: str) -> None:
    """Refuse positive labels that no row has. Raises UsageError naming those that there are."""
    counted = Counter(labels)
    unknown = [label for label in positive if label not in counted]
    if unknown or not positive:
        shown = ", ".join(f"{label} ({count})" for label, count in counted.most_common(12))
        message = f"no row is labelled {unknown[0]!r}" if unknown else "no label was named as positive"
        raise UsageError(message, where=where, hint=f"labels: {shown}")


def cell_text(value: Any) -> str:
    """A cell as text: a missing one is empty, numbers and truth values as JSON writes them."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
