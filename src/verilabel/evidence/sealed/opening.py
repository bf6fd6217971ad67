"""Openings: what a sealed bundle withholds, kept by its owner, and shown answer by answer when a challenge asks.

1. `seal` writes an openings file: line and salt of every commitment, the evidence's first
2. `open_records` takes from it the records of the answers that a challenge chose
3. `check_opened` holds them against the bundle, as whoever asked would: the right challenge, all that was chosen and
   nothing else, every line under its commitment, and each commitment's open fields those of its line

What the opened records then say, and whether their scores follow, is for `evaluation.rescoring`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, BinaryIO, NamedTuple, TypeVar

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.evidence.atomic import flush_folder
from verilabel.evidence.container import Container
from verilabel.evidence.layout import EVIDENCE, MAX_LINE_BYTES, SURPLUS
from verilabel.evidence.lines import decode_line, decode_lines
from verilabel.evidence.merkle import leaf_hash
from verilabel.evidence.reading import evidence_lines, line_blocks
from verilabel.evidence.sealed.challenge import Challenge, check_challenge
from verilabel.evidence.verification import Verification
from verilabel.records.attempt import Attempt
from verilabel.records.withheld import SealedAttempt, withhold_attempt

SALT_BYTES = 32
MAX_OPENING_BYTES = 2 * MAX_LINE_BYTES + 4096
"""A line that stands as a JSON string inside another may double, where every character is escaped."""
Salt = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What opens one commitment."""

    line: str
    """The exact line of the withheld attempt, without its newline."""
    salt: Salt
    """32 random bytes as hexadecimal digits."""

    @property
    def commitment(self) -> str:
        """The commitment that this opens."""
        return commitment_of(self.line.encode("utf-8"), bytes.fromhex(self.salt))


class OpenedRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record that a challenge had opened. `index` counts the commitments of the evidence from 0."""

    index: int
    line: str
    salt: Salt


_encoder = msgspec.json.Encoder()
_openings = msgspec.json.Decoder(Opening)
_opened = msgspec.json.Decoder(OpenedRecord)
T = TypeVar("T", Opening, OpenedRecord)


def commitment_of(line: bytes, salt: bytes) -> str:
    """SHA-256(0x00 || salt || line) as a digest (label-semantics section 13); 32 bytes of salt."""
    if len(salt) != SALT_BYTES:
        raise MalformedInput(f"a salt of {len(salt)} bytes, not {SALT_BYTES}")
    return "sha256:" + leaf_hash(line, salt).hex()


class Place(NamedTuple):
    """Where a commitment stands: its number among the evidence's commitments, and its line there from 1."""

    number: int
    line: int
    stub: SealedAttempt


def withheld_answers(container: Container) -> list[list[Place]]:
    """The commitments of the evidence, answer by answer, in their order. Raises SealError where there are none."""
    places: list[Place] = []
    for number, record in enumerate(evidence_lines(container), 1):
        if isinstance(record, SealedAttempt):
            places.append(Place(len(places), number, record))
    if not places:
        raise SealError("no answer of the evidence is withheld", where=EVIDENCE)
    grouped = groupby(places, key=lambda place: (place.stub.suite, place.stub.sample, place.stub.epoch))
    return [list(group) for _, group in grouped]


# -- files -----------------------------------------------------------------------------------------------------


