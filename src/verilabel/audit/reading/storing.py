"""The stored bytes of a shard: their digest first, then the bytes themselves, and proof that they are still the same.

What is small is held in memory, so that exactly the bytes that were hashed are read. What is large is read twice from
one open file, hashed both times; random access (Parquet) is watched by the file's size, times and inode.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from verilabel.audit.interface import Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.reading.torn import Torn

MOST_HELD = 96 * 2**20
"""Stored bytes that are held in memory; more are streamed."""
BLOCK_BYTES = 4 * 2**20


def open_file(path: str) -> BinaryIO:
    """Open a regular file for reading; never waits for a pipe.

    Raises Torn where it is there and cannot be read, ShardChanged where it is gone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except PermissionError:
        raise Torn(reasons.FORBIDDEN) from None
    except (FileNotFoundError, NotADirectoryError):
        raise changed(path, "is gone") from None
    except IsADirectoryError:
        raise Torn(reasons.NO_FILE) from None
    except OSError:
        raise Torn(reasons.UNREADABLE) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Torn(reasons.NO_FILE)
    return os.fdopen(descriptor, "rb", buffering=0)


def changed(where: str, what: str) -> ShardChanged:
    """The error for bytes that are not those that were planned."""
    return ShardChanged(
        f"a part of the inputs {what}",
        where=where,
        hint="do not change inputs while they are audited, and start again",
    )


class StoredBytes:
    """The bytes of one shard in an open file: one or more stretches of it, hashed in their order."""

    def __init__(
        self, file: BinaryIO, stretches: Sequence[tuple[int, int]], where: str, *, hold: bool = True
    ) -> None:
        """Hash the stretches (start and end). Raises ShardChanged where the file ends before them, Torn where it
        cannot be read."""
        self.file = file
        self._stretches = tuple(stretches)
        self._where = where
        self._state = _state(file)
        self.size = sum(end - start for start, end in stretches)
        self._held: Bytes | None = None
        if hold and self.size <= MOST_HELD:
            self._held = np.empty(self.size, np.uint8)
        hashed = hashlib.sha256()
        at = 0
        for block in self._blocks():
            hashed.update(block.data)
            if self._held is not None:
                self._held[at : at + len(block)] = block
            at += len(block)
        self.sha256 = f"sha256:{hashed.hexdigest()}"

    @property
    def held(self) -> Bytes | None:
        """All bytes, where they are few."""
        return self._held

    def blocks(self) -> Iterator[Bytes]:
        """The bytes again, in blocks. Raises ShardChanged at their end where they are others than before.

        Raises Torn where they cannot be read any more.
        """
        if self._held is not None:
            held, self._held = self._held, None
            yield held
            return
        hashed = hashlib.sha256()
        for block in self._blocks():
            hashed.update(block.data)
            yield block
        if f"sha256:{hashed.hexdigest()}" != self.sha256:
            raise changed(self._where, "changed while it was read")

    def check_unchanged(self) -> None:
        """Raises ShardChanged where the file was written to since it was hashed."""
        if _state(self.file) != self._state:
            raise changed(self._where, "changed while it was read")

    def _blocks(self) -> Iterator[Bytes]:
        for start, end in self._stretches:
            at = start
            while at < end:
                block = np.empty(min(BLOCK_BYTES, end - at), np.uint8)
                try:
                    self.file.seek(at)
                    count = self.file.readinto(block.data)  # type: ignore[attr-defined]
                except OSError:
                    raise Torn(reasons.UNREADABLE, end - at) from None
                if not count:
                    raise changed(self._where, "is shorter than it was")
                yield block[:count]
                at += count


def _state(file: BinaryIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def digest_unreadable(reason: str, names: Sequence[str]) -> str:
    """The digest that stands for bytes that nobody can read; no bytes of a file have it."""
    hashed = hashlib.sha256(b"verilabel: these stored bytes could not be read\0" + reason.encode())
    for name in names:
        hashed.update(b"\0" + Path(name).name.encode("utf-8", "surrogateescape"))
    return f"sha256:{hashed.hexdigest()}"
