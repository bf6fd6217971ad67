"""What one benchmark measured, as a section of the results page; its tables are those of the gateway's bench."""

from __future__ import annotations

from dataclasses import dataclass, field

from verilabel.gateway_bench.tables import Cell, Spread, Table, format_number, show, spread_of

__all__ = ["Cell", "Section", "Spread", "Table", "format_number", "show", "spread_of"]


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
