"""The audit trail of one worker: a record is one write to a file that only grows, before its answer goes out.

A killed process loses nothing that was written; against a power cut a thread of its own forces the file to the disk
every `sync_ms`. That thread also signs checkpoints, names how far the files of other workers went, and begins a new
file each day, at `MAX_FILE_BYTES`, and where somebody took the file away. While writing fails, `append` raises and
`is_writable` is False: requests are refused until a line can be written again, and that line says how many were lost.
"""

from __future__ import annotations

import errno
import os
import secrets
import string
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

import msgspec

from verilabel import __version__
from verilabel.errors import UsageError, VerilabelError
from verilabel.evidence.atomic import flush_folder, write_file
from verilabel.evidence.keys import PrivateKey, load_key
from verilabel.evidence.note import sign_note
from verilabel.gateway.audit.lines import (
    FORMAT,
    MAX_LINE_BYTES,
    START,
    SUFFIX,
    CheckpointLine,
    Closed,
    Gap,
    Head,
    Header,
    Unkeyed,
    encode,
    files_of,
    head_of,
    seal_line,
)
from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.policy.document import AuditSettings

MAX_FILE_BYTES = 256 * 2**20
LOOK_EVERY_S = 1.0
UNKEYED_A_SECOND = 10
"""Requests without a key in force that have records of their own; further ones are counted."""
NOTE_TITLE = "verilabel/audit-checkpoint/v1"
CHECKPOINT_SUFFIX = ".checkpoint"
_NAME = frozenset(string.ascii_letters + string.digits + "._-")


class AuditUnwritable(VerilabelError):
    """A record could not be written: the request it is about must not be answered."""


def checkpoint_text(file: str, lines: int, h: str, at_us: int) -> str:
    """The text that a checkpoint's note signs: the file's name, its number of lines, the last one's h, the time."""
    return f"{NOTE_TITLE}\n{file}\n{lines}\n{h}\n{at_us}\n"


class _File:
    """A file that is written: where it stands, and what the next line follows."""

    __slots__ = ("day", "descriptor", "h", "lines", "path", "size")

    def __init__(self, path: Path, day: date) -> None:
        self.path = path
        self.day = day
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self.descriptor = os.open(path, flags, 0o600)
        self.size = 0
        self.lines = 0
        self.h = START

    @property
    def head(self) -> Head:
        """How far it went."""
        return Head(self.path.name, self.lines, self.h.hex())

    def add(self, body: bytes) -> None:
        """Write one line, whole or not at all. Raises OSError, also where the file has no name any more."""
        if not os.fstat(self.descriptor).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the file was taken away")
        line, h = seal_line(body, self.lines, self.h)
        try:
            written = os.write(self.descriptor, line)
            while written < len(line):
                written += os.write(self.descriptor, line[written:])
        except OSError:
            with suppress(OSError):
                self.cut()
            raise
        self.h = h
        self.lines += 1
        self.size += len(line)

    def cut(self) -> None:
        """Take away what a write that failed left. Raises OSError."""
        os.ftruncate(self.descriptor, self.size)

    def is_in_place(self) -> bool:
        """True if the name still leads to the open file, and nobody else made it shorter or longer."""
        try:
            named, opened = self.path.lstat(), os.fstat(self.descriptor)
        except OSError:
            return False
        return (named.st_dev, named.st_ino, opened.st_size) == (opened.st_dev, opened.st_ino, self.size)


