"""Plain tables of recorded answers: CSV, TSV, JSON Lines or a JSON list, with a map of columns.

A table claims nothing by itself; a number that was published about it is stated with `--claim SCORE=NUMBER`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.interchange.importing.printed import exact_number, score_of
from verilabel.interchange.importing.promptfoo import read_messages
from verilabel.interchange.importing.run import (
    ClaimedMetric,
    Derivation,
    ImportedRecord,
    ImportedRun,
    RecordedScore,
)
from verilabel.interchange.importing.source import (
    MAX_RECORDS,
    Source,
    array_parts,
    as_text,
    parse_object,
    split_lines,
)
from verilabel.records.canonical import digest

ROLES = ("prompt", "output", "score", "id", "epoch", "target", "error", "group", "system")
KNOWN: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt", "question", "input"),
    "output": ("output", "completion", "response", "answer"),
    "score": ("score", "correct", "passed"),
    "id": ("id", "sample_id"),
    "epoch": ("epoch", "trial"),
    "target": ("target", "expected", "reference"),
    "error": ("error",),
}
"""Columns that are recognised by their name where the map does not name one."""
MAX_FIELD = 64 * 2**20
Rows = Iterator[tuple[str, bytes, dict[str, Any]]]


@dataclass(frozen=True)
class TableOptions:
    """What a plain table cannot say of itself."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Role to column name."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """Name of the score to the number that was published."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Words of the score to the numbers that they stand for."""

    @property
    def is_given(self) -> bool:
        """True if anything was said that only a table needs."""
        return bool(self.columns or self.claims or self.words)


def read_table_run(source: Source, options: TableOptions) -> ImportedRun:
    """Read a table.

    Raises UsageError for a role, claim or word that is none, MalformedInput for a column that is not there.
    """
    columns, claims = options.columns, options.claims
    for role in columns:
        if role not in ROLES:
            raise UsageError(f"{role!r} is not a role of a column", hint=f"roles: {', '.join(ROLES)}")
    words = _words(options.words)
    rows = list(_read_rows(source))
    if not rows:
        raise MalformedInput("the table has no rows", where=source.where)
    names = list(dict.fromkeys(name for _, _, cells in rows for name in cells))
    chosen = _choose(columns, names, source.where)
    records = tuple(
        _record(number, raw, cells, chosen, where, words)
        for number, (where, raw, cells) in enumerate(rows, 1)
    )
    score = chosen.get("score", "score")
    for name, number in claims.items():
        if name != score:
            raise UsageError(f"the table's score is {score!r}, not {name!r}", where=f"--claim {name}")
        if exact_number(number) is None:
            raise UsageError(f"{number!r} is not a number", where=f"--claim {name}")
    system = {cells.get(chosen["system"]) for _, _, cells in rows} if "system" in chosen else set()
    return ImportedRun(
        tool="table",
        format_version=_form(source),
        files=(source.file,),
        task=source.path.stem,
        system_prompt=as_text(next(iter(system))) if len(system) == 1 else None,
        metrics=tuple(
            ClaimedMetric(name, number, name, derivation=Derivation("mean"))
            for name, number in claims.items()
        ),
        records=records,
        notes=(f"columns: {', '.join(f'{role} is {name!r}' for role, name in chosen.items())}",),
    )


Words = tuple[tuple[str, Fraction], ...]


def _words(given: Mapping[str, str]) -> Words:
    words = []
    for word, text in given.items():
        number = exact_number(text)
        if number is None:
            raise UsageError(f"{text!r} is not a number", where=f"--word {word}")
        words.append((word, number))
    return tuple(words)


def _choose(columns: Mapping[str, str], names: list[str], where: str) -> dict[str, str]:
    for role, name in columns.items():
        if name not in names:
            raise MalformedInput(
                f"there is no column {name!r} for the {role}",
                where=where,
                hint=f"the columns are {', '.join(names[:40])}",
            )
    folded = {name.strip().casefold(): name for name in names}
    guessed = {
        role: folded[known[0]]
        for role, names_of_role in KNOWN.items()
        if role not in columns and (known := [name for name in names_of_role if name in folded])
    }
    chosen = {**guessed, **columns}
    if "output" not in chosen and "score" not in chosen:
        raise MalformedInput(
            "no column looks like an answer or a score",
            where=where,
            hint=f"--column output=NAME; the columns are {', '.join(names[:40])}",
        )
    return chosen


def _form(source: Source) -> str:
    suffix = source.path.suffix.lower().removeprefix(".")
    return {"ndjson": "jsonl"}.get(suffix, suffix)


def _read_rows(source: Source) -> Rows:
    match _form(source):
        case "csv":
            yield from _delimited(source, ",")
        case "tsv":
            yield from _delimited(source, "\t")
        case "json":
            for index, raw in enumerate(array_parts(source.data, source.where)):
                where = f"{source.where} $[{index}]"
                yield where, raw, parse_object(raw, where)
        case "jsonl":
            for where, line in split_lines(source):
                yield where, line, parse_object(line, where)
        case other:
            raise UsageError(
                f"a table ends in .csv, .tsv, .jsonl or .json, not in {other!r}", where=source.where
            )


def _delimited(source: Source, delimiter: str) -> Rows:
    """Rows of a delimited file, each with the exact bytes of its lines."""
    try:
        text = source.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(f"not UTF-8 at byte {error.start}", where=source.where) from error
    lines = list(io.StringIO(text, newline=""))  # ends of lines alone, not the other separators of Unicode
    before = csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(reader, None)
        if header is None or len(set(header)) != len(header):
            raise MalformedInput("the header is missing, or names a column twice", where=f"{source.where}:1")
        end = reader.line_num
        for count, cells in enumerate(reader, 1):
            start, end = end, reader.line_num
            where = f"{source.where}:{start + 1}"
            if count > MAX_RECORDS:
                raise LimitExceeded(f"more than {MAX_RECORDS} rows", where=source.where)
            if not cells:
                continue
            if len(cells) != len(header):
                raise MalformedInput(f"{len(cells)} cells in a table of {len(header)} columns", where=where)
            yield where, "".join(lines[start:end]).encode(), dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise MalformedInput(f"not a table: {error}", where=f"{source.where}:{reader.line_num}") from error
    finally:
        csv.field_size_limit(before)


def _record(
    number: int,
    raw: bytes,
    cells: Mapping[str, Any],
    chosen: Mapping[str, str],
    where: str,
    words: Words,
) -> ImportedRecord:
    def cell(role: str) -> Any:
        return cells.get(chosen[role]) if role in chosen else None

    epoch = cell("epoch")
    at = exact_number(str(epoch)) if epoch not in (None, "") else None
    if epoch not in (None, "") and (at is None or at.denominator != 1 or not 0 <= at < 10**6):
        raise MalformedInput(f"the epoch is {str(epoch)[:40]!r}", where=where)
    output, error, target = cell("output"), as_text(cell("error")), cell("target")
    messages, is_plain = read_messages(cell("prompt")) if cell("prompt") not in (None, "") else ((), True)
    scores: dict[str, RecordedScore] = {}
    if "score" in chosen:
        scores[chosen["score"]] = score_of(cell("score"), words)
    text = output if isinstance(output, str) else None
    return ImportedRecord(
        id=as_text(cell("id")) or str(number),
        epoch=int(at) if at is not None else 1,
        sha256=digest(raw),
        group=as_text(cell("group")),
        messages=messages,
        output=None if error and not text else text,
        target=(as_text(target),) if as_text(target) else (),
        error=error or None,
        scores=scores,
        response=text or "",
        is_plain_text=is_plain,
    )
