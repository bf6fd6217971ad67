"""What the records of an audit add up to beyond its manifest: licences, languages, years, hosts, and what was unread.

Every number is a count over the files of the audit's folder; nothing here looks at a corpus. Lists are bounded, and say
how much they leave out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from verilabel.audit.contamination.rules import RULES
from verilabel.audit.exporting.memorisation import IndicatorCounter, Memorisation
from verilabel.audit.interface import Column
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.layout import RECORDS, TABLE, UNREAD, shard_file, table_file
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.records import Records, column_of_kind, read_records
from verilabel.audit.proof.shards import ShardEntry, ShardLine
from verilabel.audit.proof.tables import CONTAMINATION_FORM, TEXT, UNREAD_FORM, read_table
from verilabel.audit.provenance.hosts import number_host
from verilabel.errors import MalformedInput

FAMILIES = ("pii", "secret", "licence", "copyright", "use", "contamination", "toxic")
"""What kinds of findings begin with, in the order in which they are shown."""
MAX_SHARDS_SHOWN = 60
MAX_HOSTS_SHOWN = 60
MAX_DOMAINS = 1_000_000
MAX_ITEMS_SHOWN = 500
MAX_NAMES = 100_000
_NAMED = re.compile(r"([0-9]+) ([^,;]+)")
_NONE = "none"
_LICENCES_FORM = {"row": "u8", "licence": TEXT, "how": TEXT, "coverage": "u2"}
_HOSTS_FORM = {"host": TEXT, "domain": TEXT, "kind": TEXT, "documents": "i8", "bytes": "i8"}
_DECLARED_FORM = {"licence": TEXT, "documents": "i8"}


class Named(msgspec.Struct, frozen=True):
    """Documents by a name."""

    name: str
    documents: int


class Site(msgspec.Struct, frozen=True):
    """A host, as the sources of documents name it."""

    host: str
    domain: str
    kind: str
    documents: int
    bytes: int
    found: dict[str, int]
    """Family of kinds to documents with a finding of it."""


class Domain(msgspec.Struct, frozen=True):
    """A registrable domain with all its hosts."""

    name: str
    documents: int
    bytes: int


class Part(msgspec.Struct, frozen=True):
    """A shard, and in how many of its documents something was found."""

    name: str
    read: int
    unread: int
    unknown: int
    text_bytes: int
    found: dict[str, int]


class Reason(msgspec.Struct, frozen=True):
    """Why documents were not read."""

    reason: str
    documents: int
    places: int
    """Where this happened; at some nobody can know how many documents it was."""
    unknown: int
    bytes: int


class ClusterSizes(msgspec.Struct, frozen=True):
    """Clusters of duplicates of `low` up to `high` documents."""

    low: int
    high: int
    clusters: int
    documents: int


class Item(msgspec.Struct, frozen=True):
    """An item of a benchmark that stands in documents."""

    item: str
    rule: str
    """The strongest by which a document has it."""
    share: int
    """The greatest, in thousandths of its words."""
    documents: int


class Benchmark(msgspec.Struct, frozen=True):
    """The items of one benchmark that were found, most documents first."""

    name: str
    items: tuple[Item, ...]
    left_out: int


class Tallies(msgspec.Struct, frozen=True):
    """Counts over the records and tables of an audit."""

    shards: tuple[Part, ...]
    shards_left_out: int
    found: dict[str, int]
    """Family of kinds to documents of the corpus with a finding of it."""
    unread: tuple[Reason, ...]
    licence_classes: tuple[Named, ...]
    licences: tuple[Named, ...]
    """By every licence that a document names or holds; a document with several counts for each."""
    declared: tuple[Named, ...]
    """By the licence that the source declares for a document."""
    languages: tuple[Named, ...]
    years: tuple[Named, ...]
    undated: int
    hosts: tuple[Site, ...]
    hosts_left_out: int
    domains: tuple[Domain, ...]
    """Largest first, by bytes of text."""
    without_host: int
    near_sizes: tuple[ClusterSizes, ...]
    exact_sizes: tuple[ClusterSizes, ...]
    memorisation: Memorisation | None
    """None where duplicates were not looked for."""
    benchmarks: tuple[Benchmark, ...]


def tally_audit(audit: AuditFolder, manifest: AuditManifest) -> Tallies:
    """Count over an audit's records. Raises MalformedInput where a file is not in its form."""
    hosts = _read_hosts(audit)
    counts = _Counts(manifest, hosts[:MAX_HOSTS_SHOWN])
    for index, entry in enumerate(audit.shards()):
        counts.add_shard(audit, index, entry)
    return counts.tallies(hosts, _read_declared(audit))


def names_of_values(column: Column) -> dict[int, str]:
    """The names of a column's values: those listed, or as its words say them, `0 none, 1 public domain`."""
    if column.values:
        return dict(enumerate(column.values))
    _, _, said = column.words.partition(": ")
    names = {int(number): name.strip() for number, name in _NAMED.findall(said)}
    return {**names, 0: _NONE} if names else {}


