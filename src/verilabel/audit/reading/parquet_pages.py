"""Headers of Parquet pages: how large a column's pages become, known before any of them is read.

The reader of Parquet takes a page whole, and its metadata do not say how large one is. The headers do (Apache Parquet
format, `PageHeader`, in Thrift's compact protocol); only their sizes are read here, with a bound on everything.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

_MOST_HEADER = 64 * 2**10
_MOST_DEPTH = 16
_MOST_PAGES = 1_000_000
_DICTIONARY_PAGE = 2


class PageSizes(NamedTuple):
    """Of the pages of one column in one row group, in bytes as they are without compression."""

    largest: int
    dictionary: int
    """Of the page of values that others point at; 0 where there is none."""


class BrokenHeader(ValueError):
    """A page header that is none."""


class _Compact:
    """Just enough of Thrift's compact protocol to find integers at the top of a struct."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise BrokenHeader
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise BrokenHeader

    def integers(self) -> dict[int, int]:
        """The integer fields of the struct that begins here, and past it."""
        found: dict[int, int] = {}
        self._struct(found, 0)
        return found

    def _struct(self, found: dict[int, int] | None, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise BrokenHeader
        field = 0
        while header := self._byte():
            if header >> 4:
                field += header >> 4
            else:
                field = _zigzag(self._varint())
            value = self._value(header & 15, depth)
            if found is not None and value is not None:
                found[field] = value

    def _value(self, kind: int, depth: int) -> int | None:
        if kind in (1, 2):
            return None
        if kind in (4, 5, 6):
            return _zigzag(self._varint())
        if kind == 12:
            self._struct(None, depth + 1)
        elif kind == 8:
            self._pass(self._varint())
        elif kind in (3, 7):
            self._pass(1 if kind == 3 else 8)
        elif kind in (9, 10):
            self._list(depth + 1)
        else:
            raise BrokenHeader
        return None

    def _list(self, depth: int) -> None:
        header = self._byte()
        count = header >> 4 if header >> 4 < 15 else self._varint()
        if depth > _MOST_DEPTH or count > len(self._data):
            raise BrokenHeader
        for _ in range(count):
            if header & 15 in (1, 2):
                self._byte()
            else:
                self._value(header & 15, depth)

    def _pass(self, count: int) -> None:
        if count > len(self._data) - self.at:
            raise BrokenHeader
        self.at += count


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def measure_pages(file: BinaryIO, start: int, end: int) -> PageSizes:
    """The sizes of the pages of a column chunk at `start` up to `end`. Raises BrokenHeader, OSError."""
    largest = 0
    dictionary = 0
    at = start
    for _ in range(_MOST_PAGES):
        if at >= end:
            return PageSizes(largest, dictionary)
        fields, behind = _read_header(file, at, end)
        plain, stored = fields.get(2, -1), fields.get(3, -1)
        if plain < 0 or stored < 0:
            raise BrokenHeader
        largest = max(largest, plain, stored)
        if fields.get(1) == _DICTIONARY_PAGE:
            dictionary = max(dictionary, plain)
        at += behind + stored
    raise BrokenHeader


def _read_header(file: BinaryIO, at: int, end: int) -> tuple[dict[int, int], int]:
    """The integers of a header and its length; headers with statistics of long texts are long."""
    size = 256
    while True:
        file.seek(at)
        reader = _Compact(file.read(min(size, end - at)))
        try:
            return reader.integers(), reader.at
        except BrokenHeader:
            if size >= min(_MOST_HEADER, end - at):
                raise
            size *= 8
