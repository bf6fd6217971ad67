"""A card's Markdown in blocks with their lines: front matter, sections, prose, tables (pipes and HTML), code."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from typing import Literal, NamedTuple

from verilabel.claims.html_tables import read_html_tables
from verilabel.errors import LimitExceeded

MAX_LINES = 200_000
MAX_CELLS = 200_000
LONGEST_ABBREVIATION = 12
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*)")
_HTML_HEADING = re.compile(r"\s*<h([1-6])(?:\s[^<>]*)?>(.*?)</h\1>\s*$", re.IGNORECASE)
_RULER = re.compile(r"(?:\|\s*)?:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+")
_QUOTE = re.compile(r"\s*(?:>\s?)+")
_TABLE_START = re.compile(r"<table[\s>]", re.IGNORECASE)
_TABLE_END = re.compile(r"</table\s*>", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\]\[]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"[^\"]*\")?\)")
_IMAGE = re.compile(r"!\[[^\]\[]*\]\([^()]*(?:\([^()]*\)[^()]*)*\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_SENTENCE_END = re.compile(r"(?<=[.!?])[*_\")\]]*\s+(?=[\"“(*_\[]*[A-Z0-9])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|et al|cf|approx|Fig|Tab|Sec|No|Eq|resp)\.|\b[A-Z]\.)$")


class Line(NamedTuple):
    """One line of the document and its number, from 1."""

    number: int
    text: str


class Row(NamedTuple):
    """A table's row: the cells as they stand, without marks, and its line."""

    line: int
    cells: tuple[str, ...]


class Block(NamedTuple):
    """A paragraph, list item, table or piece of code, and the number of its section."""

    kind: Literal["prose", "table", "code"]
    line: int
    section: int
    lines: tuple[Line, ...] = ()
    rows: tuple[Row, ...] = ()
    """Of a table: the heading first."""


class Section(NamedTuple):
    """What stands under one heading."""

    titles: tuple[str, ...]
    """Its heading below those that it stands under."""
    line: int
    depth: int = 0
    """Of its heading: 1 for a title."""


class Sentence(NamedTuple):
    """A sentence of prose, with the place of its first character."""

    text: str
    line: int
    column: int


class Card(NamedTuple):
    """A document in blocks."""

    front: str
    """The YAML between the two rulers at the top, or an empty text."""
    front_line: int
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...]

    def section_proses(self) -> list[str]:
        """The prose of each section, one line a block."""
        proses: list[list[str]] = [[] for _ in self.sections]
        for block in self.blocks:
            if block.kind == "prose":
                proses[block.section].append(" ".join(line.text.strip() for line in block.lines))
        return ["\n".join(lines) for lines in proses]


def read_card(text: str, *, where: str) -> Card:
    """Cut a document into blocks. Raises LimitExceeded for more than 200,000 lines or table cells."""
    lines = _blank_comments(text.removeprefix("\ufeff")).splitlines()
    if len(lines) > MAX_LINES:
        raise LimitExceeded(f"{len(lines)} lines, at most {MAX_LINES} are read", where=where)
    front, start = _front_matter(lines)
    cutter = _Cutter(lines, start)
    try:
        cutter.cut()
    except LimitExceeded as error:
        raise LimitExceeded(error.message, where=where) from None
    cells = sum(len(row.cells) for block in cutter.blocks for row in block.rows)
    if cells > MAX_CELLS:
        raise LimitExceeded(f"{cells} table cells, at most {MAX_CELLS} are read", where=where)
    return Card(front, 2, tuple(cutter.sections), tuple(cutter.blocks))


def sentences_of(block: Block) -> Iterator[Sentence]:
    """The sentences of a block of prose; a line break is a space."""
    text, starts = "", []
    for line in block.lines:
        body = line.text.rstrip()
        starts.append((len(text), line.number))
        text += body + " "
    begin = 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = len(text) if match is None else match.start()
        if match is not None and _ABBREVIATION.search(text[max(begin, end - LONGEST_ABBREVIATION) : end]):
            continue
        sentence = text[begin:end]
        lead = len(sentence) - len(sentence.lstrip())
        if sentence.strip():
            offset, number = starts[bisect_right(starts, begin + lead, key=itemgetter(0)) - 1]
            yield Sentence(sentence.strip(), number, begin + lead - offset + 1)
        begin = end if match is None else match.end()


def strip_marks(text: str) -> str:
    """A cell's or heading's words without Markdown and HTML marks, images and link targets."""
    text = re.sub(r"<br\s*/?>", " ", text, flags=re.IGNORECASE)
    text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    text = html.unescape(_TAG.sub("", text))
    text = re.sub(r"(\*\*|__|`+)", "", text)
    text = re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])", r"\1", text)
    return " ".join(text.replace("\\", "").split())


