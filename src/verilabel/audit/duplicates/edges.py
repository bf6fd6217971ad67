"""The file of edges that one partition of the search for duplicates gives: a header, then pairs of documents."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from verilabel.audit.interface import Positions
from verilabel.errors import MalformedInput

_MAGIC = b"VLEDGES1"
_HEADER_BYTES = 64
_EDGE_BYTES = 16
_CHUNK = 2**20


class Tally(NamedTuple):
    """What a partition found, and what it did not look at."""

    exact: int = 0
    """Edges between equal texts, as many as there are copies."""
    same_words: int = 0
    """Edges between equal sequences of words."""
    near: int = 0
    """Edges between signatures that are alike enough."""
    compared: int = 0
    """Pairs of signatures that were compared."""
    rejected: int = 0
    """Of those, how many are not alike enough."""
    unlinked: int = 0
    """Times that a document in a crowded band was compared with its leaders alone, and is like none of them."""

    def plus(self, other: Tally) -> Tally:
        """The sums of both."""
        return Tally(*(one + two for one, two in zip(self, other, strict=True)))


class EdgeFile:
    """A file that is being written; it has its name when all is in it, and not before."""

    def __init__(self, path: Path) -> None:
        """Begin a file beside `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        self._path, self._written = path, Path(name)
        self._stream = os.fdopen(descriptor, "wb")
        self._stream.write(bytes(_HEADER_BYTES))
        self.tally = Tally()

    def add(self, edges: Positions, tally: Tally) -> None:
        """Append edges; exact ones before all others."""
        np.ascontiguousarray(edges, "<i8").tofile(self._stream)
        self.tally = self.tally.plus(tally)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it its name, or throw it away after an error."""
        with self._stream as stream:
            if kind is None:
                stream.seek(0)
                stream.write(_MAGIC + np.array(self.tally, "<i8").tobytes())
                stream.flush()
                os.fsync(stream.fileno())
        if kind is None:
            self._written.replace(self._path)
        else:
            self._written.unlink(missing_ok=True)


def read_tally(path: Path) -> Tally:
    """The header of a file. Raises MalformedInput for one that is not whole."""
    try:
        with path.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
            size = path.stat().st_size
    except OSError as error:
        raise MalformedInput("edges of duplicates cannot be read", where=str(path)) from error
    whole = len(header) == _HEADER_BYTES and header.startswith(_MAGIC)
    tally = Tally(*np.frombuffer(header[8:56], "<i8").tolist()) if whole else Tally()
    if not whole or size != _HEADER_BYTES + _EDGE_BYTES * (tally.exact + tally.same_words + tally.near):
        raise MalformedInput(
            "a file of edges that is not whole", where=str(path), hint="reduce its partition again"
        )
    return tally


def read_edges(path: Path) -> Iterator[tuple[bool, Positions]]:
    """Rows of two documents, in pieces, each with whether these are exact duplicates."""
    tally = read_tally(path)
    with path.open("rb") as stream:
        stream.seek(_HEADER_BYTES)
        for exact, count in ((True, tally.exact), (False, tally.same_words + tally.near)):
            left = count
            while left:
                piece = np.fromfile(stream, "<i8", 2 * min(left, _CHUNK))
                left -= len(piece) // 2
                yield exact, piece.reshape(-1, 2).astype(np.int64)