def family_of(kind: str) -> str:
    """The family of a kind of finding: `pii` of `pii.email`."""
    return kind.partition(".")[0]


class _Counts:
    """Sums over shards, chunk by chunk."""

    def __init__(self, manifest: AuditManifest, hosts: Sequence[Site]) -> None:
        self._manifest = manifest
        columns = {column.name: column for column in manifest.record}
        self._columns = columns
        self._kinds: dict[str, list[str]] = {}
        for total in manifest.totals:
            if column_of_kind(total.kind) not in columns:
                raise MalformedInput(f"no record counts {total.kind[:80]!r}", where="audit.json $.record")
            self._kinds.setdefault(family_of(total.kind), []).append(column_of_kind(total.kind))
        self._values: dict[str, Counter[int]] = {
            name: Counter()
            for name in ("licences_class", "language_code", "provenance_year", "provenance_kind")
            if name in columns
        }
        self._sizes: dict[str, Counter[int]] = {
            kind: Counter() for kind in ("near", "exact") if f"duplicates_{kind}_size" in columns
        }
        self._indicators = IndicatorCounter(columns)
        self._numbers = np.sort(np.array([number_host(site.host) for site in hosts], np.uint64))
        self._host_found = {family: np.zeros(len(hosts), np.int64) for family in self._kinds}
        self._without_host = 0
        self._parts: list[Part] = []
        self._parts_seen = 0
        self._found: Counter[str] = Counter()
        self._unread: dict[str, list[int]] = {}
        self._licences: Counter[str] = Counter()
        self._items: dict[str, dict[str, _Found]] = {each.name: {} for each in manifest.contamination}

    def add_shard(self, audit: AuditFolder, index: int, entry: ShardEntry) -> None:
        """The next shard of the audit."""
        there = {file.path for file in entry.files}
        found = Counter[str]()
        path = shard_file(index, RECORDS)
        for records in read_records(audit.root / path, self._manifest.record, where=path):
            self._add_records(records, found)
        self._found.update(found)
        self._keep_part(entry.shard, found)
        for row in _rows(audit, shard_file(index, UNREAD), there, UNREAD_FORM, ("reason", "count", "bytes")):
            tally = self._unread.setdefault(row[0], [0, 0, 0, 0])
            for place, more in enumerate((row[1], 1, row[1] == 0, row[2])):
                tally[place] += more
        path = shard_file(index, TABLE + "licences")
        pairs = set(_rows(audit, path, there, _LICENCES_FORM, ("row", "licence")))
        self._licences.update(licence for _, licence in pairs)
        names = ("row", "benchmark", "item", "rule", "share")
        path = shard_file(index, TABLE + "contamination")
        for row in _rows(audit, path, there, CONTAMINATION_FORM, names):
            self._add_item(index, *row)

    def _add_records(self, records: Records, found: Counter[str]) -> None:
        for name, counter in self._values.items():
            values, counts = np.unique(records[name], return_counts=True)
            counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        self._indicators.add(records)
        for kind, counter in self._sizes.items():
            values, counts = np.unique(records[f"duplicates_{kind}_size"], return_counts=True)
            counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        places, known = self._places_of_hosts(records)
        for family, columns in self._kinds.items():
            flagged = np.zeros(len(records), bool)
            for column in columns:
                flagged |= records[column] > 0
            found[family] += int(np.count_nonzero(flagged))
            if known is not None:
                np.add.at(self._host_found[family], places[flagged & known], 1)

    def _places_of_hosts(self, records: Records) -> tuple[Any, Any]:
        if "provenance_host" not in self._columns or not len(self._numbers):
            return None, None
        numbers = records["provenance_host"]
        self._without_host += int(np.count_nonzero(numbers == 0))
        places = np.minimum(np.searchsorted(self._numbers, numbers), len(self._numbers) - 1)
        return places, self._numbers[places] == numbers

    def _keep_part(self, shard: ShardLine, found: Mapping[str, int]) -> None:
        """Keep the shards in which most was found; the order of the audit breaks ties."""
        self._parts_seen += 1
        self._parts.append(
            Part(shard.name, shard.read, shard.unread, shard.unknown, shard.text_bytes, dict(found))
        )
        if len(self._parts) >= 2 * MAX_SHARDS_SHOWN:
            self._parts = _most_found(self._parts)

    def _add_item(self, shard: int, row: int, benchmark: str, item: str, rule: str, share: int) -> None:
        known = self._items.get(benchmark)
        if known is None:
            raise MalformedInput("an item of a benchmark that was not looked for", where=f"shard {shard}")
        known.setdefault(item, _Found()).add(shard, row, rule, share)

    def tallies(self, hosts: Sequence[Site], declared: tuple[Named, ...]) -> Tallies:
        """All counts, in an order that depends on nothing else."""
        shown = hosts[:MAX_HOSTS_SHOWN]
        order = {int(number): place for place, number in enumerate(self._numbers)}
        sites = tuple(
            msgspec.structs.replace(
                site,
                found={
                    family: int(counts[order[number_host(site.host)]])
                    for family, counts in self._host_found.items()
                },
            )
            for site in shown
        )
        parts = _most_found(self._parts)
        years = self._values.get("provenance_year", Counter())
        return Tallies(
            shards=tuple(sorted(parts, key=lambda part: part.name)),
            shards_left_out=self._parts_seen - len(parts),
            found={family: self._found[family] for family in FAMILIES if family in self._kinds},
            unread=tuple(Reason(reason, *sums) for reason, sums in sorted(self._unread.items())),
            licence_classes=self._name_values("licences_class"),
            licences=_most(self._licences),
            declared=declared,
            languages=self._name_values("language_code"),
            years=tuple(Named(str(year), count) for year, count in sorted(years.items()) if year),
            undated=years[0],
            hosts=sites,
            hosts_left_out=len(hosts) - len(sites),
            domains=_sum_domains(hosts),
            without_host=self._without_host,
            near_sizes=_bin_sizes(self._sizes.get("near", Counter())),
            exact_sizes=_bin_sizes(self._sizes.get("exact", Counter())),
            memorisation=self._indicators.counted(),
            benchmarks=tuple(_name_items(name, items) for name, items in self._items.items()),
        )

    def _name_values(self, name: str) -> tuple[Named, ...]:
        counter = self._values.get(name)
        if counter is None:
            return ()
        names = names_of_values(self._columns[name])
        return _most({names.get(value, f"number {value}"): count for value, count in counter.items()})


