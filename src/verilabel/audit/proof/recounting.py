"""An audit counted again from its records, findings and tables, shard by shard; and held against its manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.check import TABLE as CONTAMINATION
from verilabel.audit.contamination.items import BenchmarkEntry
from verilabel.audit.contamination.sketch import parse_sketch
from verilabel.audit.contamination.summary import Table, summarise
from verilabel.audit.proof.clusters import Clustering
from verilabel.audit.proof.examples import read_examples
from verilabel.audit.proof.findings import Found, read_findings
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.layout import (
    EXAMPLES,
    FINDINGS,
    MAX_FILE_BYTES,
    RECORDS,
    SKETCH,
    TABLE,
    UNREAD,
    shard_file,
)
from verilabel.audit.proof.manifest import AuditManifest, Coverage, KindTotal
from verilabel.audit.proof.records import Records, column_of_kind, columns_of, read_records, root_of_chunks
from verilabel.audit.proof.shards import ShardEntry, ShardLine, root_of_shards
from verilabel.audit.proof.stating import state_all
from verilabel.audit.reading.interface import Unread
from verilabel.audit.sampling.choosing import choose, merge, number_copies
from verilabel.audit.sampling.result import check_result
from verilabel.errors import MalformedInput, SealError
from verilabel.records.canonical import DIGEST_PREFIX

MAX_COUNT = 65535
_PLACES: dict[str, list[Any]] = {name: [] for name in ("row", "benchmark", "item", "rule", "share")}
Key = tuple[int, int, int, int, str]


class Recount:
    """What an audit's own files say, added up."""

    def __init__(self, manifest: AuditManifest) -> None:
        self._manifest = manifest
        self._columns = columns_of(manifest.checks)
        if self._columns != manifest.record:
            raise MalformedInput(
                "the columns of records are not those of the checks", where="audit.json $.record"
            )
        self._kinds = [kind.id for card in manifest.checks for kind in card.kinds]
        self._findings = np.zeros(len(self._kinds), np.int64)
        self._documents = np.zeros(len(self._kinds), np.int64)
        self._choices = {
            column.name: np.zeros(len(column.values), np.int64) for column in self._columns if column.values
        }
        self._lines: list[ShardLine] = []
        self._unread: list[list[Unread]] = []
        self._clusters = Clustering(manifest) if manifest.duplicates is not None else None
        self._tables: list[Table] = []
        self._examples: dict[int, set[Key]] = {}
        self._audit: AuditFolder | None = None

    def add_shard(self, audit: AuditFolder, index: int, entry: ShardEntry) -> None:
        """Steps 3 to 5 for one shard. Raises MalformedInput or SealError naming it."""
        if self._audit is None:
            self._audit = audit
            self._examples = read_examples(audit, self._kinds)
        line, where = entry.shard, f"shard {index} ({entry.shard.name[:200]})"
        needed = {shard_file(index, name) for name in (RECORDS, FINDINGS, UNREAD)}
        listed = {file.path for file in entry.files}
        if not needed <= listed:
            raise SealError(f"{min(needed - listed)} is missing", where=where, step=1)
        unread = self._read_unread(index, line, where)
        found = read_findings(audit.root / shard_file(index, FINDINGS), where=where)
        table = self._read_table(index, listed, where)
        self._add_records(index, line, unread, found, table, where)
        self._lines.append(line)
        self._unread.append(unread)
        self._tables.append(table)

    def _add_records(
        self,
        index: int,
        line: ShardLine,
        unread: Sequence[Unread],
        found: Found,
        table: Table,
        where: str,
    ) -> None:
        found = found[np.argsort(found["row"], kind="stable")]
        self._check_findings(found, where)
        self._check_examples(index, found, where)
        items = _items_of(table)
        read = text_bytes = matched = used = 0
        last = -1
        assert self._audit is not None

        def chunks() -> Iterator[Records]:
            nonlocal read, text_bytes, matched, used, last
            path = self._audit.root / shard_file(index, RECORDS)  # type: ignore[union-attr]
            for records in read_records(path, self._columns, where=where):
                if len(records):
                    _check_rows(records["row"], last, line.rows, where)
                    last = int(records["row"][-1])
                read, text_bytes = read + len(records), text_bytes + int(records["bytes"].sum(dtype=np.int64))
                used += self._check_counts(records, found, where)
                matched += _check_items(records, items, where)
                self._add_choices(records, where)
                if self._clusters is not None:
                    self._clusters.add(records)
                yield records

        if root_of_chunks(chunks()).hex() != line.root:
            raise SealError("the records do not have the root that is signed", where=where, step=4)
        if (read, text_bytes) != (line.read, line.text_bytes):
            raise SealError("the records are not the documents that were read", where=where, step=3)
        if used != len(found) or matched != len(items):
            raise SealError("findings in documents that have no record", where=where, step=5)
        if _overlaps(unread, line):
            raise SealError("what was read and what was not do not add up", where=where, step=3)

    def _check_findings(self, found: Found, where: str) -> None:
        if len(found) and int(found["kind"].max()) >= len(self._kinds):
            raise MalformedInput("a finding of a kind that there is not", where=where)
        if len(found) and int(found["length"].min()) == 0:
            raise MalformedInput("a finding of nothing", where=where)
        self._findings += np.bincount(found["kind"], minlength=len(self._kinds))

    def _check_counts(self, records: Records, found: Found, where: str) -> int:
        """Findings of a chunk of records against their columns; how many findings those are."""
        if not len(records):
            return 0
        low, high = np.searchsorted(found["row"], [records["row"][0], records["row"][-1] + np.uint64(1)])
        some = found[low:high]
        place = np.searchsorted(records["row"], some["row"])
        if len(some) and not (records["row"][np.minimum(place, len(records) - 1)] == some["row"]).all():
            raise SealError("findings in documents that have no record", where=where, step=5)
        ends = some["start"].astype(np.int64) + some["length"]
        if (ends > records["bytes"][place]).any():
            raise SealError("a finding beyond the end of its document", where=where, step=5)
        for kind, name in enumerate(self._kinds):
            counts = np.bincount(place[some["kind"] == kind], minlength=len(records))
            column = records[column_of_kind(name)]
            if not (np.minimum(counts, MAX_COUNT) == column).all():
                raise SealError(f"findings and counts of {name} differ", where=where, step=5)
            self._documents[kind] += np.count_nonzero(column)
        return len(some)

    def _add_choices(self, records: Records, where: str) -> None:
        for name, total in self._choices.items():
            counts = np.bincount(records[name].astype(np.int64), minlength=len(total))
            if len(counts) > len(total):
                raise MalformedInput(f"a value of {name} that has no name", where=where)
            np.add(total, counts, out=total)

    def _check_examples(self, index: int, found: Found, where: str) -> None:
        wanted = self._examples.pop(index, set())
        if not wanted:
            return
        rows = {key[0] for key in wanted}
        near = found[np.isin(found["row"], np.fromiter(rows, np.uint64, len(rows)))]
        there = {
            (int(f["row"]), int(f["kind"]), int(f["start"]), int(f["length"]), f["mark"].tobytes().hex())
            for f in near
        }
        if not wanted <= there:
            raise SealError("an example that is not among the findings", where=where, step=9)

    def _read_unread(self, index: int, line: ShardLine, where: str) -> list[Unread]:
        table = _read_table(
            self._audit, shard_file(index, UNREAD), ("row", "reason", "count", "bytes"), where
        )
        unread = [
            Unread(*row)
            for row in zip(*(table[name] for name in ("row", "reason", "count", "bytes")), strict=True)
        ]
        found = (
            sum(one.count for one in unread),
            sum(one.count == 0 for one in unread),
            sum(one.bytes for one in unread),
        )
        if found != (line.unread, line.unknown, line.unread_bytes):
            raise SealError("what was not read does not add up", where=where, step=3)
        return unread

    def _read_table(self, index: int, listed: set[str], where: str) -> Table:
        path = shard_file(index, TABLE + CONTAMINATION)
        if path not in listed:
            return _PLACES
        return _read_table(self._audit, path, tuple(_PLACES), where)

    def check(self) -> None:
        """What can be said when all shards are counted. Raises SealError with the step that does not hold."""
        manifest = self._manifest
        root = DIGEST_PREFIX + root_of_shards(self._lines).hex()
        _compare((manifest.root.sha256, manifest.root.shards), (root, len(self._lines)), "root", 3)
        _compare(manifest.coverage, coverage_of(self._lines), "coverage", 3)
        totals = tuple(
            KindTotal(kind, int(findings), int(documents))
            for kind, findings, documents in zip(self._kinds, self._findings, self._documents, strict=True)
        )
        _compare(manifest.totals, totals, "totals", 5)
        _compare(manifest.choices, self._choices_by_name(), "choices", 5)
        if self._clusters is not None:
            self._clusters.check(manifest)
        entries = [
            BenchmarkEntry(s.name, s.sha256, s.items, s.unchecked, s.short) for s in manifest.contamination
        ]
        _compare(manifest.contamination, summarise(self._tables, entries), "contamination", 7)
        self._check_sample()
        check_canaries(manifest)
        stated = state_all(
            manifest.coverage,
            manifest.totals,
            manifest.canaries,
            manifest.sample,
            manifest.settings.confidence,
        )
        _compare(manifest.statements, stated, "statements", 8)
        if self._examples:
            raise SealError("an example of a shard that there is not", where=EXAMPLES, step=9)
        self._check_sketch()

    def _choices_by_name(self) -> dict[str, dict[str, int]]:
        names = {column.name: column.values for column in self._columns}
        return {
            name: {value: int(count) for value, count in zip(names[name], counts, strict=True) if count}
            for name, counts in self._choices.items()
        }

    def _check_sample(self) -> None:
        sample = self._manifest.sample
        if sample is None:
            return
        copies = number_copies([line.sha256 for line in self._lines])
        drawn = merge(
            (
                choose(line.sha256, line.rows, sample.wanted, unread=unread, copy=copy)
                for line, unread, copy in zip(self._lines, self._unread, copies, strict=True)
            ),
            sample.wanted,
        )
        try:
            check_result(sample, drawn)
        except MalformedInput as error:
            raise SealError(error.message, where=f"audit.json {error.where}", step=8) from error
        _compare(sample.population, self._manifest.coverage.read, "sample.population", 8)
        _compare(sample.wanted, self._manifest.settings.sampling.documents, "sample.wanted", 8)

    def _check_sketch(self) -> None:
        if self._audit is None or not any(file.path == SKETCH for file in self._manifest.files):
            return
        data = np.frombuffer(self._audit.read(SKETCH, MAX_FILE_BYTES), np.uint8)
        _compare(parse_sketch(data).documents, self._manifest.coverage.read, "sketch documents", 8)


