"""Folders, patterns and data-set repositories become shards in the order of their names."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.reading.reasons import REASONS
from verilabel.audit.reading.texts import sniff_text
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput, UsageError

Read = Callable[..., Any]


def _put(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def _jsonl(*texts: str) -> str:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def test_small_files_are_one_shard_and_each_is_a_document(tmp_path: Path, read: Read) -> None:
    _put(
        tmp_path,
        b_dot_py="print(1)\n",
        a__c_dot_txt="deep",
        a__a_dot_md="\ufeffmarked",
        empty="",
        noext="words\r\nmore",
    )
    found = read(tmp_path)
    assert ["a/a.md (and 4 more)"] == found.names
    assert [b"marked", b"deep", b"print(1)\n", b"", b"words\r\nmore"] == found.texts
    assert [(0, row) for row in range(5)] == found.rows


def test_groups_are_closed_at_the_size_of_a_shard(tmp_path: Path, read: Read) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.txt").write_text("x" * 100)
    found = read(tmp_path, shard_bytes=1_000)
    assert [10] * 4 == [len(shard.files) for shard in found.shards]
    assert 40 == len(found.texts)
    assert 1 == len(set(found.digests))


def test_the_digest_of_a_group_tells_files_apart(tmp_path: Path, read: Read) -> None:
    one = read(_put(tmp_path / "1", a="ab", b="c"))
    two = read(_put(tmp_path / "2", a="a", b="bc"))
    same = read(_put(tmp_path / "3", x="ab", y="c"))
    assert one.digests != two.digests
    assert one.digests == same.digests


def test_what_is_no_text_is_counted_and_named(tmp_path: Path, read: Read) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("not in the folder")
    folder = _put(
        tmp_path / "folder",
        a_dot_txt="good",
        b_dot_bin=b"\x7fELF\0\0",
        c_dot_txt=b"caf\xe9 au lait",
        d_dot_bin=bytes(range(128, 256)) * 9,
        _dot_git__config="[core]",
        p_dot_txt="version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        sub__x_dot_txt="inner",
    )
    (folder / "e.txt").symlink_to(outside)
    (folder / "f.txt").symlink_to(folder / "a.txt")
    (folder / "g.txt").symlink_to(folder / "nothing")
    (folder / "h").symlink_to(folder / "sub")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    found = read(folder)
    assert [b"good", "caf\ufffd au lait".encode(), b"good", b"inner"] == found.texts
    assert 1 == found.repaired
    counted = {}
    for _, reason, count, _ in found.unread:
        counted[reason] = counted.get(reason, 0) + count
    assert {
        "folder of version control": 0,
        "not text": 2,
        "link out of the folder": 1,
        "not a file": 2,
        "link to a folder": 0,
        "Git LFS pointer, not the file": 1,
    } == counted
    assert len(found.texts) + 6 == found.counted


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read_are_unread(tmp_path: Path, read: Read) -> None:
    _put(tmp_path, a_dot_txt="a", b_dot_txt="b", c__d_dot_txt="d")
    (tmp_path / "b.txt").chmod(0)
    (tmp_path / "c").chmod(0)
    try:
        assert ["permission denied", "folder that cannot be listed"] == read(tmp_path).reasons
    finally:
        (tmp_path / "c").chmod(0o700)


def test_a_name_that_is_not_utf8_is_unread(tmp_path: Path, read: Read) -> None:
    _put(tmp_path, a_dot_txt="a")
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"b")
    found = read(tmp_path)
    assert [b"a"] == found.texts
    assert ["name that is not UTF-8"] == found.reasons


def test_every_form_of_a_mixed_folder_is_read(tmp_path: Path, read: Read) -> None:
    _put(
        tmp_path,
        a_dot_jsonl=_jsonl("a"),
        b_dot_jsonl_dot_gz=gzip.compress(_jsonl("b").encode()),
        c_dot_csv="text\nc\n",
        d_dot_txt="d",
        f_dot_tsv="id\ttext\n1\tf\n",
    )
    pq.write_table(pa.table({"text": ["e"]}), tmp_path / "e.parquet")
    found = read(tmp_path)
    assert [b"a", b"b", b"c", b"d", b"e", b"f"] == found.texts
    assert ["a.jsonl", "b.jsonl.gz", "c.csv", "d.txt", "e.parquet", "f.tsv"] == found.names


def test_names_do_not_depend_on_where_an_input_lies(tmp_path: Path, read: Read) -> None:
    one = read(_put(tmp_path / "here", a_dot_jsonl=_jsonl("a"), b__c_dot_jsonl=_jsonl("c")))
    two = read(_put(tmp_path / "there" / "deeper", a_dot_jsonl=_jsonl("a"), b__c_dot_jsonl=_jsonl("c")))
    assert ["a.jsonl", "b/c.jsonl"] == one.names == two.names
    assert one.digests == two.digests


def test_equal_names_of_two_inputs_are_told_apart(tmp_path: Path, read: Read) -> None:
    one = _put(tmp_path / "x" / "one", a_dot_jsonl=_jsonl("1"))
    two = _put(tmp_path / "x" / "two", a_dot_jsonl=_jsonl("2"))
    other = _put(tmp_path / "y" / "one", a_dot_jsonl=_jsonl("3"))
    assert ["one/a.jsonl", "two/a.jsonl"] == read(one, two).names
    names = read(one, two, other).names
    assert ["1-one/a.jsonl", "3-one/a.jsonl", "two/a.jsonl"] == names
    assert ["1-one/a.jsonl", "2-one/a.jsonl"] == read(one, one).names


def test_a_pattern_finds_files(tmp_path: Path, read: Read) -> None:
    _put(tmp_path, a__x_dot_jsonl=_jsonl("x"), b__y_dot_jsonl=_jsonl("y"), b__z_dot_txt="z")
    assert ["a/x.jsonl", "b/y.jsonl"] == read(tmp_path / "*" / "*.jsonl").names
    assert ["a/x.jsonl", "b/y.jsonl", "b/z.txt"] == read(tmp_path / "**" / "*.*").names
    with pytest.raises(UsageError, match="no file matches"):
        read(tmp_path / "*.nothing")


def test_a_form_can_be_said_where_names_do_not(tmp_path: Path, read: Read) -> None:
    _put(tmp_path, part_00000=_jsonl("a"))
    assert [b"a"] == read(tmp_path / "part_00000", form="jsonl").texts
    assert [_jsonl("a").encode()] == read(tmp_path / "part_00000").texts


def test_a_single_json_file_is_lines_where_its_first_line_says_so(tmp_path: Path, read: Read) -> None:
    _put(tmp_path, a_dot_json=_jsonl("a", "b"), b_dot_json='{\n "text": "c"\n}\n')
    assert [b"a", b"b"] == read(tmp_path / "a.json").texts
    assert [b'{\n "text": "c"\n}\n'] == read(tmp_path / "b.json").texts


@pytest.mark.parametrize("what", ["missing", "empty folder", "pipe", "nothing", "empty name"])
def test_an_input_that_is_none_is_an_error(what: str, tmp_path: Path, read: Read) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    inputs = {
        "missing": [tmp_path / "missing"],
        "empty folder": [tmp_path / "folder"],
        "pipe": [tmp_path / "pipe"],
        "nothing": [],
        "empty name": [""],
    }[what]
    with pytest.raises((UsageError, MalformedInput)):
        read(*inputs)


def test_a_folder_that_vanishes_is_refused(tmp_path: Path) -> None:
    folder = _put(tmp_path / "folder", a_dot_txt="a", b_dot_txt="b")
    reader = FileReader()
    (shard,) = reader.plan([str(folder)], Selection())
    (folder / "b.txt").unlink()
    with pytest.raises(ShardChanged, match="is gone"), reader.open(shard, Selection()):
        pass
    (folder / "b.txt").write_text("longer than before")
    with pytest.raises(ShardChanged), reader.open(shard, Selection()):
        pass


def test_a_text_file_longer_than_the_limit_is_unread(tmp_path: Path, read: Read) -> None:
    _put(tmp_path, a_dot_txt="a", b_dot_txt="b" * 5_000, c_dot_txt="c" * 300)
    found = read(tmp_path, max_document_bytes=200, shard_bytes=1_000)
    assert [b"a"] == found.texts
    assert ["longer than the limit"] * 2 == found.reasons


def test_the_card_of_a_repository_says_which_files_hold_data(tmp_path: Path, read: Read) -> None:
    card = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: "data/train-*.jsonl"
  - split: test
    path: ["data/test.jsonl", "more/**/*.csv"]
---
# A card
"""
    folder = _put(
        tmp_path,
        README_dot_md=card,
        data__train_1_dot_jsonl=_jsonl("one"),
        data__test_dot_jsonl=_jsonl("two"),
        data__other_dot_jsonl=_jsonl("no"),
        more__x__y__t_dot_csv="text\nthree\n",
        script_dot_py="print()",
    )
    (folder / "data" / "train_1.jsonl").rename(folder / "data" / "train-1.jsonl")
    assert ["data/test.jsonl", "data/train-1.jsonl", "more/x/y/t.csv"] == read(folder).names


