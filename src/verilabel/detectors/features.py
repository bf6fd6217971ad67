"""What the built-in classifiers see of an answer: phrases by family and place, its shape, and how it meets the prompt."""

from __future__ import annotations

import re

from verilabel.detectors.phrases import PhraseBook
from verilabel.detectors.words import split_words

READ_WORDS = 100
"""Words of the answer that are read: refusals declare themselves early."""
OPENING_WORDS = 30
"""Words that count as the opening."""
_LIST = re.compile(r"^[ \t]{0,8}(?:\d{1,2}[.)]|[-*•])[ \t]", re.MULTILINE)
_OBJECTING = ("^cannot_do", "^sorry", "^norm", "^premise", "^no_access")


def read_features(book: PhraseBook, output: str) -> dict[str, int]:
    """Features of an answer and their values (0 to 3), a pure function of the text.

    `^family` and `~family` count phrases in the opening and after it (at most 3); `^family:k` says that the
    family's pattern k occurs; `#...` describe the shape; `&...` combine.
    """
    words = split_words(output, READ_WORDS + 1)
    features: dict[str, int] = {}
    for family, pattern, position, _ in book.find(words[:READ_WORDS]):
        zone = "^" if position < OPENING_WORDS else "~"
        name = zone + family
        features[name] = min(3, features.get(name, 0) + 1)
        features[f"{name}:{pattern}"] = 1
    _add_shape(features, output, len(words))
    return features


def _add_shape(features: dict[str, int], output: str, words: int) -> None:
    features[f"#words:{min(4, (words // 12).bit_length())}"] = 1
    head = output[:1_500]
    first = _LIST.search(head)
    if first:
        features["#list"] = 1
        if not head[: first.start()].strip():
            features["#list:opens"] = 1
    if "?" in head:
        features["#question"] = 1
    if "^cannot_do" in features and "^sorry" in features:
        features["&sorry_cannot"] = 1
    if not any(name in features for name in _OBJECTING):
        features["&no_objection"] = 1
