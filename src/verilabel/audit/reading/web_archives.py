"""Records of WARC files as documents: pages as the text between their tags, extracted texts as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from verilabel.audit.interface import Batch, Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.gathering import Gatherer
from verilabel.audit.reading.http_bodies import MOST_HEADERS, BrokenBody, LongBody, decode_page, read_body
from verilabel.audit.reading.json_lines import MOST_BESIDE
from verilabel.audit.reading.kernels.markup import strip_tags
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.storing import BlockFile
from verilabel.audit.reading.texts import sniff_text
from verilabel.audit.reading.torn import Torn
from verilabel.errors import MissingExtra

_DOCUMENTS = ("response", "conversion", "resource")
"""Types of records that hold a document; requests, metadata and the like hold none."""
_MARKUP = ("text/html", "application/xhtml+xml")


class ArchiveReader:
    """Reads one archive."""

    def __init__(self, blocks: Iterator[Bytes], limit: int, ledger: Ledger, gatherer: Gatherer) -> None:
        self._file = BlockFile(blocks)
        self._limit = limit
        self._ledger = ledger
        self._gatherer = gatherer

    def read(self) -> Iterator[Batch]:
        """The documents of the archive. Raises Torn where its stream does or a record's frame is broken."""
        try:
            from fastwarc.warc import ArchiveIterator, WarcRecordType
        except ImportError:
            raise MissingExtra("fastwarc", "audit") from None
        kinds = {getattr(WarcRecordType, name): name for name in _DOCUMENTS}
        stream: BinaryIO = self._file  # type: ignore[assignment]
        records = iter(ArchiveIterator(stream, parse_http=False))
        while True:
            try:
                record = next(records, None)
            except (OSError, ValueError):
                self._file.check()
                raise Torn(reasons.BROKEN_RECORD) from None
            if record is None:
                self._file.check()
                return
            kind = kinds.get(record.record_type)
            if kind is not None:
                yield from self._take(record, kind)

    def _take(self, record: Any, kind: str) -> Iterator[Batch]:
        said = str(record.headers.get("Content-Length") or "").strip()
        length = int(said) if said.isdecimal() and len(said) < 19 else -1
        if length > self._limit + MOST_HEADERS:
            self._miss(reasons.TOO_LONG)
            return
        try:
            block = record.reader.read(length) if length > 0 else b""
        except (OSError, ValueError):
            block = b""
        if length < 0 or len(block) < length:
            self._file.check()
            raise Torn(reasons.BROKEN_RECORD)
        content = self._judge(block, kind, str(record.headers.get("Content-Type") or ""))
        if isinstance(content, str):
            self._miss(content)
            return
        row = self._ledger.rows
        self._ledger.rows += 1
        about: dict[str, list[str | None]] = {}
        for name, header in (("url", "WARC-Target-URI"), ("date", "WARC-Date")):
            value = record.headers.get(header)
            if value and len(value) <= MOST_BESIDE:
                about[name] = [value.strip("<>")]
        yield from self._gatherer.add_text(content, row, about)

    def _judge(self, block: bytes, kind: str, said: str) -> bytes | str:
        """The text of a record, or why it is no document."""
        if kind != "response" or not said.lower().startswith("application/http"):
            content = block if sniff_text(block) else None
            if content is None:
                return reasons.NOT_TEXT
            markup = said.lower().startswith(_MARKUP)
            return self._bound(strip_tags(_writable(content)).tobytes() if markup else content)
        try:
            body = read_body(block, self._limit)
        except LongBody:
            return reasons.TOO_LONG
        except BrokenBody:
            return reasons.BROKEN_RECORD
        if body.kind and not body.kind.startswith("text/") and body.kind not in _MARKUP:
            return reasons.NOT_TEXT
        page = decode_page(body)
        if page is None:
            return reasons.TOO_LARGE
        if not sniff_text(page):
            return reasons.NOT_TEXT
        markup = body.kind in _MARKUP or (not body.kind and b"<html" in page[:1024].lower())
        return self._bound(strip_tags(_writable(page)).tobytes() if markup else page)

    def _bound(self, content: bytes) -> bytes | str:
        return content if len(content) <= self._limit else reasons.TOO_LONG

    def _miss(self, reason: str) -> None:
        self._ledger.miss(self._ledger.rows, reason)
        self._ledger.rows += 1


def _writable(content: bytes) -> Bytes:
    return np.frombuffer(bytearray(content), np.uint8)
