"""An audit counted again from its records, findings and tables, shard by shard; and held against its manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from verilabel.audit.contamination.items import BenchmarkEntry
from verilabel.audit.contamination.rules import TABLE as CONTAMINATION
from verilabel.audit.contamination.summary import Table, summarise
from verilabel.audit.proof.clusters import Clustering
from verilabel.audit.proof.examples import SHOWN, ExampleDraw
from verilabel.audit.proof.findings import Found, read_findings
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.layout import (
    FINDINGS,
    MAX_FILE_BYTES,
    RECORDS,
    SKETCH,
    TABLE,
    UNREAD,
    shard_file,
)
from verilabel.audit.proof.manifest import AuditManifest, Coverage, KindTotal
from verilabel.audit.proof.records import Records, column_of_kind, read_records, root_of_chunks
from verilabel.audit.proof.shards import ShardEntry, ShardLine, root_of_shards
from verilabel.audit.proof.soundness import check_canaries, check_sound
from verilabel.audit.proof.stating import state_all
from verilabel.audit.proof.tables import CONTAMINATION_FORM, UNREAD_FORM, read_table
from verilabel.audit.sampling.choosing import Candidates, choose_among, merge
from verilabel.audit.sampling.result import check_result
from verilabel.errors import MalformedInput, SealError, VerilabelError
from verilabel.records.canonical import DIGEST_PREFIX

MAX_COUNT = 65535
MAX_MATCHES = 1 << 22
"""Rows of benchmarks' items in one shard."""
_NO_MATCHES: dict[str, list[Any]] = {name: [] for name in ("row", "benchmark", "item", "rule", "share")}
Numbers = npt.NDArray[np.int64]
_Missing = tuple[Numbers, Numbers]
"""First rows of what was not read, and how many documents each is."""


