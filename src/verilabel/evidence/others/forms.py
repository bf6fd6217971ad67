"""Forms that fields of statements share: digests, texts, lists of words, levels; each bounded, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from verilabel.errors import MalformedInput
from verilabel.records.canonical import is_digest

MAX_TEXT = 10_000
MAX_WORD = 200
MAX_LISTED = 1_000
"""Measures, rows, benchmarks or pieces of evidence in one statement."""
LEVEL = re.compile(r"0\.[0-9]{0,5}[1-9]", re.ASCII)
"""A decimal between 0 and 1 in its one spelling."""


def check_words(words: Iterable[str], where: str) -> None:
    """Check short texts: none empty, none twice in one list, and not too many of them. Raises MalformedInput."""
    listed = list(words)
    if len(listed) > MAX_LISTED or len(set(listed)) != len(listed):
        raise MalformedInput(f"more than {MAX_LISTED}, or one twice", where=where)
    if not all(word.strip() and len(word) <= MAX_WORD for word in listed):
        raise MalformedInput(f"not a text of 1 to {MAX_WORD} characters", where=where)


def check_digest(text: str, where: str) -> None:
    """Check the form of a digest. Raises MalformedInput."""
    if not is_digest(text):
        raise MalformedInput("not a SHA-256 digest", where=where)


def check_text(text: str, where: str) -> None:
    """Check a text for people: not blank, and bounded. Raises MalformedInput."""
    if not text.strip() or len(text) > MAX_TEXT:
        raise MalformedInput(f"not a text of 1 to {MAX_TEXT} characters", where=where)
