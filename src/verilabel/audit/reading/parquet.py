"""Row groups of Parquet as documents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from verilabel.audit.interface import Batch, Bytes, Positions
from verilabel.audit.reading import reasons
from verilabel.audit.reading.arrow_texts import (
    Pieces,
    cut_pieces,
    find_beside_columns,
    find_type,
    holds_text,
    list_paths,
    say_beside,
)
from verilabel.audit.reading.columns import choose_columns, parse_path
from verilabel.audit.reading.footers import read_footer
from verilabel.audit.reading.gathering import Gatherer
from verilabel.audit.reading.json_lines import MOST_BESIDE
from verilabel.audit.reading.kernels.joining import join_documents, measure_documents
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.parquet_pages import measure_pages
from verilabel.audit.reading.torn import Torn
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput, MissingExtra

_READ_BYTES = 2**20
_MOST_ROWS = 8_192
"""At once; a row takes at most what the largest page or dictionary has."""
_MOST_POINTED = 32 * 2**20
"""Bytes that rows of one step may point at in a dictionary."""
_MOST_PAGE = 128 * 2**20
"""Bytes of a page, or twice the limit of a document if that is more: pages are taken whole."""
_POINTER_BEGIN = b"version https://git-lfs"


class RowGroup(NamedTuple):
    """Where a row group stands in its file."""

    start: int
    end: int
    rows: int


class Footer(NamedTuple):
    """What the end of a file says."""

    groups: tuple[RowGroup, ...]
    start: int
    """Where the footer begins."""
    size: int
    """Of the file."""


class ParquetFile:
    """An open Parquet file. Raises Torn where it cannot be read at all."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise MissingExtra("pyarrow", "audit") from None
        self._file = file
        self._pyarrow = pyarrow
        try:
            # pyarrow is not asked about columns: of a damaged footer, its answer ends the process
            self.groups = read_footer(file)
            self.reader = self._open([])
        except (pyarrow.ArrowException, OSError, ValueError):
            file.seek(0)
            pointer = file.read(len(_POINTER_BEGIN)) == _POINTER_BEGIN
            reason = reasons.POINTER if pointer else reasons.BROKEN_FOOTER
            raise Torn(reason, file.seek(0, 2)) from None
        self.schema = self.reader.schema_arrow

    def _open(self, dictionaries: list[str]) -> Any:
        # the file is ours: pyarrow must not close it
        source = self._pyarrow.PythonFile(_Unclosed(self._file), mode="r")
        return self._pyarrow.parquet.ParquetFile(
            source, buffer_size=_READ_BYTES, pre_buffer=False, read_dictionary=dictionaries
        )

    def footer(self) -> Footer:
        """Where the row groups and the footer stand. Raises Torn where that cannot be."""
        size = self._file.seek(0, 2)
        self._file.seek(size - 8)
        start = size - 8 - int.from_bytes(self._file.read(4), "little")
        groups = []
        for group in self.groups:
            groups.append(
                RowGroup(
                    min((chunk.start for chunk in group.chunks), default=4),
                    max((chunk.end for chunk in group.chunks), default=4),
                    group.rows,
                )
            )
        if any(not 0 <= group.start <= group.end <= start for group in groups):
            raise Torn(reasons.BROKEN_FOOTER, size)
        return Footer(tuple(groups), start, size)

    def choose(self, selection: Selection, where: str) -> tuple[str, ...]:
        """The columns of the text. Raises MalformedInput where they are not there or not text."""
        nested = list_paths(self.schema)
        columns = choose_columns(self.schema.names, selection, where, nested)
        for path in columns:
            kind = find_type(self.schema, path)
            if kind is None:
                raise MalformedInput(
                    f"there is no column {path!r}",
                    where=where,
                    hint=f"texts below the top level are {', '.join(nested) or 'none'}",
                )
            if not holds_text(kind):
                raise MalformedInput(
                    f"the column {path!r} is not text",
                    where=where,
                    hint=f"choose another one with --column, such as {', '.join(nested)}" if nested else None,
                )
        return columns

    def tables(self, place: int, columns: list[str], limit: int) -> Iterator[Any]:
        """The record batches of a row group. Raises Torn where it cannot be read (on)."""
        group = self.groups[place]
        leaves = [chunk for chunk in group.chunks if _is_within(chunk.path, columns)]
        dictionary, most = 0, 1
        for leaf in leaves:
            try:
                sizes = measure_pages(self._file, leaf.start, leaf.end)
            except (OSError, ValueError):
                raise Torn(reasons.BROKEN_PAGE) from None
            if sizes.largest > max(2 * limit, _MOST_PAGE):
                raise Torn(reasons.LARGE_PAGE)
            dictionary = max(dictionary, sizes.dictionary)
            most = max(most, leaf.unpacked // max(group.rows, 1))
        rows = max(1, min(_MOST_ROWS, 2 * _READ_BYTES // most, _MOST_POINTED // max(dictionary, 1)))
        tables = self.reader.iter_batches(
            batch_size=rows,
            row_groups=[place],
            columns=[leaf.path for leaf in leaves],
            use_threads=False,
        )
        yield from self._gather(tables, {parse_path(path)[0].name for path in columns})

    def _gather(self, tables: Iterator[Any], wanted: set[str]) -> Iterator[Any]:
        """Record batches, small ones together. Raises Torn where they cannot be read on."""
        held: list[Any] = []
        size = 0
        torn = ""
        while not torn:
            try:
                table = next(tables, None)
            except (self._pyarrow.ArrowNotImplementedError, MemoryError):
                table, torn = None, reasons.UNREADABLE
            except (self._pyarrow.ArrowException, OSError, ValueError):
                table, torn = None, reasons.BROKEN_PAGE
            if table is not None and not wanted <= set(table.schema.names):
                table, torn = None, reasons.BROKEN_FOOTER
            if table is None:
                break
            held.append(table)
            size += table.nbytes
            table = None
            if size >= _READ_BYTES:
                ready = self._combine(held)
                held, size = [], 0
                while ready:
                    yield ready.pop(0)
        yield from self._combine(held)
        if torn:
            raise Torn(torn)

    def release(self) -> None:
        """Give memory back that pyarrow keeps for later."""
        self._pyarrow.default_memory_pool().release_unused()

    def _combine(self, held: list[Any]) -> list[Any]:
        """Small record batches as one, so that what follows is done once for all."""
        if len(held) < 2:
            return held
        return list(self._pyarrow.Table.from_batches(held).combine_chunks().to_batches())


class _Unclosed:
    """A file for pyarrow that stays open when pyarrow is done."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def close(self) -> None:
        return


def _is_within(leaf: str, columns: list[str]) -> bool:
    """Whether a leaf of the file lies on the way of a wanted path. Names of lists' own levels are not ours."""
    for path in columns:
        if leaf == path:
            return True
        steps = parse_path(path)
        if leaf.split(".", maxsplit=1)[0] != steps[0].name:
            continue
        place = 0
        parts = leaf.split(".")
        for step in steps:
            if step.name not in parts[place:]:
                break
            place = parts.index(step.name, place) + 1
        else:
            return True
    return False


def plan_cuts(footer: Footer, shard_bytes: int) -> list[tuple[int, int]]:
    """Runs of row groups of about `shard_bytes`, as first and behind-last."""
    groups = footer.groups
    rising = all(a.end <= b.start for a, b in itertools.pairwise(groups))
    if not rising or not groups:
        return [(0, len(groups))]
    cuts = []
    first = 0
    for place, group in enumerate(groups):
        if place > first and group.end - groups[first].start > shard_bytes:
            cuts.append((first, place))
            first = place
    return [*cuts, (first, len(groups))]


def find_stretches(footer: Footer, start: int, end: int) -> list[tuple[int, int]]:
    """The stored bytes of a run of row groups: up to the next one's beginning, and the footer."""
    groups = footer.groups
    if (start, end) in ((0, 0), (0, len(groups))):
        return [(0, footer.size)]
    begin = 0 if start == 0 else groups[start].start
    behind = footer.start if end == len(groups) else groups[end].start
    return [(begin, behind), (footer.start, footer.size)]


def read_groups(
    file: ParquetFile,
    start: int,
    end: int,
    columns: tuple[str, ...],
    limit: int,
    ledger: Ledger,
    gatherer: Gatherer,
) -> Iterator[Batch]:
    """The documents of row groups; what cannot be read of one is unread, and the next is read."""
    beside = find_beside_columns(file.schema) if gatherer.keeps_about else {}
    wanted = [*columns, *(column for names in beside.values() for column in names)]
    for place in range(start, end):
        group = file.groups[place]
        if group.rows == 0:
            continue
        first = ledger.rows
        tables = file.tables(place, wanted, limit)
        try:
            # no name holds on to a table while its documents are looked at
            while (parts := _read_table(next(tables, None), columns, beside, limit, ledger)) is not None:
                while parts:
                    yield from gatherer.add(*parts.pop(0))
        except Torn as torn:
            left = first + group.rows - ledger.rows
            ledger.miss(ledger.rows, torn.reason, left)
        ledger.rows = first + group.rows
        file.release()


Part = tuple[Bytes, Positions, Positions, dict[str, Sequence[str | None]]]
"""Texts, offsets, rows, and what is said of them."""


def _read_table(
    table: Any, columns: tuple[str, ...], beside: dict[str, list[str]], limit: int, ledger: Ledger
) -> list[Part] | None:
    """The documents of a record batch, or None where there is none."""
    if table is None:
        return None
    pieces = _merge([cut_pieces(table, path) for path in columns])
    first = ledger.rows
    ledger.rows += table.num_rows
    lengths, counts = measure_documents(pieces.starts, pieces.ends, pieces.owners, table.num_rows)
    kept = (counts > 0) & (lengths <= limit)
    if kept.all() and _stand_together(pieces, table.num_rows):
        begin, end = int(pieces.starts[0]), int(pieces.ends[-1])
        offsets = np.append(pieces.starts, end) - begin
        said = say_beside(table, beside, kept, MOST_BESIDE)
        return [(pieces.data[begin:end], offsets, pieces.owners + first, said)]
    for row in np.flatnonzero(~kept).tolist():
        ledger.miss(first + row, reasons.NO_TEXT if counts[row] == 0 else reasons.TOO_LONG)
    found = []
    for part in _parts(lengths, kept):
        data, offsets = join_documents(pieces.data, pieces.starts, pieces.ends, pieces.owners, lengths, part)
        said = say_beside(table, beside, part, MOST_BESIDE)
        found.append((data, offsets, np.flatnonzero(part) + first, said))
    return found


def _stand_together(pieces: Pieces, rows: int) -> bool:
    """Whether each row is one piece, behind the one before it, in bytes that need not be copied."""
    return bool(
        0 < rows == len(pieces.owners)
        and pieces.data.flags.writeable
        and np.array_equal(pieces.starts[1:], pieces.ends[:-1])
        and np.array_equal(pieces.owners, np.arange(rows))
    )


def _parts(lengths: Any, kept: Any) -> Iterator[Any]:
    """The rows in runs of bounded text: rows that point at one long text are many times its length."""
    total = np.cumsum(np.where(kept, lengths, 0))
    if not len(total) or total[-1] <= _MOST_POINTED:
        yield kept
        return
    runs = total // _MOST_POINTED
    for run in np.unique(runs[kept]):
        yield kept & (runs == run)


def _merge(columns: list[Pieces]) -> Pieces:
    """Pieces of several columns as one, by row and then by column."""
    if len(columns) == 1:
        return columns[0]
    base = 0
    starts, ends = [], []
    for pieces in columns:
        starts.append(pieces.starts + base)
        ends.append(pieces.ends + base)
        base += len(pieces.data)
    owners = np.concatenate([pieces.owners for pieces in columns])
    order = np.argsort(owners, kind="stable")
    return Pieces(
        np.concatenate([pieces.data for pieces in columns]),
        np.concatenate(starts)[order],
        np.concatenate(ends)[order],
        owners[order],
    )
