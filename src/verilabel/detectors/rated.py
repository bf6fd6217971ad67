"""Answers that several people labelled: a column a rater, or a row a rating; with an adjudicated label where one is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

from verilabel.detectors.labelled import LabelledRow, Table, cell_text, check_labels, read_table
from verilabel.errors import MalformedInput, UsageError

MAX_RATERS = 10_000


class RatedItem(NamedTuple):
    """One answer and what each rater says of it; raters who did not label it are left out."""

    prompt: str
    output: str
    labels: dict[str, str]
    """Rater to label."""
    adjudicated: str | None = None
    """What was decided where raters disagreed; None where nothing was."""

    @property
    def row(self) -> LabelledRow:
        """The answer for a detector, which sees no label."""
        return LabelledRow(self.prompt, self.output, False)


class RatedSet(NamedTuple):
    """The answers of one file with their ratings, its name and digest, and its raters in order."""

    items: list[RatedItem]
    raters: tuple[str, ...]
    name: str
    sha256: str


class RatedColumns(NamedTuple):
    """Where a file holds what. Wide: `raters` are columns of labels. Long: `rater` and `label`, one rating a row."""

    output: str
    prompt: str | None = None
    raters: tuple[str, ...] = ()
    rater: str | None = None
    label: str | None = None
    item: str | None = None
    """Long: what tells items apart; without it, prompt and answer do."""
    adjudicated: str | None = None


def read_rated(path: str | PathLike[str], columns: RatedColumns, *, positive: Collection[str]) -> RatedSet:
    """Read answers that several people labelled; an empty cell is a rater who did not label that answer.

    Raises UsageError for columns or labels that the file does not have, or fewer than two raters; MalformedInput for
    an answer without any label, one that a rater labelled twice, or one whose rows tell of it differently.
    """
    where = str(path)
    if bool(columns.raters) == (columns.rater is not None and columns.label is not None):
        raise UsageError(
            "raters are either columns, or a column of raters and one of labels",
            hint="--rater-columns a,b,c, or --rater-column NAME --label-column NAME",
        )
    named = (columns.output, columns.prompt, columns.item, columns.adjudicated, columns.rater)
    wanted = [name for name in (*named, columns.label if columns.rater else None, *columns.raters) if name]
    table = read_table(path, columns=wanted)
    items = _read_wide(table, columns) if columns.raters else _read_long(table, columns, where)
    raters = tuple(dict.fromkeys(rater for item in items for rater in item.labels))
    for number, item in enumerate(items, 1):
        if not item.labels:
            raise MalformedInput("no rater labelled this answer", where=f"{where}: item {number}")
    if not 2 <= len(raters) <= MAX_RATERS:
        raise UsageError(f"{len(raters)} raters, there must be 2 to {MAX_RATERS}", where=where)
    check_labels(positive, [label for item in items for label in item.labels.values()], where)
    return RatedSet(items, raters, table.name, table.sha256)


def _read_wide(table: Table, columns: RatedColumns) -> list[RatedItem]:
    return [
        RatedItem(
            cell_text(row.get(columns.prompt)) if columns.prompt else "",
            cell_text(row[columns.output]),
            {rater: label for rater in columns.raters if (label := cell_text(row[rater]).strip())},
            _adjudicated(row, columns),
        )
        for row in table.rows
    ]


def _read_long(table: Table, columns: RatedColumns, where: str) -> list[RatedItem]:
    assert columns.rater and columns.label, "read_rated has seen to it"
    items: dict[object, RatedItem] = {}
    for number, row in enumerate(table.rows, 1):
        prompt = cell_text(row.get(columns.prompt)) if columns.prompt else ""
        output, rater = cell_text(row[columns.output]), cell_text(row[columns.rater]).strip()
        key: object = cell_text(row[columns.item]) if columns.item else (prompt, output)
        item = items.setdefault(key, RatedItem(prompt, output, {}, _adjudicated(row, columns)))
        place = f"{where}: row {number}"
        if (item.prompt, item.output, item.adjudicated) != (prompt, output, _adjudicated(row, columns)):
            raise MalformedInput("this row tells of its item what another row does not", where=place)
        if not rater:
            raise MalformedInput("a rating without a rater", where=place)
        if rater in item.labels:
            raise MalformedInput(f"rater {rater!r} labelled this answer twice", where=place)
        if label := cell_text(row[columns.label]).strip():
            item.labels[rater] = label
    return list(items.values())


def _adjudicated(row: Mapping[str, Any], columns: RatedColumns) -> str | None:
    return (cell_text(row[columns.adjudicated]).strip() or None) if columns.adjudicated else None


def label_units(items: Sequence[RatedItem]) -> list[list[str]]:
    """The labels of each item, for the measures of agreement."""
    return [list(item.labels.values()) for item in items]
