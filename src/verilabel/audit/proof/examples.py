"""The examples of an audit: findings that a person may look at, masked."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from verilabel.audit.proof.findings import Found
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.layout import EXAMPLES, EXAMPLES_A_KIND
from verilabel.audit.proof.shards import ShardEntry
from verilabel.errors import LimitExceeded, MalformedInput, SealError
from verilabel.records.canonical import DIGEST_PREFIX, jcs, parse_json

MAX_LINE_BYTES = 4096
MAX_MASKED = 200
SHOWN = ("pii",)
"""Checks whose findings are shown masked."""
_Ranked = tuple[Any, ...]
"""Rank, shard, row, start, length, and place or mark."""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding and its masked value."""

    rank: str
    """Sixteen hexadecimal digits by which it was chosen: the smallest of its kind are kept."""
    kind: str
    row: int
    start: int
    length: int
    mark: str
    masked: str
    shard: int = 0
    """Number of its shard."""

    def bytes(self) -> bytes:
        """Its line, with the newline."""
        return jcs(msgspec.to_builtins(self)) + b"\n"


def iterate_examples(audit: AuditFolder) -> Iterator[Example]:
    """The examples of an audit. Raises MalformedInput naming the line."""
    with audit.open(EXAMPLES) as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
            where = f"{EXAMPLES} line {number}"
            if len(line) > MAX_LINE_BYTES:
                raise LimitExceeded(f"a line beyond {MAX_LINE_BYTES} bytes", where=where)
            try:
                example = msgspec.convert(parse_json(line, where=where), Example, strict=True)
            except msgspec.ValidationError as error:
                raise MalformedInput(str(error), where=where) from None
            if example.bytes() != line or len(example.masked) > MAX_MASKED:
                raise MalformedInput("an example that is not in its form", where=where)
            yield example


class ExampleDraw:
    """The examples that the findings of a corpus give: of each kind that is shown, those of the smallest ranks."""

    def __init__(self, kinds: Sequence[str], shown: Sequence[bool]) -> None:
        self._kinds = kinds
        self._shown = np.array(shown, np.bool_)
        self._kept: dict[int, list[_Ranked]] = {}
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, index: int, entry: ShardEntry, found: Found) -> None:
        """The findings of the next shard; those of shards that are equal count once, in the first."""
        key = entry.shard.sha256, entry.form, entry.compression
        if key in self._seen:
            return
        self._seen.add(key)
        some = found[self._shown[found["kind"]]]
        shard = bytes.fromhex(entry.shard.sha256.removeprefix(DIGEST_PREFIX))
        ranked: dict[int, list[_Ranked]] = {}
        columns = (some[name].tolist() for name in ("row", "kind", "start", "length"))
        for place, (row, kind, start, length) in enumerate(zip(*columns, strict=True)):
            ranked.setdefault(kind, []).append(
                (rank_of(shard, row, start, self._kinds[kind]), index, row, start, length, place)
            )
        for kind, offered in ranked.items():
            nearest = heapq.nsmallest(EXAMPLES_A_KIND, offered)
            marked = [(*one[:5], some["mark"][one[5]].tobytes().hex()) for one in nearest]
            kept = [*self._kept.get(kind, []), *marked]
            self._kept[kind] = heapq.nsmallest(EXAMPLES_A_KIND, kept)

    def check(self, audit: AuditFolder) -> None:
        """See that the audit's examples are these. Raises SealError where one is not, or is missing."""
        wanted = sorted(
            (self._kinds[kind], one[0].hex(), *one[1:]) for kind, kept in self._kept.items() for one in kept
        )
        place = 0
        for place, one in enumerate(iterate_examples(audit), start=1):
            key = one.kind, one.rank, one.shard, one.row, one.start, one.length, one.mark
            if place > len(wanted) or key != wanted[place - 1]:
                raise SealError(
                    "not the example that follows from the findings", where=f"{EXAMPLES} line {place}", step=9
                )
        if place != len(wanted):
            raise SealError("examples are missing", where=EXAMPLES, step=9)


def rank_of(shard: bytes, row: int, start: int, kind: str) -> bytes:
    """The rank of a finding in a shard of this digest, 8 bytes: nobody chooses which are shown."""
    place = shard + row.to_bytes(8, "little") + start.to_bytes(4, "little") + kind.encode()
    return hashlib.sha256(b"example" + place).digest()[:8]