class Recount:
    """What an audit's own files say, added up."""

    def __init__(self, audit: AuditFolder, manifest: AuditManifest) -> None:
        check_sound(manifest)
        self._audit = audit
        self._manifest = manifest
        self._columns = manifest.record
        self._kinds = [kind.id for card in manifest.checks for kind in card.kinds]
        self._findings = np.zeros(len(self._kinds), np.int64)
        self._documents = np.zeros(len(self._kinds), np.int64)
        self._choices = {
            column.name: np.zeros(len(column.values), np.int64) for column in self._columns if column.values
        }
        self._clusters: Clustering | None = None
        self._with_matches: list[str | None] = []
        self._drawn: list[Candidates] = []
        self._copies: dict[str, int] = {}
        shown = [card.name in SHOWN for card in manifest.checks for _ in card.kinds]
        self._examples = ExampleDraw(self._kinds, shown)

    def count_shards(self) -> None:
        """Step 3: the root and the coverage, before anything that they say is believed."""
        lines: list[ShardLine] = []
        for index, entry in enumerate(self._audit.shards()):
            sizes = {file.path: file.bytes for file in entry.files}
            for name in (RECORDS, FINDINGS, UNREAD):
                if shard_file(index, name) not in sizes:
                    raise SealError(
                        f"{shard_file(index, name)} is missing", where=_place(index, entry), step=1
                    )
            if 32 * entry.shard.read > sizes[shard_file(index, RECORDS)]:
                raise SealError("more documents than records", where=_place(index, entry), step=3)
            lines.append(entry.shard)
        root = DIGEST_PREFIX + root_of_shards(lines).hex()
        _compare((self._manifest.root.sha256, self._manifest.root.shards), (root, len(lines)), "root", 3)
        _compare(self._manifest.coverage, coverage_of(lines), "coverage", 3)
        if self._manifest.duplicates is not None:
            self._clusters = Clustering(self._manifest)

    def add_shard(self, index: int, entry: ShardEntry) -> None:
        """Steps 3 to 5 for one shard. Raises MalformedInput or SealError naming it."""
        where = _place(index, entry)
        listed = {file.path for file in entry.files}
        matches = shard_file(index, TABLE + CONTAMINATION)
        self._with_matches.append(matches if matches in listed else None)
        missing = self._read_missing(index, entry.shard, where)
        found = read_findings(self._audit.root / shard_file(index, FINDINGS), where=where)
        self._check_findings(found, where)
        self._examples.add(index, entry, found)
        self._add_records(index, entry.shard, missing, found, where)

    def _add_records(self, index: int, line: ShardLine, missing: _Missing, found: Found, where: str) -> None:
        found = found[np.argsort(found["row"], kind="stable")]
        items = _items_of(self._matches(index))
        read = text_bytes = matched = used = 0
        last = -1
        rows: list[Numbers] = []

        def chunks() -> Iterator[Records]:
            nonlocal read, text_bytes, matched, used, last
            path = self._audit.root / shard_file(index, RECORDS)
            for records in read_records(path, self._columns, where=where):
                _check_rows(records["row"], last, line.rows, missing, where)
                last = int(records["row"][-1])
                read, text_bytes = read + len(records), text_bytes + int(records["bytes"].sum(dtype=np.int64))
                used += self._check_counts(records, found, where)
                matched += _check_items(records, items, where)
                self._add_choices(records, where)
                if self._clusters is not None:
                    self._clusters.add(records)
                rows.append(records["row"].astype(np.int64))
                yield records

        if root_of_chunks(chunks()).hex() != line.root:
            raise SealError("the records do not have the root that is signed", where=where, step=4)
        if (read, text_bytes) != (line.read, line.text_bytes):
            raise SealError("the records are not the documents that were read", where=where, step=3)
        if used != len(found):
            raise SealError("findings in documents that have no record", where=where, step=5)
        if matched != len(items):
            raise SealError("items of benchmarks in documents that have no record", where=where, step=7)
        self._draw(line, rows)

    def _draw(self, line: ShardLine, rows: Sequence[Numbers]) -> None:
        copy = self._copies.get(line.sha256, 0)
        self._copies[line.sha256] = copy + 1
        if self._manifest.sample is not None:
            wanted = self._manifest.settings.sampling.documents
            self._drawn.append(choose_among(line.sha256, rows, wanted, copy=copy))

    def _check_findings(self, found: Found, where: str) -> None:
        if len(found) and int(found["kind"].max()) >= len(self._kinds):
            raise MalformedInput("a finding of a kind that there is not", where=where)
        if len(found) and int(found["length"].min()) == 0:
            raise MalformedInput("a finding of nothing", where=where)
        self._findings += np.bincount(found["kind"], minlength=len(self._kinds))

    def _check_counts(self, records: Records, found: Found, where: str) -> int:
        """Findings of a chunk of records against their columns; how many findings those are."""
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

    def _read_missing(self, index: int, line: ShardLine, where: str) -> _Missing:
        table = read_table(self._audit.root / shard_file(index, UNREAD), UNREAD_FORM, where=where)
        first, count, lost = (_whole(table[name]) for name in ("row", "count", "bytes"))
        found = int(count.sum()), int((count == 0).sum()), int(lost.sum())
        if found != (line.unread, line.unknown, line.unread_bytes):
            raise SealError("what was not read does not add up", where=where, step=3)
        ends = first + count
        if (first[1:] < ends[:-1]).any() or (ends > line.rows).any():
            raise SealError("what was read and what was not do not add up", where=where, step=3)
        return first[count > 0], count[count > 0]

    def _matches(self, index: int) -> Table:
        path = self._with_matches[index]
        if path is None:
            return _NO_MATCHES
        found = read_table(
            self._audit.root / path, CONTAMINATION_FORM, where=f"shard {index}", most=MAX_MATCHES
        )
        return {
            name: values if isinstance(values, list) else values.tolist() for name, values in found.items()
        }

    def check(self) -> None:
        """What can be said when all shards are counted. Raises SealError with the step that does not hold."""
        manifest = self._manifest
        totals = tuple(
            KindTotal(kind, int(findings), int(documents))
            for kind, findings, documents in zip(self._kinds, self._findings, self._documents, strict=True)
        )
        _compare(manifest.totals, totals, "totals", 5)
        _compare(manifest.choices, self._choices_by_name(), "choices", 5)
        if self._clusters is not None:
            self._clusters.check(manifest)
        self._check_matches()
        self._check_sample()
        check_canaries(manifest)
        self._check_statements()
        self._check_sketch()
        self._examples.check(self._audit)

    def _choices_by_name(self) -> dict[str, dict[str, int]]:
        names = {column.name: column.values for column in self._columns}
        return {
            name: {value: int(count) for value, count in zip(names[name], counts, strict=True) if count}
            for name, counts in self._choices.items()
        }

    def _check_matches(self) -> None:
        entries = [
            BenchmarkEntry(s.name, s.sha256, s.items, s.unchecked, s.short)
            for s in self._manifest.contamination
        ]
        tables = (self._matches(index) for index in range(len(self._with_matches)))
        try:
            found = summarise(tables, entries)
        except MalformedInput as error:
            raise SealError(error.message, where=error.where, step=7) from error
        _compare(self._manifest.contamination, found, "contamination", 7)

    def _check_sample(self) -> None:
        sample = self._manifest.sample
        if sample is None:
            return
        asked = self._manifest.settings.sampling
        _compare(sample.wanted, asked.documents, "sample.wanted", 8)
        _compare(sample.population, self._manifest.coverage.read, "sample.population", 8)
        references = tuple(measured.reference for measured in sample.measured)
        _compare(references, (*asked.detectors, *asked.judges), "sample.measured", 8)
        try:
            check_result(sample, merge(self._drawn, sample.wanted))
        except MalformedInput as error:
            raise SealError(error.message, where=f"audit.json {error.where}", step=8) from error

    def _check_statements(self) -> None:
        manifest = self._manifest
        try:
            stated = state_all(
                manifest.coverage,
                manifest.totals,
                manifest.canaries,
                manifest.sample,
                manifest.settings.confidence,
            )
        except VerilabelError as error:
            raise SealError(error.message, where="audit.json $.statements", step=8) from error
        _compare(manifest.statements, stated, "statements", 8)

    def _check_sketch(self) -> None:
        if not any(file.path == SKETCH for file in self._manifest.files):
            return
        from verilabel.audit.contamination.sketch import parse_sketch  # it is decoded by a compiled loop

        data = np.frombuffer(self._audit.read(SKETCH, MAX_FILE_BYTES), np.uint8)
        try:
            sketch = parse_sketch(data)
        except SealError as error:
            raise SealError(error.message, where=SKETCH, step=7) from error
        _compare(sketch.documents, self._manifest.coverage.read, "documents of the sketch", 7)


