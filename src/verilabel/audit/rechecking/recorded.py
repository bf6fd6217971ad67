"""What an audit recorded of chosen documents: records, findings and rows of tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verilabel.audit.proof.findings import Found, read_findings
from verilabel.audit.proof.folder import AuditFolder
from verilabel.audit.proof.layout import FINDINGS, RECORDS, TABLE, shard_file
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.proof.records import leaves_of, read_records
from verilabel.audit.proof.shards import ShardLine
from verilabel.audit.proof.tables import read_table
from verilabel.audit.rechecking.drawing import Choice
from verilabel.evidence.merkle import Tree


@dataclass(frozen=True)
class Recorded:
    """What is recorded of one document."""

    choice: Choice
    line: ShardLine
    record: Any
    """A row of the records' form."""
    found: Found

    @property
    def row(self) -> int:
        """Its place in its shard."""
        return int(self.record["row"])

    @property
    def where(self) -> str:
        """Names it."""
        return f"{self.line.name[:200]} row {self.row}"

    @property
    def leaf(self) -> bytes:
        """The leaf of its record."""
        return leaves_of(np.array([self.record], self.record.dtype))[0]


class ShardRecorded:
    """What is recorded of a shard, for the documents that were chosen of it."""

    def __init__(
        self,
        audit: AuditFolder,
        manifest: AuditManifest,
        index: int,
        line: ShardLine,
        chosen: Sequence[Choice],
    ) -> None:
        self.index = index
        self.line = line
        self._audit = audit
        self._manifest = manifest
        self._tables: dict[str, dict[str, Any] | None] = {}
        wanted = np.array([choice.place for choice in chosen], np.int64)
        at, records = 0, []
        for chunk in self._chunks():
            inside = wanted[(wanted >= at) & (wanted < at + len(chunk))]
            records += list(chunk[inside - at])
            at += len(chunk)
        found = read_findings(audit.root / shard_file(index, FINDINGS), where=line.name[:200])
        self.documents = [
            Recorded(choice, line, record, found[found["row"] == record["row"]])
            for choice, record in zip(chosen, records, strict=True)
        ]

    def _chunks(self) -> Iterator[Any]:
        path = self._audit.root / shard_file(self.index, RECORDS)
        return read_records(path, self._manifest.record, where=self.line.name[:200])

    def tree(self) -> Tree:
        """The tree over all its records."""
        leaves: list[bytes] = []
        for chunk in self._chunks():
            leaves += leaves_of(chunk)
        return Tree(leaves)

    def rows_of(self, table: str, form: Mapping[str, str], row: int) -> list[tuple[Any, ...]]:
        """The rows of a document in one of the shard's tables, without their number, sorted."""
        if table not in self._tables:
            path = self._audit.root / shard_file(self.index, TABLE + table)
            self._tables[table] = (
                read_table(path, form, where=self.line.name[:200]) if path.exists() else None
            )
        columns = self._tables[table]
        if columns is None:
            return []
        places = np.flatnonzero(columns["row"] == row).tolist()
        names = [name for name in form if name != "row"]
        return sorted(tuple(_plain(columns[name][at]) for name in names) for at in places)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def recorded_shards(
    audit: AuditFolder, manifest: AuditManifest, lines: Sequence[ShardLine], chosen: Sequence[Choice]
) -> Iterator[ShardRecorded]:
    """What is recorded of chosen documents, shard by shard."""
    by_shard: dict[int, list[Choice]] = {}
    for choice in chosen:
        by_shard.setdefault(choice.shard, []).append(choice)
    for index, some in sorted(by_shard.items()):
        yield ShardRecorded(audit, manifest, index, lines[index], some)
