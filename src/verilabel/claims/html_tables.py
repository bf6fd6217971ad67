"""Tables written in HTML: rows of cells with their lines; cells that span rows or columns are repeated."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from verilabel.errors import LimitExceeded

MAX_SPAN = 100
"""A cell is repeated at most so often, whatever its span says."""
_TAG_OR_MARK = re.compile(r"<(?:(/?[a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>)?")
_SPAN = re.compile(r"\b((?:col|row)span)\s{0,9}=\s{0,9}[\"']?(\d{1,6})(?!\d)", re.IGNORECASE)
TableRows = list[tuple[int, list[str]]]
"""(line from 1, cells) for each row."""
Carried = dict[int, tuple[int, str]]
"""Column to how many more rows its cell spans, and its text."""


def read_html_tables(text: str, *, max_cells: int) -> list[TableRows]:
    """The tables of a piece of HTML, in the order of their ends; rows without cells are left out.

    Raises LimitExceeded for more than `max_cells` cells, repeated ones among them.
    """
    reader = _TableReader(max_cells)
    reader.feed(_TAG_OR_MARK.sub(_simplify_tag, text))
    reader.close()
    reader.close_all()
    return [table for table in reader.tables if table]


def _simplify_tag(found: re.Match[str]) -> str:
    """A whole tag with its spans alone, any other mark as text.

    The library's parser looks for the end of each tag that has none in all that follows, again and again.
    """
    name, attributes = found[1], found[2]
    if name is None:
        return "&lt;"
    spans = "".join(f' {span}="{count}"' for span, count in _SPAN.findall(attributes))
    return f"<{name}{spans}>"


class _Open:
    """A table that is being read."""

    def __init__(self) -> None:
        self.rows: TableRows = []
        self.carried: Carried = {}
        self.line = 0
        self.cells: list[tuple[str, int, int]] | None = None
        """Of the open row: text, columns and rows that each cell spans."""
        self.text: str | None = None
        self.spans = (1, 1)


class _TableReader(HTMLParser):
    """Collects tables; one inside another is a table of its own."""

    def __init__(self, max_cells: int) -> None:
        super().__init__(convert_charrefs=True)
        self._left = self._max_cells = max_cells
        self.tables: list[TableRows] = []
        self._stack: list[_Open] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._stack.append(_Open())
        if not self._stack:
            return
        table = self._stack[-1]
        if tag == "tr":
            self._end_row(table)
            table.line, table.cells = self.getpos()[0], []
        elif tag in ("td", "th"):
            self._end_cell(table)
            if table.cells is None:
                table.line, table.cells = self.getpos()[0], []
            given = dict(attrs)
            table.text, table.spans = "", (_span(given.get("colspan")), _span(given.get("rowspan")))
        elif tag == "br" and table.text is not None:
            table.text += " "

    def handle_endtag(self, tag: str) -> None:
        if not self._stack:
            return
        table = self._stack[-1]
        if tag in ("td", "th"):
            self._end_cell(table)
        elif tag == "tr":
            self._end_row(table)
        elif tag == "table":
            self._end_row(table)
            self.tables.append(self._stack.pop().rows)

    def handle_data(self, data: str) -> None:
        if self._stack and self._stack[-1].text is not None:
            self._stack[-1].text += data

    def close_all(self) -> None:
        """End the tables that the text leaves open."""
        while self._stack:
            self.handle_endtag("table")

    def _end_cell(self, table: _Open) -> None:
        if table.text is not None and table.cells is not None:
            table.cells.append((" ".join(table.text.split()), *table.spans))
        table.text = None

    def _end_row(self, table: _Open) -> None:
        self._end_cell(table)
        if not table.cells:
            table.cells = None
            return
        carried, table.carried = table.carried, {}
        row: list[str] = []
        for text, columns, rows in table.cells:
            _carry_down(carried, table.carried, row)
            for _ in range(columns):
                if rows > 1:
                    table.carried[len(row)] = (rows - 1, text)
                row.append(text)
        _carry_down(carried, table.carried, row)
        self._left -= len(row)
        if self._left < 0:
            raise LimitExceeded(f"an HTML table of more than {self._max_cells} cells")
        table.rows.append((table.line, row))
        table.cells = None


def _carry_down(above: Carried, below: Carried, row: list[str]) -> None:
    """Fill the places of cells that span down from the rows above; what spans further goes below."""
    while len(row) in above:
        left, text = above[len(row)]
        if left > 1:
            below[len(row)] = (left - 1, text)
        row.append(text)


def _span(text: str | None) -> int:
    return min(int(text), MAX_SPAN) if text and text.isdecimal() and len(text) < 6 and int(text) > 0 else 1
