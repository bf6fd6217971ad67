"""Server-sent events, read as they arrive: whole events out, however the bytes were cut, in bounded memory.

After https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2: lines end in LF, CRLF or CR, an empty
line ends an event, a byte order mark may stand at the start, lines that begin with a colon are comments.
"""

from __future__ import annotations

from typing import NamedTuple

from verilabel.gateway.wire.interface import MalformedStream

EVENT_LIMIT = 1 << 20
"""Bytes of one event, with its lines' names and ends."""

_BOM = b"\xef\xbb\xbf"
_ENDS = (b"\n", b"\r\n", b"\r")
_NAME_LIMIT = 128


class Event(NamedTuple):
    """What one event says. `data` is None for an event without data, which clients do not see.

    `is_plain` says that the event has nothing besides one line of data and, before it, at most one with its name.
    """

    name: str | None
    data: bytes | None
    is_plain: bool


class EventReader:
    """Cuts a stream of bytes into events, each with the empty line that ends it, byte for byte.

    Work is linear in the bytes fed, and no more than `limit` bytes are kept. A byte order mark at the start is left
    out. Where lines end in CR, an event is given out at once; should LF follow, it stands before the next event, which
    reads it as an empty line.
    """

    __slots__ = ("_has_begun", "_has_cr", "_limit", "_line_open", "_pending", "_skip_lf", "_waits_for_lf")

    def __init__(self, *, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._has_begun = False
        self._has_cr = False
        self._line_open = False
        self._skip_lf = False
        self._waits_for_lf = False

    @property
    def held_bytes(self) -> int:
        """Bytes of an event whose end has not come yet."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what one read brought; give the events that are whole now. Raises MalformedStream beyond the limit."""
        if not self._has_begun:
            data = self._without_mark(data)
        if self._has_cr or b"\r" in data:
            return self._feed_any_ends(data)
        pending = self._pending
        if pending:
            search_from = len(pending) - 1
            pending += data
            if pending.find(b"\n\n", search_from) < 0:
                self._check_size(len(pending))
                return []
            data = bytes(pending)
            pending.clear()
        events = data.split(b"\n\n")
        rest = events.pop()
        if rest:
            pending += rest
            self._check_size(len(rest))
        if len(data) > self._limit:
            self._check_size(max(map(len, events), default=0))
        return [event + b"\n\n" for event in events]

    def finish(self) -> bytes:
        """What is left when the stream has ended: the start of an event whose end never came, or nothing."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise MalformedStream(f"an event of the upstream's stream is longer than {self._limit} bytes")

    def _without_mark(self, data: bytes) -> bytes:
        data = bytes(self._pending) + data
        self._pending.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._pending += data
            return b""
        self._has_begun = True
        return data.removeprefix(_BOM)

    def _feed_any_ends(self, data: bytes) -> list[bytes]:
        if not self._has_cr:
            # what waits has LF alone and no empty line: only whether its last line is open matters from here on
            self._has_cr = True
            self._line_open = bool(self._pending) and not self._pending.endswith(b"\n")
        events: list[bytes] = []
        if not data:
            return events
        pending = self._pending
        if self._skip_lf:
            self._skip_lf = False
            if data.startswith(b"\n"):
                pending += b"\n"
                data = data[1:]
            if self._waits_for_lf:
                events.append(bytes(pending))
                pending.clear()
                self._waits_for_lf = False
        for line in data.splitlines(keepends=True):  # of bytes: LF, CR and CRLF alone
            is_empty = not self._line_open and line in _ENDS
            # where lines end in CRLF, a CR that came last is the half of one
            self._waits_for_lf = is_empty and line == b"\r" and pending.endswith(b"\n")
            pending += line
            if is_empty:
                events.append(bytes(pending))
                pending.clear()
            else:
                self._check_size(len(pending))
            self._line_open = not line.endswith((b"\n", b"\r"))
        if self._waits_for_lf:
            pending += events.pop()
        self._skip_lf = data.endswith(b"\r")
        return events


def read_event(raw: bytes) -> Event:
    """Read one event as EventReader gives it. Raises MalformedStream for a name that is none."""
    name: str | None = None
    data: list[bytes] = []
    seen: list[bytes] = []
    for line in raw.splitlines():
        if not line:
            continue
        field, _, value = line.partition(b":")
        seen.append(field)
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = _read_name(value)
    is_plain = seen in ([b"data"], [b"event", b"data"])
    return Event(name, b"\n".join(data) if data else None, is_plain)


def write_event(data: bytes, name: str | None = None) -> bytes:
    """One event with one line of data."""
    if name is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _read_name(value: bytes) -> str:
    if len(value) <= _NAME_LIMIT and value.isascii():
        name = value.decode("ascii")
        if not name or name.replace(".", "").replace("_", "").replace("-", "").isalnum():
            return name
    raise MalformedStream("an event of the upstream's stream has a name that is no name")
