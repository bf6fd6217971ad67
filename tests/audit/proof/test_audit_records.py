"""Records of documents: what is written is what is read, and every byte of it is under the root."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.interface import CheckCard, Column, Kind
from verilabel.audit.proof.records import (
    CHUNK,
    FIRST,
    Records,
    columns_of,
    form_of,
    leaves_of,
    read_records,
    root_of_chunks,
    write_records,
)
from verilabel.errors import MalformedInput
from verilabel.evidence.merkle import leaf_hash, root_of

CARD = CheckCard(
    "letters",
    "1",
    "sha256:" + "0" * 64,
    "",
    "",
    (Kind("letters.a", "the letter a"),),
    (Column("letters_share", "f4", "share"), Column("letters_first", "i8", "first")),
)
COLUMNS = columns_of([CARD])


def some_records(count: int, seed: int = 1) -> Records:
    form = form_of(COLUMNS)
    data = np.random.default_rng(seed).integers(0, 255, count * form.itemsize, np.uint8)
    records = np.frombuffer(data.tobytes(), form).copy()
    records["letters_share"] = np.arange(count)
    return records


def test_a_record_has_its_place_a_commitment_its_lengths_and_the_columns_of_each_check() -> None:
    names = ("row", "commitment", "bytes", "words", "letters_share", "letters_first", "letters_a")
    assert names == form_of(COLUMNS).names
    assert 8 + 32 + 4 + 4 + 4 + 8 + 2 == form_of(COLUMNS).itemsize


def test_two_checks_may_not_have_a_column_of_one_name() -> None:
    with pytest.raises(ValueError, match="letters_a"):
        columns_of([CARD, CARD])


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_records_are_read_as_they_were_written(count: int, tmp_path: Path) -> None:
    records = some_records(count)
    root = write_records([records] if count else [], records.dtype, tmp_path / "r.parquet")
    found = list(read_records(tmp_path / "r.parquet", COLUMNS, where="r"))
    assert records.tobytes() == b"".join(chunk.tobytes() for chunk in found)
    assert root == root_of_chunks(found)


def test_the_root_of_chunks_is_the_root_of_all_leaves(tmp_path: Path) -> None:
    records = some_records(2 * CHUNK + 5)
    chunks = [records[at : at + CHUNK] for at in range(0, len(records), CHUNK)]
    leaves = [leaf_hash(row.tobytes()) for row in records]
    assert leaves == leaves_of(records)
    assert root_of(leaves) == write_records(chunks, records.dtype, tmp_path / "r.parquet")


@given(place=st.integers(0, 4 * form_of(COLUMNS).itemsize - 1), bit=st.integers(0, 7))
def test_every_bit_of_every_record_is_under_the_root(place: int, bit: int) -> None:
    records = some_records(4)
    data = bytearray(records.tobytes())
    data[place] ^= 1 << bit
    changed = np.frombuffer(bytes(data), records.dtype)
    assert root_of_chunks([records]) != root_of_chunks([changed])


def _replaced(path: Path, name: str, values: object) -> None:
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(name), name, values), path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: _replaced(path, "bytes", pa.array([None, 1, 2, 3], pa.uint32())),
        lambda path: _replaced(path, "bytes", pa.array([0, 1, 2, 3], pa.int32())),
        lambda path: pq.write_table(pq.read_table(path).drop_columns(["words"]), path),
        lambda path: pq.write_table(pq.read_table(path), path, row_group_size=1),
        lambda path: path.write_bytes(b"nothing"),
    ],
    ids=["cut", "holes", "another type", "a column less", "other groups", "no Parquet"],
)
def test_records_of_another_form_are_refused(spoil: object, tmp_path: Path) -> None:
    records = some_records(4)
    path = tmp_path / "r.parquet"
    write_records([records], records.dtype, path)
    spoil(path)  # type: ignore[operator]
    with pytest.raises(MalformedInput) as refused:
        list(read_records(path, COLUMNS, where="shard 7"))
    assert "shard 7" in str(refused.value)


def test_the_first_columns_have_no_names_that_a_check_could_take() -> None:
    assert ("row", "bytes", "words") == tuple(column.name for column in FIRST)
