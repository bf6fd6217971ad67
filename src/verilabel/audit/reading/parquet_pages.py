"""Headers of Parquet pages: how large a column's pages become, known before any of them is read.

The reader of Parquet takes a page whole, and its metadata do not say how large one is. The headers do (Apache Parquet
format, `PageHeader`); only their sizes are read here.
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

from verilabel.audit.reading.thrift import BrokenStruct, Fields

_MOST_HEADER = 64 * 2**10
_MOST_PAGES = 1_000_000
_DICTIONARY_PAGE = 2


class PageSizes(NamedTuple):
    """Of the pages of one column in one row group, in bytes as they are without compression."""

    largest: int
    dictionary: int
    """Of the page of values that others point at; 0 where there is none."""


def measure_pages(file: BinaryIO, start: int, end: int) -> PageSizes:
    """The sizes of the pages of a column chunk at `start` up to `end`. Raises BrokenStruct, OSError."""
    largest = 0
    dictionary = 0
    at = start
    for _ in range(_MOST_PAGES):
        if at >= end:
            return PageSizes(largest, dictionary)
        fields, behind = _read_header(file, at, end)
        plain, stored = _size(fields, 2), _size(fields, 3)
        largest = max(largest, plain, stored)
        if fields.get(1) == _DICTIONARY_PAGE:
            dictionary = max(dictionary, plain)
        at += behind + stored
    raise BrokenStruct("too many pages")


def _size(fields: dict[int, Any], number: int) -> int:
    value = fields.get(number)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BrokenStruct("a page without a size")
    return value


def _read_header(file: BinaryIO, at: int, end: int) -> tuple[dict[int, Any], int]:
    """The fields of a header and its length; headers with statistics of long texts are long."""
    size = 256
    while True:
        file.seek(at)
        reader = Fields(file.read(min(size, end - at)))
        try:
            return reader.struct(), reader.at
        except BrokenStruct:
            if size >= min(_MOST_HEADER, end - at):
                raise
            size *= 8
