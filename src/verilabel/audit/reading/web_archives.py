"""Records of WARC files as documents: pages as the text between their tags, extracted texts as they are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verilabel.audit.interface import Batch, Bytes
from verilabel.audit.reading import reasons
from verilabel.audit.reading.gathering import Gatherer
from verilabel.audit.reading.http_bodies import MOST_HEADERS, BrokenBody, LongBody, decode_page, read_body
from verilabel.audit.reading.json_lines import MOST_BESIDE
from verilabel.audit.reading.kernels.markup import strip_tags
from verilabel.audit.reading.ledger import Ledger
from verilabel.audit.reading.texts import sniff_text
from verilabel.audit.reading.torn import Torn
from verilabel.audit.reading.windows import Window

_DOCUMENTS = ("response", "conversion", "resource")
"""Types of records that hold a document; requests, metadata and the like hold none."""
_MARKUP = ("text/html", "application/xhtml+xml")
_BLANKS = b"\r\n"
_STRIDE = 4 * 2**20


class ArchiveReader:
    """Reads one archive: records as ISO 28500 frames them, one behind the other."""

    def __init__(self, blocks: Iterator[Bytes], limit: int, ledger: Ledger, gatherer: Gatherer) -> None:
        self._window = Window(blocks)
        self._limit = limit
        self._ledger = ledger
        self._gatherer = gatherer

    def read(self) -> Iterator[Batch]:
        """The documents of the archive. Raises Torn where its stream does or a record's frame is broken."""
        while (headers := self._read_headers()) is not None:
            said = headers.get("content-length", "")
            if not said.isdecimal() or len(said) > 18:
                raise Torn(reasons.BROKEN_RECORD)
            length = int(said)
            kind = headers.get("warc-type", "").lower()
            if kind not in _DOCUMENTS:
                self._skip(length)
            elif length > self._limit + MOST_HEADERS:
                self._skip(length)
                self._miss(reasons.TOO_LONG)
            else:
                yield from self._take(headers, kind, self._read_block(length))

    def _read_headers(self) -> dict[str, str] | None:
        """The headers of the next record, or None at the end."""
        window = self._window
        while True:
            while window.at < window.size and window.data[window.at] in _BLANKS:
                window.at += 1
            if window.at < window.size:
                break
            if window.last:
                return None
            window.extend()
        while True:
            head = window.data[window.at : min(window.size, window.at + MOST_HEADERS)].tobytes()
            end = head.find(b"\r\n\r\n")
            if end >= 0 or len(head) == MOST_HEADERS or window.last:
                break
            window.extend()
        if not head.startswith(b"WARC/") or end < 0:
            raise Torn(reasons.BROKEN_RECORD)
        window.at += end + 4
        headers: dict[str, str] = {}
        for line in head[:end].decode("utf-8", "replace").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        return headers

    def _fill(self, count: int) -> bool:
        """See that so many bytes are in the window, if the stream has them."""
        window = self._window
        while window.size - window.at < count and not window.last:
            window.extend()
        return window.size - window.at >= count

    def _read_block(self, length: int) -> bytes:
        if not self._fill(length):
            raise Torn(reasons.BROKEN_RECORD)
        window = self._window
        block = window.data[window.at : window.at + length].tobytes()
        window.at += length
        return block

    def _skip(self, length: int) -> None:
        while length:
            part = min(length, _STRIDE)
            if not self._fill(part):
                raise Torn(reasons.BROKEN_RECORD)
            self._window.at += part
            length -= part

    def _take(self, headers: dict[str, str], kind: str, block: bytes) -> Iterator[Batch]:
        content = self._judge(block, kind, headers.get("content-type", ""))
        if isinstance(content, str):
            self._miss(content)
            return
        row = self._ledger.rows
        self._ledger.rows += 1
        about: dict[str, list[str | None]] = {}
        for name, header in (("url", "warc-target-uri"), ("date", "warc-date")):
            value = headers.get(header, "").strip("<>")
            if 0 < len(value) <= MOST_BESIDE:
                about[name] = [value]
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
