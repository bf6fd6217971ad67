"""Findings of a shard as they are kept: where, of which kind, how long, and a keyed mark of what stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from verilabel.audit.proof.commitments import MARK_BYTES
from verilabel.audit.proof.tables import open_table
from verilabel.errors import MalformedInput

FOUND = np.dtype(
    [("row", "<u8"), ("kind", "<u2"), ("start", "<u4"), ("length", "<u4"), ("mark", "u1", (MARK_BYTES,))]
)
"""`kind` is an index into all kinds of the manifest's checks, in order; `start` counts bytes of the document."""
Found = npt.NDArray[np.void]


def write_findings(found: Found, path: Path) -> None:
    """Write findings as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays: list[Any] = [
        pa.array(np.ascontiguousarray(found[name])) for name in ("row", "kind", "start", "length")
    ]
    marks = pa.py_buffer(np.ascontiguousarray(found["mark"]).tobytes())
    arrays.append(pa.FixedSizeBinaryArray.from_buffers(pa.binary(MARK_BYTES), len(found), [None, marks]))
    table = pa.Table.from_arrays(arrays, names=list(FOUND.names or ()))
    pq.write_table(table, path, compression="zstd")


def read_findings(path: Path, *, where: str) -> Found:
    """Read findings. Raises MalformedInput for another form, LimitExceeded for too many."""
    import pyarrow as pa

    wanted = [pa.uint64(), pa.uint16(), pa.uint32(), pa.uint32(), pa.binary(MARK_BYTES)]
    parts: list[Found] = [np.zeros(0, FOUND)]
    with open_table(path, where=where) as table:
        if table.schema.names != list(FOUND.names or ()) or table.schema.types != wanted:
            raise MalformedInput("not findings of an audit", where=where)
        parts += [_found_in(rows, where) for rows in table.groups()]
    return np.concatenate(parts)


def _found_in(table: Any, where: str) -> Found:
    found = np.zeros(table.num_rows, FOUND)
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if column.null_count:
            raise MalformedInput("findings with holes", where=where)
        if name == "mark":
            marks = np.frombuffer(column.buffers()[1], np.uint8)
            found[name] = marks[column.offset * MARK_BYTES :][: len(column) * MARK_BYTES].reshape(
                -1, MARK_BYTES
            )
        else:
            found[name] = column.to_numpy()
    return found