def coverage_of(lines: Sequence[ShardLine]) -> Coverage:
    """The coverage of a corpus, from its shards."""
    names = [name for name in Coverage.__struct_fields__ if name != "shards"]
    return Coverage(len(lines), *(sum(getattr(line, name) for line in lines) for name in names))


def check_canaries(manifest: AuditManifest) -> None:
    """Check that canaries are of kinds that were looked for, no more than were asked for, and none twice."""
    kinds = {kind.id for card in manifest.checks for kind in card.kinds}
    seen: set[tuple[str, str]] = set()
    most = manifest.settings.canaries.per_format
    for one in manifest.canaries:
        if (
            one.kind not in kinds
            or (one.kind, one.format) in seen
            or not 0 <= one.found <= one.planted <= most
        ):
            raise SealError(
                f"canaries of {one.kind}, {one.format} that cannot be", where="audit.json $.canaries", step=8
            )
        seen.add((one.kind, one.format))


def _compare(written: object, found: object, name: str, step: int) -> None:
    if written != found:
        raise SealError(
            f"{name} in the manifest is not what follows from the files", where="audit.json", step=step
        )


def _check_rows(rows: npt.NDArray[np.uint64], last: int, end: int, where: str) -> None:
    rising = bool((rows[1:] > rows[:-1]).all()) and int(rows[0]) > last and int(rows[-1]) < end
    if not rising:
        raise SealError("records that are not in the order of their rows", where=where, step=4)


