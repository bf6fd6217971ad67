"""Bodies of HTTP responses as crawlers store them: headers off, transfer and content encodings undone, bounded."""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

MOST_HEADERS = 64 * 2**10
MOST_RECODED = 16 * 2**20
"""Bytes of a page in another encoding than UTF-8; decoding takes several times their room."""
_SIZE = re.compile(rb"\s*([0-9A-Fa-f]{1,8})\s*(?:;[^\r\n]*)?\r?\n")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META_BYTES = 2_048
_CODECS = {
    **{f"iso-8859-{number}": f"iso8859-{number}" for number in range(2, 17) if number != 12},
    **{f"windows-{number}": f"cp{number}" for number in range(1250, 1259)},
    # what browsers make of these two names
    "iso-8859-1": "cp1252",
    "us-ascii": "cp1252",
    "latin1": "cp1252",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "euc-jp": "euc-jp",
    "shift_jis": "shift_jis",
    "shift-jis": "shift_jis",
    "euc-kr": "euc-kr",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
"""Names of encodings that are decoded; everything else is read as UTF-8."""


class Body(NamedTuple):
    """What a response brought."""

    kind: str
    """Its media type, in lower case and without parameters; empty where it says none."""
    charset: str
    content: bytes


class BrokenBody(ValueError):
    """A response whose encoding does not hold, or one that is unknown."""


class LongBody(ValueError):
    """A response that is longer than the limit when it is decoded."""


def read_body(message: bytes, limit: int) -> Body:
    """The body of a response. Raises BrokenBody, LongBody."""
    end = message.find(b"\r\n\r\n", 0, MOST_HEADERS)
    if not message.startswith(b"HTTP/") or end < 0:
        raise BrokenBody
    headers: dict[str, str] = {}
    for line in message[:end].decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    content = message[end + 4 :]
    if "chunked" in headers.get("transfer-encoding", "").lower():
        content = _unchunk(content)
    coding = headers.get("content-encoding", "").lower()
    if coding in ("gzip", "x-gzip", "deflate"):
        content = _inflate(content, coding, limit)
    elif coding not in ("", "identity", "none"):
        raise BrokenBody
    kind, _, parameters = headers.get("content-type", "").partition(";")
    named = _CHARSET.search(parameters)
    return Body(kind.strip().lower(), named.group(1).lower() if named else "", content)


def _unchunk(content: bytes) -> bytes:
    """Chunks joined. Crawlers often store the body joined and keep the header: then it is as it is."""
    parts: list[bytes] = []
    at = 0
    while True:
        size = _SIZE.match(content, at)
        if size is None:
            if at == 0:
                return content
            raise BrokenBody
        length = int(size.group(1), 16)
        if length == 0:
            return b"".join(parts)
        at = size.end() + length
        if at > len(content):
            raise BrokenBody
        parts.append(content[size.end() : at])
        at += 2 if content[at : at + 2] == b"\r\n" else 0


def _inflate(content: bytes, coding: str, limit: int) -> bytes:
    if coding != "deflate" and not content.startswith(b"\x1f\x8b"):
        return content  # stored decoded, with the header kept
    bits = 31 if coding != "deflate" else (15 if content[:1] == b"\x78" else -15)
    inflater = zlib.decompressobj(bits)
    try:
        out = inflater.decompress(content, limit + 1)
    except zlib.error:
        raise BrokenBody from None
    if len(out) > limit:
        raise LongBody
    if not inflater.eof:
        raise BrokenBody
    return out


def decode_page(body: Body) -> bytes | None:
    """The body in UTF-8 where it says of itself that it is in another encoding; otherwise as it is.

    None where it would have to be decoded and is too large for that.
    """
    charset = body.charset
    if not charset:
        named = _META.search(body.content, 0, _META_BYTES)
        charset = named.group(1).decode().lower() if named else ""
    codec = _CODECS.get(charset)
    if codec is None:
        return body.content
    if len(body.content) > MOST_RECODED:
        return None
    return body.content.decode(codec, "replace").encode()
