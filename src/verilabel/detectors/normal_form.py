"""The normal form in which classifiers and word lists read a text: look-alikes are one, the unseen is gone."""

from __future__ import annotations

import unicodedata

NORMAL_FORM_VERSION = "normal-form/1"
PIECE = 128
"""Characters that are composed at a time: ordering marks takes time in the square of their number (measured: 3 s for
64,000 marks in one piece, 8 ms in pieces)."""
MAX_HIDDEN = 4_096
"""Characters of a hidden message that are read."""
_MAX_KNOWN = 0xA000
_LONG_LIGATURES = ("\ufdfa", "\ufdfb")
"""Arabic ligatures that stand for 18 and 8 characters; no other character stands for more than 6."""

_UNSEEN = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x0300, 0x036F),  # combining marks that did not compose
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),  # zero width, directions
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xD800, 0xDFFF),  # halves of pairs, which are no characters
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF9, 0xFFFB),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),  # tags and further variation selectors
)
_DROPPED: dict[int, None] = {code: None for first, last in _UNSEEN for code in range(first, last + 1)}
_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}
_FIRST_TAG, _LAST_TAG = chr(0xE0020), chr(0xE007E)
_LATIN_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏԛԝвкмнтαβεικνορτυχγω",
    "aeopcyxijsdhlqwbkmhtabeiknoptuxyw",
)
"""Small Cyrillic and Greek letters and the Latin ones they are drawn like (after lower-casing)."""


def normalise(text: str) -> str:
    """The text in compatibility form (NFKC), without invisible characters; hidden tag letters follow at the end.

    Tag characters (U+E0020 to U+E007E) carry text that no reader sees and models read: they are taken out of where
    they stand, so that they cannot split a word, and read as what they say behind the text (at most 4,096 of them).
    Linear in the length; the result may be longer than the text, as some characters stand for several.
    """
    if text.isascii():
        return text
    hidden = _hidden_message(text)
    for ligature in _LONG_LIGATURES:
        text = text.replace(ligature, " ")
    composed = "".join(
        [unicodedata.normalize("NFKC", text[i : i + PIECE]) for i in range(0, len(text), PIECE)]
    )
    shown = composed.translate(_DROPPED)
    return f"{shown}\n{hidden}" if hidden else shown


def _hidden_message(text: str) -> str:
    if max(text) < _FIRST_TAG:
        return ""
    tags = [char for char in text if _FIRST_TAG <= char <= _LAST_TAG]
    return "".join(tags[:MAX_HIDDEN]).translate(_TAGS)


class _Spacing(dict[int, str]):
    """For `str.translate`: letters, their marks and digits stay, apostrophes vanish, all else becomes a space."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        shown = (
            char if char.isalnum() or unicodedata.category(char)[0] == "M" else "" if char in "'’ʼ`´" else " "
        )
        if code < _MAX_KNOWN:  # bounded: text must not fill the memory with what it has shown
            self[code] = shown
        return shown


_SPACING = _Spacing()


def split_normal(text: str) -> list[str]:
    """The words of a text in normal form: runs of letters and digits, lower case, without apostrophes.

    In a word that mixes Latin letters with others, letters drawn like Latin ones are read as those.
    """
    spaced = normalise(text).lower().translate(_SPACING)
    words = spaced.split()
    if spaced.isascii():
        return words
    return [word if word.isascii() else _read_lookalikes(word) for word in words]


def _read_lookalikes(word: str) -> str:
    if not any(char.isascii() and char.isalpha() for char in word):
        return word
    folded = word.translate(_LATIN_LOOKALIKES)
    return folded if folded.isascii() else word
