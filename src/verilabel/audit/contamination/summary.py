"""What the contamination tables of an audit say of each benchmark, and which of its items are clean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from verilabel.audit.contamination.items import BenchmarkEntry
from verilabel.audit.contamination.rules import RULES
from verilabel.errors import MalformedInput

Table = Mapping[str, Sequence[Any]]
"""Columns of the rows of one shard: `row` or `document`, and those of the check's table."""
BINS = 10
_PERMILLE = 1000


class BenchmarkSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One benchmark in one corpus. All numbers but the last three are of items."""

    name: str
    sha256: str
    items: int
    unchecked: int
    short: int
    matched: int
    by_rule: dict[str, int]
    """Matched items by the strongest rule that any document meets. `short` may be common phrases."""
    coverage: tuple[int, ...]
    """Matched items by the greatest share of a part's words that one document has: 0-10 %, 10-20 %, ..."""
    documents: int
    """With an item of the benchmark."""
    documents_short: int
    """Of those, with short questions alone."""
    most_common: tuple[tuple[str, int], ...]
    """The ten items that stand in most documents, with their number: an item in very many is a common phrase."""


class ItemSplit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items of a benchmark by whether they were found, each in the order of the ids given."""

    clean: tuple[str, ...]
    contaminated: tuple[str, ...]


class _Item:
    """What is known of one matched item so far."""

    def __init__(self) -> None:
        self.rule = len(RULES)
        self.share = 0
        self.documents: set[tuple[int, int]] = set()


def summarise(tables: Iterable[Table], benchmarks: Sequence[BenchmarkEntry]) -> tuple[BenchmarkSummary, ...]:
    """Sum up the tables of all shards, for each benchmark in the order given.

    Raises MalformedInput for a benchmark that is not among them, for a rule that does not exist, and for columns
    of unequal lengths.
    """
    found: dict[str, dict[str, _Item]] = {entry.name: {} for entry in benchmarks}
    strong: dict[str, set[tuple[int, int]]] = {entry.name: set() for entry in benchmarks}
    for shard, table in enumerate(tables):
        for document, benchmark, item, rule, share in _rows_of(table, shard):
            if benchmark not in found:
                raise MalformedInput(
                    "a row is of a benchmark that was not looked for", where=f"shard {shard}"
                )
            known = found[benchmark].setdefault(item, _Item())
            known.rule = min(known.rule, rule)
            known.share = max(known.share, share)
            known.documents.add((shard, document))
            if RULES[rule] != "short":
                strong[benchmark].add((shard, document))
    return tuple(_sum_up(entry, found[entry.name], strong[entry.name]) for entry in benchmarks)


def clean_items(
    tables: Iterable[Table],
    benchmark: str,
    items: Sequence[str],
    *,
    rules: Sequence[str] = RULES,
    min_share: int = 0,
) -> ItemSplit:
    """Split a benchmark's items, so that scores on clean and on contaminated ones can be told apart.

    `items` are the ids of all of them; an item is contaminated where a row by one of `rules` has at least
    `min_share` permille of its words. Raises MalformedInput for a row of an item that is not among them.
    """
    wanted = {RULES.index(rule) for rule in RULES if rule in rules}
    known, contaminated = set(items), set()
    for shard, table in enumerate(tables):
        for _, name, item, rule, share in _rows_of(table, shard):
            if name != benchmark:
                continue
            if item not in known:
                raise MalformedInput(
                    "a row is of an item that the benchmark does not have", where=f"shard {shard}"
                )
            if rule in wanted and share >= min_share:
                contaminated.add(item)
    return ItemSplit(
        tuple(item for item in items if item not in contaminated),
        tuple(item for item in items if item in contaminated),
    )


def _rows_of(table: Table, shard: int) -> Iterable[tuple[int, str, str, int, int]]:
    names = ("row" if "row" in table else "document", "benchmark", "item", "rule", "share")
    for name in names:
        if name not in table:
            raise MalformedInput(f"the table has no column {name!r}", where=f"shard {shard}")
    if len({len(table[name]) for name in names}) > 1:
        raise MalformedInput("columns of unequal lengths", where=f"shard {shard}")
    for document, benchmark, item, rule, share in zip(*(table[name] for name in names), strict=True):
        if rule not in RULES:
            raise MalformedInput("a row is by a rule that does not exist", where=f"shard {shard}")
        yield int(document), str(benchmark), str(item), RULES.index(rule), int(share)


def _sum_up(
    entry: BenchmarkEntry, found: Mapping[str, _Item], strong: set[tuple[int, int]]
) -> BenchmarkSummary:
    coverage = [0] * BINS
    for item in found.values():
        coverage[min(item.share * BINS // _PERMILLE, BINS - 1)] += 1
    documents = set().union(*(item.documents for item in found.values()))
    common = sorted(found.items(), key=lambda pair: (-len(pair[1].documents), pair[0]))[:10]
    return BenchmarkSummary(
        name=entry.name,
        sha256=entry.sha256,
        items=entry.items,
        unchecked=entry.unchecked,
        short=entry.short,
        matched=len(found),
        by_rule={
            rule: sum(item.rule == number for item in found.values()) for number, rule in enumerate(RULES)
        },
        coverage=tuple(coverage),
        documents=len(documents),
        documents_short=len(documents - strong),
        most_common=tuple((name, len(item.documents)) for name, item in common),
    )
