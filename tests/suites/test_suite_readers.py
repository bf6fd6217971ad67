"""Readers: what was written is read, and every mistake says where it is."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import LimitExceeded, MalformedInput, VerilabelError
from verilabel.suites import readers
from verilabel.suites.format import DataFormat
from verilabel.suites.readers import read_table

cells = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=30)
names = st.lists(cells.filter(lambda t: bool(t.strip())), min_size=2, max_size=4, unique=True)


def rows_of(data: bytes, form: DataFormat, **options: str) -> list[dict[str, Any]]:
    return [row.cells for row in read_table(data, form, where="f", **options).rows]


def refusal(data: bytes, form: DataFormat, **options: str) -> MalformedInput:
    with pytest.raises(MalformedInput) as caught:
        read_table(data, form, where="f", **options)
    return caught.value


@given(st.data())
def test_what_is_written_as_csv_is_read_back(data: st.DataObject) -> None:
    columns = data.draw(names)
    rows = data.draw(
        st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=5)
    )
    for delimiter, form in ((",", "csv"), ("\t", "tsv")):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(rows)
        expected = [dict(zip(columns, row, strict=True)) for row in rows]
        # a byte order mark inside the first name would be taken for the file's own
        if not columns[0].startswith("\ufeff"):
            assert expected == rows_of(text.getvalue().encode(), form)  # type: ignore[arg-type]
        assert expected == rows_of(b"\xef\xbb\xbf" + text.getvalue().encode(), form)  # type: ignore[arg-type]


@given(
    st.lists(
        st.dictionaries(cells, cells | st.integers(-(10**20), 10**20), min_size=1), min_size=1, max_size=6
    )
)
def test_what_is_written_as_jsonl_is_read_back(rows: list[dict[str, Any]]) -> None:
    for ascii_only in (True, False):
        data = "\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows).encode()
        assert rows == rows_of(data, "jsonl")
        assert rows == rows_of(gzip.compress(data), "jsonl")


@given(
    st.lists(
        st.fixed_dictionaries({"prompt": cells, "n": st.integers(-(2**62), 2**62)}), min_size=1, max_size=5
    )
)
def test_what_is_written_as_parquet_is_read_back(rows: list[dict[str, Any]]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    sink = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    assert rows == rows_of(sink.getvalue(), "parquet")


@given(st.binary(max_size=300), st.sampled_from(["csv", "tsv", "jsonl", "json", "lines", "parquet"]))
def test_any_bytes_are_rows_or_an_error_of_the_tree(data: bytes, form: DataFormat) -> None:
    try:
        read_table(data, form, where="f")
    except VerilabelError as error:
        assert str(error.where).startswith("f")


def test_a_line_break_inside_a_quoted_cell_keeps_the_line_numbers_right() -> None:
    table = read_table(b'a,b\n"one\ntwo",x\n\nlast,y\n', "csv", where="f.csv")
    assert [row.place for row in table.rows] == ["f.csv:2", "f.csv:5"]
    assert table.rows[0].cells["a"] == "one\ntwo"


def test_a_row_with_too_many_cells_is_refused_with_its_line() -> None:
    found = refusal(b"a,b\n1,2\n1,2,3\n", "csv")
    assert (found.where, found.message) == ("f:3", "3 cells where the header names 2 columns")


def test_an_unclosed_quote_is_refused_with_the_line_it_opens_on() -> None:
    assert refusal(b'a,b\n1,2\n"open,2\n3,4\n', "csv").where == "f:3"


def test_two_columns_of_one_name_are_refused() -> None:
    assert "'a'" in refusal(b"a,b,a\n1,2,3\n", "csv").message


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"\n\n"])
def test_a_file_without_rows_is_refused(data: bytes) -> None:
    assert refusal(data, "csv").message == "the data has no rows"


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "json", "lines"])
def test_bytes_that_are_not_utf8_are_refused_by_their_offset(form: DataFormat) -> None:
    data = b'{"a": "x"}\n{"a": "caf\xe9"}'
    found = refusal(data, form)
    assert f"not UTF-8 at byte {data.index(0xE9)} (line 2)" == found.message


def test_the_offset_counts_a_byte_order_mark() -> None:
    assert refusal(b"\xef\xbb\xbfa\n\xff\n", "csv").message == "not UTF-8 at byte 5 (line 2)"


def test_a_nul_is_refused_by_its_offset() -> None:
    assert refusal(b"a\nb\x00", "lines").message == "a NUL at byte 3 (line 2)"


def test_utf16_is_refused_with_a_hint() -> None:
    assert "UTF-8" in str(refusal("prompt\nhello\n".encode("utf-16"), "csv").hint)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (b"[1]", "a list"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"a": ' + b"9" * 41 + b"}", "40 digits"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_a_bad_json_line_is_refused_with_its_line(line: bytes, part: str) -> None:
    found = refusal(b'{"a": 1}\n\n' + line, "jsonl")
    assert found.where == "f:3"
    assert part in found.message


def test_a_decimal_keeps_the_digits_it_was_written_with() -> None:
    assert rows_of(b'{"a": 0.10}', "jsonl") == [{"a": "0.10"}]


def test_a_line_separator_inside_a_json_text_ends_no_line() -> None:
    assert rows_of('{"a": "x\u2028y"}'.encode(), "jsonl") == [{"a": "x\u2028y"}]


def test_the_list_inside_a_json_object_is_found_by_its_key() -> None:
    data = b'{"examples": [{"a": 1}, {"a": 2}], "name": "x"}'
    assert rows_of(data, "json", records="examples") == [{"a": 1}, {"a": 2}]
    assert "did you mean 'examples'?" in str(refusal(data, "json", records="example").hint)
    assert "'examples', 'name'" in str(refusal(data, "json").hint)
    assert refusal(data, "json", records="name").where == "f $.name"


def test_a_row_that_is_no_object_is_refused_by_its_place() -> None:
    assert refusal(b'[{"a": 1}, 2]', "json").where == "f $[1]"


def test_groups_become_rows_of_group_and_item() -> None:
    data = b'{"x": ["one", "two"], "y": ["three"]}'
    expected = [("x", "one"), ("x", "two"), ("y", "three")]
    assert expected == [(r["group"], r["item"]) for r in rows_of(data, "json", layout="groups")]
    assert refusal(b'{"x": "one"}', "json", layout="groups").where == "f $.x"


def test_text_lines_are_rows_and_blank_ones_are_not() -> None:
    table = read_table(b"one\r\n\r\n  two\n", "lines", where="f")
    assert [(r.place, r.cells["text"]) for r in table.rows] == [("f:1", "one"), ("f:3", "  two")]


def test_gzip_that_is_cut_off_or_changed_is_refused() -> None:
    data = gzip.compress(b"one\ntwo\n" * 100)
    assert "cut off" in refusal(data[:-12], "lines").message
    broken = bytearray(data)
    broken[-6] ^= 1
    assert "gzip" in refusal(bytes(broken), "lines").message


def test_gzip_that_unpacks_beyond_the_limit_is_refused_without_unpacking_it() -> None:
    member = gzip.compress(bytes(64 * 2**20), 1)
    with pytest.raises(LimitExceeded):
        read_table(member * 9, "lines", where="f")


def test_a_cell_beyond_the_limit_is_refused() -> None:
    long = b"x" * (readers.MAX_CELL_CHARACTERS + 1)
    with pytest.raises(LimitExceeded) as caught:
        read_table(b"a,b\n1,2\n" + long + b",2\n", "csv", where="f")
    assert caught.value.where == "f:3"


def test_reading_csv_leaves_the_process_wide_cell_limit_as_it_was() -> None:
    before = csv.field_size_limit()
    refusal(b"a,b\n1\n", "csv")
    assert before == csv.field_size_limit()


def test_a_header_of_too_many_columns_is_refused_at_once() -> None:
    with pytest.raises(LimitExceeded):
        read_table(b",".join(b"c%d" % n for n in range(readers.MAX_COLUMNS + 1)) + b"\n", "csv", where="f")
