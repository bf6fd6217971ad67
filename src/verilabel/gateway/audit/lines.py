"""The lines of an audit file: one JSON object each, chained by SHA-256, and what the lines that are no records say.

A line is `{...,"n":N,"h":"HEX"}` and a newline: N counts from 0 in each file, and

    h = SHA-256("verilabel/audit/v1" 0x0A || previous h (32 bytes; zeros before line 0) || the line up to `,"h":"`)

Each line is exactly what this module writes for what it says: decoding and encoding it gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.gateway.audit.record import AuditRecord

FORMAT: Literal["verilabel/audit/v1"] = "verilabel/audit/v1"
TAG = FORMAT.encode("ascii") + b"\n"
START = bytes(32)
"""The h before the first line of a file."""
SEAL_BYTES = len(b',"h":"') + 64 + len(b'"}')
"""Of a line's end, from `,"h":"` on, without the newline."""
MAX_LINE_BYTES = 16 * 2**20
SUFFIX = ".jsonl"
_BLOCK = 1 << 16


class Head(msgspec.Struct, frozen=True):
    """How far a file went: its number of lines and the last one's h (empty where its end could not be read)."""

    file: str
    lines: int
    h: str


class Header(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="header",
):
    """The first line of a file: who writes it, and how far every other file in the folder went.

    `after` is the file that this one continues; `key` the public line of the key that signs checkpoints.
    """

    at_us: int
    format: Literal["verilabel/audit/v1"]
    file: str
    worker: str
    gateway: str
    policy: str = ""
    heads: tuple[Head, ...] = ()
    after: Head | None = None
    key: str | None = None
    n: int = -1
    h: str = ""


class CheckpointLine(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="checkpoint",
):
    """How far other files went since they were last named; `note` signs all lines before this one (C2SP note)."""

    at_us: int
    heads: tuple[Head, ...] = ()
    note: str | None = None
    n: int = -1
    h: str = ""


class Gap(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="gap",
):
    """So many records could not be written before this line; their requests were refused."""

    at_us: int
    lost: int
    n: int = -1
    h: str = ""


class Unkeyed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="unkeyed",
):
    """So many further requests without a key in force were refused before this line; they have no records."""

    at_us: int
    refused: int
    n: int = -1
    h: str = ""


class Closed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="closed",
):
    """The last line of a file that ended orderly; `next` is the file that continues it."""

    at_us: int
    next: str | None = None
    n: int = -1
    h: str = ""


ControlLine = Header | CheckpointLine | Gap | Unkeyed | Closed


class RecordLine(AuditRecord, frozen=True, kw_only=True, omit_defaults=True):
    """A record as it stands in a line."""

    n: int = -1
    h: str = ""


_encoder = msgspec.json.Encoder()
encode = _encoder.encode
_decode_control = msgspec.json.Decoder(ControlLine).decode
_decode_record = msgspec.json.Decoder(RecordLine).decode


def seal_line(body: bytes, number: int, previous: bytes) -> tuple[bytes, bytes]:
    """The line (with its newline) for an encoded object without `n` and `h`, and its h."""
    line = b'%b,"n":%d' % (body[:-1], number)
    h = hashlib.sha256(TAG + previous + line)
    return b'%b,"h":"%b"}\n' % (line, h.hexdigest().encode("ascii")), h.digest()


def decode_line(line: bytes, where: str) -> ControlLine | RecordLine:
    """A line without its newline, checked for its form alone. Raises MalformedInput."""
    try:
        found: ControlLine | RecordLine
        found = _decode_control(line) if line.startswith(b'{"kind":') else _decode_record(line)
        if encode(found) != line:
            raise MalformedInput("the line is not in its canonical form", where=where)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedInput(f"not a line of an audit trail: {_short(error)}", where=where) from None
    return found


def hash_line(line: bytes, previous: bytes) -> bytes:
    """The h that a line (without its newline) must have after a line whose h is `previous`."""
    return hashlib.sha256(TAG + previous + line[:-SEAL_BYTES]).digest()


def torn_excess(text: bytes) -> int | None:
    """How far a text at a file's end, without a newline, goes beyond a whole line (0: exactly one); None for less."""
    place = text.rfind(b',"h":"')
    numbered = text[:place].rstrip(b"0123456789") if place > 0 else b""
    if not numbered.endswith(b',"n":') or len(text) - place < SEAL_BYTES:
        return None
    return len(text) - place - SEAL_BYTES


def files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """The files of a trail in the order of their names, and what bears such a name and is no file to be read.

    A pipe or a device could keep a reader for ever.
    """
    named = sorted(folder.glob("*" + SUFFIX))
    files = [path for path in named if path.is_file()]
    return files, [path for path in named if path not in set(files)]


def head_of(path: Path) -> Head:
    """How far a file went, from its last whole line, without checking anything. Raises OSError."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        tail = b""
        while end and tail.count(b"\n") < 2 and len(tail) <= MAX_LINE_BYTES:
            start = max(0, end - _BLOCK)
            file.seek(start)
            tail, end = file.read(end - start) + tail, start
    line = tail[: tail.rfind(b"\n") + 1].rstrip(b"\n").rpartition(b"\n")[2]
    try:
        last = decode_line(line, path.name)
    except MalformedInput:
        return Head(path.name, -1, "")
    return Head(path.name, last.n + 1, last.h)


def check_length(line: bytes, where: str) -> None:
    """Refuse a line beyond the limit. Raises LimitExceeded."""
    if len(line) > MAX_LINE_BYTES:
        raise LimitExceeded(f"a line of over {MAX_LINE_BYTES} bytes", where=where)


def _short(error: Exception) -> str:
    # the library's own words may quote what it read
    return type(error).__name__