class AuditTrail:
    """The trail of one worker. `append` may be called from any thread; use `open`, and `close` at the end."""

    def __init__(
        self,
        folder: Path,
        worker: str,
        *,
        policy: str,
        key: PrivateKey | None,
        keeps_content: bool,
        sync_s: float,
        checkpoint_s: float,
        clock_us: Callable[[], int],
    ) -> None:
        self.folder = folder
        self.policy = policy
        """Digest of the policy in force, for the headers of files to come."""
        self.is_writable = True
        self.lost = 0
        """Records that could not be written since the trail was opened."""
        self.appended = 0
        self.faults = 0
        """Times that syncing, looking or signing failed."""
        self._worker = worker
        self._key = key
        self._keeps_content = keeps_content
        self._sync_s = sync_s
        self._checkpoint_s = checkpoint_s
        self._clock_us = clock_us
        self._lock = threading.Lock()
        """Over the file, for microseconds: the event loop may wait for it."""
        self._safety = threading.RLock()
        """Over what the thread does, which may take long."""
        self._stopped = threading.Event()
        self._named: dict[str, tuple[int, Head]] = {}
        self._untold = 0
        self._unkeyed_second = -1
        self._unkeyed_written = 0
        self._unkeyed_untold = 0
        self._counting_second = -1
        self._is_unsynced = True
        self._file = self._prepare_file()
        self._file.add(self._header_body(self._file, self._other_heads(), after=None))
        self._sign(self._file)
        os.fsync(self._file.descriptor)
        flush_folder(folder)
        self._thread = threading.Thread(target=self._keep_safe, name="audit", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        settings: AuditSettings,
        worker: str,
        *,
        folder: Path | None = None,
        policy: str = "",
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> Self:
        """Begin a file of a worker in the folder of the settings (relative paths begin at `folder`).

        `policy` is the digest of the policy in force. Raises UsageError for a worker's name that cannot be part of a
        file's, OSError where the folder cannot be written, and what `load_key` raises.
        """
        if not worker or len(worker) > 40 or set(worker) - _NAME:
            raise UsageError(
                f"{worker!r} cannot name a worker", hint="letters, digits, dots, dashes and underscores"
            )
        place = (folder or Path()) / settings.folder
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = None if settings.key is None else load_key((folder or Path()) / settings.key)
        return cls(
            place,
            worker,
            policy=policy,
            key=key,
            keeps_content=settings.content,
            sync_s=settings.sync_ms / 1000,
            checkpoint_s=settings.checkpoint_s,
            clock_us=clock_us,
        )

    @property
    def path(self) -> Path:
        """The file that is written now."""
        return self._file.path

    @property
    def head(self) -> Head:
        """How far the file that is written now went."""
        with self._lock:
            return self._file.head

    # -- records ---------------------------------------------------------------------------------------------

    def append(self, record: AuditRecord) -> None:
        """Write one record. Raises AuditUnwritable, after which the file is as it was before."""
        if record.content is not None and not self._keeps_content:
            record = msgspec.structs.replace(record, content=None)
        try:
            body = _encode_record(record)
        except (UnicodeError, TypeError, ValueError, OverflowError):
            # no text of the record is repeated: it may be content
            raise AuditUnwritable("a record has no JSON form", where=str(self.path)) from None
        with self._lock:
            try:
                if not self.is_writable:
                    self._tell_gap()
                if self._unkeyed_untold and self._second() != self._counting_second:
                    self._tell_unkeyed()
                self._file.add(body)
            except OSError as error:
                self.is_writable = False
                self.lost += 1
                self._untold += 1
                raise AuditUnwritable(
                    f"the audit trail cannot be written: {error.strerror}",
                    where=str(self.path),
                    hint="free some space; requests are refused until it can be written",
                ) from None
            self.appended += 1
            self._is_unsynced = True

    def append_unkeyed(self, record: AuditRecord) -> None:
        """Write the record of a request that had no key in force, or count it. Raises AuditUnwritable.

        Whoever has no key could fill the disk with such records: `UNKEYED_A_SECOND` are written, and a line of its
        own says within a second how many more there were.
        """
        with self._lock:
            second = self._second()
            if second != self._unkeyed_second:
                self._unkeyed_second, self._unkeyed_written = second, 0
            elif self._unkeyed_written >= UNKEYED_A_SECOND and self.is_writable:
                self._unkeyed_untold += 1
                self._counting_second = second
                return
            self._unkeyed_written += 1
        self.append(record)

    def tell_unkeyed(self) -> None:
        """Write down how many requests without a key were counted alone, where there are any. Raises OSError."""
        with self._lock:
            if not self.is_writable:
                return
            try:
                self._tell_unkeyed()
            except OSError:
                self.is_writable = False
                raise

    def _tell_unkeyed(self) -> None:
        if self._unkeyed_untold:
            self._file.add(encode(Unkeyed(at_us=self._clock_us(), refused=self._unkeyed_untold)))
            self._unkeyed_untold = 0
            self._is_unsynced = True

    def _second(self) -> int:
        return self._clock_us() // 1_000_000

    def _tell_gap(self) -> None:
        """Go on where writing had failed: first of all say how many records were lost. Raises OSError."""
        self._file.cut()
        self._file.add(encode(Gap(at_us=self._clock_us(), lost=self._untold)))
        self._untold = 0
        self.is_writable = True
        self._is_unsynced = True

    # -- files -----------------------------------------------------------------------------------------------

    def _prepare_file(self) -> _File:
        moment = datetime.fromtimestamp(self._clock_us() / 1e6, UTC)
        name = f"{moment:%Y%m%dT%H%M%SZ}-{self._worker}-{secrets.token_hex(4)}{SUFFIX}"
        return _File(self.folder / name, moment.date())

    def _header_body(self, file: _File, heads: list[Head], after: Head | None) -> bytes:
        left_out = {file.path.name, "" if after is None else after.file}
        header = Header(
            at_us=self._clock_us(),
            format=FORMAT,
            file=file.path.name,
            worker=self._worker,
            gateway=__version__,
            policy=self.policy,
            heads=tuple(head for head in heads if head.file not in left_out),
            after=after,
            key=None if self._key is None else self._key.public.line,
        )
        return encode(header)

    def _turn(self, *, is_whole: bool) -> None:
        """Go on in a new file. `is_whole` is False where the old one was taken away: then nothing more is added."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        heads = self._other_heads()
        new, old = self._prepare_file(), self._file
        try:
            with self._lock:
                new.add(self._header_body(new, heads, after=old.head))
                self._sign(new)
                if is_whole:  # last: a file that is closed is never written again
                    self._sign(old)
                    old.add(encode(Closed(at_us=self._clock_us(), next=new.path.name)))
                self._file = new
        except OSError:
            self.is_writable = False
            new.path.unlink(missing_ok=True)
            os.close(new.descriptor)
            raise
        with suppress(OSError):
            os.fsync(old.descriptor)
        os.close(old.descriptor)
        os.fsync(new.descriptor)
        flush_folder(self.folder)

    def _sign(self, file: _File) -> None:
        if self._key is not None:
            file.add(self._checkpoint_body(file, ()))

    def _other_heads(self, *, changed_alone: bool = False) -> list[Head]:
        """How far all files of the folder but the open one went; with `changed_alone` those that went on since."""
        heads = []
        own = getattr(self, "_file", None)
        for path in files_of(self.folder)[0]:
            if own is not None and path == own.path:
                continue
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                known = self._named.get(path.name)
                if known is None or known[0] != size:
                    self._named[path.name] = known = size, head_of(path)
                elif changed_alone:
                    continue
                heads.append(known[1])
        return heads

    # -- safety ----------------------------------------------------------------------------------------------

    def checkpoint(self) -> bytes | None:
        """Write a checkpoint now; its signed note, or None without a key. Raises OSError.

        The note is also in a file of its own beside the trail's, to be copied elsewhere.
        """
        with self._safety:
            heads = tuple(self._other_heads(changed_alone=True))
            with self._lock:
                path = self._file.path
                body = self._checkpoint_body(self._file, heads)
                self._file.add(body)
                self._is_unsynced = True
            note = msgspec.json.decode(body).get("note")
            if note is None:
                return None
            data = str(note).encode("utf-8")
            write_file(path.with_suffix(CHECKPOINT_SUFFIX), data, mode=0o600, overwrite=True)
            return data

    def _checkpoint_body(self, file: _File, heads: tuple[Head, ...]) -> bytes:
        now = self._clock_us()
        note = None
        if self._key is not None:
            text = checkpoint_text(file.path.name, file.lines, file.h.hex(), now)
            note = sign_note(text, self._key).decode("utf-8")
        return encode(CheckpointLine(at_us=now, heads=heads, note=note))

    def sync(self) -> None:
        """Force what was appended onto the disk. Raises OSError."""
        with self._safety:
            if not self._is_unsynced:
                return
            self._is_unsynced = False
            try:
                os.fdatasync(self._file.descriptor)
            except OSError:
                self.is_writable = False
                raise

    def look(self) -> None:
        """Begin a new file where the day is another, the file is large, or is not the one that was written.

        Raises OSError where that cannot be done.
        """
        with self._safety:
            with self._lock:
                is_whole = self._file.is_in_place()
            day = datetime.fromtimestamp(self._clock_us() / 1e6, UTC).date()
            if not is_whole or self._file.size > MAX_FILE_BYTES or day != self._file.day:
                self._turn(is_whole=is_whole)

    def mend(self) -> None:
        """Where writing had failed, try whether it works again. Raises OSError."""
        with self._lock:
            if not self.is_writable:
                self._tell_gap()

    def _keep_safe(self) -> None:
        """The thread: sync, mend, look after the file, sign. What fails is counted, and tried again."""
        looked = signed = time.monotonic()
        while not self._stopped.wait(self._sync_s):
            now = time.monotonic()
            try:
                self.sync()
                if now - looked >= LOOK_EVERY_S or not self.is_writable:
                    looked = now
                    self.look()
                    self.tell_unkeyed()
                self.mend()
                if now - signed >= self._checkpoint_s:
                    signed = now
                    self.checkpoint()
            except Exception:  # the thread must outlive whatever goes wrong once
                self.faults += 1

    def close(self) -> None:
        """Write the last line, force everything onto the disk, and let go of the file. Raises OSError."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._thread.join()
        with self._lock:
            try:
                if not self.is_writable:
                    self._tell_gap()
                self._tell_unkeyed()
                self._sign(self._file)
                self._file.add(encode(Closed(at_us=self._clock_us())))
                os.fsync(self._file.descriptor)
            finally:
                os.close(self._file.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _encode_record(record: AuditRecord) -> bytes:
    body = encode(record)
    if b'"score":null' in body:  # NaN: it would not be read as it was written
        findings = tuple(msgspec.structs.replace(f, score=_finite(f.score)) for f in record.findings)
        body = encode(msgspec.structs.replace(record, findings=findings))
    if len(body) > MAX_LINE_BYTES - 1024:
        size = {"omitted": f"{len(body)} bytes are beyond the limit of a line"}
        body = encode(msgspec.structs.replace(record, content=size))
        if len(body) > MAX_LINE_BYTES - 1024:
            raise ValueError("beyond the limit of a line")
    return body


def _finite(score: float | None) -> float | None:
    return score if score is not None and abs(score) <= 1e308 else None
