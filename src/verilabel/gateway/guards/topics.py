"""The guard `topics`: subjects that may not be spoken of, or the only ones that may, by their words or by a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from verilabel.errors import MissingExtra
from verilabel.gateway.guards.asking import ModelSettings
from verilabel.gateway.guards.interface import Judgement
from verilabel.gateway.guards.normalising import plain_text
from verilabel.gateway.guards.quick import NOTHING, Place, QuickGuard
from verilabel.gateway.guards.settings import version_of

PIECE_CHARS = 8_192
OVERLAP_CHARS = 256
MAX_WORD_CHARS = 128
MAX_WORDS = 20_000
OTHER = "other"
"""What a model says of a text about none of the topics."""


class TopicsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`forbidden` and `allowed` are topics with the words and phrases that tell of them. Where topics are allowed, a
    text of at least `min_words` words that tells of none of them is off topic. `model` is asked which topic a text
    is about, where no forbidden word stands in it; topics may be without words then."""

    forbidden: dict[str, tuple[str, ...]] = {}
    allowed: dict[str, tuple[str, ...]] = {}
    min_words: int = 8
    model: ModelSettings | None = None

    def __post_init__(self) -> None:
        if not self.forbidden and not self.allowed:
            raise ValueError("name topics that are forbidden, or topics that are allowed")
        if OTHER in self.forbidden or OTHER in self.allowed:
            raise ValueError(f"no topic is named {OTHER}: it is what stands for none of them")
        if set(self.forbidden) & set(self.allowed):
            raise ValueError("a topic is both forbidden and allowed")
        topics = (*self.forbidden.values(), *self.allowed.values())
        if self.model is None and not all(topics):
            raise ValueError("a topic has no words, and there is no model to ask")
        words = [word for topic in topics for word in topic]
        if len(words) > MAX_WORDS:
            raise ValueError(f"more than {MAX_WORDS} words")
        for word in words:
            if not plain_text(word) or len(plain_text(word)) > MAX_WORD_CHARS:
                raise ValueError(f"a word is empty or longer than {MAX_WORD_CHARS} characters")


class TopicsGuard(QuickGuard):
    """Rules `forbidden.NAME`, and `off_topic`.

    A phrase counts where it stands as whole words, in normal form (case, white space and invisible characters make no
    difference). Words tell little of what is meant: where that matters, ask a `model`.
    """

    def __init__(self, settings: TopicsSettings) -> None:
        self._min_words = settings.min_words
        self._forbidden = _WordIndex(settings.forbidden)
        self._allowed = _WordIndex(settings.allowed) if settings.allowed else None
        super().__init__(version_of("topics", "1", settings))

    def steps(self, text: str, _: Place, /) -> Iterator[Judgement]:
        """One piece of 8,192 characters a step."""
        on_topic = self._allowed is None
        words = 0
        for start in range(0, max(1, len(text) - OVERLAP_CHARS), PIECE_CHARS - OVERLAP_CHARS):
            plain = plain_text(text[start : start + PIECE_CHARS])
            topic = self._forbidden.find(plain)
            yield NOTHING if topic is None else Judgement(found=True, rule=f"forbidden.{topic}")
            words += plain.count(" ") + 1
            on_topic = on_topic or (self._allowed is not None and self._allowed.find(plain) is not None)
        if not on_topic and words >= self._min_words:
            yield Judgement(found=True, rule="off_topic")
        yield NOTHING


class _WordIndex:
    """Words of topics, searched for together (Aho and Corasick 1975)."""

    def __init__(self, topics: Mapping[str, tuple[str, ...]]) -> None:
        self._topics = [topic for topic, words in topics.items() for _ in words]
        words = [plain_text(word) for each in topics.values() for word in each]
        self._automaton = _compile(words) if words else None

    def find(self, plain: str) -> str | None:
        """The topic of the first of its words that stands in a plain text as whole words."""
        if self._automaton is None:
            return None
        for index, start, end in self._automaton.find_matches_as_indexes(plain, overlapping=True):
            if not _goes_on(plain, start - 1, start) and not _goes_on(plain, end - 1, end):
                return self._topics[int(index)]
        return None


def _goes_on(plain: str, left: int, right: int) -> bool:
    """True if a word goes on from one place to the next."""
    return left >= 0 and right < len(plain) and plain[left].isalnum() and plain[right].isalnum()


def _compile(words: list[str]) -> Any:
    try:
        from ahocorasick_rs import AhoCorasick, MatchKind
    except ImportError as error:
        raise MissingExtra("ahocorasick-rs", "gateway") from error
    return AhoCorasick(words, matchkind=MatchKind.Standard)
