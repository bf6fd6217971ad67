"""Word lists of any size: whole words and phrases found in one pass, and what of a text may still become one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput, MissingExtra

MAX_WORD = 200
"""Characters of one word or phrase."""
MAX_WORDS = 200_000
"""Words of one set of rules."""

_NO_SPACES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0xA4CF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Code points of scripts that write words without spaces (Thai, Lao, Burmese, Khmer, Chinese, Japanese, Yi)."""


class WordSearch:
    """Finds the words of several rules. A word stands alone: where it begins or ends with a letter, digit or `_`,
    no such character is its neighbour (scripts that write without spaces excepted).

    `lists` are (index of the rule, words, whether case is ignored). Case is folded character by character (Unicode
    simple folding), so that positions stay and the parts of a text fold like the whole.
    Raises MalformedInput for a word that is empty or has surrogates, LimitExceeded above MAX_WORD and MAX_WORDS.
    """

    def __init__(self, lists: Sequence[tuple[int, tuple[str, ...], bool]]) -> None:
        if sum(len(words) for _, words, _ in lists) > MAX_WORDS:
            raise LimitExceeded(f"more than {MAX_WORDS} words in one set of rules")
        self._tables = [
            _Table([(rule, words) for rule, words, folds in lists if folds == is_folded], is_folded)
            for is_folded in (False, True)
            if any(folds == is_folded for _, _, folds in lists)
        ]

        self.longest = max((table.longest for table in self._tables), default=0)
        """Characters of the longest word."""

    def __bool__(self) -> bool:
        return bool(self._tables)

    def find(self, text: str, before: str) -> dict[int, dict[int, int]]:
        """Where words begin, to the end of the longest word of each rule there. `before` precedes the text."""
        found: dict[int, dict[int, int]] = {}
        for table in self._tables:
            table.find_into(found, text, before)
        return found

    def find_viable(self, text: str, before: str) -> int:
        """The first place from which the text to its end begins some word, or is one; its length if none is."""
        return min((table.find_viable(text, before) for table in self._tables), default=len(text))


class _Table:
    def __init__(self, lists: list[tuple[int, tuple[str, ...]]], is_folded: bool) -> None:
        self._is_folded = is_folded
        rules: dict[str, list[int]] = {}
        for rule, words in lists:
            for word in words:
                rules.setdefault(self._folded(_checked(word)), []).append(rule)
        self._words = sorted(rules)
        self._rules = [tuple(sorted(set(rules[word]))) for word in self._words]
        self.longest = max(map(len, self._words))
        self._firsts = frozenset(word[0] for word in self._words)
        self._find = _automaton(self._words)

    def find_into(self, found: dict[int, dict[int, int]], text: str, before: str) -> None:
        for word, start, end in self._find(self._folded(text), overlapping=True):
            if _is_alone(text, start, end, before):
                ends = found.setdefault(start, {})
                for rule in self._rules[word]:
                    ends[rule] = max(end, ends.get(rule, 0))

    def find_viable(self, text: str, before: str) -> int:
        folded = self._folded(text)
        size = len(folded)
        words, firsts = self._words, self._firsts
        for at in range(max(0, size - self.longest), size):
            if folded[at] in firsts and not _joins(text[at - 1] if at else before, text[at]):
                tail = folded[at:]
                place = bisect_left(words, tail)
                if place < len(words) and words[place].startswith(tail):
                    return at
        return size

    def _folded(self, text: str) -> str:
        if not self._is_folded:
            return text
        folded = text.lower() if text.isascii() else text.casefold()
        return folded if len(folded) == len(text) else "".join(map(_fold, text))


def _fold(char: str) -> str:
    for folded in (char.casefold(), char.lower()):
        if len(folded) == 1:
            return folded
    return char


def _checked(word: str) -> str:
    if not 0 < len(word) <= MAX_WORD:
        raise LimitExceeded(f"a word of {len(word)} characters, from 1 to {MAX_WORD} are possible")
    try:
        word.encode()
    except UnicodeEncodeError as error:
        raise MalformedInput("a word that is not text (it has surrogates)") from error
    return word


def _is_alone(text: str, start: int, end: int, before: str) -> bool:
    if _joins(text[start - 1] if start else before, text[start]):
        return False
    return end == len(text) or not _joins(text[end - 1], text[end])


def _joins(left: str, right: str) -> bool:
    return bool(left) and _is_word_char(left) and _is_word_char(right)


def _is_word_char(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char == "_"
    code = ord(char)
    return char.isalnum() and not any(low <= code <= high for low, high in _NO_SPACES)


def _automaton(words: list[str]) -> Any:
    try:
        from ahocorasick_rs import AhoCorasick, MatchKind
    except ImportError as error:
        raise MissingExtra("ahocorasick-rs", "gateway") from error
    return AhoCorasick(words, matchkind=MatchKind.Standard, store_patterns=False).find_matches_as_indexes