def _overlaps(unread: Sequence[Unread], line: ShardLine) -> bool:
    """True where places that were not read do not lie one behind another inside the shard."""
    end = 0
    for one in unread:
        if one.row < end or one.count < 0 or one.bytes < 0:
            return True
        end = one.row + one.count
    return end > line.rows


def _items_of(table: Table) -> dict[int, int]:
    """Row to how many items of benchmarks stand in it."""
    pairs = {
        (row, name, item)
        for row, name, item in zip(table["row"], table["benchmark"], table["item"], strict=True)
    }
    counts: dict[int, int] = {}
    for row, _, _ in pairs:
        counts[row] = counts.get(row, 0) + 1
    return counts


def _check_items(records: Records, items: dict[int, int], where: str) -> int:
    """The column of items against the table; how many documents have any."""
    if "contamination_items" not in (records.dtype.names or ()):
        return 0
    column = records["contamination_items"]
    places = np.flatnonzero(column)
    for place in places:
        if min(items.get(int(records["row"][place]), 0), MAX_COUNT) != int(column[place]):
            raise SealError("items of benchmarks and their counts differ", where=where, step=7)
    return len(places)


def _read_table(
    audit: AuditFolder | None, path: str, names: tuple[str, ...], where: str
) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert audit is not None
    try:
        table = pq.read_table(audit.root / path, columns=list(names), memory_map=False)
        found: dict[str, list[Any]] = table.to_pydict()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise MalformedInput(f"{path} cannot be read", where=where) from error
    if tuple(found) != names or any(value is None for values in found.values() for value in values):
        raise MalformedInput(f"{path} has not the columns it must have", where=where)
    return found
