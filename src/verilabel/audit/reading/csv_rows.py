"""Rows of CSV and TSV as documents. The first row names the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator

import numpy as np

from verilabel.audit.interface import Batch, Bytes, Positions
from verilabel.audit.reading import reasons
from verilabel.audit.reading.columns import BESIDE, choose_columns
from verilabel.audit.reading.gathering import MOST_DOCUMENTS, Gatherer
from verilabel.audit.reading.json_lines import MOST_BESIDE
from verilabel.audit.reading.kernels import csv_rows
from verilabel.audit.reading.kernels.csv_rows import Found, Rows, read_rows, skip_row
from verilabel.audit.reading.kernels.joining import join_documents, measure_documents
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.torn import Torn
from verilabel.audit.reading.windows import Window
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput

MOST_HEADER = 2**20
"""Bytes of the first row."""
_BOM = b"\xef\xbb\xbf"
_REASONS = {csv_rows.OTHER_WIDTH: reasons.OTHER_WIDTH, csv_rows.TOO_LONG: reasons.TOO_LONG}


def read_header(head: bytes, delimiter: str, where: str) -> tuple[list[str], int, bool]:
    """The names of the columns, where the first row ends, and whether its end is there.

    Raises MalformedInput where it is longer than MOST_HEADER.
    """
    size = len(head)
    window = np.frombuffer(bytearray(head or b"\0"), np.uint8)
    begin = 3 if head.startswith(_BOM) else 0
    while begin < size and head[begin] in b"\r\n":
        begin += 1
    end, _, ended = skip_row(window, size, begin, csv_rows.START, ord(delimiter))
    if not ended and size >= MOST_HEADER:
        raise MalformedInput(
            f"the first row has more than {MOST_HEADER} bytes", where=where, hint="it must name the columns"
        )
    row = head[begin:end].decode("utf-8", "replace")
    names = next(csv.reader(io.StringIO(row, newline=""), delimiter=delimiter), [])
    return names, end, ended


class RowReader:
    """Reads one table."""

    def __init__(
        self,
        blocks: Iterator[Bytes],
        delimiter: str,
        selection: Selection,
        ledger: Ledger,
        gatherer: Gatherer,
        batch_bytes: int,
    ) -> None:
        self._window = Window(blocks)
        self._delimiter = delimiter
        self._selection = selection
        self._limit = selection.max_document_bytes
        self._ledger = ledger
        self._gatherer = gatherer
        self._batch_bytes = batch_bytes
        self._slots: Positions = np.full(1, -1, np.int64)
        self._text_slots: list[int] = []
        self._beside: list[tuple[str, list[int]]] = []

    def read(self) -> Iterator[Batch]:
        """The documents of the table. Raises Torn where the stream does, and where the columns are not there."""
        window = self._window
        window.extend()
        while True:
            head = window.data[: min(window.size, MOST_HEADER)].tobytes()
            try:
                names, window.at, ended = read_header(head, self._delimiter, "the first row")
            except MalformedInput:
                raise Torn(reasons.NO_COLUMN) from None
            if ended or window.last:
                break
            window.at = 0
            window.extend()
        if not names:
            return
        self._place_columns(names)
        room = 2 * self._batch_bytes
        while True:
            before = window.at
            found = yield from self._read_window(room)
            if found.stopped == csv_rows.FULL:
                room = room if found.at > before else window.size - window.at
                continue
            if window.last:
                return
            if window.size - window.at > self._limit:
                self._skip_row()
            else:
                self._extend()

    def _extend(self) -> None:
        window = self._window
        wanted = min(2 * (window.size - window.at), self._limit + 1)
        window.extend()
        while not window.last and window.size - window.at < wanted:
            window.extend()

    def _place_columns(self, names: list[str]) -> None:
        try:
            columns = choose_columns(names, self._selection, "the first row")
        except MalformedInput:
            raise Torn(reasons.NO_COLUMN) from None
        wanted = [names.index(name) for name in columns]
        for name, aliases in BESIDE:
            places = [names.index(alias) for alias in aliases if alias in names]
            if places:
                self._beside.append((name, places))
        # a column may be the text and be read beside it too: each is read once
        order = list(dict.fromkeys([*wanted, *(place for _, places in self._beside for place in places)]))
        slot_of = {place: slot for slot, place in enumerate(order)}
        self._slots = np.array([slot_of.get(place, -1) for place in range(len(names))], np.int64)
        self._text_slots = [slot_of[place] for place in wanted]
        self._beside = [(name, [slot_of[place] for place in places]) for name, places in self._beside]

    def _read_window(self, room: int) -> Generator[Batch, None, Found]:
        window = self._window
        most = min(MOST_DOCUMENTS, room // 2 + 1)
        width = int(self._slots.max()) + 1
        rows = Rows(
            np.empty(min(room, window.size - window.at), np.uint8),
            np.empty((most, width, 2), np.int64),
            np.empty(most, np.int64),
            np.empty((most, 2), np.int64),
        )
        found = read_rows(
            window.data,
            window.size,
            window.at,
            window.last,
            self._ledger.rows,
            self._limit,
            ord(self._delimiter),
            self._slots,
            rows,
        )
        window.at = found.at
        for row, why in rows.missed[: found.misses].tolist():
            self._ledger.miss(row, _REASONS[why])
        self._ledger.rows = found.row
        if found.taken:
            yield from self._take(rows, found)
        return found

    def _take(self, rows: Rows, found: Found) -> Iterator[Batch]:
        fields = rows.fields[: found.taken][:, self._text_slots]
        starts = np.ascontiguousarray(fields[:, :, 0]).reshape(-1)
        ends = np.ascontiguousarray(fields[:, :, 1]).reshape(-1)
        owners = np.repeat(np.arange(found.taken, dtype=np.int64), len(self._text_slots))
        lengths, _ = measure_documents(starts, ends, owners, found.taken)
        kept = lengths <= self._limit
        data, offsets = join_documents(rows.out, starts, ends, owners, lengths, kept)
        for row in rows.rows[: found.taken][~kept].tolist():
            self._ledger.miss(row, reasons.TOO_LONG)
        beside = self._beside if self._gatherer.keeps_about else []
        about = {name: self._say(rows, np.flatnonzero(kept).tolist(), places) for name, places in beside}
        yield from self._gatherer.add(data, offsets, rows.rows[: found.taken][kept], about)

    def _say(self, rows: Rows, documents: list[int], places: list[int]) -> list[str | None]:
        view = memoryview(rows.out.data)
        said: list[str | None] = []
        for document in documents:
            value = None
            for place in places:
                start, end = rows.fields[document, place].tolist()
                if 0 < end - start <= 4 * MOST_BESIDE:
                    value = str(view[start:end], "utf-8", "replace")[:MOST_BESIDE]
                    break
            said.append(value)
        return said

    def _skip_row(self) -> None:
        """Drop a row that is longer than the limit, without holding it."""
        window = self._window
        row = self._ledger.rows
        self._ledger.rows += 1
        state, ended, stored = csv_rows.START, False, 0
        while not ended:
            before = window.at
            window.at, state, ended = skip_row(window.data, window.size, before, state, ord(self._delimiter))
            stored += window.at - before
            if not ended:
                if window.last:
                    break
                window.extend()
        if not ended and state == csv_rows.QUOTED:
            # everything from the quote on: nobody can know how many rows
            self._ledger.miss(row, reasons.OPEN_QUOTE, 0, stored)
        else:
            self._ledger.miss(row, reasons.TOO_LONG)
