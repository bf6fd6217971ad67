"""The words of a text as the built-in classifiers read them: lower case, contractions opened, ASCII apostrophes."""

from __future__ import annotations

import re

READ_CHARACTERS = 4_000
"""Only this many characters of a text are read: it bounds the work, whatever a model answers."""

_CONTRACTIONS = (
    ("\u2019", "'"),
    ("can't", "can not"),
    ("cannot", "can not"),
    ("won't", "will not"),
    ("n't", " not"),
    ("'m", " am"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'d", " would"),
    ("it's", "it is"),
    ("that's", "that is"),
    ("there's", "there is"),
    ("here's", "here is"),
    ("let's", "let us"),
)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def leave_out_thinking(output: str) -> str:
    """The answer after a leading `<think> ... </think>` block; all of it where there is none, or nothing follows."""
    if not output[:200].lstrip().startswith("<think>"):
        return output
    _, closed, answer = output.partition("</think>")
    return answer if closed and answer.strip() else output


def split_words(text: str, limit: int) -> list[str]:
    """The first `limit` words among the first 4,000 characters of a text."""
    # a word is rarely longer than 12 characters: do not open contractions far beyond the last word that counts
    lowered = text[: min(READ_CHARACTERS, 12 * limit)].lower()
    for contraction, opened in _CONTRACTIONS:
        if contraction in lowered:
            lowered = lowered.replace(contraction, opened)
    return _WORD.findall(lowered)[:limit]
