"""Arrow columns as pieces of text: through structs and lists to the strings, with the row that each belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Bytes, Positions
from verilabel.audit.kernels.strings import Strings
from verilabel.audit.reading.columns import BESIDE, Step, parse_path
from verilabel.audit.reading.gathering import ABOUT

Arrow = Any
"""An array, a type or a field of pyarrow, which has no types of its own."""


class Pieces(NamedTuple):
    """Texts of one column: piece i is `data[starts[i]:ends[i]]` and belongs to the row `owners[i]`, which rises."""

    data: Bytes
    starts: Positions
    ends: Positions
    owners: Positions


def holds_text(kind: Arrow) -> bool:
    """Whether a type is of texts: strings, bytes that may be UTF-8, either of a dictionary, or nothing but nulls."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (
        "is_string",
        "is_large_string",
        "is_string_view",
        "is_binary",
        "is_large_binary",
        "is_binary_view",
    )
    return types.is_null(kind) or any(getattr(types, test)(kind) for test in tests if hasattr(types, test))


def find_type(schema: Arrow, path: str) -> Arrow | None:
    """The type at the end of a path, or None where the path does not lead through."""
    from pyarrow import types

    if path in schema.names:
        return schema.field(path).type
    kind: Arrow = None
    for place, step in enumerate(parse_path(path)):
        if place == 0:
            kind = schema.field(step.name).type if step.name in schema.names else None
        else:
            index = kind.get_field_index(step.name) if types.is_struct(kind) else -1
            kind = kind.field(index).type if index >= 0 else None
        for _ in range(step.each):
            if kind is None or not _is_list(kind):
                return None
            kind = kind.value_type
        if kind is None:
            return None
    return kind


def _is_list(kind: Arrow) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def list_paths(schema: Arrow) -> list[str]:
    """The paths of texts below the top level, for a message."""
    from pyarrow import types

    found: list[str] = []

    def walk(kind: Arrow, path: str, depth: int) -> None:
        if depth > 8:
            return
        if types.is_struct(kind):
            for place in range(kind.num_fields):
                walk(kind.field(place).type, f"{path}.{kind.field(place).name}", depth + 1)
        elif _is_list(kind):
            walk(kind.value_type, f"{path}[]", depth + 1)
        elif holds_text(kind) and ("." in path or "[]" in path):
            found.append(path)

    for field in schema:
        walk(field.type, field.name, 0)
    return found


def cut_pieces(table: Arrow, path: str) -> Pieces:
    """The texts at a path in a record batch."""
    if path in table.schema.names:
        return _leaf(table.column(path), np.arange(table.num_rows, dtype=np.int64))
    steps = parse_path(path)
    return _walk(table.column(steps[0].name), np.arange(table.num_rows, dtype=np.int64), steps)


def _walk(array: Arrow, owners: Positions, steps: Sequence[Step]) -> Pieces:
    from pyarrow import compute

    for place, step in enumerate(steps):
        if place:
            array = compute.struct_field(array, step.name)
        for _ in range(step.each):
            # a null is a list of nothing
            parents = compute.list_parent_indices(array).to_numpy(zero_copy_only=False)
            array = compute.list_flatten(array)
            owners = owners[parents]
    return _leaf(array, owners)


def _leaf(array: Arrow, owners: Positions) -> Pieces:
    from pyarrow import types

    if types.is_null(array.type):
        return Pieces(_no_bytes(), _none(), _none(), _none())
    if "view" in str(array.type):
        array = array.cast(_large(array.type))  # not all of pyarrow knows views
    if array.null_count:
        owners = owners[array.is_valid().to_numpy(zero_copy_only=False)]
        array = array.drop_null()
    if types.is_dictionary(array.type):
        values = array.dictionary
        present = array.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        if values.null_count:
            good = values.is_valid().to_numpy(zero_copy_only=False)[present]
            owners, present = owners[good], present[good]
        data, offsets = _strings(values.cast(_large(values.type)))
        return Pieces(data, offsets[:-1][present], offsets[1:][present], owners)
    data, offsets = _strings(array)
    return Pieces(data, offsets[:-1], offsets[1:], owners)


def _large(kind: Arrow) -> Arrow:
    import pyarrow

    return pyarrow.large_string() if "string" in str(kind) else pyarrow.large_binary()


def _strings(array: Arrow) -> tuple[Bytes, Positions]:
    """The bytes and offsets of an array of strings without nulls; the bytes are Arrow's own, not to be written to."""
    _, positions, data = array.buffers()
    wide = str(array.type).startswith("large")
    if len(array) == 0 or positions is None:
        return _no_bytes(), np.zeros(1, np.int64)
    offsets: npt.NDArray[Any] = np.frombuffer(positions, np.int64 if wide else np.int32)
    offsets = offsets[array.offset : array.offset + len(array) + 1]
    found = np.frombuffer(data, np.uint8) if data is not None else _no_bytes()
    return found, offsets.astype(np.int64)


def _no_bytes() -> Bytes:
    return np.empty(0, np.uint8)


def _none() -> Positions:
    return np.empty(0, np.int64)


def find_beside_columns(schema: Arrow) -> dict[str, list[str]]:
    """For url, date and licence the columns that may say it."""
    from pyarrow import types

    found: dict[str, list[str]] = {}
    for name, columns in BESIDE:
        present = [
            column
            for column in columns
            if schema.names.count(column) == 1
            and not types.is_nested(schema.field(column).type)
            and not types.is_null(schema.field(column).type)
        ]
        if present:
            found[name] = present
    return found


def say_beside(
    table: Arrow, columns: dict[str, list[str]], wanted: npt.NDArray[np.bool_], longest: int
) -> dict[str, Sequence[str | None]]:
    """What the columns say of the wanted rows, as text; of several columns for one thing, the first that says it."""
    import pyarrow
    from pyarrow import compute

    kept = pyarrow.array(wanted)
    said: dict[str, Sequence[str | None]] = {}
    for name in ABOUT:
        values: Strings | None = None
        for column in columns.get(name, []):
            array = _as_texts(table.column(column), compute)
            more = _shorten(array if wanted.all() else array.filter(kept), longest)
            values = more if values is None else _fill(values, more)
        if values is not None and values.present.any():
            said[name] = values
    return said


def _fill(values: Strings, others: Strings) -> Strings:
    if values.present.all():
        return values
    return Strings.of([a if a is not None else b for a, b in zip(values, others, strict=True)])


def _shorten(array: Arrow, longest: int) -> Strings:
    """The texts of an array of strings or bytes; one of more characters than `longest` is nothing."""
    if str(array.type) not in ("string", "large_string", "large_binary"):
        array = array.cast(_large(array.type))
    present = array.is_valid().to_numpy(zero_copy_only=False).astype(np.bool_)
    data, offsets = _strings(array)
    first, last = (int(offsets[0]), int(offsets[-1])) if len(array) else (0, 0)
    starts, ends = (offsets - first)[:-1], (offsets - first)[1:]
    found = Strings(data[first:last].copy(), starts, np.where(present, ends, starts), present)
    for place in np.flatnonzero(ends - starts > longest).tolist():
        present[place] &= len(found[place] or "") <= longest
    found.ends[~present] = found.starts[~present]
    return found


def _as_texts(array: Arrow, compute: Arrow) -> Arrow:
    import pyarrow
    from pyarrow import types

    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if holds_text(array.type) and "string" not in str(array.type):
        return array.cast(pyarrow.large_binary())
    try:
        return compute.cast(array, pyarrow.string())
    except pyarrow.ArrowException:
        return pyarrow.nulls(len(array), pyarrow.string())
