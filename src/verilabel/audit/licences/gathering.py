"""What one batch gave so far, and how it becomes findings: sorted, those that overlap joined, bounded a document."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Findings, Positions
from verilabel.audit.licences.card import KINDS
from verilabel.audit.licences.kernels.scanning import MAX_HITS


@dataclass
class Gathered:
    """What one batch gave so far: findings by kind, rows of the table, and the best licence of each document."""

    starts: list[tuple[int, npt.NDArray[np.int64], Positions, Positions]] = field(default_factory=list)
    rows: dict[tuple[int, int, str], int] = field(default_factory=dict)
    """(document, number of the id, how) to coverage in thousandths."""
    best: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    """Document to (rank of how, minus words covered, place, number of the id): the least is the first licence."""

    def add(self, kind: str, document: npt.NDArray[np.int64], start: Positions, end: Positions) -> None:
        """Findings of one kind."""
        if len(document):
            self.starts.append((KINDS.index(kind), document, start, end))

    def name(self, document: int, number: int, how: str, coverage: int) -> None:
        """A licence that a document names or holds."""
        key = (document, number, how)
        self.rows[key] = max(coverage, self.rows.get(key, 0))

    def prefer(self, document: int, rank: int, words: int, place: int, number: int) -> None:
        """A licence that could be the first of its document."""
        bid = (rank, -words, place, number)
        self.best[document] = min(bid, self.best.get(document, bid))


def merge_findings(found: Gathered, documents: int) -> tuple[Findings, npt.NDArray[np.uint64]]:
    """Findings by document and start, those of one kind that overlap as one, at most MAX_HITS a document and kind."""
    clipped = np.zeros(documents, np.uint64)
    if not found.starts:
        return Findings(
            np.zeros(0, np.int32), np.zeros(0, np.uint16), np.zeros(0, np.int64), np.zeros(0, np.int64)
        ), clipped
    kind = np.concatenate(
        [np.full(len(document), number, np.int64) for number, document, _, _ in found.starts]
    )
    document = np.concatenate([part[1] for part in found.starts])
    start = np.concatenate([part[2] for part in found.starts])
    end = np.concatenate([part[3] for part in found.starts])
    order = np.lexsort((end, start, kind, document))
    kind, document, start, end = kind[order], document[order], start[order], end[order]
    run = document * len(KINDS) + kind
    # the furthest end so far within a run: runs are told apart by lifting each above all positions before it
    lift = np.cumsum(np.concatenate((np.zeros(1, np.int64), (run[1:] != run[:-1]).astype(np.int64)))) << 32
    furthest = np.maximum.accumulate(end + lift)
    fresh = np.concatenate((np.ones(1, np.bool_), start[1:] + lift[1:] >= furthest[:-1]))
    heads = np.nonzero(fresh)[0]
    tails = np.concatenate((heads[1:], np.array([len(start)]))) - 1
    end = furthest[tails] - lift[tails]
    kind, document, start, run = kind[heads], document[heads], start[heads], run[heads]
    first_of_run = np.concatenate((np.ones(1, np.bool_), run[1:] != run[:-1]))
    begins = np.nonzero(first_of_run)[0]
    place = np.arange(len(run)) - begins[np.cumsum(first_of_run) - 1]
    kept = place < MAX_HITS
    np.add.at(clipped, document[~kept], np.uint64(1))
    kind, document, start, end = kind[kept], document[kept], start[kept], end[kept]
    order = np.lexsort((end, kind, start, document))
    return Findings(
        document[order].astype(np.int32), kind[order].astype(np.uint16), start[order], end[order]
    ), clipped
