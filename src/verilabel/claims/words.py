"""The words that the rules know: benchmarks, metrics, what is no result; data with a digest, not code."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec

from verilabel.claims.claim import Topic

SAFETY_WORDS = re.compile(
    r"\b(safe(?:ty|r|ly)?|unsafe|harm(?:ful|less|s|fulness)?|toxic(?:ity)?|refus(?:e|es|ed|al|als|ing)|jailbreak\w*|"
    r"red[- ]?team\w*|bias(?:es|ed)?|stereotyp\w*|hallucinat\w*|misuse|dangerous|abus(?:e|ive)|violat\w*|"
    r"risks?|CBRN|bioweapon\w*|cyber\w*|guardrail\w*|alignment|deception|scheming|sycophan\w*|ASL-\d|offensive)\b",
    re.IGNORECASE,
)
"""Words that make a claim one about safety."""
_ATTACKS = re.compile(r"attack|jailbreak|adversarial|harm|injection|red[- ]?team", re.IGNORECASE)
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\W_]+(?=\d)")
_NO_PART_OF_A_NAME = re.compile(r"(?!(?<=\d)\.(?=\d)|(?<=[^\W_])\+(?![^\W_]))[\W_]")
_EDGE_BEFORE, _EDGE_AFTER = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shipped word lists."""

    benchmarks: dict[Topic, tuple[str, ...]]
    metrics: dict[str, tuple[str, ...]]
    """A metric's plain name to the ways it is written (lower case)."""
    proportions: frozenset[str]
    """Metrics that lie between 0 and 1, or 0 % and 100 %."""
    events: dict[str, tuple[tuple[str, bool], ...]]
    """A metric to the detector events that it counts; True where it counts their absence."""
    safety_metrics: frozenset[str]
    specifications: frozenset[str]
    """Rows and columns of tables that describe a model and measure nothing."""


class Spot(NamedTuple):
    """A word that was found in a text: its plain name and where it stands."""

    name: str
    start: int
    end: int


@cache
def known_words() -> Words:
    """The lists that ship with the program."""
    data = resources.files("verilabel.claims").joinpath("data", "words.json").read_bytes()
    return msgspec.json.decode(data, type=Words)


def find_benchmarks(text: str) -> list[Spot]:
    """The known benchmarks that a text names, in its order, the longest name first where two begin together."""
    return [Spot(match[0], match.start(), match.end()) for match in _benchmark_pattern().finditer(text)]


def find_metrics(text: str) -> list[Spot]:
    """The known metrics that a text names, by their plain names, in its order."""
    plain = _plain_metrics()
    spots = [
        Spot(plain[match[0].casefold()], match.start(), match.end())
        for match in _metric_pattern().finditer(text)
    ]
    # ASR is also speech recognition
    attacked = _ATTACKS.search(text) is not None
    return [spot for spot in spots if attacked or text[spot.start : spot.end].casefold() != "asr"]


def name_metric(text: str) -> str:
    """The plain name of the metric that a text names, or an empty text."""
    whole = _plain_metrics().get(text.strip().casefold())
    if whole:
        return whole
    found = find_metrics(text)
    return found[0].name if found else ""


def is_benchmark(text: str) -> bool:
    """True if a text names a known benchmark."""
    return _benchmark_pattern().search(text) is not None


def is_specification(text: str) -> bool:
    """True if a heading or label describes a model and measures nothing."""
    return re.sub(r"\s+", " ", text).strip().strip(":").casefold() in known_words().specifications


def topic_of(*texts: str) -> Topic:
    """`safety` if any of the texts names a safety benchmark or speaks of harm; else `capability`."""
    safety = _safety_benchmarks()
    return (
        "safety" if any(SAFETY_WORDS.search(text) or safety.search(text) for text in texts) else "capability"
    )


def same_name(text: str) -> str:
    """A name reduced to what two spellings of it share: letters and digits in lower case.

    What stands between two digits stays as one mark, and a plus at the end of a word stays: 3.5 is not 35, and
    `HumanEval+` is not `HumanEval`.
    """
    folded = _BETWEEN_DIGITS.sub(".", unicodedata.normalize("NFKC", text).casefold())
    return _NO_PART_OF_A_NAME.sub("", folded)


def _pattern(words: list[str], flags: int) -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(
        _EDGE_BEFORE + "(?:" + "|".join(map(re.escape, longest_first)) + ")" + _EDGE_AFTER, flags
    )


@cache
def _benchmark_pattern() -> re.Pattern[str]:
    # upper and lower case matter: MATH is a benchmark, math is not
    return _pattern([name for names in known_words().benchmarks.values() for name in names], 0)


@cache
def _safety_benchmarks() -> re.Pattern[str]:
    return _pattern(list(known_words().benchmarks["safety"]), 0)


@cache
def _plain_metrics() -> dict[str, str]:
    return {written: name for name, ways in known_words().metrics.items() for written in ways}


@cache
def _metric_pattern() -> re.Pattern[str]:
    return _pattern(list(_plain_metrics()), re.IGNORECASE)
