"""Measured values as tables: medians with their range, as aligned text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Spread:
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
"""What a table may hold; None where there is nothing to say."""


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """The spread of measurements, or None where the quantity does not exist."""
    found = tuple(value for value in values if value is not None)
    return Spread(found) if found else None


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
    decimals = digits - 1 - (1 if scaled >= 10 else 0)
    return f"{value:.{decimals}f}"


def show(cell: Cell) -> str:
    """A cell as text: a dash where there is nothing to say."""
    if cell is None:
        return "-"
    if isinstance(cell, int):
        return f"{cell:,}"
    return format_number(cell) if isinstance(cell, float) else str(cell)


@dataclass(frozen=True)
class Table:
    """A table of measured values. The first column names the row; every row has one cell a heading."""

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
                cell.ljust(w) if i == 0 else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(line, widths, strict=True))
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


@dataclass(frozen=True)
class Section:
    """What one benchmark measured: how, the tables, and what must be known to read them."""

    title: str
    method: str
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def text(self) -> str:
        """For a terminal."""
        parts = [f"== {self.title}", self.method, *(table.text() for table in self.tables)]
        return "\n\n".join([*parts, *(f"note: {note}" for note in self.notes)])

    def markdown(self) -> str:
        """For RESULTS.md."""
        parts = [f"## {self.title}", self.method, *(table.markdown() for table in self.tables)]
        if self.notes:
            parts.append("\n".join(f"- {note}" for note in self.notes))
        return "\n\n".join(parts)