class OpeningsFile:
    """An openings file that is being written: nobody else may read it, and it appears whole or not at all."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def add(self, line: bytes, salt: bytes) -> str:
        """Keep what opens one commitment; return the commitment."""
        self._file.write(_encoder.encode(Opening(line.decode("utf-8"), salt.hex())) + b"\n")
        return commitment_of(line, salt)

    def put_in_place(self) -> None:
        """Give the finished file its name. Raises UsageError where that is taken."""
        self._file.flush()
        os.fsync(self._file.fileno())
        try:
            self._path.hardlink_to(self._file.name)
        except FileExistsError:
            raise _taken(self._path) from None
        flush_folder(self._path.parent)


@contextmanager
def write_openings(path: Path) -> Iterator[OpeningsFile]:
    """Write an openings file beside its place, readable by its owner alone; `put_in_place` gives it its name.

    Raises UsageError where the file is there already: openings that are lost cannot be made again.
    """
    if path.exists() or path.is_symlink():
        raise _taken(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(temporary, "wb", opener=lambda *_: descriptor) as file:
            yield OpeningsFile(path, file)
    finally:
        temporary.unlink(missing_ok=True)


def _taken(path: Path) -> UsageError:
    return UsageError(
        "the openings file is already there",
        where=str(path),
        hint="openings are never replaced; choose another name",
    )


def read_openings(path: Path) -> Iterator[Opening]:
    """The openings of a file. Raises MalformedInput or LimitExceeded naming the line that is none."""
    return _read_lines(path, _openings)


def read_opened(path: Path) -> list[OpenedRecord]:
    """The opened records of a file. Raises MalformedInput or LimitExceeded naming the line that is none."""
    return list(_read_lines(path, _opened))


def encode_opened(records: Iterable[OpenedRecord]) -> bytes:
    """Opened records as the lines of a file."""
    return b"".join(_encoder.encode(record) + b"\n" for record in records)


def _read_lines(path: Path, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_OPENING_BYTES + 1):
            number += 1
            where = f"{path}:{number}"
            if len(line) > MAX_OPENING_BYTES:
                raise LimitExceeded(f"a line of over {MAX_OPENING_BYTES} bytes", where=where)
            try:
                record = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                # the message of a decoder may repeat what is withheld; its kind says enough
                raise MalformedInput("the line is not {line, salt}", where=where) from error
            if _encoder.encode(record) + b"\n" != line:
                raise MalformedInput("the line is not in canonical form, or cut short", where=where)
            yield record


# -- opening and checking ----------------------------------------------------------------------------------------


def open_records(
    container: Container,
    found: Verification,
    challenge: Challenge,
    openings: Path,
    *,
    where: str = "challenge",
) -> list[OpenedRecord]:
    """The records of the answers that a challenge chose.

    Raises SealError where the challenge is to another bundle or the openings are not those of its commitments.
    """
    check_challenge(container, found, challenge, where=where)
    answers = withheld_answers(container)
    chosen = {place.number for number in challenge.choose(len(answers)) for place in answers[number]}
    commitments = [place.stub.commitment for answer in answers for place in answer]
    evidence = len(commitments)
    commitments += surplus_commitments(container)
    records, index = [], 0
    for index, opening in enumerate(read_openings(openings), 1):
        place = f"{openings}:{index}"
        if index > len(commitments):
            raise SealError(f"more openings than the {len(commitments)} commitments", where=place)
        if opening.commitment != commitments[index - 1]:
            raise SealError("the opening does not open its commitment", where=place)
        if index <= evidence and index - 1 in chosen:
            records.append(OpenedRecord(index - 1, opening.line, opening.salt))
    if index != len(commitments):
        raise SealError(f"{index} openings for {len(commitments)} commitments", where=str(openings))
    return records


def surplus_commitments(container: Container) -> list[str]:
    """The commitments of the surplus in their order."""
    if not container.sizes[SURPLUS]:
        return []
    commitments, number = [], 1
    for block in line_blocks(container, SURPLUS):
        records = decode_lines(block, SURPLUS, number)
        commitments += [r.commitment for r in records if isinstance(r, SealedAttempt)]
        number += len(records)
    return commitments


@dataclass(frozen=True)
class Opened:
    """Records that were opened, and hold against the bundle."""

    withheld: int
    """Answers that the bundle's evidence withholds."""
    chosen: int
    """Answers that the challenge chose, all of which are opened."""
    records: Mapping[int, Attempt]
    """Line of the evidence, from 1, to the attempt that stands behind its commitment."""
    flags: tuple[str, ...]
    """What the challenge's nonce leaves open (`evidence.sealed.challenge.check_challenge`)."""


def check_opened(
    container: Container,
    found: Verification,
    challenge: Challenge,
    opened: Sequence[OpenedRecord],
    *,
    where: str = "opened",
) -> Opened:
    """Hold opened records against the challenge and the bundle that `found` is the verification of.

    In order: 1 the bundle is as it was sealed, and the challenge is to it; 2 every record of the chosen answers is
    there, in order, and nothing else; 3 salt and line hash to the commitment; 4 the line is an attempt whose open
    fields are those of the commitment's record. Raises SealError naming the first line of `where` that does not hold.
    """
    flags = check_challenge(container, found, challenge, where="challenge")  # step 1
    answers = withheld_answers(container)
    chosen = challenge.choose(len(answers))
    places = [place for number in chosen for place in answers[number]]
    records = {}
    for number, (place, record) in enumerate(zip(places, opened, strict=False), 1):
        at = f"{where}:{number}"
        if record.index != place.number:  # step 2
            raise SealError(
                f"commitment {place.number} was chosen, commitment {record.index} is opened", where=at
            )
        records[place.line] = _check_record(place, record, at)
    if len(opened) != len(places):
        raise SealError(f"{len(opened)} records are opened, {len(places)} were chosen", where=where)
    return Opened(len(answers), len(chosen), records, flags)


def _check_record(place: Place, record: OpenedRecord, where: str) -> Attempt:
    commitment = Opening(record.line, record.salt).commitment
    if commitment != place.stub.commitment:  # step 3
        raise SealError(f"it does not open the commitment at {EVIDENCE}:{place.line}", where=where)
    attempt = decode_line(record.line.encode("utf-8"), where)  # step 4
    if not isinstance(attempt, Attempt) or withhold_attempt(attempt, commitment) != place.stub:
        raise SealError(
            f"what was withheld is not what {EVIDENCE}:{place.line} says of it",
            where=where,
            hint="the commitment opens, and its owner told something else of it in the open",
        )
    return attempt
