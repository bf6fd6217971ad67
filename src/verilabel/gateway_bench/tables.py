"""What was measured, as tables: medians with their least and greatest, and notes that say how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """One quantity measured several times; shown as its median, with the least and the greatest value."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a spread of no measurements")

    @property
    def median(self) -> float:
        """The middle measurement, or the mean of the middle two."""
        return float(median(self.values))

    def __str__(self) -> str:
        middle = format_number(self.median)
        if len(self.values) == 1:
            return middle
        return f"{middle} ({format_number(min(self.values))}-{format_number(max(self.values))})"


Cell = str | float | Spread | None
"""What a table may hold; None where nothing was measured."""


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """The spread of measurements, or None where there is none."""
    found = tuple(value for value in values if value is not None)
    return Spread(found) if found else None


def ratio(value: Spread | None, to: Spread | None) -> float | None:
    """The ratio of two medians, or None where one is missing or the second is not positive."""
    if value is None or to is None or to.median <= 0:
        return None
    return value.median / to.median


def format_number(value: float) -> str:
    """A number with three significant digits, or all its whole ones; thousands are set apart."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 3
    scaled = abs(value)
    while scaled < 1 and digits < 9:
        scaled *= 10
        digits += 1
    return f"{value:.{digits - 1 - (1 if scaled >= 10 else 0)}f}"


def show(cell: Cell) -> str:
    """A cell as text: a dash where nothing was measured."""
    if cell is None:
        return "-"
    if isinstance(cell, int):
        return f"{cell:,}"
    return format_number(cell) if isinstance(cell, float) else str(cell)


class Table(msgspec.Struct, frozen=True):
    """A table. The first column names the row; every row has one cell a heading."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headings):
                raise ValueError(
                    f"{self.title}: a row of {len(row)} cells under {len(self.headings)} headings"
                )

    def text(self) -> str:
        """The table in aligned columns, the first to the left and the others to the right."""
        lines = [self.headings, *(tuple(show(cell) for cell in row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headings))]
        shown = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        shown.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, *shown])

    def markdown(self) -> str:
        """The table as Markdown. Bars in cells are escaped."""
        lines = [self.headings, *(tuple(show(cell) for cell in row) for row in self.rows)]
        shown = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
        shown.insert(1, "|---|" + "---:|" * (len(self.headings) - 1))
        return "\n".join([f"**{self.title}**", "", *shown])

    def document(self) -> dict[str, Any]:
        """The table as JSON: a spread is its median, least, greatest and values."""
        return {
            "title": self.title,
            "headings": list(self.headings),
            "rows": [[_document(cell) for cell in row] for row in self.rows],
        }


def _document(cell: Cell) -> Any:
    if isinstance(cell, Spread):
        return {
            "median": cell.median,
            "least": min(cell.values),
            "greatest": max(cell.values),
            "values": list(cell.values),
        }
    return cell


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the bench: how it was measured, the tables, and what must be known to read them."""

    name: str
    title: str
    method: str
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """For a terminal."""
        parts = [f"== {self.title}", self.method, *(table.text() for table in self.tables)]
        return "\n\n".join([*parts, *(f"note: {note}" for note in self.notes)])

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "method": self.method,
            "tables": [table.document() for table in self.tables],
            "notes": list(self.notes),
        }
