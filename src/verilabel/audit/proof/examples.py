"""The examples of an audit: findings that a person may look at, masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.layout import EXAMPLES, EXAMPLES_A_KIND
from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.canonical import jcs, parse_json

MAX_LINE_BYTES = 4096
MAX_MASKED = 200


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


def read_examples(audit: AuditFolder, kinds: Sequence[str]) -> dict[int, set[tuple[int, int, int, int, str]]]:
    """Shard to (row, number of the kind, start, length, mark) of its examples.

    Raises MalformedInput for examples of kinds that there are not, and LimitExceeded for too many of one.
    """
    found: dict[int, set[tuple[int, int, int, int, str]]] = {}
    counts: Counter[str] = Counter()
    numbers = {kind: number for number, kind in enumerate(kinds)}
    for one in iterate_examples(audit):
        if one.kind not in numbers:
            raise MalformedInput("an example of a kind that was not looked for", where=EXAMPLES)
        counts[one.kind] += 1
        if counts[one.kind] > EXAMPLES_A_KIND:
            raise LimitExceeded(f"more than {EXAMPLES_A_KIND} examples of {one.kind}", where=EXAMPLES)
        key = (one.row, numbers[one.kind], one.start, one.length, one.mark)
        found.setdefault(one.shard, set()).add(key)
    return found
