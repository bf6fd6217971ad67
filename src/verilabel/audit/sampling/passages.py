"""What of a document is looked at: all of it, or of a long one a passage at a place that nobody chose."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from verilabel.records.canonical import DIGEST_PREFIX

PASSAGE_CHARACTERS = 8_000
DOMAIN = b"verilabel/audit-passage/1"
LIMITS = (
    "Documents are drawn at random, and of a document of more than 8,000 characters one passage of that length, at a"
    " place drawn at random: counts are of passages with the event, and what stands elsewhere in a long document is not"
    " seen."
)


class Document(NamedTuple):
    """A drawn document as it was read again."""

    shard: int
    """Its place in the list of shards."""
    shard_sha256: str
    row: int
    text: str | None
    """None where it could not be read this time."""


class Passage(NamedTuple):
    """What is looked at of a document. The text goes to detectors and judges and into no record."""

    shard: int
    row: int
    text: str | None
    characters: int
    """Of the whole document."""


def cut_passage(document: Document) -> Passage:
    """The whole text, or 8,000 characters of it.

    They begin at SHA-256(shard digest || row, 8 bytes little-endian || `verilabel/audit-passage/1`), its first 8 bytes
    big-endian, modulo the number of places at which a passage can begin.
    """
    text = document.text
    if text is None:
        return Passage(document.shard, document.row, None, 0)
    places = len(text) - PASSAGE_CHARACTERS + 1
    if places <= 1:
        return Passage(document.shard, document.row, text, len(text))
    shard = bytes.fromhex(document.shard_sha256.removeprefix(DIGEST_PREFIX))
    drawn = hashlib.sha256(shard + document.row.to_bytes(8, "little") + DOMAIN).digest()
    start = int.from_bytes(drawn[:8], "big") % places
    return Passage(document.shard, document.row, text[start : start + PASSAGE_CHARACTERS], len(text))
