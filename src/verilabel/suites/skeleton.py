"""A first `suite.yaml` for a data file: columns guessed, digest pinned, ready to be corrected by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from verilabel.errors import LimitExceeded, UsageError
from verilabel.records.canonical import sha256_hex
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.suites.format import ID_PATTERN, DataFormat, parse_manifest
from verilabel.suites.mapping import build_samples
from verilabel.suites.readers import MAX_DATA_BYTES, Table, explain_missing_column, read_table

FORMAT_OF_SUFFIX: dict[str, DataFormat] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "lines",
}
PROMPT_NAMES = (
    "prompt",
    "question",
    "input",
    "instruction",
    "goal",
    "behavior",
    "behaviour",
    "text",
    "query",
)
ID_NAMES = ("id", "sample_id", "example_id", "question_id", "uid", "index")
TARGET_NAMES = ("target", "answer", "gold", "ideal", "expected", "ground_truth", "best answer")
FAMILY_NAMES = ("family", "group")
TAG_NAMES = ("hazard", "label", "category", "type", "topic", "subject", "language")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The bytes of a new suite file, and what was guessed: fact of a sample to column."""

    content: bytes
    guessed: dict[str, str]
    samples: int


def draft_suite_file(
    file: Path,
    *,
    suite_id: str | None = None,
    prompt: str | None = None,
    records: str = "",
    license_id: str = "",
) -> Skeleton:
    """The suite file for a data file in the same folder, checked by reading the data with it.

    Raises UsageError for a file name that tells no format or holds no prompt column, MalformedInput for data
    that cannot be read.
    """
    form = _format_of(file)
    size = file.stat().st_size
    if size > MAX_DATA_BYTES:
        raise LimitExceeded(f"{size} bytes of data, the limit is {MAX_DATA_BYTES}", where=str(file))
    data = file.read_bytes()
    table = read_table(data, form, where=str(file), records=records)
    guessed = _guess_columns(table, prompt, str(file))
    content = _written(
        file,
        form=form,
        sha256=sha256_hex(data),
        suite_id=suite_id or _id_of(file),
        guessed=guessed,
        table=table,
        records=records,
        license_id=license_id,
    )
    where = str(file.parent / "suite.yaml")
    manifest = parse_manifest(load_strict_yaml(content, where=where), where=where)
    return Skeleton(content, guessed, len(build_samples(manifest, table, where=str(file))))


def _format_of(file: Path) -> DataFormat:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    form = FORMAT_OF_SUFFIX.get(suffixes[-1] if suffixes else "")
    if form is None:
        known = ", ".join(FORMAT_OF_SUFFIX)
        raise UsageError(
            "the file name tells no known format", where=str(file), hint=f"endings: {known} (and .gz)"
        )
    return form


def _id_of(file: Path) -> str:
    text = re.sub(r"[^a-z0-9]+", "-", file.name.partition(".")[0].lower()).strip("-") or "suite"
    assert ID_PATTERN.fullmatch(text)
    return text


def _first_named(names: Iterable[str], columns: Iterable[str]) -> str | None:
    by_name = {column.strip().casefold(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _guess_columns(table: Table, prompt: str | None, where: str) -> dict[str, str]:
    columns = table.columns
    if prompt is not None and prompt not in columns:
        raise explain_missing_column(prompt, columns, where=where)
    found = prompt or _first_named(PROMPT_NAMES, columns) or (columns[0] if len(columns) == 1 else None)
    if found is None:
        listed = ", ".join(map(repr, columns[:40]))
        raise UsageError(
            "no column looks like the prompt", where=where, hint=f"--prompt COLUMN, one of {listed}"
        )
    guessed = {"prompt": found}
    for fact, names in (("id", ID_NAMES), ("target", TARGET_NAMES), ("family", FAMILY_NAMES)):
        column = _first_named(names, [c for c in columns if c not in guessed.values()])
        if column is not None and (fact != "id" or _is_key(table, column)):
            guessed[fact] = column
    return guessed


def _is_key(table: Table, column: str) -> bool:
    values = [row.cells.get(column) for row in table.rows]
    return all(isinstance(v, str | int) and str(v).strip() for v in values) and len(
        set(map(str, values))
    ) == len(values)


def _written(
    file: Path,
    *,
    form: DataFormat,
    sha256: str,
    suite_id: str,
    guessed: dict[str, str],
    table: Table,
    records: str,
    license_id: str,
) -> bytes:
    quoted = json.dumps  # a JSON string is a YAML string
    tags = [c for c in table.columns if c.casefold() in TAG_NAMES and c not in guessed.values()]
    lines = [
        "verilabel: suite/v1",
        f"id: {quoted(suite_id)}",
        "version: 0.1.0",
        f"title: {quoted(file.name, ensure_ascii=False)}",
        f"license: {quoted(license_id or 'UNKNOWN')}",
        "language: en",
        "data:",
        f"  file: {quoted(file.name, ensure_ascii=False)}",
        f"  format: {form}",
        *([f"  records: {quoted(records, ensure_ascii=False)}"] if records else []),
        f"  sha256: {quoted(sha256)}",
        "fields:",
        f"  id: {quoted(guessed['id'], ensure_ascii=False)}" if "id" in guessed else "  id: {row: true}",
        *(f"  {fact}: {quoted(guessed[fact], ensure_ascii=False)}" for fact in guessed if fact != "id"),
        *(["  tags:"] if tags else []),
        *(f"    {quoted(tag, ensure_ascii=False)}: {quoted(tag, ensure_ascii=False)}" for tag in tags),
        f"scorer: {'exact' if 'target' in guessed else 'refusal'}",
    ]
    return ("\n".join(lines) + "\n").encode()
