"""The last stage over shards: records are joined with their duplicates, hashed to leaves and roots, and written."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from verilabel.audit.contamination.rules import SKETCH_TABLE
from verilabel.audit.duplicates.joining import Joined
from verilabel.audit.duplicates.joining import columns_of as columns_of_duplicates
from verilabel.audit.engine.interface import Finished, FinishTask
from verilabel.audit.engine.job import Opened
from verilabel.audit.engine.keeping import FINDINGS, RECORDS, TABLES, flush_files
from verilabel.audit.engine.mapping import MAP, UNREAD
from verilabel.audit.engine.work import OUT
from verilabel.audit.proof.findings import FOUND, Found, write_findings
from verilabel.audit.proof.layout import FINDINGS as FINDINGS_NAME
from verilabel.audit.proof.layout import RECORDS as RECORDS_NAME
from verilabel.audit.proof.layout import TABLE, shard_file
from verilabel.audit.proof.layout import UNREAD as UNREAD_NAME
from verilabel.audit.proof.records import CHUNK, Records, column_of_kind, write_records
from verilabel.audit.proof.shards import ListedFile
from verilabel.audit.reading.interface import Unread

JOINED = "joined"


def finish_shard(opened: Opened, task: FinishTask) -> Finished:
    """Write a shard's files into the audit's folder; the root over its records."""
    # a shard may be finished twice at once: each file appears whole, and is the same every time
    scratch = opened.work / f".finish-{task.index}-{secrets.token_hex(4)}"
    try:
        (scratch / shard_file(task.index, RECORDS_NAME)).parent.mkdir(parents=True)
        finished = _write_files(opened, task, scratch)
        flush_files(scratch)
        (opened.work / OUT / finished.files[0].path).parent.mkdir(parents=True, exist_ok=True)
        for file in finished.files:
            (scratch / file.path).replace(opened.work / OUT / file.path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return finished


def _write_files(opened: Opened, task: FinishTask, target: Path) -> Finished:
    source = opened.work / MAP / task.key
    names = {name: shard_file(task.index, name) for name in (RECORDS_NAME, FINDINGS_NAME, UNREAD_NAME)}
    totals = _Totals(opened)
    found = np.fromfile(source / FINDINGS, FOUND)
    totals.add_findings(found)
    records = (
        np.memmap(source / RECORDS, opened.form, "r")
        if (source / RECORDS).stat().st_size
        else np.zeros(0, opened.form)
    )
    root = write_records(_joined(opened, records, task, totals), opened.form, target / names[RECORDS_NAME])
    write_findings(found, target / names[FINDINGS_NAME])
    _write_unread(source / UNREAD, target / names[UNREAD_NAME])
    paths = list(names.values())
    for table in sorted((source / TABLES).iterdir()):
        if table.stem == SKETCH_TABLE:
            continue  # it becomes the sketch, where one is wanted
        paths.append(shard_file(task.index, TABLE + table.stem))
        shutil.copyfile(table, target / paths[-1])
    files = tuple(describe_file(target, path) for path in sorted(paths))
    return Finished(task.index, root.hex(), totals.words, files, totals.kinds(), totals.choices)


def _joined(opened: Opened, records: Records, task: FinishTask, totals: _Totals) -> Iterator[Records]:
    with_duplicates = "duplicates" in opened.job.settings.checks
    joined = Joined(opened.work / JOINED, task.documents, opened.job.settings.duplicates.near)
    for at in range(0, len(records), CHUNK):
        chunk = np.array(records[at : at + CHUNK])
        if with_duplicates:
            first = task.first + at
            columns = columns_of_duplicates(joined, first, first + len(chunk))
            for name, values in columns.items():
                chunk[name] = values
        totals.add_records(chunk)
        yield chunk


class _Totals:
    """Sums over the records and findings of a shard."""

    def __init__(self, opened: Opened) -> None:
        self._kinds = [kind.id for card in opened.job.cards for kind in card.kinds]
        self._findings = np.zeros(len(self._kinds), np.int64)
        self._documents = np.zeros(len(self._kinds), np.int64)
        self._choices = [column.name for column in opened.columns if column.values]
        self.words = 0
        self.choices: dict[str, dict[int, int]] = {name: {} for name in self._choices}

    def add_findings(self, found: Found) -> None:
        self._findings += np.bincount(found["kind"], minlength=len(self._kinds))

    def add_records(self, records: Records) -> None:
        self.words += int(records["words"].sum(dtype=np.int64))
        for place, kind in enumerate(self._kinds):
            self._documents[place] += np.count_nonzero(records[column_of_kind(kind)])
        for name in self._choices:
            values, counts = np.unique(records[name], return_counts=True)
            total = self.choices[name]
            for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                total[value] = total.get(value, 0) + count

    def kinds(self) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self._findings.tolist(), self._documents.tolist(), strict=True))


def _write_unread(source: Path, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    unread = msgspec.json.decode(source.read_bytes(), type=list[Unread])
    table = {
        "row": pa.array([item.row for item in unread], pa.uint64()),
        "reason": pa.array([item.reason for item in unread], pa.string()),
        "count": pa.array([item.count for item in unread], pa.uint64()),
        "bytes": pa.array([item.bytes for item in unread], pa.uint64()),
    }
    pq.write_table(pa.table(table), target, compression="zstd")


def describe_file(folder: Path, path: str) -> ListedFile:
    """Size and digest of a file of the audit's folder."""
    with (folder / path).open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    return ListedFile(path, (folder / path).stat().st_size, f"sha256:{sha}")
