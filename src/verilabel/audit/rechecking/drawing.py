"""Which documents a nonce chooses: uniformly among all that were read, none twice, in time that they do not change.

Documents are numbered from 0 in the order of shards and rows. With seed = SHA-256(SHA-256(nonce) || root), the i-th
choice is the number at place i + (SHA-256(seed || i) mod (read - i)) of a list of all numbers, with which the number at
place i changes its place (Fisher and Yates; Durstenfeld, 1964). 256 bits modulo fewer than 2**64 are uniform up to
2**-192. i is 8 bytes, big-endian. The root binds every commitment, so whoever knew the nonce before the root was fixed
could have tried secrets until no false record was chosen.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from verilabel.audit.proof.shards import ShardLine
from verilabel.errors import UsageError
from verilabel.records.canonical import DIGEST_PREFIX

MAX_NONCE_CHARS = 4096
MAX_DOCUMENTS = 1_000_000


class Choice(NamedTuple):
    """A chosen document."""

    number: int
    """Among all that were read."""
    shard: int
    place: int
    """Of its record among the shard's."""


def draw_numbers(nonce: str, root: str, read: int, documents: int) -> list[int]:
    """The numbers that a nonce chooses, rising: so many, or all where there are no more.

    Raises UsageError for an empty nonce, or numbers that make no sense.
    """
    if not nonce.strip() or len(nonce) > MAX_NONCE_CHARS:
        raise UsageError(f"a nonce is 1 to {MAX_NONCE_CHARS} characters", where="--nonce")
    if not 1 <= documents <= MAX_DOCUMENTS:
        raise UsageError(f"1 to {MAX_DOCUMENTS:,} documents can be chosen", where=str(documents))
    if documents >= read:
        return list(range(read))
    seed = hashlib.sha256(
        hashlib.sha256(nonce.encode()).digest() + bytes.fromhex(root.removeprefix(DIGEST_PREFIX))
    ).digest()
    moved: dict[int, int] = {}
    chosen = []
    for i in range(documents):
        drawn = int.from_bytes(hashlib.sha256(seed + i.to_bytes(8, "big")).digest(), "big")
        place = i + drawn % (read - i)
        chosen.append(moved.get(place, place))
        moved[place] = moved.get(i, i)
    return sorted(chosen)


def place_numbers(numbers: Sequence[int], lines: Sequence[ShardLine]) -> list[Choice]:
    """Where the documents of these numbers have their records."""
    ends = list(accumulate(line.read for line in lines))
    found = []
    for number in numbers:
        shard = bisect_right(ends, number)
        found.append(Choice(number, shard, number - (ends[shard] - lines[shard].read)))
    return found
