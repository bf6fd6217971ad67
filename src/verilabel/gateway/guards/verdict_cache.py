"""Verdicts that were paid for once: the most recently used ones, by digest, bounded."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from verilabel.gateway.guards.interface import Judgement


class VerdictCache:
    """Keeps at most `size` judgements; a key is a digest, so that no text is kept."""

    __slots__ = ("_kept", "_size", "hits", "misses")

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[bytes, Judgement] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: bytes) -> Judgement | None:
        """The judgement kept under a key."""
        judgement = self._kept.get(key)
        if judgement is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return judgement

    def keep(self, key: bytes, judgement: Judgement) -> None:
        """Keep a judgement; the one not used for longest goes where there is no room."""
        if self._size == 0:
            return
        self._kept[key] = judgement
        self._kept.move_to_end(key)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)


def key_of(*parts: str) -> bytes:
    """A key from texts: a digest in which no two lists of texts are the same."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "big"))
        hasher.update(data)
    return hasher.digest()
