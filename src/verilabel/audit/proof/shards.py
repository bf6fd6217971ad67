"""A line of `shards.jsonl` for every shard, and the root of the data set over them.

The leaf of a shard is SHA-256(0x00 || JCS bytes of its line); the root of the data set is that of RFC 6962 over the
leaves in the order of the shards. A line holds the shard's name and digest, what could not be read, and the root over
its records, so that the root of the data set vouches for the coverage too. Files stand beside it, outside the leaf: how
Parquet packs them is no property of the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from verilabel.audit.proof.layout import MAX_LINE_BYTES, SHARDS
from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.evidence.merkle import leaf_hash, root_of
from verilabel.records.canonical import is_digest, jcs, parse_json


class ShardLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was read of a shard."""

    name: str
    sha256: str
    """Of its stored bytes."""
    stored_bytes: int
    rows: int
    """Documents in it, as far as they could be counted."""
    read: int
    """Documents that were read, each with a record."""
    unread: int
    unknown: int
    """Places where nobody can know how many documents were not read."""
    repaired: int
    """Documents read with U+FFFD where their bytes were no UTF-8."""
    text_bytes: int
    unread_bytes: int
    root: str
    """Over its records, 64 hexadecimal digits."""

    def leaf(self) -> bytes:
        """What stands for the shard in the data set's tree."""
        return leaf_hash(jcs(msgspec.to_builtins(self)))


class ListedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the audit's folder."""

    path: str
    bytes: int
    sha256: str


class ShardEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shard, the form in which it was read, and its files."""

    shard: ShardLine
    form: str
    compression: str
    files: tuple[ListedFile, ...]

    def bytes(self) -> bytes:
        """Its line in `shards.jsonl`, with the newline."""
        return jcs(msgspec.to_builtins(self)) + b"\n"


def root_of_shards(lines: Iterable[ShardLine]) -> bytes:
    """The root of the data set."""
    return root_of([line.leaf() for line in lines])


def read_shards(file: BinaryIO) -> Iterator[ShardEntry]:
    """Read `shards.jsonl` strictly. Raises MalformedInput naming the line."""
    for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
        where = f"{SHARDS} line {number}"
        if len(line) > MAX_LINE_BYTES:
            raise LimitExceeded(f"a line beyond {MAX_LINE_BYTES} bytes", where=where)
        try:
            entry = msgspec.convert(parse_json(line, where=where), ShardEntry, strict=True)
        except msgspec.ValidationError as error:
            raise MalformedInput(str(error), where=where) from None
        if entry.bytes() != line:
            raise MalformedInput("not in canonical form", where=where)
        _check_line(entry, where)
        yield entry


def _check_line(entry: ShardEntry, where: str) -> None:
    shard = entry.shard
    numbers = [value for value in msgspec.structs.astuple(shard) if isinstance(value, int)]
    if min(numbers) < 0 or shard.read + shard.unread != shard.rows:
        raise MalformedInput("its documents do not add up", where=where)
    digests = [shard.sha256, "sha256:" + shard.root, *(file.sha256 for file in entry.files)]
    if not all(map(is_digest, digests)):
        raise MalformedInput("not a SHA-256 digest", where=where)
