"""Evidence lines as bytes: the fastest strict reader and the only writer.

A line is canonical when encoding what was read gives the same bytes again: no duplicate keys, no spare spaces,
no second spelling of a number or an escape can hide in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from verilabel.errors import MalformedInput
from verilabel.records.attempt import Attempt, Observation
from verilabel.records.score import Scored, Unscored
from verilabel.records.withheld import SealedAttempt

Line = Attempt | Observation | Scored | Unscored
"""What a run writes."""
EvidenceLine = Attempt | Scored | Unscored | SealedAttempt
"""What a bundle's evidence holds."""
BundleLine = Line | SealedAttempt

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_evidence_decoder: msgspec.json.Decoder[EvidenceLine] = msgspec.json.Decoder(EvidenceLine)
_bundle_decoder: msgspec.json.Decoder[BundleLine] = msgspec.json.Decoder(BundleLine)
T = TypeVar("T")


def encode_line(record: BundleLine) -> bytes:
    """A record as its canonical line, without the newline."""
    return _encoder.encode(record)


def encode_lines(records: Iterable[BundleLine]) -> bytes:
    """Records as newline-terminated canonical lines."""
    return b"".join(_encoder.encode(record) + b"\n" for record in records)


def decode_lines(block: bytes, where: str, first: int) -> list[BundleLine]:
    """The records of a block of whole lines of a bundle; `first` is the number of its first line, for messages.

    Raises MalformedInput naming the first line that is not a canonical line of a known kind.
    """
    records = _decode_block(_bundle_decoder, block)
    return records if records is not None else list(_decode_one_by_one(block, where, first))


def decode_evidence(block: bytes, where: str, first: int) -> list[EvidenceLine]:
    """As `decode_lines`, for a block in which observations have no place."""
    records = _decode_block(_evidence_decoder, block)
    if records is not None:
        return records
    evidence: list[EvidenceLine] = []
    for number, record in enumerate(_decode_one_by_one(block, where, first), first):
        if isinstance(record, Observation):
            raise MalformedInput("an observation among the evidence", where=f"{where}:{number}")
        evidence.append(record)
    return evidence


def _decode_block(decoder: msgspec.json.Decoder[T], block: bytes) -> list[T] | None:
    """All records at once, which is several times faster than one by one; None where a line is not canonical."""
    try:
        records: list[T] = decoder.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return records if records and _encoder.encode_lines(records) == block else None


def _decode_one_by_one(block: bytes, where: str, first: int) -> Iterator[BundleLine]:
    for number, line in enumerate(block.split(b"\n")[:-1], first):
        yield _decode_canonical(_bundle_decoder, line, f"{where}:{number}")


def decode_line(line: bytes, where: str) -> Line:
    """The record of one line of a run. Raises MalformedInput for anything but a canonical line of a known kind."""
    return _decode_canonical(_decoder, line, where)


def _decode_canonical(decoder: msgspec.json.Decoder[T], line: bytes, where: str) -> T:
    try:
        record = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(f"not a record: {error}", where=where) from error
    if _encoder.encode(record) != line:
        raise MalformedInput("the line is not in canonical form", where=where)
    return record
