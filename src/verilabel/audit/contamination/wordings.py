"""The wordings of an item under which corpora hold it: typographic or plain quotes, with or without a solver's notes.

A word runs on through a character beyond ASCII, so `Janet’s` is one word and `Janet's` are two: each wording is looked
for on its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from verilabel.audit.contamination.items import Item
from verilabel.audit.contamination.rules import PARTS

_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u02bc": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\u2014": " - ",
        "\u2026": "...",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u2212": "-",
        "\u00d7": "x",
    }
)
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])'(?=[A-Za-z])")
_NOTE = re.compile(r"<<[^<>\n]{0,200}>>")
Segments = tuple[tuple[int, str], ...]
"""Number of the part, and text, of each segment of an item."""


def wordings_of(item: Item) -> list[Segments]:
    """The different wordings of an item, its own first."""
    own = tuple(
        (number, text)
        for number, texts in zip(range(len(PARTS)), (item.question, item.answer), strict=True)
        for text in texts
    )
    plain = _changed(own, lambda text: text.translate(_PLAIN))
    typographic = _changed(plain, lambda text: _APOSTROPHE.sub("\u2019", text))
    bare = _changed(plain, lambda text: _NOTE.sub("", text))
    found = [own]
    found += [plain] if plain != own else []
    found += [typographic] if typographic not in (own, plain) else []
    found += [bare] if bare not in (own, plain) else []
    return found


def _changed(segments: Segments, change: Callable[[str], str]) -> Segments:
    return tuple((number, change(text)) for number, text in segments)
