"""Row groups of Parquet become documents, whatever the texts are stored as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.reading.parquet_pages import measure_pages
from verilabel.audit.reading.thrift import BrokenStruct
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput

Read = Callable[..., Any]
TEXTS = ["one", "zwei ä", "", "four 😀", "five"]


def _write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
)
def test_every_type_of_text_is_read(kind: pa.DataType, tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.parquet", {"text": pa.array(TEXTS).cast(kind)}, row_group_size=2)
    found = read(path)
    assert [text.encode() for text in TEXTS] == found.texts
    assert [(0, row) for row in range(5)] == found.rows
    assert [] == found.unread
    assert path.stat().st_size == found.stored


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])
def test_nulls_are_unread_and_keep_their_rows(kind: pa.DataType, tmp_path: Path, read: Read) -> None:
    column = pa.array([None, "a", None, None, "b", None]).cast(kind)
    found = read(_write(tmp_path / "a.parquet", {"text": column}))
    assert [b"a", b"b"] == found.texts
    assert [(0, 1), (0, 4)] == found.rows
    assert [(0, "no text", 1, 0), (2, "no text", 2, 0), (5, "no text", 1, 0)] == found.unread
    assert 6 == found.counted


def test_a_column_of_nothing_but_nulls_is_unread(tmp_path: Path, read: Read) -> None:
    found = read(_write(tmp_path / "a.parquet", {"text": pa.nulls(4)}))
    assert ([], [(0, "no text", 4, 0)]) == (found.texts, found.unread)


def test_bytes_that_are_not_utf8_are_replaced_and_counted(tmp_path: Path, read: Read) -> None:
    column = pa.array([b"good", b"caf\xe9", b"\xff\xfe\x00\x01"], pa.binary())
    found = read(_write(tmp_path / "a.parquet", {"text": column}))
    assert [b"good", "caf\ufffd".encode(), "\ufffd\ufffd\0\x01".encode()] == found.texts
    assert 2 == found.repaired


def test_structs_and_lists_are_followed_to_their_texts(tmp_path: Path, read: Read) -> None:
    messages = [
        [
            {"role": "user", "content": "hello"},
            {"role": "x", "content": None},
            {"role": "a", "content": "there"},
        ],
        [],
        None,
        [{"role": "user", "content": "last"}],
    ]
    answer = [{"body": "x", "score": 1}, {"body": "y", "score": 2}, None, {"body": None, "score": 3}]
    path = _write(
        tmp_path / "a.parquet",
        {"messages": messages, "answer": answer, "tags": [["a", "b"], [], None, ["c"]]},
    )
    found = read(path, columns=("messages[].content", "answer.body"))
    assert [b"hello\n\nthere\n\nx", b"y", b"last"] == found.texts
    assert [(2, "no text", 1, 0)] == found.unread
    assert [b"a\n\nb", b"c"] == read(path, columns=("tags[]",)).texts


def test_lists_of_lists_and_slices_of_lists_keep_their_rows(tmp_path: Path, read: Read) -> None:
    turns = [[["a"], ["b", "c"]], [[]], [["d"]], [["e"], None]] * 50
    path = _write(tmp_path / "a.parquet", {"turns": turns}, row_group_size=7)
    found = read(path, columns=("turns[][]",))
    assert [b"a\n\nb\n\nc", b"d", b"e"] * 50 == found.texts
    assert 50 == sum(count for _, reason, count, _ in found.unread if reason == "no text")


def test_several_columns_are_joined_in_the_order_they_were_named(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.parquet", {"title": ["t", None, None], "story": ["s", "only", None]})
    found = read(path, columns=("story", "title"))
    assert [b"s\n\nt", b"only"] == found.texts
    assert ["no text"] == found.reasons


def test_columns_that_are_not_there_or_not_text_are_errors(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.parquet", {"id": [1], "chat": [[{"content": "x"}]]})
    with pytest.raises(MalformedInput, match="no column is called text") as error:
        read(path)
    assert "id, chat, chat[].content" in str(error.value)
    with pytest.raises(MalformedInput, match="'id' is not text"):
        read(path, columns=("id",))
    with pytest.raises(MalformedInput, match="'chat' is not text"):
        read(path, columns=("chat",))
    with pytest.raises(MalformedInput, match=r"no column 'chat\[\].contents'"):
        read(path, columns=("chat[].contents",))


def test_a_later_file_without_the_column_is_unread(tmp_path: Path, read: Read) -> None:
    for number in range(20):
        _write(tmp_path / f"{number:02}.parquet", {"text" if number < 18 else "words": ["a", "b"]})
    found = read(tmp_path)
    assert 36 == len(found.texts)
    assert [(0, "no such column", 2, 0)] * 2 == found.unread


def test_url_date_and_licence_are_read_beside_the_text(tmp_path: Path, read: Read) -> None:
    import datetime

    columns = {
        "text": ["a", None, "c"],
        "url": pa.array(["u1", "u2", None]).dictionary_encode(),
        "source": ["s1", "s2", "s3"],
        "timestamp": [datetime.datetime(2024, 1, 2, 3, 4), None, None],
        "license": [b"MIT", b"x", None],
    }
    found = read(_write(tmp_path / "a.parquet", columns))
    assert ["u1", "s3"] == found.about["url"]
    assert ["2024-01-02 03:04:00", None] == [value and value[:19] for value in found.about["date"]]
    assert ["MIT", None] == found.about["licence"]


def test_a_large_file_is_cut_at_row_groups(tmp_path: Path, read: Read) -> None:
    texts = [f"text {number} " + "ab"[number % 2] * 200 for number in range(1000)]
    path = _write(
        tmp_path / "a.parquet", {"text": texts}, row_group_size=50, compression="none", use_dictionary=False
    )
    whole = read(path)
    cut = read(path, shard_bytes=40_000)
    assert 1 == len(whole.shards)
    assert len(cut.shards) > 3
    assert whole.texts == cut.texts == [text.encode() for text in texts]
    assert len(set(cut.digests)) == len(cut.digests)
    assert sum(shard.bytes for shard in cut.shards) == cut.stored


@pytest.mark.parametrize("batch_bytes", [1, 100, 10_000])
def test_batches_of_any_size_have_the_same_documents(batch_bytes: int, tmp_path: Path, read: Read) -> None:
    texts = [f"{number}" * (number % 50) for number in range(500)]
    path = _write(tmp_path / "a.parquet", {"text": texts, "url": texts}, row_group_size=77)
    found = read(path, batch_bytes=batch_bytes)
    assert [text.encode() for text in texts] == found.texts
    assert texts == found.about["url"]
    assert [(0, row) for row in range(500)] == found.rows


def test_documents_longer_than_the_limit_are_unread(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.parquet", {"text": ["a", "b" * 101, "c" * 100], "more": ["", "", "x"]})
    found = read(path, max_document_bytes=100)
    assert [b"a", b"c" * 100] == found.texts
    assert [(1, "longer than the limit", 1, 0)] == found.unread
    joined = read(path, columns=("text", "more"), max_document_bytes=100)
    assert [(1, "longer than the limit", 2, 0)] == joined.unread


def test_a_long_text_that_many_rows_point_at_is_read_a_part_at_a_time(tmp_path: Path, read: Read) -> None:
    text = "abcdefgh" * 2**17
    path = _write(tmp_path / "a.parquet", {"text": pa.array([text] * 100)})
    assert path.stat().st_size < 3 * 2**20
    reader = FileReader()
    largest = count = 0
    for shard in reader.plan([str(path)], Selection()):
        with reader.open(shard, Selection()) as reading:
            for batch in reading.batches():
                largest = max(largest, len(batch.data))
                count += len(batch)
                assert text.encode() == batch.text(0)
    assert 100 == count
    assert largest <= 48 * 2**20


def test_a_truncated_footer_is_an_error_alone_and_counted_among_others(tmp_path: Path, read: Read) -> None:
    good = _write(tmp_path / "b.parquet", {"text": TEXTS})
    torn = tmp_path / "a.parquet"
    torn.write_bytes(good.read_bytes()[:-20])
    with pytest.raises(MalformedInput, match="broken Parquet footer") as error:
        read(torn)
    assert str(torn) == error.value.where
    found = read(tmp_path)
    assert 5 == len(found.texts)
    assert [(0, "broken Parquet footer", 0, torn.stat().st_size)] == found.unread
    assert 2 == len(set(found.digests))


def test_a_pointer_of_git_lfs_is_named_as_one(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    with pytest.raises(MalformedInput, match="Git LFS pointer"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("what", ["header", "body"])
def test_a_broken_page_loses_its_row_group_and_no_other(what: str, tmp_path: Path, read: Read) -> None:
    texts = [f"text {number}" for number in range(90)]
    path = _write(tmp_path / "a.parquet", {"text": texts}, row_group_size=30, write_page_checksum=True)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    at = chunk.dictionary_page_offset if what == "header" else chunk.dictionary_page_offset + 60
    data = bytearray(path.read_bytes())
    data[at : at + 20] = b"\xff" * 20
    path.write_bytes(data)
    found = read(path)
    assert [text.encode() for text in [*texts[:30], *texts[60:]]] == found.texts
    assert [(30, "broken Parquet page", 30, 0)] == found.unread
    assert 90 == found.counted


def test_a_file_written_to_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", {"text": TEXTS * 100}, row_group_size=100)
    reader = FileReader(batch_bytes=1)
    (shard,) = reader.plan([str(path)], Selection())
    with (
        pytest.raises(ShardChanged, match="changed while it was read"),
        reader.open(shard, Selection()) as reading,
    ):
        for _ in reading.batches():
            with path.open("r+b") as file:
                file.write(b"PAR1")


def test_a_part_whose_file_was_replaced_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", {"text": [f"{n}" * 100 for n in range(500)]}, row_group_size=50)
    reader = FileReader()
    selection = Selection(shard_bytes=2_000)
    shards = reader.plan([str(path)], selection)
    assert len(shards) > 1
    _write(path, {"text": ["another"]})
    with pytest.raises(ShardChanged), reader.open(shards[-1], selection):
        pass


def test_sizes_of_pages_are_those_of_the_metadata(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "a.parquet", {"text": [f"{number}" * 50 for number in range(5000)]}, data_page_size=1000
    )
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start = chunk.dictionary_page_offset
    with path.open("rb") as file:
        sizes = measure_pages(file, start, start + chunk.total_compressed_size)
        assert 0 < sizes.dictionary <= chunk.total_uncompressed_size
        assert sizes.largest <= chunk.total_uncompressed_size
        with pytest.raises(BrokenStruct):
            measure_pages(file, 0, 4)


def test_a_file_without_rows_has_no_documents(tmp_path: Path, read: Read) -> None:
    found = read(_write(tmp_path / "a.parquet", {"text": pa.array([], pa.string())}))
    assert (0, [], []) == (found.counted, found.texts, found.unread)
