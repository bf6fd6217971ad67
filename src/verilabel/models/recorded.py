"""Files of recorded answers: CSV, JSON Lines or JSON with named columns, read into rows."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError

MAX_FILE_BYTES = 2**30
MAX_FIELD_CHARS = 16 * 2**20
KNOWN_COLUMNS: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt", "question", "input", "instruction", "query", "goal", "behavior"),
    "output": ("output", "completion", "response", "answer", "generation", "model_output", "model_response"),
    "id": ("id", "sample_id", "item_id", "question_id", "index"),
    "served_model": ("served_model", "model", "model_name", "generator"),
}
"""The roles a column can have, and the names it is recognised by, best first, whatever their case."""
ROLES = (*KNOWN_COLUMNS, "records")
Key = str | int
Row = Mapping[str, Any]


class RecordedAnswer(msgspec.Struct, frozen=True):
    """One row with an answer. `row` counts from 1."""

    row: int
    key: str
    output: str
    served_model: str | None


class RecordedFile(msgspec.Struct, frozen=True):
    """A file of recorded answers, read and checked.

    `columns` maps each role to the column it was read from, `guessed` holds the roles found by name;
    `unanswered` counts rows with a null instead of a prompt or an answer.
    """

    path: str
    sha256: str
    rows: int
    columns: dict[str, str]
    guessed: frozenset[str]
    answers: tuple[RecordedAnswer, ...]
    unanswered: int


def read_recorded(path: Path, *, columns: Mapping[str, str], key_role: str) -> RecordedFile:
    """Read recorded answers, keyed by their prompt or id (`key_role`).

    `columns` maps roles (prompt, output, id, served_model, records) to column names; roles it leaves out are
    guessed from well-known names. Raises UsageError for a missing file, an unknown role or a column that is
    not there; MalformedInput and LimitExceeded for a file that cannot be read.
    """
    _check_roles(columns)
    data = _read_bytes(path)
    where = str(path)
    rows = _parse_rows(path, data, columns.get("records"))
    if not rows:
        raise MalformedInput("the file holds no rows", where=where)
    names = list(dict.fromkeys(name for row in rows for name in row))
    chosen, guessed = _choose_columns(names, columns, key_role, where)
    answers = [_answer(number, row, chosen, key_role, where) for number, row in enumerate(rows, start=1)]
    kept = tuple(answer for answer in answers if answer is not None)
    return RecordedFile(
        path=where,
        sha256=hashlib.sha256(data).hexdigest(),
        rows=len(rows),
        columns=chosen,
        guessed=frozenset(guessed),
        answers=kept,
        unanswered=len(rows) - len(kept),
    )


def _check_roles(columns: Mapping[str, str]) -> None:
    for role in columns:
        if role not in ROLES:
            raise UsageError(f"{role!r} is not a role of a column", hint="roles: " + ", ".join(ROLES))


def _read_bytes(path: Path) -> bytes:
    if not path.is_file():
        near = difflib.get_close_matches(path.name, _neighbours(path), n=1)
        hint = f"did you mean {near[0]!r}?" if near else None
        raise UsageError("no such file of recorded answers", where=str(path), hint=hint)
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise LimitExceeded(f"{size} bytes, the limit is {MAX_FILE_BYTES}", where=str(path))
    return path.read_bytes()


def _neighbours(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []


def _parse_rows(path: Path, data: bytes, records: str | None) -> list[Row]:
    where = str(path)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return list(_csv_rows(_decode(data, where), where))
    if suffix in (".jsonl", ".ndjson"):
        return list(_jsonl_rows(data, where))
    if suffix == ".json":
        return _json_rows(data, records, where)
    raise UsageError(
        f"cannot tell the format of {path.name!r}", where=where, hint="name it .csv, .jsonl or .json"
    )


def _decode(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=where) from error
    if "\0" in text:
        raise MalformedInput(f"NUL at character {text.index(chr(0))}", where=where)
    return text


def _csv_rows(text: str, where: str) -> Iterator[Row]:
    limit_before = csv.field_size_limit(MAX_FIELD_CHARS)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise MalformedInput(f"two columns are named {twice!r}", where=where)
        for number, fields in enumerate(reader, start=1):
            if not fields:
                continue
            if len(fields) != len(header):
                raise MalformedInput(
                    f"row {number} has {len(fields)} fields, the header has {len(header)}",
                    where=f"{where}:{reader.line_num}",
                )
            yield dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise MalformedInput(f"not CSV: {error}", where=f"{where}:{reader.line_num}") from error
    finally:
        csv.field_size_limit(limit_before)


def _jsonl_rows(data: bytes, where: str) -> Iterator[Row]:
    _decode(data, where)
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield _as_row(_parse_json(line, f"{where}:{number}"), f"{where}:{number}")


def _json_rows(data: bytes, records: str | None, where: str) -> list[Row]:
    _decode(data, where)
    document = _parse_json(data.removeprefix(b"\xef\xbb\xbf"), where)
    key = "$"
    if isinstance(document, dict):
        name = _records_key(document, records, where)
        document, key = document[name], f"$.{name}"
    if not isinstance(document, list):
        raise MalformedInput("the recorded answers are not a list of objects", where=f"{where} {key}")
    return [_as_row(row, f"{where} {key}[{index}]") for index, row in enumerate(document)]


def _records_key(document: dict[str, Any], records: str | None, where: str) -> str:
    lists = [name for name, value in document.items() if isinstance(value, list)]
    if records is not None:
        if records not in lists:
            raise UsageError(
                f"no list {records!r} in the object", where=where, hint=_say_names(records, lists)
            )
        return records
    if len(lists) != 1:
        raise UsageError(
            f"the object has {len(lists)} lists; say which one holds the answers",
            where=where,
            hint="give the role `records`: " + (", ".join(lists) or "the object has no list"),
        )
    return lists[0]


def _parse_json(data: bytes, where: str) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedInput(f"not JSON: {error}", where=where) from error


def _as_row(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise MalformedInput(f"expected an object, found {type(value).__name__}", where=where)
    return value


def _choose_columns(
    names: list[str], given: Mapping[str, str], key_role: str, where: str
) -> tuple[dict[str, str], set[str]]:
    chosen: dict[str, str] = {}
    guessed: set[str] = set()
    for role, name in given.items():
        if role != "records":
            if name not in names:
                raise UsageError(
                    f"no column {name!r} for the {role}", where=where, hint=_say_names(name, names)
                )
            chosen[role] = name
    by_lower = {name.lower(): name for name in reversed(names)}
    for role, known in KNOWN_COLUMNS.items():
        found = next((by_lower[name] for name in known if name in by_lower), None)
        if role not in chosen and found is not None and found not in chosen.values():
            chosen[role] = found
            guessed.add(role)
    for role in (key_role, "output"):
        if role not in chosen:
            raise UsageError(
                f"no column looks like the {role}", where=where, hint=f"name it; columns: {', '.join(names)}"
            )
    return chosen, guessed


def _say_names(name: str, names: Iterable[str]) -> str:
    listed = list(names)
    near = difflib.get_close_matches(name, listed, n=1, cutoff=0.5)
    there = "there are: " + (", ".join(listed) or "none")
    return f"did you mean {near[0]!r}? {there}" if near else there


def _answer(
    number: int, row: Row, columns: dict[str, str], key_role: str, where: str
) -> RecordedAnswer | None:
    key, output = row.get(columns[key_role]), row.get(columns["output"])
    if isinstance(key, int) and not isinstance(key, bool) and key_role == "id":
        key = str(key)
    if key is None or output is None:
        return None
    for role, value in ((key_role, key), ("output", output)):
        if not isinstance(value, str):
            raise MalformedInput(
                f"row {number}: the {role} in column {columns[role]!r} is a {type(value).__name__}, not text",
                where=where,
            )
    served = row.get(columns["served_model"]) if "served_model" in columns else None
    return RecordedAnswer(number, key, output, served if isinstance(served, str) and served else None)
