"""Which documents are drawn: the same ones whoever draws them, in whatever order, and any of them alike."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.reading.interface import Unread
from verilabel.audit.sampling.choosing import Drawn, choose, merge, number_copies
from verilabel.audit.sampling.passages import PASSAGE_CHARACTERS, Document, cut_passage
from verilabel.errors import MalformedInput, UsageError
from verilabel.records.canonical import digest

SHARDS = [digest(f"shard {number}".encode()) for number in range(5)]


def rank_by_the_book(sha256: str, row: int, tail: bytes = b"verilabel/audit-sample/1") -> int:
    shard = bytes.fromhex(sha256.removeprefix("sha256:"))
    return int.from_bytes(hashlib.sha256(shard + row.to_bytes(8, "little") + tail).digest()[:8], "big")


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.integers(0, 80))
@settings(max_examples=40)
def test_the_sample_is_the_lowest_ranks_of_all_documents(sizes: list[int], n: int) -> None:
    ranked = sorted(
        (rank_by_the_book(SHARDS[shard], row), shard, row)
        for shard, size in enumerate(sizes)
        for row in range(size)
    )
    expected = sorted(Drawn(shard, row) for _, shard, row in ranked[:n])
    drawn = merge((choose(SHARDS[shard], size, n) for shard, size in enumerate(sizes)), n)
    assert tuple(expected) == drawn


def test_the_order_of_shards_changes_nothing_but_their_places() -> None:
    sizes = [40, 0, 90_000, 7]
    chosen = [choose(SHARDS[shard], size, 25) for shard, size in enumerate(sizes)]
    forwards = merge(chosen, 25)
    backwards = merge(chosen[::-1], 25)
    assert 25 == len(forwards)
    assert list(forwards) == sorted(Drawn(3 - shard, row) for shard, row in backwards)


def test_a_larger_sample_holds_the_smaller_one() -> None:
    small = set(merge([choose(SHARDS[0], 3_000, 50)], 50))
    assert small < set(merge([choose(SHARDS[0], 3_000, 200)], 200))


def test_documents_that_could_not_be_read_are_never_drawn() -> None:
    gone = [Unread(3, "not JSON"), Unread(10, "no text", count=5), Unread(19, "torn", count=0)]
    rows = choose(SHARDS[1], 20, 100, unread=gone).row.tolist()
    assert sorted(set(range(20)) - {3, 10, 11, 12, 13, 14}) == sorted(rows)


def test_shards_of_the_same_bytes_are_drawn_from_apart() -> None:
    assert [0, 0, 1, 2] == number_copies([SHARDS[0], SHARDS[1], SHARDS[0], SHARDS[0]])
    first, second = (choose(SHARDS[0], 1_000, 20, copy=copy) for copy in (0, 1))
    assert set(first.row.tolist()) != set(second.row.tolist())
    assert rank_by_the_book(SHARDS[0], int(second.row[0]), b"verilabel/audit-sample/1/1") == int(
        second.rank[0]
    )


def test_every_part_of_a_shard_is_drawn_as_often_as_any_other() -> None:
    rows = np.concatenate([choose(digest(bytes([i])), 1_000, 100).row for i in range(100)])
    tenths = np.bincount(rows // 100, minlength=10)
    # 10,000 draws without replacement: a tenth has 1,000 +- 30; five standard deviations
    assert all(850 < count < 1_150 for count in tenths)


@pytest.mark.parametrize(("rows", "n", "copy"), [(-1, 5, 0), (5, -1, 0), (5, 2_000_000, 0), (5, 5, -1)])
def test_numbers_that_make_no_sense_are_refused(rows: int, n: int, copy: int) -> None:
    with pytest.raises(UsageError):
        choose(SHARDS[0], rows, n, copy=copy)


def test_what_is_no_digest_is_refused() -> None:
    with pytest.raises(MalformedInput):
        choose("sha256:12", 5, 5)


@given(st.integers(0, 3 * PASSAGE_CHARACTERS), st.integers(0, 50))
@settings(max_examples=30)
def test_a_passage_is_the_whole_of_a_short_document_and_a_part_of_a_long_one(length: int, row: int) -> None:
    text = "".join(chr(0x4E00 + place % 9_000) for place in range(length))
    passage = cut_passage(Document(0, SHARDS[0], row, text))
    assert passage.text is not None
    assert (min(length, PASSAGE_CHARACTERS), length) == (len(passage.text), passage.characters)
    assert passage.text in text


def test_passages_begin_anywhere_in_a_long_document() -> None:
    text = "".join(chr(0x4E00 + place // 100) for place in range(10 * PASSAGE_CHARACTERS))
    firsts = {cut_passage(Document(0, SHARDS[0], row, text)).text[0] for row in range(40)}  # type: ignore[index]
    assert len(firsts) > 30
