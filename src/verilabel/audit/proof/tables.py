"""Parquet files of an audit, read as if they were hostile: types, rows and pages are known before anything is unpacked.

A file of a few kilobytes can say that it holds billions of rows, or pages of gigabytes. So a row group has at most
`MAX_GROUP_ROWS` rows, a page at most `MAX_PAGE_BYTES`, texts are taken as a dictionary with numbers that point into it,
and of a file only so many rows are read as the shard can have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from verilabel.audit.reading.footers import Group, read_footer
from verilabel.audit.reading.parquet_pages import measure_pages
from verilabel.audit.reading.thrift import BrokenStruct
from verilabel.errors import LimitExceeded, MalformedInput

MAX_GROUP_ROWS = 1 << 20
MAX_PAGE_BYTES = 64 * 2**20
MAX_ROWS = 1 << 25
"""Findings, or rows of a table, of one shard."""
MAX_TEXT = 1_000
"""Characters of a text in a table; none of them comes from a document."""
TEXT = "text"
UNREAD_FORM: Mapping[str, str] = {"row": "u8", "reason": TEXT, "count": "u8", "bytes": "u8"}
CONTAMINATION_FORM: Mapping[str, str] = {
    "row": "u8",
    "benchmark": TEXT,
    "item": TEXT,
    "part": TEXT,
    "rule": TEXT,
    "ngrams13": "u4",
    "ngrams8": "u4",
    "ngrams5": "u4",
    "longest": "u4",
    "share": "u2",
}


@contextmanager
def open_table(
    path: Path, *, where: str, most: int = MAX_ROWS, texts: tuple[str, ...] = ()
) -> Iterator[OpenTable]:
    """An open Parquet file of at most `most` rows, of whose pages none is too large.

    Raises MalformedInput for what is no such file, also while it is read, LimitExceeded for what is too much.
    """
    import pyarrow as pa

    try:
        with path.open("rb") as file:
            groups = read_footer(file)
            _check_sizes(file, groups, most, where)
            file.seek(0)
            with _open_file(file, texts, f"{where}: {path.name}") as table:
                if table.num_row_groups != len(groups):
                    raise MalformedInput("row groups that do not add up", where=where)
                yield OpenTable(table, tuple(group.rows for group in groups), where)
    except (pa.ArrowException, OSError, BrokenStruct, UnicodeDecodeError) as error:
        raise MalformedInput("a table that cannot be read", where=f"{where}: {path.name}") from error


def _open_file(file: BinaryIO, texts: tuple[str, ...], where: str) -> Any:
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file, pre_buffer=False, read_dictionary=list(texts))
    except KeyError as error:
        raise MalformedInput("a table with other columns", where=where) from error


class OpenTable:
    """An open file whose sizes were checked."""

    def __init__(self, table: Any, sizes: tuple[int, ...], where: str) -> None:
        self._table = table
        self.sizes = sizes
        """Rows of each group."""
        self._where = where

    @property
    def schema(self) -> Any:
        """The Arrow schema."""
        return self._table.schema_arrow

    def groups(self) -> Iterator[Any]:
        """The row groups, as Arrow tables. Raises MalformedInput for one of another size than its footer says."""
        for number, size in enumerate(self.sizes):
            if not size:
                continue
            rows = self._table.read_row_group(number)
            if rows.num_rows != size:
                raise MalformedInput("row groups that do not add up", where=self._where)
            yield rows


def _check_sizes(file: BinaryIO, groups: tuple[Group, ...], most: int, where: str) -> None:
    total = sum(group.rows for group in groups)
    if total > most:
        raise LimitExceeded(f"{total} rows, where {most} can be", where=where)
    for group in groups:
        if group.rows > MAX_GROUP_ROWS:
            raise LimitExceeded(f"a row group of {group.rows} rows", where=where)
        for chunk in group.chunks if group.rows else ():
            if max(measure_pages(file, chunk.start, chunk.end)) > MAX_PAGE_BYTES:
                raise LimitExceeded("a page that becomes too large", where=where)


def read_table(path: Path, form: Mapping[str, str], *, where: str, most: int = MAX_ROWS) -> dict[str, Any]:
    """Columns of a table of exactly this form: arrays of numbers, lists of texts. Raises as `open_table`."""
    import pyarrow as pa

    texts = tuple(name for name, kind in form.items() if kind == TEXT)
    found: dict[str, Any] = {name: [] if kind == TEXT else [np.zeros(0, kind)] for name, kind in form.items()}
    with open_table(path, where=where, most=most, texts=texts) as table:
        wanted = [
            pa.string() if kind == TEXT else pa.from_numpy_dtype(np.dtype(kind)) for kind in form.values()
        ]
        there = [_plain_type(kind) for kind in table.schema.types]
        if table.schema.names != list(form) or there != wanted:
            raise MalformedInput("a table with other columns", where=f"{where}: {path.name}")
        for rows in table.groups():
            for name in form:
                column = rows.column(name)
                if column.null_count:
                    raise MalformedInput("a table with holes", where=f"{where}: {path.name}")
                found[name] += _texts_of(column, where) if form[name] == TEXT else [column.to_numpy()]
    return {name: values if form[name] == TEXT else np.concatenate(values) for name, values in found.items()}


def _plain_type(kind: Any) -> Any:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _texts_of(column: Any, where: str) -> list[str]:
    import pyarrow as pa

    texts: list[str] = []
    for chunk in column.chunks:
        pointed = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        names = pointed.dictionary.to_pylist()
        if max(map(len, names), default=0) > MAX_TEXT:
            raise LimitExceeded(f"a text of over {MAX_TEXT} characters", where=where)
        texts += [names[at] for at in pointed.indices.to_pylist()]
    return texts
