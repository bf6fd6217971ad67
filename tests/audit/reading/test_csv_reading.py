"""Rows of tables become documents, as the standard library's reader of CSV reads them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import Shard
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput

Read = Callable[..., Any]


def test_quoted_fields_keep_line_ends_delimiters_and_quotes(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text,url\r\n1,"two\nlines, ""quoted""",u1\r\n2,plain,u2\n3,,\n')
    found = read(path)
    assert [b'two\nlines, "quoted"', b"plain", b""] == found.texts
    assert ["u1", "u2", None] == found.about["url"]
    assert [] == found.unread


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_rows_end_as_any_system_ends_lines(end: bytes, tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + end.join([b"text", b"a", b"", b"b"]))
    assert [b"a", b"b"] == read(path).texts


def test_tabs_part_fields_of_tsv(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("id\ttext\n1\ta, b\n")
    assert [b"a, b"] == read(path).texts


def test_rows_of_another_width_are_unread(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,a\n2\n3,b,c\n4,d\n")
    found = read(path)
    assert [b"a", b"d"] == found.texts
    assert [(1, "other number of fields than the header", 2, 0)] == found.unread


def test_several_columns_are_joined(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,story,url\nt,s,u\n")
    found = read(path, columns=("story", "title"))
    assert [b"s\n\nt"] == found.texts
    assert ["u"] == found.about["url"]


def test_a_missing_column_is_an_error_that_lists_the_columns(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,story\nt,s\n")
    with pytest.raises(MalformedInput, match="no column is called text") as error:
        read(path)
    assert "title, story" in str(error.value)


def test_a_row_longer_than_the_limit_is_dropped_and_the_next_is_read(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text\na\n"' + 'long ""\n' * 100 + '"\nb\n')
    found = read(path, max_document_bytes=50)
    assert [b"a", b"b"] == found.texts
    assert [(1, "longer than the limit", 1, 0)] == found.unread


def test_a_quote_that_is_never_closed_is_named_with_what_it_swallows(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv.gz"
    import gzip

    # longer than what is read of a stream at once
    path.write_bytes(gzip.compress(b'text\na\n"' + b"lost\n" * 2_000_000))
    found = read(path, max_document_bytes=1_000)
    assert [b"a"] == found.texts
    assert [(1, "quote that is not closed", 0, 10_000_001)] == found.unread


def test_an_empty_table_has_no_documents(tmp_path: Path, read: Read) -> None:
    for content in (b"", b"\n", b"text\n"):
        path = tmp_path / "a.csv"
        path.write_bytes(content)
        assert (0, []) == (read(path).counted, read(path).unread)


def test_bytes_that_are_not_utf8_are_replaced_and_counted(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\ngood\ncaf\xe9\n")
    found = read(path)
    assert [b"good", "caf\ufffd".encode()] == found.texts
    assert 1 == found.repaired


_FIELDS = st.text(st.sampled_from('ab",\n\r \tä'), max_size=8)


def _read(data: bytes, path: Path, batch_bytes: int) -> list[bytes]:
    path.write_bytes(data)
    shard = Shard("a.csv", "csv", "", (str(path),), bytes=len(data))
    with FileReader(batch_bytes).open(shard, Selection()) as reading:
        return [batch.text(place) for batch in reading.batches() for place in range(len(batch))]


@given(rows=st.lists(st.tuples(_FIELDS, _FIELDS), max_size=8), batch_bytes=st.integers(1, 60))
@settings(max_examples=100)
def test_what_was_written_is_read(
    rows: list[tuple[str, str]], batch_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("id", "text"), *rows])
    path = tmp_path_factory.getbasetemp() / "a.csv"
    assert [text.encode() for _, text in rows] == _read(out.getvalue().encode(), path, batch_bytes)


@given(data=st.text(st.sampled_from('ab",\n\r'), max_size=40))
@settings(max_examples=200)
def test_any_bytes_are_read_as_the_standard_library_reads_them(
    data: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = list(csv.reader(io.StringIO("id,text\n" + data, newline="")))[1:]
    expected = [row[1].encode() for row in rows if len(row) == 2]
    assert expected == _read(b"id,text\n" + data.encode(), tmp_path_factory.getbasetemp() / "b.csv", 2**22)
