"""What the built-in classifiers see of an answer: its phrases, their place, its shape, how it meets the prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from verilabel.detectors.phrases import PhraseBook
from verilabel.detectors.words import READ_CHARACTERS, leave_out_thinking, split_words

FEATURES_VERSION = "answer-features/1"
PROMPT_WORDS = 120
_LIST = re.compile(r"^[ \t]{0,8}(?:\d{1,2}[.)]|[-*•])[ \t]", re.MULTILINE)
_QUOTE_MARKS = ('"', "“", "‘", " '", "\n'", "('")
_QUOTED = re.compile(
    r'"[^"\n]{1,400}"|“[^”\n]{1,400}”|' r"(?<!\w)['‘](?:[^'‘’\n]|(?<=\w)['’](?=\w)){1,400}['’](?!\w)"
)
_MIN_OUTSIDE = 4
_SHAPE_CHARACTERS = 1_500
_SHORT_WORDS = 60
_OBJECTING = ("^decline", "^cannot_do", "^sorry", "^norm", "^premise", "^no_access")
_DENYING = frozenset(("not", "no", "never", "none"))
_TOPICAL_LENGTH = 4


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of an answer a classifier reads. Refusals declare themselves early; compliance takes longer."""

    words: int
    """Words of the answer that are read at all."""
    opening: int
    """Words that count as its opening."""
    single_words: bool
    """True where every word is a feature, besides the phrases."""


def read_features(book: PhraseBook, reading: Reading, prompt: str, output: str) -> dict[str, int]:
    """Features of an answer and their values (0 to 3), a pure function of the two texts.

    `^family` and `~family` count phrases in the opening and after it (at most 3); `^family:k` says that the
    family's pattern k occurs; `#...` describe the shape; `?...` and `&...` relate prompt and answer; `w:...`
    are single words, `_` for those that only repeat the prompt, so that no topic is learned. Quoted speech and
    a leading `<think>` block are not read.
    """
    output = leave_out_thinking(output)
    words = split_words(leave_out_quotes(output), reading.words)
    asked = split_words(prompt, PROMPT_WORDS)
    features: dict[str, int] = {}
    for family, pattern, position, _ in book.find(words):
        name = ("^" if position < reading.opening else "~") + family
        features[name] = min(3, features.get(name, 0) + 1)
        features[f"{name}:{pattern}"] = 1
    _add_shape(features, output, len(words))
    _add_relation(features, asked, words)
    if reading.single_words:
        topical = {word for word in asked if len(word) >= _TOPICAL_LENGTH}
        for word in words:
            features["w:_" if word in topical else f"w:{word}"] = 1
    return features


def leave_out_quotes(text: str) -> str:
    """The text without what it quotes, unless that is all it says: a refusal that a character speaks is no refusal."""
    head = text[:READ_CHARACTERS]
    if not head.startswith("'") and not any(mark in head for mark in _QUOTE_MARKS):
        return head
    outside = _QUOTED.sub(" ", head)
    return outside if len(outside.split()) >= _MIN_OUTSIDE else head


def _add_shape(features: dict[str, int], output: str, words: int) -> None:
    features[f"#words:{min(4, (words // 12).bit_length())}"] = 1
    head = output[:_SHAPE_CHARACTERS]
    first = _LIST.search(head)
    if first:
        features["#list"] = 1
        if not head[: first.start()].strip():
            features["#list:opens"] = 1
    if "?" in head:
        features["#question"] = 1
    if "^decline" in features:
        if "^sorry" in features:
            features["&sorry_decline"] = 1
        if words <= _SHORT_WORDS and first is None:
            features["&short_decline"] = 3  # scaled up so that the penalty on weights hardly holds it back
    if not any(name in features for name in _OBJECTING):
        features["&no_objection"] = 1


def _add_relation(features: dict[str, int], asked: Sequence[str], words: Sequence[str]) -> None:
    """A loaded question (`why should ...`) that the first words of the answer deny is a premise rejected."""
    loaded = asked[:1] == ["why"] or asked[:2] == ["how", "come"] or "reasons" in asked
    denied = not _DENYING.isdisjoint(words[:20])
    if loaded:
        features["?loaded"] = 1
    if denied:
        features["^denies"] = 1
    if loaded and denied:
        features["&loaded_denied"] = 1
