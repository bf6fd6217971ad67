"""Rows into samples: what the suite file says about columns, applied to one row after another."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.sample import Message, Sample
from verilabel.suites.format import (
    MAX_CHOICES,
    PLACEHOLDER,
    RESERVED_PLACEHOLDERS,
    FieldRule,
    Manifest,
    rule_of,
)
from verilabel.suites.readers import MAX_CELL_CHARACTERS, Row, Table, explain_missing_column

MAX_PROMPT_CHARACTERS = 16 * 2**20
MAX_SUITE_CHARACTERS = 2**29
"""A template repeats its text for every row: this bounds what a small file can grow to."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERED_LINE = re.compile(r"^\(?([A-Z])[.):] ?(.*)$")
_LEADING_LETTER = re.compile(r"^\s*\(?([A-Za-z])\)?(?:[.):\s]|$)")
_NUMBER = re.compile(r"[-+]?\d(?:[\d,]*\d)?(?:\.\d+)?")


def build_samples(manifest: Manifest, table: Table, *, where: str) -> tuple[Sample, ...]:
    """The suite's samples in the order of the data.

    Raises MalformedInput, with the file and line of the row, for columns that do not exist, empty or
    oversized texts, duplicate ids, golds that are no option, strata without a weight, and a selection that
    leaves nothing.
    """
    _check_columns(manifest, table, where)
    samples: list[Sample] = []
    place_of: dict[str, str] = {}
    characters = 0
    for row in table.rows:
        if not _selected(manifest, row):
            continue
        sample = _sample(manifest, row)
        if sample.id in place_of:
            raise MalformedInput(
                f"id {sample.id!r} stands twice",
                where=row.place,
                hint=f"it stands first at {place_of[sample.id]}",
            )
        characters += sum(len(turn.content) for turn in sample.messages)
        if characters > MAX_SUITE_CHARACTERS:
            raise LimitExceeded(
                f"prompts of over {MAX_SUITE_CHARACTERS} characters together", where=row.place
            )
        place_of[sample.id] = row.place
        samples.append(sample)
    if not samples:
        raise MalformedInput(
            f"none of {len(table.rows)} rows is selected",
            where=where,
            hint="check 'where' and 'drop' in the suite file",
        )
    absent = sorted(set(manifest.strata) - {sample.stratum for sample in samples})
    if absent:
        raise MalformedInput(
            f"no sample is of stratum {absent[0]!r}", where=where, hint="'strata' gives it a weight"
        )
    return tuple(samples)


def _check_columns(manifest: Manifest, table: Table, where: str) -> None:
    fields = manifest.fields
    choices = fields.choices if isinstance(fields.choices, tuple) else (fields.choices,)
    single = (fields.prompt, fields.id, fields.target, fields.system, fields.family, fields.stratum)
    rules = [rule_of(f) for f in (*single, *choices, *fields.tags.values()) if f is not None]
    wanted = [rule.column for rule in rules if rule.column is not None]
    wanted += [*manifest.where, *manifest.drop]
    wanted += [n for n in PLACEHOLDER.findall(manifest.template) if n not in RESERVED_PLACEHOLDERS]
    for column in wanted:
        if column not in table.columns:
            raise explain_missing_column(column, table.columns, where=where)


def _selected(manifest: Manifest, row: Row) -> bool:
    return all(
        _optional_text(row, column) in values for column, values in manifest.where.items()
    ) and not any(_optional_text(row, column) in values for column, values in manifest.drop.items())


def _sample(manifest: Manifest, row: Row) -> Sample:
    fields = manifest.fields
    options = _choices(manifest, row)
    values = {"prompt": _required(rule_of(fields.prompt), row, "prompt"), "choices": _lettered(options)}
    prompt = _filled(manifest.template, values, row)
    turns = [Message("user", prompt)]
    if fields.system is not None:
        turns.insert(0, Message("system", _required(rule_of(fields.system), row, "system")))
    tags = {name: _field_text(rule_of(field), row) for name, field in fields.tags.items()}
    return Sample(
        id=_required(rule_of(fields.id), row, "id"),
        messages=tuple(turns),
        family="" if fields.family is None else _field_text(rule_of(fields.family), row),
        stratum=_stratum(manifest, row),
        tags={name: text for name, text in tags.items() if text},
        target=_targets(manifest, row, options),
        choices=options,
    )


def _filled(template: str, values: dict[str, str], row: Row) -> str:
    """The template with its {fields} replaced once: text that a value brings along is never a field."""

    def replacement(found: re.Match[str]) -> str:
        name = found[1]
        return values[name] if name in values else _optional_text(row, name)

    prompt = PLACEHOLDER.sub(replacement, template)
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise LimitExceeded(
            f"a prompt of {len(prompt)} characters, the limit is {MAX_PROMPT_CHARACTERS}", where=row.place
        )
    return prompt


def _lettered(options: tuple[str, ...]) -> str:
    return "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))


def _stratum(manifest: Manifest, row: Row) -> str:
    if manifest.fields.stratum is None:
        return ""
    stratum = _required(rule_of(manifest.fields.stratum), row, "stratum")
    if stratum not in manifest.strata:
        known = ", ".join(map(repr, manifest.strata))
        raise MalformedInput(
            f"stratum {stratum!r} has no weight", where=row.place, hint=f"'strata' names {known}"
        )
    return stratum


