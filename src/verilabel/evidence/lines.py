"""Evidence lines as bytes: the fastest strict reader and the only writer.

A line is canonical when encoding what was read gives the same bytes again: no duplicate keys, no spare spaces,
no second spelling of a number or an escape can hide in it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from verilabel.errors import MalformedInput
from verilabel.records.attempt import Attempt, Observation
from verilabel.records.score import Scored, Unscored

Line = Attempt | Observation | Scored | Unscored
EvidenceLine = Attempt | Scored | Unscored

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def encode_line(record: Line) -> bytes:
    """A record as its canonical line, without the newline."""
    return _encoder.encode(record)


def encode_lines(records: Iterable[Line]) -> bytes:
    """Records as newline-terminated canonical lines."""
    return b"".join(_encoder.encode(record) + b"\n" for record in records)


def decode_lines(block: bytes, where: str, first: int) -> list[Line]:
    """The records of a block of whole lines; `first` is the number of its first line, for messages.

    Raises MalformedInput naming the first line that is not a canonical line of a known kind.
    """
    try:
        records: list[Line] = _decoder.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        records = []
    if records and _encoder.encode_lines(records) == block:
        return records
    return [
        decode_line(line, f"{where}:{number}") for number, line in enumerate(block.split(b"\n")[:-1], first)
    ]


def decode_line(line: bytes, where: str) -> Line:
    """The record of one line. Raises MalformedInput for anything but a canonical line of a known kind."""
    try:
        record: Line = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(f"not a record: {error}", where=where) from error
    if _encoder.encode(record) != line:
        raise MalformedInput("the line is not in canonical form", where=where)
    return record
