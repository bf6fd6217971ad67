"""Footers of Parquet files, read before the reader of Parquet is trusted with them.

Where a footer is damaged on purpose, pyarrow's own view of a column's place ends the process instead of raising. So
what is needed of it (rows, and where columns stand) is read here (Apache Parquet format: `FileMetaData`, `RowGroup`,
`ColumnChunk`, `ColumnMetaData`).
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

from verilabel.audit.reading.thrift import BrokenStruct, Fields

MAX_FOOTER_BYTES = 64 * 2**20
_MAGIC = b"PAR1"
_ROW_GROUPS, _GROUP_COLUMNS, _GROUP_ROWS, _CHUNK_META = 4, 1, 3, 3
_PATH, _UNPACKED = 3, 6
_STORED, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11


class Chunk(NamedTuple):
    """A column in a row group."""

    start: int
    end: int
    """Where its pages begin and end."""
    path: str
    """Names from the top to the leaf, joined by dots."""
    unpacked: int
    """Bytes of its pages without compression, as they say of themselves."""


class Group(NamedTuple):
    """A row group."""

    rows: int
    chunks: tuple[Chunk, ...]


def read_footer(file: BinaryIO) -> tuple[Group, ...]:
    """The row groups of a Parquet file. Raises BrokenStruct, OSError."""
    end = file.seek(0, 2)
    if end < 12:
        raise BrokenStruct("too short")
    file.seek(end - 8)
    tail = file.read(8)
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or not 0 < size <= min(MAX_FOOTER_BYTES, end - 12):
        raise BrokenStruct("no footer")
    file.seek(end - 8 - size)
    fields = Fields(file.read(size)).struct()
    return tuple(_group_of(group, end) for group in _list(fields.get(_ROW_GROUPS, [])))


def _group_of(group: Any, end: int) -> Group:
    if not isinstance(group, dict) or not isinstance(rows := group.get(_GROUP_ROWS), int) or rows < 0:
        raise BrokenStruct("a row group that is none")
    return Group(rows, tuple(_chunk_of(chunk, end) for chunk in _list(group.get(_GROUP_COLUMNS))))


def _chunk_of(chunk: Any, end: int) -> Chunk:
    about = chunk.get(_CHUNK_META) if isinstance(chunk, dict) else None
    if not isinstance(about, dict):
        raise BrokenStruct("a column without its description")
    start, size = about.get(_DATA_PAGE), about.get(_STORED)
    first = about.get(_DICTIONARY_PAGE) or start
    if not isinstance(start, int) or not isinstance(size, int) or not isinstance(first, int):
        raise BrokenStruct("a column without a place")
    start = min(start, first) if first > 0 else start
    if start < 0 or size < 0 or start + size > end:
        raise BrokenStruct("a column outside the file")
    unpacked = about.get(_UNPACKED)
    if not isinstance(unpacked, int) or unpacked < 0:
        raise BrokenStruct("a column without a size")
    return Chunk(start, start + size, _path_of(about.get(_PATH)), unpacked)


def _path_of(names: Any) -> str:
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise BrokenStruct("a column without a name")
    try:
        return b".".join(names).decode()
    except UnicodeDecodeError as error:
        raise BrokenStruct("a name that is no text") from error


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BrokenStruct("no list where one must be")
    return value
