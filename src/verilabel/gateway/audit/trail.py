"""The audit trail of one worker: a record is one write to a file that only grows, before its answer goes out.

A killed process loses nothing that was written; against a power cut a thread of its own forces the file to the disk
every `sync_ms`. That thread also signs checkpoints, names how far the files of other workers went, and begins a new
file each day, at `MAX_FILE_BYTES`, and where somebody took the file away. While writing fails, `append` raises and
`is_writable` is False: requests are refused until a line can be written again, and that line says how many were lost.
"""

from __future__ import annotations

import os
import secrets
import string
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
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
    encode,
    head_of,
    seal_line,
)
from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.policy.document import AuditSettings

MAX_FILE_BYTES = 256 * 2**20
LOOK_EVERY_S = 1.0
NOTE_TITLE = "verilabel/audit-checkpoint/v1"
CHECKPOINT_SUFFIX = ".checkpoint"
_NAME = frozenset(string.ascii_letters + string.digits + "._-")


class AuditUnwritable(VerilabelError):
    """A record could not be written: the request it is about must not be answered."""


def checkpoint_text(file: str, lines: int, h: str, at_us: int) -> str:
    """The text that a checkpoint's note signs: the file's name, its number of lines, the last one's h, the time."""
    return f"{NOTE_TITLE}\n{file}\n{lines}\n{h}\n{at_us}\n"


