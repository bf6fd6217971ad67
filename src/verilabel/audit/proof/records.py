"""The record of a document: a row of fixed width, whose packed little-endian bytes are what its leaf hashes.

leaf = SHA-256(0x00 || row); a shard's root is that of RFC 6962 over its leaves in order. So whoever has the records can
compute leaves and roots again, and nothing in a record can be changed without the root changing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import CheckCard, Column, ColumnType, Values
from verilabel.audit.proof.tables import open_table
from verilabel.errors import MalformedInput
from verilabel.evidence.merkle import root_of

Records = npt.NDArray[np.void]
COMMITMENT = "commitment"
FIRST: tuple[Column, ...] = (
    Column("row", "u8", "place of the document in its shard"),
    Column("bytes", "u4", "length of its text in UTF-8"),
    Column("words", "u4", "words of its text"),
)
"""The columns that every record begins with; the commitment, 32 bytes, stands between `row` and `bytes`."""
_NUMPY: dict[ColumnType, str] = {"u1": "u1", "u2": "<u2", "u4": "<u4", "u8": "<u8", "i8": "<i8", "f4": "<f4"}
CHUNK = 1 << 16
"""Records in a row group of the file, but for the last."""


def column_of_kind(kind: str) -> str:
    """The column that counts the findings of a kind in a document."""
    return kind.replace(".", "_").replace("-", "_")


def columns_of(cards: Iterable[CheckCard]) -> tuple[Column, ...]:
    """All columns of a record: the first, then for each check its own and one a kind. Raises ValueError for a clash."""
    columns = list(FIRST)
    for card in cards:
        columns += card.columns
        columns += [
            Column(column_of_kind(kind.id), "u2", f"findings: {kind.words}; 65535 where there are more")
            for kind in card.kinds
        ]
    names = [column.name for column in columns]
    if clash := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two columns are called {min(clash)}")
    return tuple(columns)


def form_of(columns: Sequence[Column]) -> np.dtype[np.void]:
    """The packed form of a record."""
    fields: list[tuple[str, Any] | tuple[str, Any, tuple[int, ...]]] = []
    for column in columns:
        fields.append((column.name, _NUMPY[column.type]))
        if column.name == "row":
            fields.append((COMMITMENT, "u1", (32,)))
    return np.dtype(fields)


def leaves_of(records: Records) -> list[bytes]:
    """The leaf of each record."""
    size, data, sha256 = records.dtype.itemsize, records.tobytes(), hashlib.sha256
    return [sha256(b"\0" + data[at : at + size]).digest() for at in range(0, len(data), size)]


def write_records(chunks: Iterable[Records], form: np.dtype[np.void], path: Path) -> bytes:
    """Write records as Parquet, one column a field, and give their root.

    Every chunk but the last has `CHUNK` records: a power of two, so that the root of the chunks' roots is the root.
    """
    import pyarrow.parquet as pq

    roots: list[bytes] = []
    with pq.ParquetWriter(path, _schema(form), compression="zstd") as writer:
        for records in chunks:
            if not len(records):
                continue
            roots.append(root_of(leaves_of(records)))
            writer.write_table(_table_of(records))
    return root_of(roots)


def read_records(path: Path, columns: Sequence[Column], *, where: str) -> Iterator[Records]:
    """Read records of these columns in chunks of `CHUNK`.

    Raises MalformedInput for another form, or a damaged file; LimitExceeded for more records than the file can hold:
    a commitment takes 32 bytes that nothing makes smaller.
    """
    form = form_of(columns)
    most = path.stat().st_size // 32
    with open_table(path, where=where, most=most) as file:
        if not file.schema.equals(_schema(form)):
            raise MalformedInput("the columns are not those of the manifest", where=where)
        if any(size != CHUNK for size in file.sizes[:-1]) or not all(
            0 < size <= CHUNK for size in file.sizes
        ):
            raise MalformedInput(f"records that are not in groups of {CHUNK}", where=where)
        for table in file.groups():
            records = np.zeros(table.num_rows, form)
            for name in table.column_names:
                records[name] = _values(table.column(name), form[name], f"{where}: {name}")
            yield records


def root_of_chunks(chunks: Iterable[Records]) -> bytes:
    """The root over records that come in chunks of `CHUNK`."""
    return root_of([root_of(leaves_of(records)) for records in chunks if len(records)])


def _schema(form: np.dtype[np.void]) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(
                name,
                pa.binary(32) if form[name].subdtype else pa.from_numpy_dtype(form[name]),
                nullable=False,
            )
            for name in form.names or ()
        ]
    )


def _table_of(records: Records) -> Any:
    import pyarrow as pa

    arrays: list[Any] = []
    for name in records.dtype.names or ():
        values = np.ascontiguousarray(records[name])
        if name == COMMITMENT:
            data = pa.py_buffer(values.tobytes())
            arrays.append(pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(records), [None, data]))
        else:
            arrays.append(pa.array(values))
    return pa.Table.from_arrays(arrays, schema=_schema(records.dtype))


def _values(column: Any, form: np.dtype[Any], where: str) -> Values:
    column = column.combine_chunks()
    if column.null_count:
        raise MalformedInput("a column with holes", where=where)
    if not form.subdtype:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    data = np.frombuffer(column.buffers()[1], np.uint8) if len(column) else np.zeros(0, np.uint8)
    return data[column.offset * 32 : (column.offset + len(column)) * 32].reshape(-1, 32)
