"""Plain files as documents: one file, one document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from verilabel.audit.interface import Batch, Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.gathering import Gatherer
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.storing import BLOCK_BYTES, changed, open_file
from verilabel.audit.reading.torn import Torn

SNIFFED = 8_192
"""Bytes at the beginning of a file that say whether it is text."""
_LEAST_TEXT = 0.7
_ALLOWED = frozenset(b"\t\n\r\f\b\x1b")
_POINTER = b"version https://git-lfs.github.com/spec/"
_BOM = b"\xef\xbb\xbf"
_MARKED = "\0"  # no path has it


def sniff_text(head: bytes) -> bool:
    """Whether bytes begin a text: no NUL, and seven of ten characters are neither control codes nor damaged UTF-8."""
    head = head[:SNIFFED]
    if b"\0" in head:
        return False
    text = head.decode("utf-8", "replace")
    bad = text.count("\ufffd") + sum(1 for byte in head if byte < 32 and byte not in _ALLOWED)
    return bad <= (1 - _LEAST_TEXT) * max(len(text), 1)


def read_whole(blocks: Iterator[Bytes], limit: int) -> bytes | None:
    """All of a stream, or None where it is longer than the limit; then the rest is passed over."""
    held = bytearray()
    for block in blocks:
        if len(held) + len(block) > limit + len(_BOM):
            for _ in blocks:
                pass
            return None
        held += block.data
    return bytes(held)


def judge_text(data: bytes | None, limit: int) -> str | bytes:
    """The text of a file without its byte order mark, or why it is no document."""
    if data is None:
        return reasons.TOO_LONG
    if data.startswith(_POINTER):
        return reasons.POINTER
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
    if not sniff_text(data):
        return reasons.NOT_TEXT
    return data if len(data) <= limit else reasons.TOO_LONG


class FileGroup:
    """Several small files that are read, hashed and proven as one, in their order.

    The digest is over each file's length (8 bytes, little-endian) and its bytes; one that cannot be read counts as
    a length of all ones and the reason.
    """

    def __init__(self, files: Sequence[str], limit: int, planned: int) -> None:
        """Read the files. Raises ShardChanged where one is gone or they are no longer as long together."""
        self._limit = limit
        self._contents: list[bytes | str] = []
        self.size = 0
        hashed = hashlib.sha256()
        for path in files:
            reason, _, name = path.rpartition(_MARKED) if path.startswith(_MARKED) else ("", "", path)
            content: bytes | str = reason[1:] if reason else _read_file(name, planned - self.size)
            if isinstance(content, str):
                hashed.update(b"\xff" * 8 + content.encode())
            else:
                hashed.update(len(content).to_bytes(8, "little") + content)
                self.size += len(content)
            self._contents.append(content)
        if self.size != planned:
            raise changed(files[0], "changed since it was planned")
        self.sha256 = f"sha256:{hashed.hexdigest()}"

    def read(self, ledger: Ledger, gatherer: Gatherer) -> Iterator[Batch]:
        """The documents of the group."""
        for place, content in enumerate(self._contents):
            text = content if isinstance(content, str) else judge_text(content, self._limit)
            self._contents[place] = b""
            if isinstance(text, str):
                unknown = text in (reasons.VERSION_STORE, reasons.UNLISTED, reasons.FOLDER_LINK)
                ledger.miss(ledger.rows, text, 0 if unknown else 1)
                ledger.rows += not unknown
                continue
            row = ledger.rows
            ledger.rows += 1
            yield from gatherer.add_text(text, row, {})


def mark_unreadable(path: str, reason: str) -> str:
    """A file of a group that was found and is not to be opened, with the reason."""
    return f"{_MARKED}{reason}{_MARKED}{path}"


def is_group(files: Sequence[str]) -> bool:
    """Whether files are read together: several, or one that is not to be opened."""
    return len(files) > 1 or files[0].startswith(_MARKED)


def _read_file(path: str, most: int) -> bytes | str:
    try:
        with open_file(path) as file:
            parts = []
            count = 0
            while count <= most and (part := file.read(BLOCK_BYTES)):
                parts.append(part)
                count += len(part)
            return b"".join(parts)
    except Torn as torn:
        return torn.reason
    except OSError:
        return reasons.UNREADABLE


def read_text(blocks: Iterator[Bytes], limit: int, ledger: Ledger, gatherer: Gatherer) -> Iterator[Batch]:
    """One file that is one document, compressed or not."""
    ledger.rows += 1
    try:
        text = judge_text(read_whole(blocks, limit), limit)
    except Torn as torn:
        ledger.miss(0, torn.reason, 1, torn.stored)
        return
    if isinstance(text, str):
        ledger.miss(0, text)
    else:
        yield from gatherer.add_text(text, 0, {})


def file_name(path: str) -> str:
    """The last part of a path or URL."""
    return Path(path.rstrip("/")).name
