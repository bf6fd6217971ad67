"""Texts gathered into batches: closed when they are long enough, or when there are many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from verilabel.audit.interface import Batch, Bytes, Positions
from verilabel.audit.kernels.strings import Strings
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.reasons import TOO_LONG
from verilabel.audit.reading.repairing import repair_texts

MOST_DOCUMENTS = 65_536
"""In a batch, so that a corpus of empty documents is bounded too."""
ABOUT = ("url", "date", "licence")
About = Mapping[str, Sequence[str | None]]


class Gatherer:
    """Texts come in pieces of any size and leave as batches; every text is made UTF-8 on the way."""

    def __init__(self, ledger: Ledger, batch_bytes: int, limit: int, *, keeps_about: bool = True) -> None:
        self.ledger = ledger
        self.keeps_about = keeps_about
        """Whether what is said beside the text is wanted: readers that find it dear need not look."""
        self._limit = limit
        self._batch_bytes = batch_bytes
        self._pieces: list[Batch] = []
        self._bytes = 0
        self._documents = 0
        self._singles: list[bytes] = []
        self._single_rows: list[int] = []
        self._single_about: dict[str, list[str | None]] = {}

    def add_text(self, text: bytes, row: int, about: About) -> Iterator[Batch]:
        """Take one document."""
        for name in ABOUT:
            said = about.get(name)
            values = self._single_about.get(name)
            if values is None and said is not None:
                values = self._single_about[name] = [None] * len(self._singles)
            if values is not None:
                values.append(said[0] if said else None)
        self._singles.append(text)
        self._single_rows.append(row)
        self._bytes += len(text)
        self._documents += 1
        if self._bytes > self._batch_bytes or self._documents >= MOST_DOCUMENTS:
            self._stack_singles()
            yield from self._close()

    def _stack_singles(self) -> None:
        """Single documents become a piece like any other."""
        if not self._singles:
            return
        offsets = np.zeros(len(self._singles) + 1, np.int64)
        np.cumsum([len(text) for text in self._singles], out=offsets[1:])
        data = np.frombuffer(bytearray(b"".join(self._singles)), np.uint8)
        rows, about = np.array(self._single_rows, np.int64), self._single_about
        self._singles, self._single_rows, self._single_about = [], [], {}
        self._repair(data, offsets, rows, about)

    def add(
        self, data: Bytes, offsets: Positions, rows: Positions, about: About, *, sound: bool = False
    ) -> Iterator[Batch]:
        """Take some documents, not longer than a batch or two, and give the batches that are full.

        `sound` says that all are UTF-8.
        """
        if len(rows) == 0:
            return
        self._stack_singles()
        self._bytes += len(data)
        self._documents += len(rows)
        if sound:
            self._pieces.append(Batch(data, offsets, rows, about))
        else:
            self._repair(data, offsets, rows, about)
        if self._bytes > self._batch_bytes or self._documents >= MOST_DOCUMENTS:
            yield from self._close()

    def _repair(self, data: Bytes, offsets: Positions, rows: Positions, about: About) -> None:
        data, offsets, damaged, kept = repair_texts(data, offsets, self._limit)
        self.ledger.repaired += damaged
        if kept is not None:
            for row in rows[~kept]:
                self.ledger.miss(int(row), TOO_LONG)
            rows = rows[kept]
            about = {name: Strings.of(values).select(kept) for name, values in about.items()}
        if len(rows):
            self._pieces.append(Batch(data, offsets, rows, about))

    def finish(self) -> Iterator[Batch]:
        """Give what is left."""
        self._stack_singles()
        yield from self._close()

    def _close(self) -> Iterator[Batch]:
        pieces = self._pieces
        self._pieces, self._bytes, self._documents = [], 0, 0
        if pieces:
            yield pieces[0] if len(pieces) == 1 else _join(pieces)


def _join(pieces: list[Batch]) -> Batch:
    ends: list[Positions] = []
    base = 0
    for piece in pieces:
        ends.append(piece.offsets[1:] + base)
        base += int(piece.offsets[-1])
    about: dict[str, Sequence[str | None]] = {}
    for name in ABOUT:
        if any(name in piece.about for piece in pieces):
            about[name] = Strings.joined(piece.about.get(name, [None] * len(piece.rows)) for piece in pieces)
    return Batch(
        np.concatenate([piece.data for piece in pieces]),
        np.concatenate([np.zeros(1, np.int64), *ends]),
        np.concatenate([piece.rows for piece in pieces]),
        about,
    )
