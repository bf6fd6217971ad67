"""Text from outside (answers, names, notes) made fit to show: nothing in it can act, hide or reorder what is read."""

from __future__ import annotations

import unicodedata

KEPT_CONTROLS = frozenset("\n\t")
_JOINERS = frozenset("\u200c\u200d")
"""Zero-width joiners that scripts and emoji need; they move and hide nothing."""
_UNSEEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def show_unseen(text: str, *, one_line: bool = False) -> str:
    """The text with every control, bidi, format, private and unassigned character written as `[U+202E]`.

    Line feeds and tabs stay, unless `one_line`: then every run of white space becomes one space.
    """
    if one_line:
        text = " ".join(text.split(" ")) if text.isprintable() else _join_lines(text)
    if text.isprintable():
        return text
    return "".join(_seen(character) for character in text)


def _join_lines(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")


def _seen(character: str) -> str:
    if character in KEPT_CONTROLS or character in _JOINERS or character.isprintable():
        return character
    if unicodedata.category(character) in _UNSEEN_CATEGORIES:
        return f"[U+{ord(character):04X}]"
    return character


def shorten(text: str, limit: int) -> str:
    """The text cut to `limit` characters, saying how many were left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters)"
