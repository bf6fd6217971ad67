"""Chance out of SHA-256: the same seed gives the same draws in every version of every language.

`random` of the standard library is not used, because its helpers (`choice`, `shuffle`) may draw otherwise in another
version, and a suite that is generated again by a verifier must be the same to the last byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_WORD = 2**64


class Chance:
    """A stream of draws: block i is SHA-256 of `seed || 0x00 || i` in eight bytes, read as four 64-bit integers."""

    def __init__(self, *seed: str | int) -> None:
        self._seed = "\x1f".join(map(str, seed)).encode("utf-8", "surrogatepass")
        self._block = 0
        self._words: list[int] = []

    def word(self) -> int:
        """The next integer in 0 .. 2^64 - 1."""
        if not self._words:
            block = hashlib.sha256(self._seed + b"\x00" + self._block.to_bytes(8, "big")).digest()
            self._block += 1
            self._words = [int.from_bytes(block[i : i + 8], "big") for i in (24, 16, 8, 0)]
        return self._words.pop()

    def below(self, bound: int) -> int:
        """An integer in 0 .. bound - 1, every one as likely: draws beyond the last whole multiple are drawn again."""
        limit = _WORD - _WORD % bound
        while (word := self.word()) >= limit:
            pass
        return word % bound

    def between(self, low: int, high: int) -> int:
        """An integer in low .. high, both included."""
        return low + self.below(high - low + 1)

    def choose(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order (Fisher and Yates, from the end)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed

    def draw(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items in a random order."""
        return self.shuffled(items)[:count]

    def text(self, alphabet: str, length: int) -> str:
        """Characters of an alphabet, each drawn by itself."""
        return "".join(self.choose(alphabet) for _ in range(length))
