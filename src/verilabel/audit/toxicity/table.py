"""The word list as arrays that a compiled pass can follow: a tree of words behind a bitmap of first words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from verilabel.audit.interface import Batch, Bytes, Hashes
from verilabel.audit.kernels.tokens import FOLD, cut_words
from verilabel.audit.toxicity.lexicon import CATEGORIES, GROUPS, MAX_TERM_WORDS, Lexicon, Term
from verilabel.errors import MalformedInput

STEP = np.uint64(0x9E3779B97F4A7C15)
PROBE = np.uint64(0xFF51AFD7ED558CCD)
FIRST_PROBE = np.uint64(0xC4CEB9FE1A85EC53)
FREE = -1
CURVED = "\u2019"


Spelled = tuple[bytes, tuple[int, ...]]


class TermTable(NamedTuple):
    """Nodes are sequences of words; node 0 is the empty one. `next_*` is an open-addressed table of their children.

    A child of node v by a word of hash h has the key `(h ^ v * STEP) * PROBE`, and stands at the first free place from
    its upper bits on. `bits` says of a hash whether it may be a first word. `accepts[v]` is the term that ends at node
    v, or -1; term i has the bytes `text[text_from[i]:text_from[i + 1]]`, its words one behind the other.
    """

    next_key: Hashes
    next_node: npt.NDArray[np.int32]
    shift: int
    bits: Hashes
    bits_shift: int
    accepts: npt.NDArray[np.int32]
    text: Bytes
    text_from: npt.NDArray[np.int32]
    category: npt.NDArray[np.uint16]
    group: npt.NDArray[np.uint8]
    company: npt.NDArray[np.uint8]


def make_table(lexicon: Lexicon) -> TermTable:
    """The table of a list. Raises MalformedInput for a term without words or of more than 16."""
    spelled = _cut_terms(lexicon)
    texts = sorted(spelled)
    edges: dict[tuple[int, int], int] = {}
    accepts = [-1]
    for index, (_, hashes) in enumerate(texts):
        node = 0
        for word in hashes:
            node = edges.setdefault((node, word), len(accepts))
            if node == len(accepts):
                accepts.append(-1)
        accepts[node] = index
    terms = [spelled[each] for each in texts]
    next_key, next_node, shift = _address(edges)
    bits, bits_shift = _bitmap([word for node, word in edges if node == 0])
    return TermTable(
        next_key,
        next_node,
        shift,
        bits,
        bits_shift,
        np.array(accepts, np.int32),
        np.frombuffer(b"".join(text for text, _ in texts), np.uint8).copy(),
        np.concatenate([[0], np.cumsum([len(text) for text, _ in texts])]).astype(np.int32),
        np.array([CATEGORIES.index(term.category) for term in terms], np.uint16),
        np.array([GROUPS.index(term.group) for term in terms], np.uint8),
        np.array([term.company for term in terms], np.uint8),
    )


def _cut_terms(lexicon: Lexicon) -> dict[Spelled, Term]:
    """Every spelling of every term: its folded bytes, and its words' hashes, which say where they are parted."""
    written = [(spelling, term) for term in lexicon.terms for spelling in spellings(term.text)]
    raw = [spelling.encode() for spelling, _ in written]
    data = np.frombuffer(b"".join(raw), np.uint8)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in raw])]).astype(np.int64)
    words = cut_words(Batch(data, offsets, np.arange(len(raw), dtype=np.int64)))
    hashes = words.hashes.tolist()
    folded = FOLD[data]
    spelled: dict[Spelled, Term] = {}
    for index, (_, term) in enumerate(written):
        mine = hashes[words.documents[index] : words.documents[index + 1]]
        if not 1 <= len(mine) <= MAX_TERM_WORDS:
            raise MalformedInput("a term must have 1 to 16 words", where=f"$.terms: spelling {index}")
        bytes_of = folded[offsets[index] : offsets[index + 1]]
        spelled.setdefault((bytes_of[bytes_of > 0].tobytes(), tuple(mine)), term)
    return spelled


def spellings(text: str) -> Iterator[str]:
    """The ways to write a term that folding ASCII to lower case does not make one.

    Letters beyond ASCII in lower case, with a capital, and in capitals, composed and decomposed; curved apostrophes,
    and one with an s behind a single word.
    """
    forms = [text]
    if "'" in text:
        forms.append(text.replace("'", CURVED))
    if text.isascii() and text.isalpha():
        forms.append(f"{text}{CURVED}s")
    for written in forms:
        if written.isascii() or CURVED in written:
            yield written
            continue
        for cased in dict.fromkeys((written, written.capitalize(), written.title(), written.upper())):
            yield from dict.fromkeys(unicodedata.normalize(form, cased) for form in ("NFC", "NFD"))


def _address(edges: dict[tuple[int, int], int]) -> tuple[Hashes, npt.NDArray[np.int32], int]:
    size = max(64, 1 << (4 * len(edges)).bit_length())
    shift = 64 - (size.bit_length() - 1)
    keys = np.zeros(size, np.uint64)
    nodes = np.full(size, FREE, np.int32)
    with np.errstate(over="ignore"):
        for (node, word), child in sorted(edges.items()):
            key = (np.uint64(word) ^ np.uint64(node) * STEP) * PROBE
            place = int(key >> np.uint64(shift))
            while nodes[place] != FREE:
                place = (place + 1) % size
            keys[place], nodes[place] = key, child
    return keys, nodes, shift


def _bitmap(words: list[int]) -> tuple[Hashes, int]:
    size = max(64, 1 << (32 * len(words)).bit_length())
    shift = 64 - (size.bit_length() - 1)
    bits = np.zeros(size // 64, np.uint64)
    with np.errstate(over="ignore"):
        places = (np.array(words, np.uint64) * FIRST_PROBE) >> np.uint64(shift)
    np.bitwise_or.at(
        bits, (places >> np.uint64(6)).astype(np.int64), np.uint64(1) << (places & np.uint64(63))
    )
    return bits, shift