def coverage_of(lines: Sequence[ShardLine]) -> Coverage:
    """The coverage of a corpus, from its shards."""
    names = [name for name in Coverage.__struct_fields__ if name != "shards"]
    return Coverage(len(lines), *(sum(getattr(line, name) for line in lines) for name in names))


def _place(index: int, entry: ShardEntry) -> str:
    return f"shard {index} ({entry.shard.name[:200]})"


def _compare(written: object, found: object, name: str, step: int) -> None:
    if written != found:
        raise SealError(
            f"{name} in the manifest is not what follows from the files", where="audit.json", step=step
        )


def _whole(values: npt.NDArray[np.uint64]) -> Numbers:
    """Numbers that add up without running over; larger ones become too large for any shard."""
    return np.minimum(values, np.uint64(2**53)).astype(np.int64)


def _check_rows(rows: npt.NDArray[np.uint64], last: int, end: int, missing: _Missing, where: str) -> None:
    rising = bool((rows[1:] > rows[:-1]).all()) and int(rows[0]) > last and int(rows[-1]) < end
    if not rising:
        raise SealError("records that are not in the order of their rows", where=where, step=4)
    first, count = missing
    if not len(first):
        return
    place = np.searchsorted(first, rows.astype(np.int64), side="right") - 1
    nearest = np.maximum(place, 0)
    if ((place >= 0) & (rows.astype(np.int64) < first[nearest] + count[nearest])).any():
        raise SealError("a record of a document that was not read", where=where, step=3)


def _items_of(table: Table) -> dict[int, int]:
    """Row to how many items of benchmarks stand in it."""
    pairs = set(zip(table["row"], table["benchmark"], table["item"], strict=True))
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
