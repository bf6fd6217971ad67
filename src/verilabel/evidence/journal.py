"""The evidence store of a run: an append-only journal that is also how a run resumes.

Every finished attempt is appended as it happens, in one `write`, so that a killed process loses only what was in
flight; a line cut short by the kill is cut away when the journal is opened again. A lock keeps a second run out.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from verilabel.errors import LimitExceeded, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.layout import MAX_LINE_BYTES
from verilabel.evidence.lines import Line, decode_line, encode_lines
from verilabel.records.canonical import digest

JOURNAL = "journal.jsonl"
LOCK = "lock"


class Store:
    """A folder with a run's inputs (plan, system, rubric, suite indexes) and its journal.

    `documents` are written once, before the first request, and compared on every later opening: a run cannot be
    continued under another plan.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None
        self._journal: int | None = None
        self._size = 0

    def __enter__(self) -> Store:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise UsageError(
                "another run is writing into this store",
                where=str(self.folder),
                hint="wait for it, or give this run its own --out",
            ) from None
        try:
            self._journal = os.open(
                self.folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
            )
            self._cut_torn_line()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._journal is not None:
                os.fsync(self._journal)
        finally:
            self._close()

    def _close(self) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- documents -------------------------------------------------------------------------------------------

    def put_document(self, path: str, data: bytes) -> None:
        """Keep an input of the run. Raises UsageError if another one is kept there already."""
        target = self.folder / path
        if target.exists():
            if target.read_bytes() != data:
                raise UsageError(
                    f"this store was begun with another {path} (kept {digest(target.read_bytes())[:19]}..., "
                    f"given {digest(data)[:19]}...)",
                    where=str(self.folder),
                    hint="continue with the same options, or give this run its own --out",
                )
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, data)

    def document(self, path: str) -> bytes:
        """An input of the run as it was kept. Raises UsageError if there is none."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            raise UsageError(
                f"no {path} in this store", where=str(self.folder), hint="start it with `verilabel run`"
            ) from None

    def has_document(self, path: str) -> bool:
        """True if the store keeps this input."""
        return (self.folder / path).is_file()

    def document_paths(self) -> list[str]:
        """The paths of all kept inputs, sorted."""
        skip = {JOURNAL, LOCK}
        found = (p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        return sorted(path for path in found if path not in skip and not path.endswith(".tmp"))

    # -- journal ---------------------------------------------------------------------------------------------

    def append(self, records: Iterable[Line]) -> None:
        """Append records as one write.

        Raises OSError (disk full) and LimitExceeded (a line that could not be read again); after either the
        journal is as it was before.
        """
        assert self._journal is not None, "the store is open"
        data = encode_lines(records)
        if len(data) > MAX_LINE_BYTES and max(map(len, data.split(b"\n"))) >= MAX_LINE_BYTES:
            raise LimitExceeded(
                f"a record of over {MAX_LINE_BYTES} bytes cannot be kept", where=str(self.folder)
            )
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._journal, view) :]
        except OSError as error:
            os.ftruncate(self._journal, self._size)
            error.filename = error.filename or str(self.folder / JOURNAL)
            raise
        self._size += len(data)

    def sync(self) -> None:
        """Force what was appended onto the disk."""
        if self._journal is not None:
            os.fdatasync(self._journal)

    def records(self) -> Iterator[Line]:
        """All records in the order they were appended. Raises MalformedInput naming a line that is not one."""
        path = self.folder / JOURNAL
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise LimitExceeded(f"a line of over {MAX_LINE_BYTES} bytes", where=f"{path}:{number}")
                yield decode_line(line.rstrip(b"\n"), f"{path}:{number}")

    def _cut_torn_line(self) -> None:
        assert self._journal is not None
        size = os.fstat(self._journal).st_size
        end = size
        while end:
            start = max(0, end - 65536)
            block = os.pread(self._journal, end - start, start)
            newline = block.rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != size:
            os.ftruncate(self._journal, end)
        self._size = end
