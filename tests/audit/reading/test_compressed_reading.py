"""Compressed streams are read to their end, or to where they are broken."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from verilabel.audit.reading.files import FileReader
from verilabel.audit.reading.inflating import FrameWalker
from verilabel.audit.reading.interface import ShardChanged
from verilabel.audit.settings import Selection
from verilabel.errors import MalformedInput

Read = Callable[..., Any]
TEXTS = [f"{number} " + "".join(random.Random(number).choices("abcdefgh ", k=200)) for number in range(2_000)]
LINES = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in TEXTS)
EXPECTED = [text.encode() for text in TEXTS]


def _zstd(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("a.jsonl.gz", gzip.compress(LINES)),
        (
            "b.jsonl.gz",
            gzip.compress(LINES[:1000]) + gzip.compress(b"") + gzip.compress(LINES[1000:]) + b"\0" * 512,
        ),
        ("c.jsonl.zst", _zstd(LINES)),
        ("d.jsonl.zst", _zstd(LINES[:5], write_checksum=True) + _zstd(LINES[5:], write_content_size=False)),
        ("e.ndjson.zst", b"\x50\x2a\x4d\x18\x04\0\0\0skip" + _zstd(LINES)),
    ],
    ids=["member", "members", "frame", "frames", "skippable frame"],
)
def test_members_and_frames_are_read_to_the_end(name: str, stored: bytes, tmp_path: Path, read: Read) -> None:
    (tmp_path / name).write_bytes(stored)
    found = read(tmp_path / name)
    assert EXPECTED == found.texts
    assert [] == found.unread
    assert len(stored) == found.stored


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_stream_that_is_cut_off_gives_what_came_before(suffix: str, tmp_path: Path, read: Read) -> None:
    stored = gzip.compress(LINES) if suffix == "gz" else _zstd(LINES)
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(stored[: len(stored) * 2 // 3])
    found = read(path)
    assert 100 < len(found.texts) < 2_000
    assert EXPECTED[: len(found.texts)] == found.texts
    reason = "broken gzip member" if suffix == "gz" else "broken zstd frame"
    assert [(len(found.texts), reason, 0, 0)] == found.unread


def test_what_follows_a_broken_member_is_named_with_its_bytes(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.jsonl.gz"
    first = gzip.compress(LINES)
    path.write_bytes(first + b"garbage that is no member" + gzip.compress(LINES))
    found = read(path)
    assert EXPECTED == found.texts
    assert [(2_000, "broken gzip member", 0, path.stat().st_size - len(first))] == found.unread


def test_a_wrong_checksum_is_damage(tmp_path: Path, read: Read) -> None:
    for name, stored in (
        ("a.jsonl.gz", gzip.compress(LINES)),
        ("b.jsonl.zst", _zstd(LINES, write_checksum=True)),
    ):
        changed = bytearray(stored)
        changed[-8 if name.endswith("gz") else -1] ^= 1
        (tmp_path / name).write_bytes(changed)
    found = read(tmp_path)
    assert ["broken gzip member", "broken zstd frame"] == found.reasons


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_that_is_not_compressed_at_all_is_an_error(name: str, tmp_path: Path, read: Read) -> None:
    (tmp_path / name).write_bytes(b'{"text": "plain"}\n')
    with pytest.raises(MalformedInput, match="nothing of this can be read: broken"):
        read(tmp_path / name)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_long_line_in_a_small_file_is_unread(suffix: str, tmp_path: Path, read: Read) -> None:
    lines = b'{"text": "a"}\n{"text": "' + b"x" * 20_000_000 + b'"}\n{"text": "b"}\n'
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(gzip.compress(lines, 1) if suffix == "gz" else _zstd(lines))
    found = read(path, max_document_bytes=1_000_000)
    assert [b"a", b"b"] == found.texts
    assert [(1, "longer than the limit", 1, 0)] == found.unread


def test_text_files_may_be_compressed(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"words"))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"more words" * 5_000)[:-30])
    (tmp_path / "c.tar.gz").write_bytes(gzip.compress(b"\0" * 600))
    found = read(tmp_path)
    assert [b"words"] == found.texts
    assert ["broken gzip member", "not text"] == found.reasons
    assert 3 == found.counted


def test_a_stream_that_changes_between_hashing_and_reading_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    data = random.Random(1).randbytes(100 * 2**20)
    member = gzip.compress(LINES)
    # larger than what is held in memory: read twice from the disk
    path.write_bytes(member + data)
    reader = FileReader()
    (shard,) = reader.plan([str(path)], Selection())
    with (
        pytest.raises(ShardChanged, match="changed while it was read"),
        reader.open(shard, Selection()) as reading,
    ):
        with path.open("r+b") as file:
            file.seek(-5, 2)
            file.write(b"other")
        list(reading.batches())


@given(pieces=st.lists(st.binary(max_size=300), max_size=4), cut=st.integers(1, 60), sum_it=st.booleans())
def test_the_end_of_a_frame_is_told_from_its_middle(pieces: list[bytes], cut: int, sum_it: bool) -> None:
    frames = [zstandard.ZstdCompressor(write_checksum=sum_it).compress(piece) for piece in pieces]
    stream = b"".join(frames)
    ends = {sum(map(len, frames[:count])) for count in range(len(frames) + 1)}
    for end in range(len(stream) + 1):
        walker = FrameWalker()
        for at in range(0, end, cut):
            walker.follow(stream[at : min(at + cut, end)])
        assert (end in ends) == walker.complete
