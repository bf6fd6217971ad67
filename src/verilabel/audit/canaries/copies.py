"""Exact and edited copies of documents, with the similarity that is left: what finding duplicates is measured on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from verilabel.audit.canaries.draws import Draws

NGRAM = 5
"""Words of a shingle, as in the similarity that is told."""
RATES = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.08, 0.12)
"""Of words that an edit touches."""
EXACT = "exact"
_WORD = re.compile(rb"\w+|[\x80-\xff]+")
_PARTS = re.compile(rb"(\s+)")


class Copy(NamedTuple):
    """One copy of a text."""

    text: bytes
    original: int
    """Index of the text that it is a copy of."""
    format: str
    """`exact`, or the edit and its rate in thousandths, such as `replaced_020`."""
    jaccard: float
    """True similarity of the sets of word 5-grams, in lower case; 1 for an exact copy."""


def _shingles(text: bytes) -> set[tuple[bytes, ...]]:
    words = _WORD.findall(text.lower())
    return {tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)}


def similarity(one: bytes, other: bytes) -> float:
    """Jaccard similarity of two texts' sets of word 5-grams; 1 where both have none."""
    first, second = _shingles(one), _shingles(other)
    union = len(first | second)
    return len(first & second) / union if union else 1.0


def copy_documents(texts: Sequence[bytes], seed: bytes, per_format: int) -> list[Copy]:
    """Copies of the texts: `per_format` exact ones, and as many for every edit and rate, each of another text.

    Edits touch a share of words: they are replaced by words of other texts, left out, doubled by a foreign word, or
    (`moved`) a run of words goes elsewhere. Fewer copies where there are fewer texts.
    """
    draws = Draws(seed, "copies")
    order = draws.shuffle(range(len(texts)))
    foreign = [word for text in texts[:500] for word in text.split()[:40] if word.isalpha()] or [b"word"]
    edits = [(EXACT, 0.0)] + [
        (name, rate) for name in ("replaced", "deleted", "inserted", "moved") for rate in RATES
    ]
    copies = []
    for number, (name, rate) in enumerate(edits):
        for original in order[number * per_format : (number + 1) * per_format]:
            text = texts[original]
            if name == EXACT:
                copies.append(Copy(text, original, EXACT, 1.0))
                continue
            edited = _edit(text, name, rate, foreign, draws)
            copies.append(
                Copy(edited, original, f"{name}_{round(rate * 1000):03d}", similarity(text, edited))
            )
    return copies


def _edit(text: bytes, name: str, rate: float, foreign: Sequence[bytes], draws: Draws) -> bytes:
    parts = _PARTS.split(text)
    places = range(0, len(parts), 2)
    if name == "moved":
        size = max(1, int(len(places) * rate))
        start = 2 * draws.below(max(1, len(places) - size))
        run, rest = parts[start : start + 2 * size], parts[:start] + parts[start + 2 * size :]
        goal = 2 * draws.below(len(rest) // 2 + 1)
        return b"".join([*rest[:goal], *run, *rest[goal:]])
    for at in places:
        if not draws.happens(rate):
            continue
        if name == "replaced":
            parts[at] = draws.pick(foreign)
        elif name == "deleted":
            parts[at] = b""
        else:
            parts[at] = b" ".join((parts[at], draws.pick(foreign)))
    return b"".join(parts)
