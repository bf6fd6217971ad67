"""Characters that people do not see and models read, and outside text made fit to be shown to people.

Hidden is what has no glyph of its own and is not needed where it stands: zero-width and bidirectional characters, the
Tags block, escape sequences and other controls, private and non-characters, fillers, runs of variation selectors.
Needed are joiners inside scripts and emoji, one variation selector behind what it varies, line breaks and tabs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, Literal

Hidden = Literal[
    "zero-width characters",
    "bidirectional controls",
    "tag characters",
    "escape sequences",
    "control characters",
    "variation selectors",
    "characters without a glyph",
]
MAX_NAME_SHOWN = 64
NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/")
"""What names of tools are made of (MCP 2025-11-25, tool names, and `/`)."""
_WHITE_SPACE = frozenset("\n\r\t")
_ZERO_WIDTH = frozenset("\u00ad\u034f\u180e\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FILLERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_VISIBLE_FORMATS = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Format characters with a glyph: signs that stand under or around numbers."""
_JOINERS = frozenset("\u200c\u200d")
_WITHOUT_GLYPH = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
_EMOJI_BASES = frozenset("0123456789#*")


def find_hidden(text: str) -> Hidden | None:
    """What the first hidden character of a text is, or None where every character is seen or needed."""
    if text.isascii() and text.isprintable():
        return None
    for place, char in enumerate(text):
        if "\x20" <= char <= "\x7e" or char in _WHITE_SPACE:
            continue
        kind = _kind_of(char)
        if kind is not None and not _is_needed(char, text, place):
            return kind
    return None


def _kind_of(char: str) -> Hidden | None:
    code = ord(char)
    if char in _ZERO_WIDTH:
        return "zero-width characters"
    if char in _BIDI:
        return "bidirectional controls"
    if 0xE0000 <= code <= 0xE007F:
        return "tag characters"
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F:
        return "variation selectors"
    if char in ("\x1b", "\x9b"):
        return "escape sequences"
    return _kind_by_category(char, code)


def _kind_by_category(char: str, code: int) -> Hidden | None:
    category = unicodedata.category(char)
    if category == "Cc":
        return "control characters"
    if char in _FILLERS or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return "characters without a glyph"
    if category in _WITHOUT_GLYPH and char not in _VISIBLE_FORMATS:
        return "characters without a glyph"
    return None


def _is_needed(char: str, text: str, place: int) -> bool:
    before = text[place - 1] if place else ""
    if char in _JOINERS:
        after = text[place + 1] if place + 1 < len(text) else ""
        return _joins(before) and _joins(after)
    if "\ufe00" <= char <= "\ufe0f":
        return before in _EMOJI_BASES or _joins(before, varied=False)
    if 0xE0100 <= ord(char) <= 0xE01EF:
        return bool(before) and unicodedata.name(before, "").startswith("CJK ")
    return False


def _joins(char: str, *, varied: bool = True) -> bool:
    if not char or char.isascii():
        return False
    if char == "\ufe0f":
        return varied
    return unicodedata.category(char) in ("Lo", "Mn", "Mc", "So", "Sk", "Sm", "Po")


def texts_of(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys too, without recursion."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from (key for key in each if isinstance(key, str))
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            waiting.extend(each)


def find_hidden_in(value: Any) -> Hidden | None:
    """What the first hidden character of any text of a JSON value is, or None."""
    return next((kind for text in texts_of(value) if (kind := find_hidden(text)) is not None), None)


def show_name(name: object) -> str:
    """A server's name for something, made harmless: characters of tool names stay, others become `\\u{200B}`, and it is
    no longer than MAX_NAME_SHOWN. What is no text becomes `(no name)`."""
    if not isinstance(name, str) or not name:
        return "(no name)"
    shown: list[str] = []
    size = 0
    for char in name:
        part = char if char in NAME_CHARACTERS else f"\\u{{{ord(char):X}}}"
        size += len(part)
        if size > MAX_NAME_SHOWN:
            return "".join(shown) + "..."
        shown.append(part)
    return "".join(shown)


def show_address(address: object, limit: int = 120) -> str:
    """A resource's address made harmless: printable ASCII without spaces and backslashes stays, and it is bounded."""
    if not isinstance(address, str) or not address:
        return "(no address)"
    cut = address[:limit]
    shown = "".join(c if "!" <= c <= "~" and c != "\\" else f"\\u{{{ord(c):X}}}" for c in cut)[: 2 * limit]
    return shown + ("..." if len(address) > limit else "")


def show_text(text: str, limit: int) -> str:
    """Outside text for people: what is unseen is written as `\\u{202E}`, line breaks stay, the rest of a long one is
    counted and left out."""
    shown = "".join(
        c if c == "\n" or (c.isprintable() and _kind_of(c) is None) else f"\\u{{{ord(c):X}}}"
        for c in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown}... ({len(text) - limit} more characters)"
