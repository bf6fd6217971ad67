"""Footers of Parquet files, read before the reader of Parquet is trusted with them.

Where a footer is damaged on purpose, pyarrow's own view of a column's place ends the process instead of raising. So
what is needed of it (rows, and where columns stand) is read here: Thrift's compact protocol, with a bound on
everything (Apache Parquet format: `FileMetaData`, `RowGroup`, `ColumnChunk`, `ColumnMetaData`).
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

MAX_FOOTER_BYTES = 64 * 2**20
_MAGIC = b"PAR1"
_MOST_DEPTH = 16
_ROW_GROUPS, _GROUP_COLUMNS, _GROUP_ROWS, _CHUNK_META = 4, 1, 3, 3
_PATH, _UNPACKED = 3, 6
_STORED, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11


class BrokenFooter(ValueError):
    """A footer that is none."""


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
    """The row groups of a Parquet file. Raises BrokenFooter, OSError."""
    end = file.seek(0, 2)
    if end < 12:
        raise BrokenFooter("too short")
    file.seek(end - 8)
    tail = file.read(8)
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or not 0 < size <= min(MAX_FOOTER_BYTES, end - 12):
        raise BrokenFooter("no footer")
    file.seek(end - 8 - size)
    fields = _Fields(file.read(size)).struct(0)
    return tuple(_group_of(group, end) for group in _list(fields.get(_ROW_GROUPS, [])))


def _group_of(group: Any, end: int) -> Group:
    if not isinstance(group, dict) or not isinstance(rows := group.get(_GROUP_ROWS), int) or rows < 0:
        raise BrokenFooter("a row group that is none")
    return Group(rows, tuple(_chunk_of(chunk, end) for chunk in _list(group.get(_GROUP_COLUMNS))))


def _chunk_of(chunk: Any, end: int) -> Chunk:
    about = chunk.get(_CHUNK_META) if isinstance(chunk, dict) else None
    if not isinstance(about, dict):
        raise BrokenFooter("a column without its description")
    start, size = about.get(_DATA_PAGE), about.get(_STORED)
    first = about.get(_DICTIONARY_PAGE) or start
    if not isinstance(start, int) or not isinstance(size, int) or not isinstance(first, int):
        raise BrokenFooter("a column without a place")
    start = min(start, first) if first > 0 else start
    if start < 0 or size < 0 or start + size > end:
        raise BrokenFooter("a column outside the file")
    unpacked = about.get(_UNPACKED)
    if not isinstance(unpacked, int) or unpacked < 0:
        raise BrokenFooter("a column without a size")
    return Chunk(start, start + size, _path_of(about.get(_PATH)), unpacked)


def _path_of(names: Any) -> str:
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise BrokenFooter("a column without a name")
    try:
        return b".".join(names).decode()
    except UnicodeDecodeError as error:
        raise BrokenFooter("a name that is no text") from error


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BrokenFooter("no list where one must be")
    return value


class _Fields:
    """Values of Thrift's compact protocol: structs as number to value."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int) -> dict[int, Any]:
        """The struct that begins here."""
        if depth > _MOST_DEPTH:
            raise BrokenFooter("too deep")
        found: dict[int, Any] = {}
        field = 0
        while header := self._byte():
            field = field + (header >> 4) if header >> 4 else _zigzag(self._varint())
            found[field] = self._value(header & 15, depth + 1)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return _zigzag(self._varint())
        if kind in (7, 8):
            return self._take(8 if kind == 7 else self._varint())
        if kind in (9, 10):
            return self._items(depth)
        if kind == 12:
            return self.struct(depth)
        raise BrokenFooter("a value of no kind")

    def _items(self, depth: int) -> list[Any]:
        header = self._byte()
        count = header >> 4 if header >> 4 < 15 else self._varint()
        if depth > _MOST_DEPTH or count > len(self._data) - self._at:
            raise BrokenFooter("too long a list")
        kind = header & 15
        return [self._byte() == 1 if kind in (1, 2) else self._value(kind, depth + 1) for _ in range(count)]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise BrokenFooter("too long a text")
        self._at += count
        return self._data[self._at - count : self._at]

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise BrokenFooter("cut off")
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise BrokenFooter("too large a number")


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
