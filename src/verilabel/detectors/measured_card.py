"""A detector's card as a file: written by a measurement, read back to give a detector its measured errors."""

from __future__ import annotations

import os
import tempfile
from os import PathLike
from pathlib import Path

import msgspec

from verilabel.detectors.interface import AskingDetector, Detector
from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.records.canonical import is_digest, parse_json
from verilabel.records.score import DetectorCard, ErrorCounts

MAX_CARD_BYTES = 2**20


def read_card(path: str | PathLike[str]) -> DetectorCard:
    """Read a card file. Raises MalformedInput where it is not a card or its counts are impossible."""
    where = str(path)
    with Path(path).open("rb") as file:
        data = file.read(MAX_CARD_BYTES + 1)
    if len(data) > MAX_CARD_BYTES:
        raise LimitExceeded(f"a card of more than {MAX_CARD_BYTES} bytes", where=where)
    try:
        card = msgspec.convert(parse_json(data, where=where), type=DetectorCard)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a detector card: {error}", where=where) from error
    for index, counts in enumerate(card.errors):
        problem = find_impossible_count(counts)
        if problem:
            raise MalformedInput(problem, where=f"{where}: $.errors[{index}]")
    return card


def find_impossible_count(counts: ErrorCounts) -> str | None:
    """What is impossible in a measurement's counts, or None."""
    if not 0 <= counts.true_positives <= counts.positives:
        return f"{counts.true_positives} true positives of {counts.positives} positives"
    if not 0 <= counts.true_negatives <= counts.negatives:
        return f"{counts.true_negatives} true negatives of {counts.negatives} negatives"
    return None if is_digest(counts.dataset_sha256) else "dataset_sha256 is not a digest"


def attach_errors(detector: Detector | AskingDetector, measured: DetectorCard, *, where: str) -> None:
    """Give a detector the errors measured for exactly its rules. Raises UsageError where the card is another's."""
    own = detector.card
    if (measured.id, measured.version, measured.sha256) != (own.id, own.version, own.sha256):
        raise UsageError(
            f"this card measures {measured.name} ({measured.sha256[:19]}), not {own.name} ({own.sha256[:19]})",
            where=where,
            hint="measure the detector again: verilabel detectors measure",
        )
    detector.card = msgspec.structs.replace(own, errors=measured.errors)


def write_card(card: DetectorCard, path: Path) -> None:
    """Write a card in one piece (see `write_whole`)."""
    write_whole(msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n", path)


def write_whole(content: bytes, path: Path) -> None:
    """Write a file in one piece: a temporary file in the same folder, flushed to disk, then renamed."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
