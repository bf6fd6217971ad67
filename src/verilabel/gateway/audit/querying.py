"""Finds records in a folder of audit files, oldest file first, and follows files that are being written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from verilabel.errors import MalformedInput, UsageError
from verilabel.gateway.audit.lines import MAX_LINE_BYTES, RecordLine, decode_line, files_of

FOLLOW_EVERY_S = 0.25


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are wanted: those that are equal in everything that is not None."""

    key: str | None = None
    user: str | None = None
    route: str | None = None
    outcome: str | None = None
    id: str | None = None
    guard: str | None = None
    since_us: int = 0

    def wants(self, record: RecordLine) -> bool:
        """True if a record is one of those wanted."""
        return (
            record.at_us >= self.since_us
            and self.key in (None, record.key)
            and self.user in (None, record.user)
            and self.route in (None, record.route)
            and self.outcome in (None, record.outcome)
            and self.id in (None, record.id)
            and (self.guard is None or any(self.guard == finding.guard for finding in record.findings))
        )


def find_records(folder: Path, query: Query) -> Iterator[RecordLine]:
    """The records of a folder that are wanted, file by file. What cannot be read is passed over: `verify_trail`
    names it.

    Raises UsageError where there are no audit files.
    """
    files, others = files_of(folder)
    if not files and not others:
        raise UsageError(
            "there is no audit trail here", where=str(folder), hint="the gateway's `audit: folder`"
        )
    for path in files:
        yield from _read_from(path, 0, query)[1]


def follow_records(folder: Path, query: Query, *, is_over: Callable[[], bool]) -> Iterator[RecordLine]:
    """The records that there are and those that are written from now on, in new files too, until `is_over`."""
    places: dict[Path, int] = {}
    while not is_over():
        for path in files_of(folder)[0]:
            with suppress(FileNotFoundError):
                place = places.get(path, 0)
                if path.stat().st_size > place:
                    places[path], found = _read_from(path, place, query)
                    yield from found
        time.sleep(FOLLOW_EVERY_S)


def _read_from(path: Path, place: int, query: Query) -> tuple[int, Iterator[RecordLine]]:
    """Where reading ends (behind the last whole line there is now), and the wanted records up to there."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        back = size
        while back > place:
            start = max(place, back - 65536)
            file.seek(start)
            found = file.read(back - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1, _wanted(path, place, start + found + 1, query)
            back = start
    return place, iter(())


def _wanted(path: Path, start: int, end: int, query: Query) -> Iterator[RecordLine]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (line := file.readline(MAX_LINE_BYTES + 1)):
            start += len(line)
            with suppress(MalformedInput):
                record = decode_line(line.rstrip(b"\n"), path.name)
                if isinstance(record, RecordLine) and query.wants(record):
                    yield record
