"""The guard `language`: a text is in a language that is not allowed."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import resources

import msgspec

from verilabel.gateway.guards.interface import Judgement
from verilabel.gateway.guards.normalising import plain_words
from verilabel.gateway.guards.quick import NOTHING, Place, QuickGuard
from verilabel.gateway.guards.settings import version_of
from verilabel.records.canonical import digest

SAMPLE_CHARS = 4_096
"""Characters of each piece of a text that are read."""
MIN_LETTERS = 24
"""With fewer letters the language of a text is not determined."""
MIN_KNOWN_WORDS = 3
MIN_KNOWN_SHARE = 0.12
"""So many words of a text must be function words of the language."""
MIN_LEAD = 1.3
"""How much better the best language must fit than the next."""
SCRIPT_SHARE = 0.5

_SCRIPTS = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CJK": "zh",
    "THAI": "th",
    "HEBREW": "he",
    "GREEK": "el",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "TAMIL": "ta",
    "TELUGU": "te",
    "BENGALI": "bn",
    "GUJARATI": "gu",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "KHMER": "km",
    "LAO": "lo",
    "MYANMAR": "my",
    "SINHALA": "si",
    "ETHIOPIC": "am",
}
"""Scripts that (nearly) one language is written in; of Latin, Cyrillic, Arabic and Devanagari words decide."""


@cache
def _words() -> dict[str, frozenset[str]]:
    raw = resources.files("verilabel.gateway.guards").joinpath("data", "function_words.json").read_bytes()
    return {
        language: frozenset(words.split())
        for language, words in msgspec.json.decode(raw, type=dict[str, str]).items()
    }


@cache
def _languages_of_words() -> dict[str, tuple[str, ...]]:
    languages: dict[str, list[str]] = {}
    for language, words in _words().items():
        for word in words:
            languages.setdefault(word, []).append(language)
    return {word: tuple(names) for word, names in languages.items()}


def known_languages() -> frozenset[str]:
    """The languages that can be told, as two-letter codes (ISO 639-1)."""
    return frozenset(_SCRIPTS.values()) | frozenset(_words())


def identify_language(text: str) -> str | None:
    """The two-letter code of the language a text is (mostly) written in; None where it cannot be told.

    Scripts that one language uses decide by themselves; else function words count, each by how few languages share it.
    Short texts, names, code and close mixtures are not determined.
    """
    words = plain_words(text[:SAMPLE_CHARS])
    letters = sum(map(len, words))
    if letters < MIN_LETTERS // 3:
        return None
    by_script = _identify_script("".join(words), letters)
    if by_script is not None:
        return by_script
    return _identify_words(words) if letters >= MIN_LETTERS else None


def _identify_script(text: str, letters: int) -> str | None:
    if text.isascii():
        return None
    languages: Counter[str] = Counter()
    for char in text:
        if char > "\u036f":
            language = _script_language(char)
            if language is not None:
                languages[language] += 1
    if (
        languages["ja"] and languages["ja"] * 8 >= languages["zh"]
    ):  # Japanese mixes its own letters with Chinese ones
        languages["ja"] += languages.pop("zh", 0)
    if not languages:
        return None
    language, count = languages.most_common(1)[0]
    return language if count >= SCRIPT_SHARE * letters else None


@cache
def _script_of_block(block: int) -> str | None:
    """The language of a block of 16 characters, by the name of the first that has one."""
    for code in range(block * 16, block * 16 + 16):
        name = unicodedata.name(chr(code), "")
        if name:
            return _SCRIPTS.get(name.split(" ", 1)[0])
    return None


def _script_language(char: str) -> str | None:
    return _script_of_block(ord(char) >> 4)


def _identify_words(words: list[str]) -> str | None:
    languages_of = _languages_of_words()
    scores: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for word in words:
        for language in languages_of.get(word, ()):
            scores[language] += 60 // len(languages_of[word])
            known[language] += 1
    best = scores.most_common(2)
    if not best:
        return None
    language, score = best[0]
    if known[language] < max(MIN_KNOWN_WORDS, MIN_KNOWN_SHARE * len(words)):
        return None
    return language if len(best) == 1 or score >= MIN_LEAD * best[1][1] else None


class LanguageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`allowed` are two-letter codes; `undetermined` says whether a text whose language cannot be told is found."""

    allowed: tuple[str, ...]
    undetermined: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(set(self.allowed) - known_languages())
        if unknown:
            raise ValueError(f"no language {unknown[0]!r}; known are {', '.join(sorted(known_languages()))}")
        if not self.allowed:
            raise ValueError("allow at least one language")


class LanguageGuard(QuickGuard):
    """Rules `CODE` (the language found, such as `de`), and `undetermined`. It reads the first 4,096 characters of each
    16,384; a foreign sentence in a long text is not seen."""

    _EVERY = 16_384

    def __init__(self, settings: LanguageSettings) -> None:
        self._allowed = frozenset(settings.allowed)
        self._undetermined = settings.undetermined
        data = {language: sorted(words) for language, words in _words().items()}
        super().__init__(version_of("language", "1", settings, digest(msgspec.json.encode(data))))

    def steps(self, text: str, _: Place, /) -> Iterator[Judgement]:
        """One sample a step."""
        for start in range(0, max(1, len(text)), self._EVERY):
            language = identify_language(text[start : start + SAMPLE_CHARS])
            found = self._undetermined if language is None else language not in self._allowed
            yield Judgement(found=True, rule=language or "undetermined") if found else NOTHING