def _blank_comments(text: str) -> str:
    """The text without HTML comments, its lines kept; one that never ends is no comment."""
    parts, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts += [text[at:start], "\n" * text.count("\n", start, end)]
        at = end + 3
    return "".join([*parts, text[at:]])


def _front_matter(lines: list[str]) -> tuple[str, int]:
    if not lines or lines[0].rstrip() != "---":
        return "", 0
    for index, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            return "\n".join(lines[1:index]) + "\n", index + 1
    return "", 0


class _Cutter:
    """One walk over the lines of a document."""

    def __init__(self, lines: list[str], start: int) -> None:
        self._lines = lines
        self._at = start
        self._open: list[Line] = []
        self._titles: list[tuple[int, str]] = []
        self.sections: list[Section] = [Section((), start + 1)]
        self.blocks: list[Block] = []

    def cut(self) -> None:
        """Fill `sections` and `blocks`."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            fence, heading, in_html = _FENCE.match(line), _HEADING.match(line), _HTML_HEADING.match(line)
            if fence:
                self._take_code(fence[1])
            elif heading:
                # what closes a heading is taken off by hand: a pattern would try every length of it
                self._take_heading(len(heading[1]), heading[2].rstrip().rstrip("#").rstrip())
            elif in_html:
                self._take_heading(int(in_html[1]), in_html[2])
            elif _TABLE_START.search(line):
                self._take_html_table()
            elif self._pipe_table_starts():
                self._take_pipe_table()
            else:
                self._take_line(line)
        self._close()

    def _take_line(self, line: str) -> None:
        if not line.strip() or _ITEM.match(line) or re.fullmatch(r"\s*([-*_=]\s*){3,}", line):
            self._close()
        quote = _QUOTE.match(line)
        text = " " * quote.end() + line[quote.end() :] if quote else line
        if text.strip() and not re.fullmatch(r"\s*([-*_=]\s*){3,}", text):
            self._open.append(Line(self._at + 1, text))
        self._at += 1

    def _close(self) -> None:
        if self._open:
            self._add(Block("prose", self._open[0].number, len(self.sections) - 1, tuple(self._open)))
            self._open = []

    def _add(self, block: Block) -> None:
        self.blocks.append(block)

    def _take_code(self, fence: str) -> None:
        self._close()
        first = self._at
        closing = re.compile(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}\s*")
        self._at += 1
        while self._at < len(self._lines) and not closing.fullmatch(self._lines[self._at]):
            self._at += 1
        self._at += 1
        self._add(Block("code", first + 1, len(self.sections) - 1))

    def _take_heading(self, depth: int, title: str) -> None:
        self._close()
        self._titles = [(level, text) for level, text in self._titles if level < depth]
        self._titles.append((depth, strip_marks(title)))
        self._at += 1
        self.sections.append(Section(tuple(text for _, text in self._titles), self._at, depth))

    def _take_html_table(self) -> None:
        self._close()
        first = self._at
        while self._at < len(self._lines) and not _TABLE_END.search(self._lines[self._at]):
            self._at += 1
        self._at += 1
        source = "\n".join(self._lines[first : self._at])
        for table in read_html_tables(source, max_cells=MAX_CELLS):
            rows = tuple(Row(first + line, tuple(map(strip_marks, cells))) for line, cells in table)
            self._add(Block("table", rows[0].line, len(self.sections) - 1, rows=rows))

    def _pipe_table_starts(self) -> bool:
        if "|" not in self._lines[self._at] or self._at + 1 >= len(self._lines):
            return False
        ruler = self._lines[self._at + 1].strip()
        return "|" in ruler and "-" in ruler and _RULER.fullmatch(ruler) is not None

    def _take_pipe_table(self) -> None:
        self._close()
        rows = [Row(self._at + 1, split_row(self._lines[self._at]))]
        self._at += 2
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            rows.append(Row(self._at + 1, split_row(self._lines[self._at])))
            self._at += 1
        self._add(Block("table", rows[0].line, len(self.sections) - 1, rows=tuple(rows)))


def split_row(line: str) -> tuple[str, ...]:
    """The cells of a row of a pipe table, without marks; an escaped pipe or one in code is no border."""
    cells, cell, in_code = [], "", False
    text = line.strip().removeprefix("|")
    for index, character in enumerate(text):
        if character == "`":
            in_code = not in_code
        if character == "|" and not in_code and (index == 0 or text[index - 1] != "\\"):
            cells.append(strip_marks(cell))
            cell = ""
        else:
            cell += character
    if cell.strip():
        cells.append(strip_marks(cell))
    return tuple(cells)
