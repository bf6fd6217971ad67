"""What would be looked at of documents if the sample chose them: kept in the one pass, so that few are read again.

Which documents are drawn is known when all shards are. Those of a shard that may be are its documents of lowest rank;
of about as many as its share of the corpus lets expect, passages are kept. What turns out to be missing is fetched.
"""

from __future__ import annotations

import heapq
import math

from verilabel.audit.interface import Batch
from verilabel.audit.sampling.choosing import choose_among
from verilabel.audit.sampling.passages import Document, Passage, cut_passage
from verilabel.audit.settings import SamplingSettings

_SPARE = 1.5
"""Documents of a shard may be shorter than those of others, so that it has more than its share."""


def passages_wanted(asked: SamplingSettings, share: float) -> int:
    """How many passages a shard keeps, by its share of the corpus' stored bytes; none where nobody looks at them."""
    if not asked.detectors and not asked.judges:
        return 0
    expected = asked.documents * min(max(share, 0.0), 1.0)
    return min(asked.documents, math.ceil(_SPARE * expected + 6 * math.sqrt(expected) + 8))


class PassageKeeper:
    """Keeps the passages of the `count` documents of lowest rank."""

    def __init__(self, shard_sha256: str, count: int) -> None:
        self._shard = shard_sha256
        self._count = count
        self._kept: list[tuple[int, int, Passage]] = []

    def offer(self, batch: Batch) -> None:
        """Look at the next documents."""
        if not self._count or not len(batch):
            return
        chosen = choose_among(self._shard, [batch.rows], self._count)
        first = int(batch.rows[0])
        is_whole = int(batch.rows[-1]) - first + 1 == len(batch)
        places = None if is_whole else {int(row): place for place, row in enumerate(batch.rows)}
        for rank, row in zip(chosen.rank.tolist(), chosen.row.tolist(), strict=True):
            entry = (-rank, -row)
            if len(self._kept) == self._count and entry < self._kept[0][:2]:
                return  # they come by rising rank
            text = batch.text(row - first if places is None else places[row]).decode()
            passage = cut_passage(Document(0, self._shard, row, text))
            keep = heapq.heappush if len(self._kept) < self._count else heapq.heapreplace
            keep(self._kept, (*entry, passage))

    def passages(self) -> list[Passage]:
        """What is kept, by row; the number of the shard is not known here, and 0."""
        return sorted(passage for _, _, passage in self._kept)