class _Found:
    """What is known of one matched item so far."""

    def __init__(self) -> None:
        self.rule, self.share = "", 0
        self.documents: set[tuple[int, int]] = set()

    def add(self, shard: int, row: int, rule: str, share: int) -> None:
        if rule not in RULES:
            raise MalformedInput(
                "an item that was found by a rule that does not exist", where=f"shard {shard}"
            )
        self.documents.add((shard, row))
        self.rule = min(self.rule or rule, rule, key=list[str](RULES).index)
        self.share = max(self.share, share)


def _name_items(benchmark: str, items: Mapping[str, _Found]) -> Benchmark:
    listed = sorted(items.items(), key=lambda pair: (-len(pair[1].documents), -pair[1].share, pair[0]))
    shown = listed[:MAX_ITEMS_SHOWN]
    return Benchmark(
        benchmark,
        tuple(Item(item, found.rule, found.share, len(found.documents)) for item, found in shown),
        len(listed) - len(shown),
    )


def _most_found(parts: list[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: (-sum(part.found.values()), -part.unread, part.name))[
        :MAX_SHARDS_SHOWN
    ]


def _most(counts: Mapping[str, int]) -> tuple[Named, ...]:
    """Most documents first, then by name."""
    return tuple(
        Named(name, count) for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def _bin_sizes(sizes: Mapping[int, int]) -> tuple[ClusterSizes, ...]:
    """Clusters by size, in classes that double: 2, 3-4, 5-8, ... `sizes` counts documents by their cluster's size."""
    bins: dict[int, list[int]] = {}
    for size, documents in sizes.items():
        if size < 2:
            continue
        tally = bins.setdefault((size - 1).bit_length(), [0, 0])
        tally[0] += documents // size
        tally[1] += documents
    return tuple(
        ClusterSizes((1 << power - 1) + 1, 1 << power, *tally) for power, tally in sorted(bins.items())
    )


# -- tables ----------------------------------------------------------------------------------------


def _read_hosts(audit: AuditFolder) -> list[Site]:
    sites = [
        Site(host, domain, kind, documents, size, {})
        for host, domain, kind, documents, size in _rows(audit, table_file("hosts"), None, _HOSTS_FORM)
        if host
    ]
    return sorted(sites, key=lambda site: (-site.documents, site.host))


def _read_declared(audit: AuditFolder) -> tuple[Named, ...]:
    return _most(dict(_rows(audit, table_file("declared"), None, _DECLARED_FORM)))


def _sum_domains(hosts: Iterable[Site]) -> tuple[Domain, ...]:
    sums: dict[str, list[int]] = {}
    for site in hosts:
        tally = sums.setdefault(site.domain, [0, 0])
        tally[0] += site.documents
        tally[1] += site.bytes
    found = [Domain(name, *tally) for name, tally in sums.items()]
    return tuple(sorted(found, key=lambda domain: (-domain.bytes, domain.name))[:MAX_DOMAINS])


def _rows(
    audit: AuditFolder, path: str, there: set[str] | None, form: Mapping[str, str], names: Sequence[str] = ()
) -> Iterator[tuple[Any, ...]]:
    """Some columns of a table's rows; none where the audit has no such table. Raises as `read_table`."""
    if (path not in there) if there is not None else not (audit.root / path).exists():
        return
    with audit.open(path):  # refuses links
        columns = read_table(audit.root / path, form, where=path)
    lists = [columns[name] if form[name] == TEXT else columns[name].tolist() for name in names or form]
    yield from zip(*lists, strict=True)