def _choices(manifest: Manifest, row: Row) -> tuple[str, ...]:
    fields = manifest.fields.choices
    if isinstance(fields, tuple):
        return tuple(_required(rule_of(field), row, f"choices[{i}]") for i, field in enumerate(fields))
    options = _several(fields, row)
    if not 2 <= len(options) <= MAX_CHOICES:
        raise MalformedInput(f"{len(options)} options; there are 2 to {MAX_CHOICES}", where=row.place)
    for option in options:
        if not option.strip():
            raise MalformedInput("an option is empty", where=row.place)
    return options


def _several(rule: FieldRule, row: Row) -> tuple[str, ...]:
    """The texts of a cell that holds several."""
    column = rule.column or ""
    value = row.cells.get(column)
    if rule.read == "lettered_lines":
        found = [
            m for line in _cell_text(value, row, column).splitlines() if (m := _LETTERED_LINE.match(line))
        ]
        if [m[1] for m in found] != list(LETTERS[: len(found)]):
            raise MalformedInput(
                f"the lettered lines of column {column!r} do not run A, B, C, ...", where=row.place
            )
        return tuple(m[2].strip() for m in found)
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=str)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list):
        raise MalformedInput(f"column {column!r} holds no list", where=row.place, hint="a JSON list of texts")
    return tuple(_cell_text(item, row, column) for item in value)


def _targets(manifest: Manifest, row: Row, options: tuple[str, ...]) -> tuple[str, ...]:
    """The gold answers; of a multiple-choice sample, the letters of the right options."""
    if manifest.fields.target is None:
        return ()
    rule = rule_of(manifest.fields.target)
    if rule.read == "list":
        texts: tuple[str, ...] = _several(rule, row)
    else:
        text = _required(rule, row, "target")
        texts = tuple(t.strip() for t in text.split(rule.split)) if rule.split else (text,)
    golds = tuple(_gold(text, rule, row) for text in texts if text)
    if not golds:
        raise MalformedInput("the target is empty", where=row.place)
    return tuple(_option_letter(gold, options, row) for gold in golds) if options else golds


def _gold(text: str, rule: FieldRule, row: Row) -> str:
    match rule.read:
        case "letter":
            found = _LEADING_LETTER.match(text)
            if found is None:
                raise MalformedInput("the target begins with no option letter", where=row.place)
            return found[1].upper()
        case "index":
            if not (text.isdecimal() and len(text) <= 2 and int(text) < MAX_CHOICES):
                raise MalformedInput(f"the target {text[:40]!r} is no option number from 0", where=row.place)
            return LETTERS[int(text)]
        case "number":
            numbers = _NUMBER.findall(text)
            if not numbers:
                raise MalformedInput("the target holds no number", where=row.place)
            return str(numbers[-1]).replace(",", "").removeprefix("+")
        case _:
            return text


def _option_letter(gold: str, options: tuple[str, ...], row: Row) -> str:
    """The letter of the gold option, given as its letter or its exact text."""
    letters = LETTERS[: len(options)]
    by_text = [letter for letter, option in zip(letters, options, strict=True) if option == gold]
    if len(by_text) == 1:
        return by_text[0]
    if len(gold) == 1 and gold in letters:
        return gold
    raise MalformedInput(
        f"the target {gold[:40]!r} is none of the {len(options)} options",
        where=row.place,
        hint=f"a letter {letters[0]} to {letters[-1]}, or the exact text of one option",
    )


def _required(rule: FieldRule, row: Row, name: str) -> str:
    text = _field_text(rule, row)
    if not text.strip():
        raise MalformedInput(
            f"the {name} is empty" + (f" (column {rule.column!r})" if rule.column else ""), where=row.place
        )
    return text


def _field_text(rule: FieldRule, row: Row) -> str:
    if rule.const is not None:
        return rule.const
    text = str(row.number) if rule.row else _optional_text(row, rule.column or "")
    return rule.prefix + text if text else ""


def _optional_text(row: Row, column: str) -> str:
    return _cell_text(row.cells.get(column), row, column)


def _cell_text(value: Any, row: Row, column: str) -> str:
    """A cell as text within the limits: no NUL, no lone surrogate, not too long."""
    text = value if isinstance(value, str) else _scalar_text(value, row, column)
    if len(text) > MAX_CELL_CHARACTERS:
        raise LimitExceeded(
            f"{len(text)} characters in column {column!r}, the limit is {MAX_CELL_CHARACTERS}",
            where=row.place,
        )
    if "\x00" in text:
        raise MalformedInput(f"a NUL in column {column!r}", where=row.place)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MalformedInput(f"a lone surrogate in column {column!r}", where=row.place) from error
    return text


def _scalar_text(value: Any, row: Row, column: str) -> str:
    """Null is empty; true and false are spelled so; lists, objects and numbers that are none are refused."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case Decimal() if value.is_finite():
            return str(value)
        case float() | Decimal():
            raise MalformedInput(f"column {column!r} holds {value}, which is no number", where=row.place)
        case _:
            kind = type(value).__name__
            raise MalformedInput(f"column {column!r} holds a {kind}, where a text is needed", where=row.place)