class AuditTrail:
    """The trail of one worker. `append` is called from one thread or many; use `open`, and `close` at the end."""

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
        self.is_writable = True
        self.lost = 0
        """Records that could not be written since the trail was opened."""
        self.appended = 0
        self._worker = worker
        self._policy = policy
        self._key = key
        self._keeps_content = keeps_content
        self._sync_s = sync_s
        self._checkpoint_s = checkpoint_s
        self._clock_us = clock_us
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._named: dict[str, tuple[int, Head]] = {}
        self._untold = 0
        self._is_unsynced = False
        self._file = -1
        self._begin_file(after=None)
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
        return self._path

    @property
    def head(self) -> Head:
        """How far the file that is written now went."""
        with self._lock:
            return Head(self._path.name, self._lines, self._h.hex())

    # -- records ---------------------------------------------------------------------------------------------

    def append(self, record: AuditRecord) -> None:
        """Write one record. Raises AuditUnwritable, after which the file is as it was before."""
        if record.content is not None and not self._keeps_content:
            record = msgspec.structs.replace(record, content=None)
        try:
            body = _encode_record(record)
        except (UnicodeError, TypeError, ValueError, OverflowError):
            # no text of the record is repeated: it may be content
            raise AuditUnwritable("a record has no JSON form", where=str(self._path)) from None
        with self._lock:
            try:
                self._write(body)
            except OSError as error:
                self.lost += 1
                self._untold += 1
                raise AuditUnwritable(
                    f"the audit trail cannot be written: {error.strerror}",
                    where=str(self._path),
                    hint="free some space; requests are refused until it can be written",
                ) from None
            self.appended += 1

    def _write(self, body: bytes) -> None:
        """Write one line, whole or not at all. Raises OSError."""
        line, h = seal_line(body, self._lines, self._h)
        try:
            if not self.is_writable:
                os.ftruncate(self._file, self._size)
                if self._untold:
                    line, h = self._tell_gap(body)
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            self.is_writable = False
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self.is_writable = True
        self._h = h
        self._lines += 1
        self._size += len(line)
        self._is_unsynced = True

    def _tell_gap(self, body: bytes) -> tuple[bytes, bytes]:
        """Write how many records were lost; give the line that was to be written, as it follows that."""
        line, h = seal_line(encode(Gap(at_us=self._clock_us(), lost=self._untold)), self._lines, self._h)
        if os.write(self._file, line) != len(line):
            raise OSError(28, "No space left on device")
        self._untold = 0
        self._h, self._lines, self._size = h, self._lines + 1, self._size + len(line)
        return seal_line(body, self._lines, h)

    # -- files -----------------------------------------------------------------------------------------------

    def _begin_file(self, after: Head | None) -> None:
        """Make a new file and its header; the file before, if any, is closed behind it."""
        moment = datetime.fromtimestamp(self._clock_us() / 1e6, UTC)
        name = f"{moment:%Y%m%dT%H%M%SZ}-{self._worker}-{secrets.token_hex(4)}{SUFFIX}"
        path = self.folder / name
        heads = self._other_heads(changed_alone=False)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        header = Header(
            at_us=self._clock_us(),
            format=FORMAT,
            file=name,
            worker=self._worker,
            gateway=__version__,
            policy=self._policy,
            heads=tuple(head for head in heads if after is None or head.file != after.file),
            after=after,
            key=None if self._key is None else self._key.public.line,
        )
        self._path, self._file, self._size, self._lines, self._h = path, descriptor, 0, 0, START
        self._day = moment.date()
        self._write(encode(header))
        if self._key is not None:
            self._write(self._checkpoint_body(()))
        os.fsync(descriptor)
        flush_folder(self.folder)

    def _turn(self, *, is_whole: bool) -> None:
        """Go on in a new file. `is_whole` is False where the old one was taken away: then nothing more is added."""
        with self._lock:
            old, path = self._file, self._path
            if is_whole:
                self._seal_file(next_file=None)
            after = Head(path.name, self._lines, self._h.hex())
            try:
                self._begin_file(after)
            except OSError:
                self._file = old
                self.is_writable = False
                raise
        with suppress(OSError):
            os.fsync(old)
        os.close(old)

    def _seal_file(self, next_file: str | None) -> None:
        if self._key is not None:
            self._write(self._checkpoint_body(()))
        self._write(encode(Closed(at_us=self._clock_us(), next=next_file)))

    def _other_heads(self, *, changed_alone: bool) -> list[Head]:
        """How far the other files of the folder went; with `changed_alone` those that went on since."""
        heads = []
        for path in sorted(self.folder.glob("*" + SUFFIX)):
            if self._file >= 0 and path == self._path:
                continue
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                known = self._named.get(path.name)
                if known is not None and known[0] == size:
                    if not changed_alone:
                        heads.append(known[1])
                    continue
                head = head_of(path)
                self._named[path.name] = size, head
                heads.append(head)
        return heads

    # -- safety ----------------------------------------------------------------------------------------------

    def checkpoint(self) -> bytes | None:
        """Write a checkpoint now; its signed note, or None without a key. Raises OSError."""
        heads = tuple(self._other_heads(changed_alone=True))
        with self._lock:
            body = self._checkpoint_body(heads)
            self._write(body)
        note = msgspec.json.decode(body).get("note")
        if note is None:
            return None
        data = str(note).encode("utf-8")
        write_file(self._path.with_suffix(CHECKPOINT_SUFFIX), data, mode=0o600, overwrite=True)
        return data

    def _checkpoint_body(self, heads: tuple[Head, ...]) -> bytes:
        now = self._clock_us()
        note = None
        if self._key is not None:
            text = checkpoint_text(self._path.name, self._lines, self._h.hex(), now)
            note = sign_note(text, self._key).decode("utf-8")
        return encode(CheckpointLine(at_us=now, heads=heads, note=note))

    def sync(self) -> None:
        """Force what was appended onto the disk. Raises OSError."""
        if self._is_unsynced:
            self._is_unsynced = False
            try:
                os.fdatasync(self._file)
            except OSError:
                self.is_writable = False
                raise

    def _keep_safe(self) -> None:
        """The thread: sync, mend, look after the file, sign. What fails is tried again at the next turn."""
        looked = signed = time.monotonic()
        while not self._stopped.wait(self._sync_s):
            now = time.monotonic()
            with suppress(OSError):
                self.sync()
                self._mend()
                if now - looked >= LOOK_EVERY_S:
                    looked = now
                    self.look()
                if now - signed >= self._checkpoint_s:
                    signed = now
                    self.checkpoint()

    def _mend(self) -> None:
        """Where writing failed, try whether it works again."""
        if self.is_writable:
            return
        with self._lock:
            lost, self._untold = self._untold, 0
            try:
                self._write(encode(Gap(at_us=self._clock_us(), lost=lost)))
            except OSError:
                self._untold = lost
                raise

    def look(self) -> None:
        """Begin a new file where the day is another, the file is large, or is not the one that was written.

        Raises OSError where that cannot be done; the old file is gone on with then, where it is still there.
        """
        with self._lock:
            is_whole = _is_in_place(self._path, self._file, self._size)
            moment = datetime.fromtimestamp(self._clock_us() / 1e6, UTC)
            is_due = self._size > MAX_FILE_BYTES or moment.date() != self._day
        if not is_whole or is_due:
            self._turn(is_whole=is_whole)

    def close(self) -> None:
        """Write the last line, force everything onto the disk, and let go of the file."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._thread.join()
        with self._lock:
            try:
                self._seal_file(next_file=None)
                os.fsync(self._file)
            finally:
                os.close(self._file)
                self._file = -1

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


def _is_in_place(path: Path, descriptor: int, size: int) -> bool:
    """True if the name still leads to the open file, and nobody else made it shorter or longer."""
    try:
        named, opened = path.lstat(), os.fstat(descriptor)
    except OSError:
        return False
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino) and opened.st_size == size
