"""Passages that are kept in the pass: those of the documents that the sample draws, as if they had been read again."""

from __future__ import annotations

import numpy as np
import pytest

from audit_corpora import some_text
from verilabel.audit.engine.passages import PassageKeeper, passages_wanted
from verilabel.audit.interface import Batch
from verilabel.audit.sampling.choosing import choose
from verilabel.audit.sampling.passages import Document, cut_passage
from verilabel.audit.settings import SamplingSettings

SHARD = "sha256:" + "5a" * 32
TEXTS = [some_text(seed, 20 + 40 * (seed % 60)) for seed in range(300)]


def _batches(size: int, left_out: frozenset[int] = frozenset()) -> list[Batch]:
    found = []
    for first in range(0, len(TEXTS), size):
        rows = [row for row in range(first, min(first + size, len(TEXTS))) if row not in left_out]
        texts = [TEXTS[row].encode() for row in rows]
        offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
        found.append(Batch(np.frombuffer(b"".join(texts), np.uint8), offsets, np.array(rows, np.int64)))
    return found


@pytest.mark.parametrize("size", [1, 7, 300])
def test_the_passages_of_the_lowest_ranks_are_kept_however_documents_are_cut_into_batches(size: int) -> None:
    keeper = PassageKeeper(SHARD, 25)
    for batch in _batches(size):
        keeper.offer(batch)
    drawn = sorted(choose(SHARD, len(TEXTS), 25).row.tolist())
    assert [cut_passage(Document(0, SHARD, row, TEXTS[row])) for row in drawn] == keeper.passages()


def test_rows_that_could_not_be_read_are_not_kept_and_others_keep_their_places() -> None:
    gone = frozenset(range(0, 300, 3))
    keeper = PassageKeeper(SHARD, 40)
    for batch in _batches(50, gone):
        keeper.offer(batch)
    assert 40 == len(keeper.passages())
    for passage in keeper.passages():
        assert passage.row not in gone
        assert cut_passage(Document(0, SHARD, passage.row, TEXTS[passage.row])) == passage


def test_a_shard_keeps_about_its_share_and_never_more_than_the_sample() -> None:
    asked = SamplingSettings(documents=1000)
    assert 0 == passages_wanted(SamplingSettings(documents=0), 0.5)
    assert 1000 == passages_wanted(asked, 1.0)
    assert 100 < passages_wanted(asked, 0.1) < 300
    assert 8 <= passages_wanted(asked, 0.0) <= 20


def test_no_passages_are_kept_where_nothing_looks_at_them() -> None:
    assert 0 == passages_wanted(SamplingSettings(documents=1000, detectors=()), 0.5)
    assert 0 < passages_wanted(SamplingSettings(documents=1000, detectors=(), judges=("model/x",)), 0.5)
