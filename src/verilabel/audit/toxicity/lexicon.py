"""The word list of the check `toxicity`, read from a compressed file so that nobody meets it by accident."""

from __future__ import annotations

import zlib
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.records.canonical import digest, jcs

Category = Literal["slur", "profanity", "sexual", "threat", "minors"]
Group = Literal["", "origin", "religion", "orientation", "gender", "disability"]
CATEGORIES: tuple[Category, ...] = ("slur", "profanity", "sexual", "threat", "minors")
GROUPS: tuple[Group, ...] = ("", "origin", "religion", "orientation", "gender", "disability")
MAX_LEXICON_BYTES = 16 * 2**20
MAX_TERM_WORDS = 16
LEXICON_FILE = "lexicon.json.zlib"


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A word or phrase of the list."""

    text: str
    """In lower case."""
    language: str
    """ISO 639-1, or `und`."""
    category: Category
    group: Group = ""
    """Whom a slur is aimed at."""
    company: bool = False
    """True if it has an innocent sense too: it counts only close to a term that has none."""


class Lexicon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The list with its version and where its terms come from."""

    version: str
    source: str
    licence: str
    terms: tuple[Term, ...]
    """Sorted by text, none twice."""

    @property
    def sha256(self) -> str:
        """Digest of the list's canonical bytes, which no compression changes."""
        return digest(lexicon_bytes(self))


def lexicon_bytes(lexicon: Lexicon) -> bytes:
    """The canonical bytes (RFC 8785) of a list."""
    return jcs(msgspec.to_builtins(lexicon))


def decode_lexicon(packed: bytes, *, where: str) -> Lexicon:
    """A list from its compressed file.

    Raises MalformedInput for what is no list or is not in order, LimitExceeded beyond 16 MiB.
    """
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(packed, MAX_LEXICON_BYTES)
    except zlib.error as error:
        raise MalformedInput("not a compressed word list", where=where) from error
    if reader.unconsumed_tail:
        raise LimitExceeded(f"a word list of more than {MAX_LEXICON_BYTES} bytes", where=where)
    try:
        lexicon = msgspec.json.decode(content, type=Lexicon)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedInput("not a word list", where=where) from error
    texts = [term.text for term in lexicon.terms]
    if texts != sorted(set(texts)):
        raise MalformedInput("terms are not sorted, or one stands twice", where=where)
    return lexicon


@cache
def read_shipped() -> bytes:
    """The compressed file that comes with the product."""
    return resources.files("verilabel.audit.toxicity").joinpath("data", LEXICON_FILE).read_bytes()


@cache
def shipped_lexicon() -> Lexicon:
    """The list that comes with the product."""
    return decode_lexicon(read_shipped(), where=LEXICON_FILE)
