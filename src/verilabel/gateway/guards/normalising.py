"""The form in which guards compare texts: compatibility form, lower case, nothing invisible, bounded in length."""

from __future__ import annotations

from verilabel.detectors.normal_form import normalise, split_normal

MAX_NORMAL_CHARS = 2**20
"""Characters of a text that are compared; guards refuse to look at longer ones."""


def plain_text(text: str) -> str:
    """The text as word lists read it: NFKC, lower case, white space single, invisible characters gone."""
    return " ".join(normalise(text).lower().split())


def plain_words(text: str) -> list[str]:
    """The words of a text: letters and digits, lower case, look-alike letters in mixed words read as Latin."""
    return split_normal(text)
