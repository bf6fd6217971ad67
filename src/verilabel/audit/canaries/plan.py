"""How many values each shard plants, and in copies of which of its documents: decided by contents alone."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch
from verilabel.audit.settings import AuditSettings

MAX_HOST_BYTES = 1_024
"""Of a longer document a stretch of this length is copied."""
_DOMAIN = b"verilabel canaries 1\0"
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def shard_seed(shard_sha256: str) -> bytes:
    """What decides the values and places of a shard's canaries."""
    return sha256(_DOMAIN + shard_sha256.encode()).digest()


def plan_canaries(settings: AuditSettings, shard_digests: Sequence[str]) -> list[int]:
    """Of each shard, in the order given, how many values of every format it plants.

    They add up to `settings.canaries.per_format`, as equal as can be; what is left over falls to the shards whose seeds
    are smallest. Another order of the shards gives the same numbers in that order, and so the same values.
    """
    if not shard_digests:
        return []
    each, over = divmod(settings.canaries.per_format, len(shard_digests))
    ranked = sorted(range(len(shard_digests)), key=lambda at: (shard_seed(shard_digests[at]), at))
    quotas = [each] * len(shard_digests)
    for at in ranked[:over]:
        quotas[at] += 1
    return quotas


class Hosts:
    """Keeps stretches of those documents of a shard that canaries are planted into copies of, in one pass over it.

    They are the `count` documents with the smallest ranks; a rank follows from the shard's seed and the document's row,
    so that neither batches nor the order of shards change the choice. At most 2 * `count` stretches of 1 KiB are held.
    """

    def __init__(self, seed: bytes, count: int) -> None:
        self._seed = np.uint64(int.from_bytes(seed[:8], "little"))
        self._count = count
        self._kept: list[tuple[int, int, bytes]] = []
        self._highest = 2**64

    def offer(self, batch: Batch) -> None:
        """Look at the next documents of the shard."""
        if not self._count or not len(batch):
            return
        ranks = self._rank(batch.rows)
        filled = batch.offsets[1:] > batch.offsets[:-1]
        wanted = np.flatnonzero(filled & (ranks <= np.uint64(min(self._highest, 2**64 - 1))))
        # the smallest first, so that few are kept only to be let go
        for document in wanted[np.argsort(ranks[wanted], kind="stable")][: self._count]:
            rank = int(ranks[document])
            if rank <= self._highest:
                self._kept.append((rank, int(batch.rows[document]), _stretch(batch, int(document), rank)))
        if len(self._kept) >= self._count:
            self._kept = sorted(self._kept)[: self._count]
            self._highest = self._kept[-1][0]

    def texts(self) -> list[bytes]:
        """The stretches by rising rank; fewer than asked for where the shard has fewer documents."""
        return [text for _, _, text in sorted(self._kept)[: self._count]]

    def _rank(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
        """SplitMix64 of seed and row (Steele, Lea and Flood, 2014)."""
        value = (rows.astype(np.uint64) + np.uint64(1)) * _GOLDEN + self._seed
        value = (value ^ (value >> np.uint64(30))) * _FIRST
        value = (value ^ (value >> np.uint64(27))) * _SECOND
        mixed: npt.NDArray[np.uint64] = value ^ (value >> np.uint64(31))
        return mixed


def _stretch(batch: Batch, document: int, rank: int) -> bytes:
    start, end = int(batch.offsets[document]), int(batch.offsets[document + 1])
    if end - start > MAX_HOST_BYTES:
        start += rank % (end - start - MAX_HOST_BYTES)
        end = start + MAX_HOST_BYTES
    return batch.data[start:end].tobytes().decode("utf-8", "ignore").encode()
