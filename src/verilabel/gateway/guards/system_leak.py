"""The guard `system_leak`: an answer repeats a stretch of the system prompt, as it stands, reversed or in base64."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from verilabel.gateway.guards.interface import Judgement
from verilabel.gateway.guards.normalising import plain_words
from verilabel.gateway.guards.quick import NOTHING, Place, QuickGuard
from verilabel.gateway.guards.settings import version_of

PROBE_WORDS = 4
"""Words that are looked up together."""
MAX_PLACES = 16
"""Places of the same words in a system prompt that are compared."""
MAX_SYSTEM_CHARS = 32_768
"""Characters of a system prompt that are guarded."""
KEPT_PROMPTS = 16
"""Indexed prompts that are kept ready, of at most some 1.5 MB each."""
PIECE_CHARS = 8_192
MIN_ENCODED = 24
"""A shorter run of base64 is no stretch of words."""
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_URL_SAFE = str.maketrans("-_", "+/")


class SystemLeakSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`words`: so many consecutive words of the system prompt are a leak. `encoded`: look at the text reversed and at
    what stands in it as base64, too. `allow` are sentences of the prompt that may be repeated."""

    words: int = 12
    encoded: bool = True
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 2 * PROBE_WORDS <= self.words <= 200:
            raise ValueError(f"words must be from {2 * PROBE_WORDS} to 200")


class PromptIndex:
    """Where each four consecutive words of a prompt stand."""

    __slots__ = ("_places", "_run", "words")

    def __init__(self, words: Sequence[str], run: int) -> None:
        self.words = words
        self._run = run
        self._places: dict[str, list[int]] = {}
        for place in range(len(words) - PROBE_WORDS + 1):
            found = self._places.setdefault(" ".join(words[place : place + PROBE_WORDS]), [])
            if len(found) < MAX_PLACES:
                found.append(place)

    def repeated_in(self, said: Sequence[str]) -> bool:
        """True if `said` has `run` consecutive words of the prompt.

        Such a stretch holds four words at a multiple of `run - 3`, so only those are looked up.
        """
        places = self._places
        for at in range(0, len(said) - PROBE_WORDS + 1, self._run - PROBE_WORDS + 1):
            for place in places.get(" ".join(said[at : at + PROBE_WORDS]), ()):
                if self._length_around(said, at, place) >= self._run:
                    return True
        return False

    def _length_around(self, said: Sequence[str], at: int, place: int) -> int:
        words, run = self.words, self._run
        first = 0
        while (
            first < run and at > first and place > first and said[at - first - 1] == words[place - first - 1]
        ):
            first += 1
        length = first
        while (
            length < run + first and at + length - first < len(said) and place + length - first < len(words)
        ):
            if said[at + length - first] != words[place + length - first]:
                break
            length += 1
        return length


@lru_cache(maxsize=KEPT_PROMPTS)
def index_prompt(system: str, run: int, allow: tuple[str, ...]) -> PromptIndex | None:
    """The index of a system prompt without its allowed sentences; None where it is shorter than a leak."""
    text = system[:MAX_SYSTEM_CHARS]
    for sentence in allow:
        text = text.replace(sentence, "\n")
    words = plain_words(text)
    return PromptIndex(words, run) if len(words) >= run else None


class SystemLeakGuard(QuickGuard):
    """Rules `verbatim`, `reversed`, `base64`: at least so many consecutive words of the system prompt.

    Compared are words in normal form (case, punctuation, invisible characters and look-alike letters make no
    difference). A paraphrase, a translation, another cipher or one word in between every few is not seen.
    """

    def __init__(self, settings: SystemLeakSettings) -> None:
        self._settings = settings
        super().__init__(version_of("system_leak", "1", settings))

    def steps(self, text: str, place: Place, /) -> Iterator[Judgement]:
        """One piece of 8,192 characters in one reading a step."""
        settings = self._settings
        index = (
            index_prompt(place.about.system, settings.words, settings.allow) if place.about.system else None
        )
        if index is None:
            yield NOTHING
            return
        overlap = settings.words * 12
        for start in range(0, max(1, len(text) - overlap), PIECE_CHARS - min(overlap, PIECE_CHARS // 2)):
            piece = text[start : start + PIECE_CHARS]
            words = plain_words(piece)
            yield _judge(index, words, "verbatim")
            if settings.encoded:
                yield _judge(index, [word[::-1] for word in reversed(words)], "reversed")
                decoded = decode_base64(piece)
                if decoded:
                    yield _judge(index, plain_words(decoded), "base64")


def _judge(index: PromptIndex, words: Sequence[str], rule: str) -> Judgement:
    return Judgement(found=True, rule=rule) if index.repeated_in(words) else NOTHING


def decode_base64(text: str) -> str:
    """What the runs of base64 in a text say, joined; runs that a line break or space cuts are read as one."""
    decoded: list[str] = []
    run: list[str] = []
    for word in [*text.split(), ""]:
        bare = word.strip("\"'`.,;:()[]{}<>").rstrip("=")
        if bare and _BASE64.issuperset(bare) and len(bare) >= MIN_ENCODED // 2:
            run.append(bare)
            continue
        if run:
            decoded.append(_decode(run))
            run = []
    return " ".join(decoded).strip()


def _decode(run: Sequence[str]) -> str:
    said = (
        [_decode_one("".join(run))] if len(run) == 1 else [_decode_one("".join(run)), *map(_decode_one, run)]
    )
    return " ".join(each for each in said if each)


def _decode_one(encoded: str) -> str:
    if len(encoded) < MIN_ENCODED:
        return ""
    whole = encoded[: len(encoded) - (len(encoded) % 4 == 1)].translate(_URL_SAFE)
    try:
        return binascii.a2b_base64(whole + "=" * (-len(whole) % 4)).decode("utf-8", "replace")
    except binascii.Error:
        return ""
