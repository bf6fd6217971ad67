"""The phrase book: families of phrases that answers use to decline, object, redirect or comply, found in one pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from verilabel.detectors.words import split_words

_GROUP = re.compile(r"\(([^()]*)\)(\?)?")
MAX_VARIANTS = 2_000
"""Variants that one pattern may expand to."""


class Hit(NamedTuple):
    """A phrase found in a text. `position` and `length` count words."""

    family: str
    pattern: int
    """Index of the pattern in its family."""
    position: int
    length: int


class _Node:
    __slots__ = ("ends", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.ends: list[tuple[str, int]] = []


class PhraseBook:
    """Families of patterns such as `(i|we) can not (help|assist)`, with optional parts `(very )?`, as a word trie.

    Finding costs one dictionary look-up a word and phrase length, whatever the number of phrases.
    """

    def __init__(self, families: Mapping[str, Sequence[str]]) -> None:
        self.families = {name: tuple(patterns) for name, patterns in families.items()}
        self._root = _Node()
        for family, patterns in self.families.items():
            for index, pattern in enumerate(patterns):
                for variant in dict.fromkeys(expand_pattern(pattern)):
                    self._add(variant, family, index)

    def _add(self, variant: str, family: str, index: int) -> None:
        node = self._root
        for word in split_words(variant, 16):
            node = node.next.setdefault(word, _Node())
        if (family, index) not in node.ends and node is not self._root:
            node.ends.append((family, index))

    def find(self, words: Sequence[str]) -> Iterator[Hit]:
        """Every phrase that stands in `words`, in the order of its first word, shorter ones first."""
        first = self._root.next
        for position, word in enumerate(words):
            node = first.get(word)
            end = position + 1
            while node is not None:
                for family, pattern in node.ends:
                    yield Hit(family, pattern, position, end - position)
                node = node.next.get(words[end]) if end < len(words) else None
                end += 1


def expand_pattern(pattern: str) -> list[str]:
    """All texts that a pattern stands for. Raises ValueError for more than 2,000 of them."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        text = waiting.pop()
        group = _GROUP.search(text)
        if group is None:
            done.append(" ".join(text.split()))
        else:
            parts = group[1].split("|") + ([""] if group[2] else [])
            waiting.extend(f"{text[: group.start()]} {part} {text[group.end() :]}" for part in parts)
        if len(done) + len(waiting) > MAX_VARIANTS:
            raise ValueError(f"the pattern {pattern!r} expands to more than {MAX_VARIANTS} phrases")
    return sorted(done)
