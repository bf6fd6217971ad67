"""Lines of JSON become documents, exactly as a parser of whole objects reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.reading.ledger import MOST_ENTRIES
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput, UsageError

Read = Callable[..., Any]


def _write(path: Path, *lines: str | bytes, end: bytes = b"\n") -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + end for line in lines))
    return path


def test_documents_come_in_order_with_their_rows(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.jsonl", '{"text": "one"}', '{"id": 2, "text": "zwei ä"}', '{"text": ""}')
    found = read(path)
    assert [b"one", "zwei ä".encode(), b""] == found.texts
    assert [(0, 0), (0, 1), (0, 2)] == found.rows
    assert 3 == found.counted
    assert [] == found.unread
    assert path.stat().st_size == found.stored


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r'{"text": "a\nb\t\"\\\/\b\f\r"}', 'a\nb\t"\\/\b\f\r'),
        (r'{"text": "\u00e4\u20AC\ud83d\ude00\u0000"}', "ä€😀\0"),
        (r'{"text": "early", "text": "late"}', "late"),
        (r' {  "a" : [1, {"text": "inner"}, "}"] , "text":"outer" } ', "outer"),
        (r'{"t\u0065xt": "under an escaped key"}', "under an escaped key"),
        (r'{"text": "x", "n": -1.5e+300, "b": [true, false, null, 0, -0.0, 1E5]}', "x"),
        (r'{"text": "x", "n": 1e999, "m": 123456789012345678901234567890}', "x"),
        (r'{"text": "half \ud83d of a pair"}', "half � of a pair"),
        (r'{"text": "x", "other": "\udc00"}', "x"),
        ('{"a": ' + "[" * 200 + "]" * 200 + ', "text": "deep"}', "deep"),
        ('{"\u00fc": 1, "text": "x"}\r', "x"),
    ],
)
def test_a_line_that_is_json_gives_its_text(line: str, text: str, tmp_path: Path, read: Read) -> None:
    found = read(_write(tmp_path / "a.jsonl", line))
    assert [text.encode()] == found.texts
    assert [] == found.unread


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("plain words", "not a JSON object"),
        ("[1, 2]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ('{"text": "open', "not a JSON object"),
        ('{"text": "a"', "not a JSON object"),
        ('{"text": "a"} x', "not a JSON object"),
        ('{"text": "a"}{"text": "b"}', "not a JSON object"),
        ('{"text": "a",}', "not a JSON object"),
        ("{'text': 'a'}", "not a JSON object"),
        ('{"text": "a\tb"}', "not a JSON object"),
        ('{"text": "a\0b"}', "not a JSON object"),
        (r'{"text": "\x41"}', "not a JSON object"),
        (r'{"text": "\u12"}', "not a JSON object"),
        ('{"text": "a", "n": 01}', "not a JSON object"),
        ('{"text": "a", "n": NaN}', "not a JSON object"),
        ('{"text": "a", "n": [1}', "not a JSON object"),
        ("{}", "no text"),
        ('{"title": "a"}', "no text"),
        ('{"text": null}', "no text"),
        ('{"text": 5}', "not text"),
        ('{"text": {"a": "b"}}', "not text"),
        ('{"text": ["a"]}', "not text"),
        ('{"text": true}', "not text"),
    ],
)
def test_a_line_without_a_text_is_counted_and_named(
    line: str, reason: str, tmp_path: Path, read: Read
) -> None:
    found = read(_write(tmp_path / "a.jsonl", '{"text": "before"}', line, '{"text": "behind"}'))
    assert [b"before", b"behind"] == found.texts
    assert [(1, reason, 1, 0)] == found.unread
    assert [(0, 0), (0, 2)] == found.rows
    assert 3 == found.counted


def test_blank_lines_are_no_documents(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\n\n  \t\n{"text": "a"}\r\n\r\n{"text": "b"}\n   ')
    found = read(path)
    assert [(0, 0), (0, 1)] == found.rows
    assert [] == found.unread


def test_a_byte_order_mark_and_a_missing_last_line_end_do_no_harm(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\n{"text": "b"}')
    assert [b"a", b"b"] == read(path).texts


def test_an_empty_file_has_no_documents(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"")
    found = read(path)
    assert (0, [], []) == (found.counted, found.texts, found.unread)
    assert ["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"] == found.digests


def test_bytes_that_are_not_utf8_are_replaced_and_counted(tmp_path: Path, read: Read) -> None:
    lines = [
        b'{"text": "good"}',
        b'{"text": "caf\xe9 \xe2\x82"}',
        b'{"text": "good too"}',
        b'{"text": "\xff"}',
    ]
    found = read(_write(tmp_path / "a.jsonl", *lines))
    assert [b"good", "caf\ufffd \ufffd".encode(), b"good too", "\ufffd".encode()] == found.texts
    assert 2 == found.repaired
    assert [] == found.unread


def test_url_date_and_licence_are_read_beside_the_text(tmp_path: Path, read: Read) -> None:
    path = _write(
        tmp_path / "a.jsonl",
        r'{"text": "a", "url": "https:\/\/example.org\/\u00e4", "date": "2024-01-02", "license": "CC0-1.0"}',
        '{"text": "b", "source": "example.net", "timestamp": 1700000000}',
        '{"text": "c", "url": null, "URL": "https://example.com", "licence": ["x"]}',
    )
    found = read(path)
    assert ["https://example.org/ä", "example.net", "https://example.com"] == found.about["url"]
    assert ["2024-01-02", "1700000000", None] == found.about["date"]
    assert ["CC0-1.0", None, None] == found.about["licence"]


def test_a_path_leads_through_objects_and_lists(tmp_path: Path, read: Read) -> None:
    path = _write(
        tmp_path / "a.jsonl",
        '{"messages": [{"content": "hello"}, {"content": null}, {"content": "there"}], "answer": {"body": "x"}}',
        '{"messages": [], "answer": {"body": "y"}}',
        '{"messages": [], "answer": null}',
        '{"messages": "no list", "answer": null}',
    )
    found = read(path, columns=("messages[].content", "answer.body"))
    assert [b"hello\n\nthere\n\nx", b"y"] == found.texts
    assert [(2, "no text", 1, 0), (3, "not text", 1, 0)] == found.unread


def test_a_key_with_a_point_in_its_name_can_be_meant(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.jsonl", '{"a.b": "flat", "a": {"b": "nested"}}')
    assert [b"flat"] == read(path, columns=("a.b",)).texts


def test_the_usual_names_are_found_and_two_of_them_are_asked_about(tmp_path: Path, read: Read) -> None:
    assert [b"x"] == read(_write(tmp_path / "a.jsonl", '{"content": "x"}')).texts
    with pytest.raises(MalformedInput, match="text and body are both") as error:
        read(_write(tmp_path / "b.jsonl", '{"text": "x", "body": "y"}'))
    assert "--column" in str(error.value)


def test_a_missing_column_is_an_error_that_lists_the_columns(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.jsonl", '{"title": "x", "story": "y"}')
    with pytest.raises(MalformedInput, match="no column is called text") as error:
        read(path)
    assert "title, story" in str(error.value)
    with pytest.raises(MalformedInput, match="no column 'storey'"):
        read(path, columns=("storey",))
    assert [b"y"] == read(path, columns=("story",)).texts


def test_a_column_that_is_not_text_is_an_error(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.jsonl", '{"text": [{"content": "y"}]}', '{"text": []}')
    with pytest.raises(MalformedInput, match="'text' is not text"):
        read(path)


def test_a_file_without_one_line_of_json_is_an_error_with_its_place(tmp_path: Path, read: Read) -> None:
    path = _write(tmp_path / "a.jsonl", "x", "y")
    with pytest.raises(MalformedInput, match="not a JSON object") as error:
        read(path)
    assert str(path) == error.value.where


def test_an_empty_path_is_refused(tmp_path: Path, read: Read) -> None:
    with pytest.raises(UsageError):
        read(_write(tmp_path / "a.jsonl", '{"text": "x"}'), columns=("a..b",))


@pytest.mark.parametrize("long", ['{"text": "' + "a" * 600 + '"}', "a" * 600, " " * 600, "{" * 600])
@pytest.mark.parametrize("columns", [(), ("text", "more")])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_longer_than_the_limit_is_unread(
    long: str, columns: tuple[str, ...], end: bytes, tmp_path: Path, read: Read
) -> None:
    if columns and not long.strip():
        return
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a", "more": "b"}\n{"text": "c", "more": "d"}\n' + long.encode() + end)
    found = read(path, columns=columns, max_document_bytes=500)
    assert 2 == len(found.texts)
    assert [(2, "longer than the limit", 1, 0)] == found.unread
    assert 3 == found.counted


def test_alternating_damage_is_counted_without_an_entry_for_each(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n' + b'{"text": 1}\n{"text": null}\n' * (MOST_ENTRIES + 500))
    found = read(path)
    assert MOST_ENTRIES + 2 == len(found.unread)
    assert 2 * (MOST_ENTRIES + 500) == sum(count for _, _, count, _ in found.unread)
    assert sorted(found.unread) == found.unread


def test_many_empty_documents_are_several_batches(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text":""}\n' * 150_000)
    found = read(path)
    assert 150_000 == len(found.texts)
    assert len(found.batches) > 1


_WORDS = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ["\u2028", "😀" * 9, "\\u0041", "\0"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.dictionaries(st.sampled_from(["text", "a", "url", "date", "n"]) | _WORDS, _VALUES, max_size=4)
_LINES = st.lists(
    st.tuples(_OBJECTS, st.booleans()).map(lambda p: json.dumps(p[0], ensure_ascii=p[1]).encode()),
    max_size=12,
)


def _expect(line: bytes) -> bytes | str:
    """What is meant, by the parser of the standard library."""
    try:
        found = json.loads(line, parse_constant=lambda name: int("no " + name))
    except (ValueError, RecursionError):
        return "not a JSON object"
    if not isinstance(found, dict):
        return "not a JSON object"
    value = next((found[name] for name in ("text", "content", "body", "document") if name in found), None)
    if value is None:
        return "no text"
    if not isinstance(value, str):
        return "not text"
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _read_lines(data: bytes, folder: Path, **options: Any) -> list[bytes | str]:
    from verilabel.audit.reading.interface import Shard

    path = folder / "p.jsonl"
    path.write_bytes(data)
    batch_bytes = options.pop("batch_bytes", 2**22)
    reader = FileReader(batch_bytes)
    results: dict[int, bytes | str] = {}
    shard = Shard("p.jsonl", "jsonl", "", (str(path),), bytes=len(data))
    with reader.open(shard, Selection(**options)) as reading:
        for batch in reading.batches():
            for document in range(len(batch)):
                results[int(batch.rows[document])] = batch.text(document)
        for one in reading.unread:
            for row in range(one.row, one.row + one.count):
                results[row] = one.reason
        assert list(range(reading.rows)) == sorted(results)
    return [results[row] for row in sorted(results)]


@given(lines=_LINES, batch_bytes=st.integers(1, 200))
@settings(max_examples=60)
def test_what_is_read_equals_what_whole_objects_say(
    lines: list[bytes], batch_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("p")
    data = b"\n".join(lines)
    assert [_expect(line) for line in lines] == _read_lines(data, folder, batch_bytes=batch_bytes)


@given(
    line=st.tuples(_OBJECTS, st.booleans()).map(lambda p: json.dumps(p[0], ensure_ascii=p[1])),
    at=st.integers(0, 200),
    put=st.sampled_from(
        ["", '"', "\\", "{", "}", "[", "]", ",", ":", "e", "-", "0", "\\u", "\\ud800", "\t", "\x01", "N"]
    ),
    drop=st.integers(0, 3),
)
@settings(max_examples=250)
def test_a_line_changed_anywhere_is_json_only_where_it_still_is(
    line: str, at: int, put: str, drop: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at %= len(line) + 1
    changed = (line[:at] + put + line[at + drop :]).encode()
    if not changed.strip(b" \t\r"):
        return
    assert [_expect(changed)] == _read_lines(changed, tmp_path_factory.getbasetemp())


def test_a_large_file_is_cut_at_line_ends_and_gives_the_same_documents(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.jsonl"
    texts = [f"document {number} " + "x" * (number % 97) for number in range(300)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    whole = read(path)
    for shard_bytes in (200, 1_000, 5_000, 10_000):
        cut = read(path, shard_bytes=shard_bytes)
        assert len(cut.shards) > 1
        assert whole.texts == cut.texts
        assert path.stat().st_size == cut.stored
        assert sorted(cut.names) == cut.names
        assert len(set(cut.names)) == len(cut.names)
        starts = [shard.start for shard in cut.shards]
        data = path.read_bytes()
        assert all(start == 0 or data[start - 1 : start] == b"\n" for start in starts)


def test_a_part_has_the_digest_of_its_own_bytes(tmp_path: Path, read: Read) -> None:
    import hashlib

    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"{number}"}) + "\n" for number in range(200)))
    cut = read(path, shard_bytes=500)
    data = path.read_bytes()
    expected = [f"sha256:{hashlib.sha256(data[shard.start : shard.end]).hexdigest()}" for shard in cut.shards]
    assert expected == cut.digests


@pytest.mark.parametrize("change", ["longer", "shorter", "gone", "other"])
def test_a_shard_that_is_not_what_was_planned_is_refused(change: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", *[json.dumps({"text": f"{number}"}) for number in range(50)])
    reader = FileReader()
    shards = reader.plan([str(path)], Selection())
    data = path.read_bytes()
    if change == "gone":
        path.unlink()
    elif change == "other":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(data + b"{}\n" if change == "longer" else data[:-10])
    if change == "other":
        with reader.open(shards[0], Selection()) as reading:
            assert [] == list(reading.batches())
            assert ["not a file"] == [one.reason for one in reading.unread]
        return
    with pytest.raises(ShardChanged), reader.open(shards[0], Selection()) as reading:
        list(reading.batches())
