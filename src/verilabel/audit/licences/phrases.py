"""The phrases that are looked for, as tables for the compiled pass: found by one word each, then compared whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
import numpy as np

from verilabel.audit.interface import Bytes, Hashes, Offsets
from verilabel.audit.kernels.tokens import FOLD
from verilabel.audit.licences.kernels.scanning import SLOT_BITS
from verilabel.audit.licences.wording import cut_bytes, fold_words

Group = Literal[
    "copyright", "tag", "field", "url", "header", "meaning", "reserved", "opt_out", "paywall", "context"
]
GROUPS: tuple[Group, ...] = (
    "copyright",
    "tag",
    "field",
    "url",
    "header",
    "meaning",
    "reserved",
    "opt_out",
    "paywall",
    "context",
)
NOTICE_KINDS = ("word", "sign", "letter", "entity", "sign and year")
"""What a hit of the group `copyright` is, as `kernels.notices.find_notices` counts them."""


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A phrase that counts only beside others: a pattern over the words before and after it."""

    kind: str
    anchors: tuple[str, ...]
    before: int
    after: int
    """In words."""
    pattern: str
    raw: bool = False
    """Over the bytes from the anchor on, lower-cased, and not over the words joined by spaces."""


class PhraseList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `data/phrases.json`. An asterisk marks the word by which a phrase is found: its rarest."""

    copyright: dict[str, tuple[str, ...]]
    tag: tuple[str, ...]
    field: tuple[str, ...]
    url: tuple[str, ...]
    header: tuple[str, ...]
    """What stands before the name of a licence."""
    header_weak: tuple[str, ...]
    """The same, where much else can follow: the name must say that it is a licence, or which version."""
    meaning: dict[str, tuple[str, ...]]
    """Sentences that mean a licence without its name: ids, parted by spaces, to phrases."""
    reserved: dict[str, tuple[str, ...]]
    opt_out: dict[str, tuple[str, ...]]
    paywall: dict[str, tuple[str, ...]]
    contexts: tuple[Context, ...]


@dataclass(frozen=True)
class PhraseTables:
    """What `kernels.scanning.scan_words` takes, and what its phrase numbers mean."""

    word_bits: Hashes
    slots: Hashes
    slot_first: Offsets
    slot_phrases: Offsets
    first: Offsets
    hashes: Hashes
    text: Bytes
    text_first: Offsets
    back: Offsets
    group: Offsets
    detail: Offsets
    """Per phrase: of `copyright` its kind of NOTICE_KINDS, of `header` 1 for weak ones, of `meaning` and `context` the
    number of the rule."""
    length: Offsets


@cache
def load_phrases() -> PhraseList:
    """The phrases as shipped."""
    data = resources.files("verilabel.audit.licences").joinpath("data", "phrases.json").read_bytes()
    return msgspec.json.decode(data, type=PhraseList)


@cache
def compile_contexts() -> tuple[re.Pattern[bytes], ...]:
    """The patterns of the contexts, in their order."""
    return tuple(re.compile(context.pattern.encode()) for context in load_phrases().contexts)


def _list_phrases() -> list[tuple[Group, int, str]]:
    phrases = load_phrases()
    found: list[tuple[Group, int, str]] = []
    for kind, words in phrases.copyright.items():
        found += [("copyright", NOTICE_KINDS.index(kind), word) for word in words]
    found += [("copyright", 4, f"©{year}") for year in range(1900, 2100)]
    found += [("tag", 0, text) for text in phrases.tag]
    found += [("field", 0, text) for text in phrases.field]
    found += [("url", 0, text) for text in phrases.url]
    found += [("header", 0, text) for text in phrases.header]
    found += [("header", 1, text) for text in phrases.header_weak]
    for number, texts in enumerate(phrases.meaning.values()):
        found += [("meaning", number, text) for text in texts]
    found += [("reserved", 0, text) for texts in phrases.reserved.values() for text in texts]
    found += [("opt_out", 0, text) for texts in phrases.opt_out.values() for text in texts]
    found += [("paywall", 0, text) for texts in phrases.paywall.values() for text in texts]
    for number, context in enumerate(phrases.contexts):
        found += [("context", number, text) for text in context.anchors]
    return found


def _spell(text: str) -> tuple[str, ...]:
    """The ways a phrase is written: beyond ASCII, words are not folded to lower case when they are cut."""
    if text.isascii():
        return (text,)
    return tuple(sorted({text, text.upper(), text.title(), text[:1].upper() + text[1:]}))


@dataclass
class _Row:
    group: int
    detail: int
    hashes: list[int]
    back: int
    text: bytes


def _cut_phrase(group: Group, detail: int, text: str) -> _Row:
    mark = text.find("*")
    plain = text.replace("*", "").encode()
    words = cut_bytes(plain)
    folded, _ = fold_words(np.frombuffer(plain, np.uint8), words, FOLD)
    at = len(text[: max(mark, 0)].encode())
    back = int(np.searchsorted(words.ends, at, side="right")) if mark >= 0 else 0
    return _Row(GROUPS.index(group), detail, words.hashes.tolist(), back, folded.tobytes())


@cache
def build_tables() -> PhraseTables:
    """The tables over every phrase in each of its spellings."""
    rows = [
        _cut_phrase(group, detail, spelled)
        for group, detail, text in _list_phrases()
        for spelled in _spell(text)
    ]
    anchors: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        anchors.setdefault(row.hashes[row.back], []).append(number)
    size = 1 << SLOT_BITS
    assert len(anchors) <= size // 2
    slots = np.zeros(size, np.uint64)
    held: dict[int, list[int]] = {}
    bits = np.zeros(2**15 // 64, np.uint64)
    for hashed in sorted(anchors):
        slot = hashed >> (64 - SLOT_BITS)
        while slots[slot]:
            slot = (slot + 1) % size
        slots[slot] = hashed
        held[slot] = anchors[hashed]
        place = hashed >> (64 - 15)
        bits[place >> 6] |= np.uint64(1 << (place & 63))
    counts = [len(held.get(slot, ())) for slot in range(size)]
    return PhraseTables(
        word_bits=bits,
        slots=slots,
        slot_first=_running(counts),
        slot_phrases=np.array([number for slot in sorted(held) for number in held[slot]], np.int32),
        first=_running([len(row.hashes) for row in rows]),
        hashes=np.array([hashed for row in rows for hashed in row.hashes], np.uint64),
        text=np.frombuffer(b"".join(row.text for row in rows), np.uint8).copy(),
        text_first=_running([len(row.text) for row in rows]),
        back=np.array([row.back for row in rows], np.int32),
        group=np.array([row.group for row in rows], np.int32),
        detail=np.array([row.detail for row in rows], np.int32),
        length=np.array([len(row.hashes) for row in rows], np.int32),
    )


def _running(counts: list[int]) -> Offsets:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(np.array(counts, np.int64)))).astype(np.int32)
