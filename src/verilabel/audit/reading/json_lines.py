"""Lines of JSON as documents: by the compiled reader where the text is one top-level key, else object by object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.columns import BESIDE, USUAL, find_beside, find_texts, plain_name
from verilabel.audit.reading.gathering import MOST_DOCUMENTS, About, Gatherer
from verilabel.audit.reading.kernels import json_objects
from verilabel.audit.reading.kernels.json_objects import Found, Lines, make_keys, read_objects
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.repairing import find_damage
from verilabel.audit.reading.windows import Window
from verilabel.audit.settings import Selection

MOST_PARSED = 8 * 2**20
"""Bytes of a line that is given to a parser which builds objects: they take many times the room of the line."""
MOST_BESIDE = 4_096
"""Characters of a URL, a date or a licence; longer ones are not taken."""
_STRIDE = 4 * 2**20
_REASONS = {
    json_objects.NO_TEXT: reasons.NO_TEXT,
    json_objects.NOT_TEXT: reasons.NOT_TEXT,
    json_objects.NOT_OBJECT: reasons.NOT_OBJECT,
    json_objects.TOO_LONG: reasons.TOO_LONG,
}


def parse_object(line: bytes) -> tuple[dict[str, Any] | None, bool]:
    """A line as an object (None where it is none), and whether bytes of it were repaired.

    Of a key that stands twice the last counts. Lone surrogates and bytes that are not UTF-8 become U+FFFD.
    """
    import orjson

    try:
        found = orjson.loads(line)
        return (found if isinstance(found, dict) else None), False
    except orjson.JSONDecodeError:
        text = line.decode("utf-8", "replace")
    try:
        # numbers beyond what a machine counts with are JSON; their values are not needed
        found = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None, False
    repaired = b"\xef\xbf\xbd" in text.encode("utf-8", "replace") and not _is_utf8(line)
    return (found if isinstance(found, dict) else None), repaired


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _number(said: str) -> str | int:
    return 0 if len(said) > 40 else int(said) if said.lstrip("-").isdigit() else 0


def _refuse(said: str) -> None:
    raise ValueError(f"{said} is not JSON")


def join_texts(texts: list[str]) -> tuple[bytes, bool]:
    """The texts with a blank line between them in UTF-8, and whether a surrogate was alone in one."""
    joined = "\n\n".join(texts)
    try:
        return joined.encode(), False
    except UnicodeEncodeError:
        return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode(), True


class LineReader:
    """Reads one shard of lines."""

    def __init__(
        self,
        blocks: Iterator[Bytes],
        selection: Selection,
        ledger: Ledger,
        gatherer: Gatherer,
        batch_bytes: int,
    ) -> None:
        self._window = Window(blocks)
        self._limit = selection.max_document_bytes
        self._columns = selection.columns
        self._ledger = ledger
        self._gatherer = gatherer
        self._batch_bytes = batch_bytes

    def read(self) -> Iterator[Batch]:
        """The documents of the shard. Raises Torn where the stream does."""
        window = self._window
        window.extend()
        if window.data[:3].tobytes() == b"\xef\xbb\xbf":
            window.at = 3
        plain = len(self._columns) <= 1 and all(plain_name(path) for path in self._columns)
        step = self._read_compiled if plain else self._read_parsed
        while True:
            before = window.at
            yield from step()
            if window.at < window.size and window.at > before:
                continue
            if window.last:
                return
            if window.size - window.at > self._limit:
                self._skip_line()
            else:
                self._extend()

    def _extend(self) -> None:
        """Take more of the stream: a line that does not end is looked at again only when there is twice as much."""
        window = self._window
        wanted = min(2 * (window.size - window.at), self._limit + 1)
        window.extend()
        while not window.last and window.size - window.at < wanted:
            window.extend()

    def _skip_line(self) -> None:
        """Drop a line that is longer than the limit, without holding it."""
        window = self._window
        self._miss(reasons.TOO_LONG)
        while True:
            while window.at < window.size:
                part = window.data[window.at : min(window.size, window.at + _STRIDE)].tobytes()
                place = part.find(b"\n")
                if place >= 0:
                    window.at += place + 1
                    return
                window.at += len(part)
            if window.last:
                return
            window.extend()

    def _miss(self, reason: str) -> None:
        self._ledger.miss(self._ledger.rows, reason)
        self._ledger.rows += 1

    # one top-level key, compiled

    def _read_compiled(self) -> Iterator[Batch]:
        window = self._window
        keys = make_keys(
            list(self._columns or USUAL),
            [(name, group) for group, (_, names) in enumerate(BESIDE) for name in names],
        )
        damage = find_damage(window.data, window.at, window.size)
        room = 2 * self._batch_bytes
        while window.at < window.size:
            size, last, damaged_end = self._sound_part(damage)
            lines = _make_lines(min(size - window.at, room))
            found = read_objects(
                window.data, size, window.at, last, self._ledger.rows, self._limit, keys, lines
            )
            yield from self._take(lines, found)
            advanced = found.at > window.at
            window.at = found.at
            if found.stopped == json_objects.LEFT_OVER:
                yield from self._read_line(found.close)
            elif found.stopped == json_objects.FULL:
                room = room if advanced else size - window.at
            elif damaged_end:
                yield from self._read_line(damaged_end)
                damage = find_damage(window.data, window.at, window.size)
            else:
                return

    def _sound_part(self, damage: int) -> tuple[int, bool, int]:
        """Up to where the window can be read compiled, whether that is the end, and where a damaged line behind ends.

        A damaged line whose end is not there yet is read when it is.
        """
        window = self._window
        if damage >= window.size:
            return window.size, window.last, 0
        start = _find_back(window.data, window.at, damage)
        end = _find_on(window.data, damage, window.size)
        if end < 0 and not window.last:
            return start, False, 0
        return start, False, (window.size if end < 0 else end)

    def _take(self, lines: Lines, found: Found) -> Iterator[Batch]:
        for row, what in lines.missed[: found.misses].tolist():
            self._ledger.miss(row, _REASONS[what])
        self._ledger.rows = found.row
        if found.documents:
            spans = lines.spans[: found.documents]
            about = _say_beside(self._window.data, spans) if self._gatherer.keeps_about else {}
            yield from self._gatherer.add(
                lines.out[: found.used],
                lines.offsets[: found.documents + 1],
                lines.rows[: found.documents],
                about,
                sound=True,
            )

    def _read_line(self, end: int) -> Iterator[Batch]:
        """The line from where the window stands to its end, by the parser that builds objects."""
        window = self._window
        line = window.data[window.at : end]
        window.at = min(end + 1, window.size)
        yield from self._parse_line(line)

    # object by object

    def _read_parsed(self) -> Iterator[Batch]:
        window = self._window
        stride = _STRIDE
        while window.at < window.size:
            part = window.data[window.at : min(window.size, window.at + stride)]
            behind = window.at + len(part) == window.size
            cut = len(part) if behind and window.last else _find_back(part, 0, len(part))
            if cut == 0 and behind:
                return
            if cut == 0:
                stride *= 2
                continue
            at = 0
            while at < cut:
                end = _find_on(part, at, cut)
                end = cut if end < 0 else end
                yield from self._parse_line(part[at:end])
                at = end + 1
            window.at += cut
            stride = _STRIDE

    def _parse_line(self, line: Bytes) -> Iterator[Batch]:
        if len(line) > self._limit:
            self._miss(reasons.TOO_LONG)
            return
        if len(line) > MOST_PARSED:
            self._miss(reasons.TOO_LARGE)
            return
        raw = line.tobytes()
        if not raw.strip(b" \t\r"):
            return
        document, repaired = parse_object(raw)
        if document is None:
            self._miss(reasons.NOT_OBJECT)
            return
        texts = find_texts(document, self._columns)
        if isinstance(texts, str):
            self._miss(texts)
            return
        data, mended = join_texts(texts)
        if len(data) > self._limit:
            self._miss(reasons.TOO_LONG)
            return
        self._ledger.repaired += repaired or mended
        row = self._ledger.rows
        self._ledger.rows += 1
        about = {
            name: [value if value is None or len(value) <= MOST_BESIDE else None]
            for (name, _), value in zip(BESIDE, find_beside(document), strict=True)
            if value is not None
        }
        yield from self._gatherer.add_text(data, row, about)


def _make_lines(room: int) -> Lines:
    most = min(MOST_DOCUMENTS, room // 2 + 1)
    offsets = np.empty(most + 1, np.int64)
    offsets[0] = 0
    return Lines(
        np.empty(room, np.uint8),
        offsets,
        np.empty(most, np.int64),
        np.empty((most, json_objects.GROUPS, 3), np.int64),
        np.empty((most, 2), np.int64),
    )


def _say_beside(window: Bytes, spans: npt.NDArray[np.int64]) -> About:
    import orjson

    about = {}
    view = memoryview(window.data)
    for group, (name, _) in enumerate(BESIDE):
        kinds = spans[:, group, 2]
        if not kinds.any():
            continue
        values: list[str | None] = []
        starts, ends = spans[:, group, 0].tolist(), spans[:, group, 1].tolist()
        for start, end, kind in zip(starts, ends, kinds.tolist(), strict=True):
            if kind == json_objects.ABSENT or end - start > 6 * MOST_BESIDE:
                values.append(None)
                continue
            value = str(view[start:end], "utf-8", "replace")
            if kind == json_objects.ESCAPED:
                value = orjson.loads(f'"{value}"')
            values.append(value if len(value) <= MOST_BESIDE else None)
        about[name] = values
    return about


def _find_on(data: Bytes, at: int, end: int) -> int:
    """The first LF of `data[at:end]`, or -1."""
    step = 4096
    while at < end:
        part = data[at : min(end, at + step)].tobytes()
        place = part.find(b"\n")
        if place >= 0:
            return at + place
        at += len(part)
        step = min(2 * step, _STRIDE)
    return -1


def _find_back(data: Bytes, start: int, at: int) -> int:
    """Behind the last LF of `data[start:at]`, or `start`."""
    step = 4096
    while at > start:
        first = max(start, at - step)
        place = data[first:at].tobytes().rfind(b"\n")
        if place >= 0:
            return first + place + 1
        at = first
        step = min(2 * step, _STRIDE)
    return start
