"""What a worker keeps of a shard while it reads it: appended batch by batch, so that memory does not grow with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Values
from verilabel.audit.proof.findings import FOUND
from verilabel.evidence.atomic import flush_folder

RECORDS = "records.bin"
FINDINGS = "findings.bin"
SPILL = "spill"
TABLES = "tables"
SUMS = "sums"
TABLE_ROWS = 1 << 16


def flush_files(folder: Path) -> None:
    """Make a folder's files survive a power cut: they are believed when the audit continues."""
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(place, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        flush_folder(Path(place))


class Keeping:
    """An open folder of a shard's results. Used as a context."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._tables: dict[str, _Table] = {}
        self._sums: dict[str, _Sum] = {}
        for name in (SPILL, TABLES, SUMS):
            (folder / name).mkdir(parents=True)
        self.add_array(RECORDS, np.zeros(0, np.uint8))
        self.add_array(FINDINGS, np.zeros(0, FOUND))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        for table in self._tables.values():
            table.close()
        if kind is None:
            for name, total in self._sums.items():
                total.write(self._folder / SUMS / f"{name}.parquet")

    def add_array(self, name: str, values: npt.NDArray[Any]) -> None:
        """Append to a plain file of values."""
        if name not in self._files:
            self._files[name] = (self._folder / name).open("wb")
        self._files[name].write(np.ascontiguousarray(values).data)

    def add_spill(self, spill: Mapping[str, Values]) -> None:
        """Append arrays for a later stage."""
        for name, values in spill.items():
            shape = (values.dtype.str, values.shape[1:])
            if self._shapes.setdefault(name, shape) != shape:
                raise ValueError(f"{name} has changed its type")
            self.add_array(f"{SPILL}/{name}", values)

    def add_table(self, name: str, columns: Mapping[str, Any], batch: Batch) -> None:
        """Append rows that belong to documents, or add up rows that do not."""
        if "document" in columns:
            at = np.asarray(columns["document"], dtype=np.int64)
            rest = {key: value for key, value in columns.items() if key != "document"}
            table = self._tables.get(name)
            if table is None:
                table = self._tables[name] = _Table(self._folder / TABLES / f"{name}.parquet")
            table.add({"row": batch.rows[at].astype(np.uint64), **rest})
        else:
            self._sums.setdefault(name, _Sum()).add(columns)

    def spilled(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays that were kept for a later stage, mapped into memory."""
        for file in self._files.values():
            file.flush()
        found: dict[str, npt.NDArray[Any]] = {}
        for name, (form, tail) in self._shapes.items():
            path = self._folder / SPILL / name
            width = int(np.prod(tail, dtype=np.int64)) * np.dtype(form).itemsize
            rows = path.stat().st_size // width
            found[name] = (
                np.memmap(path, form, "r", shape=(rows, *tail)) if rows else np.zeros((0, *tail), form)
            )
        return found


class _Table:
    """Rows that belong to documents, written as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None
        self._waiting: list[Any] = []

    def add(self, columns: Mapping[str, Any]) -> None:
        import pyarrow as pa

        table = pa.table({name: pa.array(values) for name, values in columns.items()})
        if not table.num_rows:
            return
        self._waiting.append(table)
        self._write(TABLE_ROWS)

    def _write(self, least: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if sum(part.num_rows for part in self._waiting) < least:
            return
        table = pa.concat_tables(self._waiting).combine_chunks()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        # rows are written by equal numbers, so that the file does not tell how documents were cut into batches
        whole = len(table) - len(table) % TABLE_ROWS if least > 1 else len(table)
        self._writer.write_table(table.slice(0, whole), row_group_size=TABLE_ROWS)
        self._waiting = [table.slice(whole)] if whole < len(table) else []

    def close(self) -> None:
        self._write(1)
        if self._writer is not None:
            self._writer.close()


class _Sum:
    """Rows that belong to no document: numbers, added up by the texts beside them."""

    def __init__(self) -> None:
        self._names: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._totals: dict[tuple[str, ...], list[int]] = {}

    def add(self, columns: Mapping[str, Values | Sequence[Any]]) -> None:
        texts = tuple(name for name, values in columns.items() if not isinstance(values, np.ndarray))
        numbers = tuple(name for name in columns if name not in texts)
        self._names = self._names or (texts, numbers)
        for row in zip(*(columns[name] for name in (*texts, *numbers)), strict=True):
            total = self._totals.setdefault(tuple(row[: len(texts)]), [0] * len(numbers))
            for place, value in enumerate(row[len(texts) :]):
                total[place] += int(value)

    def write(self, path: Path) -> None:
        write_sums(path, *(self._names or ((), ())), self._totals)


def write_sums(
    path: Path, texts: Sequence[str], numbers: Sequence[str], totals: Mapping[tuple[str, ...], Sequence[int]]
) -> None:
    """Write numbers added up by texts as Parquet, in the order of the texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sorted(totals.items())
    table = {name: pa.array([key[i] for key, _ in rows], pa.string()) for i, name in enumerate(texts)}
    table |= {name: pa.array([sums[i] for _, sums in rows], pa.int64()) for i, name in enumerate(numbers)}
    pq.write_table(pa.table(table), path, compression="zstd")
