"""Which documents are looked at closely: those whose rank is lowest, and the rank follows from the corpus itself.

The rank of a document is the first 8 bytes (big-endian) of

    SHA-256(digest of its shard's bytes (32) || row (8, little-endian) || `verilabel/audit-sample/1`)

and for the k-th further shard of the very same bytes (in the order of the shards' names) `/k` behind that. The n lowest
ranks of a corpus are, as far as SHA-256 has no pattern, a simple random sample without replacement: nobody chose it,
and whoever knows the shards' digests and their rows can draw it again, in any order, on any number of machines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Hashes, Positions
from verilabel.audit.reading.interface import Unread
from verilabel.errors import MalformedInput, UsageError
from verilabel.records.canonical import DIGEST_PREFIX, is_digest

DOMAIN = b"verilabel/audit-sample/1"
MAX_CHOSEN = 1_000_000
_BLOCK = 65_536


class Candidates(NamedTuple):
    """The documents of one shard that may be in the sample: by rising rank, at most n."""

    rank: Hashes
    row: Positions


class Drawn(NamedTuple):
    """A document of the sample."""

    shard: int
    """Its place in the list of shards that the candidates were given in."""
    row: int


def choose(
    shard_sha256: str, rows: int, n: int, *, unread: Sequence[Unread] = (), copy: int = 0
) -> Candidates:
    """The n documents of lowest rank of a shard that has `rows` documents, without those that could not be read.

    `copy` is the number of shards with the same bytes that come before it by name. Raises MalformedInput for what is no
    digest, UsageError for numbers that make no sense. Takes about 0.7 microseconds a document.
    """
    if rows < 0:
        raise UsageError(f"cannot choose {n} of {rows} documents")
    gone = _gone(unread, rows)
    blocks = (np.arange(start, min(start + _BLOCK, rows), dtype=np.int64) for start in range(0, rows, _BLOCK))
    return choose_among(shard_sha256, (row[~gone[row]] for row in blocks), n, copy=copy)


def choose_among(shard_sha256: str, rows: Iterable[Positions], n: int, *, copy: int = 0) -> Candidates:
    """The same among the rows that were read, which come in any pieces: for whoever has the records."""
    if not is_digest(shard_sha256):
        raise MalformedInput("not a digest of a shard", where=shard_sha256[:80])
    if copy < 0 or not 0 <= n <= MAX_CHOSEN:
        raise UsageError(f"cannot choose {n} documents", hint=f"at most {MAX_CHOSEN:,}")
    shard = bytes.fromhex(shard_sha256.removeprefix(DIGEST_PREFIX))
    tail = DOMAIN + (f"/{copy}".encode() if copy else b"")
    kept = Candidates(np.zeros(0, np.uint64), np.zeros(0, np.int64))
    for row in rows if n else ():
        rank = _rank(shard, tail, row)
        kept = _lowest(Candidates(np.append(kept.rank, rank), np.append(kept.row, row)), n)
    return kept


def _gone(unread: Sequence[Unread], rows: int) -> npt.NDArray[np.bool_]:
    gone = np.zeros(rows, np.bool_)
    for each in unread:
        gone[each.row : each.row + each.count] = True
    return gone


def _rank(shard: bytes, tail: bytes, row: Positions) -> Hashes:
    raw = row.astype("<i8").tobytes()
    sha256 = hashlib.sha256
    digests = b"".join([sha256(shard + raw[at : at + 8] + tail).digest()[:8] for at in range(0, len(raw), 8)])
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def _lowest(candidates: Candidates, n: int) -> Candidates:
    order = np.lexsort((candidates.row, candidates.rank))[:n]
    return Candidates(candidates.rank[order], candidates.row[order])


def merge(shards: Iterable[Candidates], n: int) -> tuple[Drawn, ...]:
    """The sample of a corpus from the candidates of its shards, each chosen with the same n: sorted by shard and row.

    Two documents of one rank (once in many corpora) are told apart by shard and row.
    """
    ranked = [
        (int(rank), shard, int(row))
        for shard, candidates in enumerate(shards)
        for rank, row in zip(candidates.rank[:n], candidates.row[:n], strict=True)
    ]
    return tuple(sorted(Drawn(shard, row) for _, shard, row in sorted(ranked)[:n]))


def number_copies(shard_sha256: Sequence[str]) -> list[int]:
    """For each shard, in the order of their names, how many before it have the same bytes."""
    seen: dict[str, int] = {}
    copies = []
    for sha256 in shard_sha256:
        copies.append(seen.get(sha256, 0))
        seen[sha256] = copies[-1] + 1
    return copies