def test_a_repository_without_patterns_is_its_files_of_data(tmp_path: Path, read: Read) -> None:
    card = "---\nlicense: mit\ndataset_info:\n  features: []\n---\n"
    folder = _put(
        tmp_path, README_dot_md=card, LICENSE="MIT", a_dot_jsonl=_jsonl("a"), _dot_gitattributes="x"
    )
    assert ["a.jsonl"] == read(folder).names
    plain = _put(tmp_path / "plain", README_dot_md="# words", a_dot_jsonl=_jsonl("a"))
    assert ["README.md", "a.jsonl"] == read(plain).names


@pytest.mark.parametrize(
    "front",
    [
        "configs:\n- data_files: missing-*.jsonl",
        "configs: [",
        "a: &a [1]\nconfigs: [*a, *a]",
    ],
    ids=["missing files", "no YAML", "references"],
)
def test_a_card_that_cannot_be_followed_is_an_error(front: str, tmp_path: Path, read: Read) -> None:
    folder = _put(tmp_path, README_dot_md=f"---\n{front}\n---\n", a_dot_jsonl=_jsonl("a"))
    with pytest.raises(MalformedInput) as error:
        read(folder)
    assert str(error.value.where).endswith("README.md")


def test_links_into_the_store_of_a_cache_are_followed(tmp_path: Path, read: Read) -> None:
    cache = tmp_path / "datasets--org--name"
    _put(cache, blobs__0123=_jsonl("a"))
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "a.jsonl").symlink_to("../../blobs/0123")
    found = read(snapshot)
    assert [b"a"] == found.texts
    assert [] == found.unread


def test_ten_thousand_files_are_planned_without_opening_them(tmp_path: Path) -> None:
    for number in range(10_000):
        os.close(os.open(tmp_path / f"{number}.txt", os.O_CREAT | os.O_WRONLY, 0o000))
    shards = FileReader().plan([str(tmp_path)], Selection())
    assert 10_000 == sum(len(shard.files) for shard in shards)
    assert [4_096, 4_096, 1_808] == [len(shard.files) for shard in shards]


def test_reasons_are_fixed_phrases_without_numbers_or_paths() -> None:
    assert len(REASONS) >= 20
    assert all(reason.replace("UTF-8", "").replace(",", "").replace(" ", "").isalpha() for reason in REASONS)


@pytest.mark.parametrize(
    ("head", "is_text"),
    [
        (b"", True),
        (b"words", True),
        ("日本語".encode(), True),
        (b"caf\xe9", True),
        (b"a\0b", False),
        (bytes(range(1, 32)), False),
        (b"\xff\xfe\xfd\xfc", False),
        (b"\x1b[31mred\x1b[0m", True),
    ],
)
def test_texts_are_told_from_other_bytes(head: bytes, is_text: bool) -> None:
    assert is_text == sniff_text(head)
