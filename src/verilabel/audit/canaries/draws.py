"""Reproducible choices: the same seed draws the same on every machine and every version of Python."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import TypeVar

T = TypeVar("T")
DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
ALPHANUMERIC = UPPER + LOWER + DIGITS
HEX = "0123456789abcdef"


class Draws:
    """A stream of choices from a seed. Only `random()` and `getrandbits()` are used: Python keeps those as they are."""

    def __init__(self, seed: bytes, purpose: str) -> None:
        digest = sha256(b"verilabel canaries\0" + purpose.encode() + b"\0" + seed).digest()
        self._source = Random(int.from_bytes(digest, "big"))  # noqa: S311 - to be repeated, no secret
        self._random = self._source.random

    def below(self, end: int) -> int:
        """A whole number from 0 to end - 1."""
        return int(self._random() * end)

    def between(self, first: int, last: int) -> int:
        """A whole number from first to last, both included."""
        return first + int(self._random() * (last - first + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[int(self._random() * len(choices))]

    def happens(self, probability: float) -> bool:
        """True with the probability."""
        return self._random() < probability

    def text(self, length: int, alphabet: str) -> str:
        """So many characters of the alphabet."""
        value = self._random
        size = len(alphabet)
        return "".join([alphabet[int(value() * size)] for _ in range(length)])

    def digits(self, length: int) -> str:
        """So many decimal digits."""
        return (
            str(int(self._random() * 10**length)).zfill(length) if length < 15 else self.text(length, DIGITS)
        )

    def octets(self, length: int) -> bytes:
        """So many bytes."""
        return self._source.getrandbits(8 * length).to_bytes(length, "big")

    def shuffle(self, values: Sequence[T]) -> list[T]:
        """The values in another order (Fisher and Yates)."""
        mixed = list(values)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed
