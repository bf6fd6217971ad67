"""Thrift's compact protocol, in which Parquet describes itself: read with a bound on everything."""

from __future__ import annotations

from typing import Any

_MOST_DEPTH = 16


class BrokenStruct(ValueError):
    """Bytes that are no struct of the compact protocol, or not the one that they should be."""


class Fields:
    """Values of Thrift's compact protocol: structs as number to value."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        """Behind what was read."""

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The struct that begins here. Raises BrokenStruct."""
        if depth > _MOST_DEPTH:
            raise BrokenStruct("too deep")
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
        raise BrokenStruct("a value of no kind")

    def _items(self, depth: int) -> list[Any]:
        header = self._byte()
        count = header >> 4 if header >> 4 < 15 else self._varint()
        if depth > _MOST_DEPTH or count > len(self._data) - self.at:
            raise BrokenStruct("too long a list")
        kind = header & 15
        return [self._byte() == 1 if kind in (1, 2) else self._value(kind, depth + 1) for _ in range(count)]

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self.at:
            raise BrokenStruct("too long a text")
        self.at += count
        return self._data[self.at - count : self.at]

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise BrokenStruct("cut off")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise BrokenStruct("too large a number")


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
