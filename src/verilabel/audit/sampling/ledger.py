"""What judges and detectors have said already: an answer that is kept is not asked for again."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from verilabel.audit.sampling.measurers import Said
from verilabel.errors import MalformedInput
from verilabel.records.canonical import digest

FILE = "sample-ledger.jsonl"
MAX_LINE_BYTES = 65_536


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    measurer: str
    """Digest of the card."""
    passage: str
    """Digest of the text."""
    said: Said


class Ledger:
    """Answers by detector and passage, in a file that only grows, readable by its owner alone.

    Failures are not kept: they are asked again. A last line that a crash tore is cut away; any other line that cannot
    be read raises MalformedInput. One process may have it open.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known: dict[tuple[str, str], Said] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b")
        try:
            whole = self._read(file)
            file.truncate(whole)
            file.seek(whole)
        except BaseException:
            file.close()
            raise
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _read(self, file: BinaryIO) -> int:
        whole = 0
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
            if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
                break
            try:
                entry = msgspec.json.decode(line, type=_Entry)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise MalformedInput(
                    "not a line of this ledger",
                    where=f"{self._path}: line {number}",
                    hint="remove the file; every judge is asked anew",
                ) from error
            self._known[entry.measurer, entry.passage] = entry.said
            whole += len(line)
        return whole

    def look_up(self, card_digest: str, text: str) -> Said | None:
        """What was said of a passage, or None."""
        return self._known.get((card_digest, _digest(text)))

    def keep(self, card_digest: str, text: str, said: Said) -> None:
        """Keep an answer, in one write."""
        assert self._file is not None, "the ledger is open"
        entry = _Entry(card_digest, _digest(text), said)
        self._known[entry.measurer, entry.passage] = said
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self._file.flush()


def _digest(text: str) -> str:
    return digest(text.encode("utf-8", "replace"))
