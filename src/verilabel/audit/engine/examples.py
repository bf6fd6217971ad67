"""A few findings of each kind to look at, masked: chosen by content, so that neither order nor person chooses them."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from verilabel.audit.proof.examples import Example, rank_of
from verilabel.records.canonical import DIGEST_PREFIX


class ExampleKeeper:
    """Keeps the examples of a shard, or of all shards: the `most` smallest ranks of each kind."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, list[tuple[int, Example]]] = {}

    def add(self, example: Example) -> None:
        """Offer an example."""
        kept = self._kept.setdefault(example.kind, [])
        entry = (-int(example.rank, 16), example)
        if len(kept) < self._most:
            heapq.heappush(kept, entry)
        elif entry[0] > kept[0][0]:
            heapq.heapreplace(kept, entry)

    def would_keep(self, kind: str, rank: int) -> bool:
        """True if an example of this rank would be kept."""
        kept = self._kept.get(kind, [])
        return len(kept) < self._most or -rank > kept[0][0]

    def examples(self) -> list[Example]:
        """What is kept, by kind and rank."""
        return [
            example
            for kind in sorted(self._kept)
            for _, example in sorted(self._kept[kind], key=lambda entry: -entry[0])
        ]


class Chooser:
    """Offers findings of one shard to a keeper."""

    def __init__(self, shard_sha256: str, keeper: ExampleKeeper, mask: Callable[[str, bytes], str]) -> None:
        self._shard = bytes.fromhex(shard_sha256.removeprefix(DIGEST_PREFIX))
        self._keeper = keeper
        self._mask = mask

    def offer(self, kind: str, row: int, start: int, value: bytes, mark: bytes) -> None:
        """Offer one finding; its value is masked only if it is kept."""
        rank = rank_of(self._shard, row, start, kind)
        if self._keeper.would_keep(kind, int.from_bytes(rank, "big")):
            self._keeper.add(
                Example(rank.hex(), kind, row, start, len(value), mark.hex(), self._mask(kind, value))
            )
