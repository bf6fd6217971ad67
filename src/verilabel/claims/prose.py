"""Claims in sentences, by rules: figures of a benchmark or metric, changes, classes such as `low risk`, ranks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from verilabel.claims.claim import Claim, Comparator, Place, Topic, Value
from verilabel.claims.markdown import Sentence, strip_marks
from verilabel.claims.numbers import plain_decimal, unit_of_metric
from verilabel.claims.rules import known_rules
from verilabel.claims.subjects import subject_of_figure
from verilabel.claims.words import SAFETY_WORDS, Spot, find_benchmarks, find_metrics, known_words, topic_of

MAX_SENTENCE = 2_000
"""A longer sentence (a list without full stops, minified text) is cut: its caller tells."""
NEAR = 60
"""A bare figure belongs to a metric that ends at most so many characters before it."""

_PERCENT = re.compile(r"(?<![\w.])(?<!\d,)(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?|\.\d+)\s?(?:%|percent\b)")
_BARE = re.compile(r"(?<![\w.$#@/-])(\d{1,3}\.\d+|0?\.\d+|\d{1,3})(?![\w%]|\.\d|\s?(?:%|percent)|[-–]\w|,\d)")
_OF_DATA = re.compile(
    r"\s*(?:\([^)]*\)\s*)?of\s+(?:(?:this|the|our|all|total|its|these|training|pre-?training)\s+){0,3}"
    r"(?:data|tokens?|datasets?|corpus|training|parameters|hours|compute|audio|documents|web|samples used|content)\b",
    re.IGNORECASE,
)
_NOT_A_SCORE = re.compile(
    r"\b(?:billion|million|trillion|tokens?|hours?|parameters|gap|seeds?|learning rate|temperature|top[-_ ]?[pk]|"
    r"version|epochs?|steps?|layers|GB|dollars?|USD|languages?|models?|years?|minutes?|seconds?|datasets?|"
    r"questions|samples|prompts|items|examples|problems|tasks|dimensions|CI|confidence)(?:\s+(?:of|is|was|by))?\s*[:=]?\s*$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\s*[-–]?\s*(?:billion|million|trillion|tokens?|hours?|parameters?|shots?|languages?|models?|epochs?|steps?|"
    r"layers?|GB|MB|B\b|M\b|K\b|x\b|×|times|datasets?|questions|samples|prompts|items|examples|problems|tasks|"
    r"out of|of the|dimensions|categor|years?|days|minutes|seconds|users|people|raters|annotators|runs|languages|"
    r"%|percent|confidence|st\b|nd\b|rd\b|th\b)",
    re.IGNORECASE,
)
_INTERVAL = re.compile(r"\s*(?:%|percent)?\s*[-(]?\s*(?:CI\b|confidence|credible)", re.IGNORECASE)
_INTERVAL_SPAN = re.compile(
    r"\b\d{2}(?:\.\d+)?\s?(?:%|percent)\s*-?\s*(?:CI\b|confidence|credible)[^)\];]{0,60}"
    r"|\b(?:CI|confidence intervals?)\b\s*[:=]?\s*[\[(]?\s*\d[^)\];]{0,40}|±\s?\d+(?:\.\d+)?",
    re.IGNORECASE,
)
"""An interval in a sentence; the numbers in it are no claims of their own."""
_SIGNS: tuple[tuple[re.Pattern[str], Comparator], ...] = (
    (re.compile(r"(?:less than|under|below|fewer than|<)\s*$", re.IGNORECASE), "<"),
    (re.compile(r"(?:more than|over|above|greater than|exceed(?:s|ing)?|>)\s*$", re.IGNORECASE), ">"),
    (re.compile(r"(?:at most|up to|no more than|≤|<=)\s*$", re.IGNORECASE), "<="),
    (re.compile(r"(?:at least|no less than|≥|>=)\s*$", re.IGNORECASE), ">="),
    (re.compile(r"(?:approximately|about|around|roughly|nearly|almost|some|~|≈)\s*$", re.IGNORECASE), "~"),
)
_CHANGE = re.compile(
    r"\b(?:reduc\w+|decreas\w+|lower(?:s|ed|ing)\b|improv\w+|increas\w+|gain\w*|drop\w*|cut(?:s|ting)?|fewer|less|"
    r"boost\w*|raises?d?|declin\w+)\b",
    re.IGNORECASE,
)
_FROM_TO = re.compile(
    r"(?:\bfrom\s[^.]{0,60}?|^|\s)(\d+(?:\.\d+)?)\s*%?\s*(?:\([^)]{0,30}\)\s*)?(?:→|->|\bto\b)\s*$"
)
_FROM = re.compile(r"\bfrom\s*$")
_ARROW = re.compile(r"\s*%?\s*(?:\([^)]{0,30}\)\s*)?(?:→|->)")
_NEXT = re.compile(r"\s*%?\s*(?:\([^)]{0,30}\)\s*)?(?:→|->|\bto\b)\s*\d")
_ABOUT_MODELS = re.compile(
    r"\b(?:models?|we|our|it|they|this|its|their|system|version|assistant|LLMs?|guardian)\b|[A-Z][\w.]*-?\d",
    re.IGNORECASE,
)
_SPEED = re.compile(r"\b(?:latency|throughput|inference speed|training costs?)\b", re.IGNORECASE)
_SHOTS = re.compile(
    r"\b(?:zero|one|two|three|four|five|\d+)[- ]shots?\b|\bCoT\b|\bchain[- ]of[- ]thought\b", re.IGNORECASE
)


class _Figure(NamedTuple):
    """A number in a sentence."""

    value: Value
    start: int
    end: int


def read_sentence(
    sentence: Sentence, *, source: str, subject: str, titles: tuple[str, ...]
) -> Iterator[Claim]:
    """The claims of one sentence, figures first; its words are kept whole in each."""
    exact, text = (
        sentence.text[:MAX_SENTENCE],
        strip_marks(sentence.text[:MAX_SENTENCE]).replace("\u2011", "-"),
    )
    place = Place(source, sentence.line, column=sentence.column)
    benchmarks, metrics = find_benchmarks(text), find_metrics(text)
    found = False
    for figure in _figures(text, benchmarks, metrics):
        found = True
        claim = _figure_claim(text, figure, benchmarks, metrics, place, subject, titles)
        yield msgspec.structs.replace(claim, text=exact)
    seen: set[str] = set()
    rules = known_rules()
    for category, pattern in rules.categories.items():
        if pattern.search(text) and _speaks_of_models(text, category):
            seen.add(category)
            yield Claim("category", "safety", exact, place, "prose", subject, category=category)
    if not found and not seen and rules.comparison.search(text) and _speaks_of_quality(text):
        topic: Topic = topic_of(text)
        yield Claim("comparison", topic, exact, place, "prose", subject, _name(benchmarks), _name(metrics))


def _speaks_of_models(text: str, category: str) -> bool:
    if category in ("suitability", "behaviour", "absence") and not SAFETY_WORDS.search(text):
        return category == "suitability" and bool(_ABOUT_MODELS.search(text))
    return bool(_ABOUT_MODELS.search(text)) or category == "risk_level"


def _speaks_of_quality(text: str) -> bool:
    return _ABOUT_MODELS.search(text) is not None and _SPEED.search(text) is None


def _name(spots: list[Spot]) -> str:
    return spots[0].name if spots else ""


# ---------------------------------------------------------------- figures


def _figures(text: str, benchmarks: list[Spot], metrics: list[Spot]) -> Iterator[_Figure]:
    """The figures that a metric, a benchmark or a word of safety stands beside."""
    intervals = [match.span() for match in _INTERVAL_SPAN.finditer(text)]
    inside = [*intervals, *((spot.start, spot.end) for spot in (*benchmarks, *metrics))]
    for match in _PERCENT.finditer(text):
        if any(start <= match.start() < end for start, end in intervals):
            continue
        if (benchmarks or metrics or SAFETY_WORDS.search(text)) and _is_score(text, match):
            number = plain_decimal(match[1].replace(",", ""))
            yield _Figure(
                Value(match[0], number, "percent", _sign(text, match.start())), match.start(), match.end()
            )
    for match in _BARE.finditer(text):
        if any(start <= match.start() < end for start, end in inside) or not _is_score(text, match):
            continue
        if _follows_a_metric(text, match, metrics) or _is_pair(text, match, metrics):
            value = Value(match[0], plain_decimal(match[1]), "unstated", _sign(text, match.start()))
            yield _Figure(value, match.start(), match.end())


def _is_score(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start()], text[match.end() :]
    if _OF_DATA.match(after) or _INTERVAL.match(after):
        return False
    if match.re is _BARE:
        return not _COUNTED.match(after) and not _NOT_A_SCORE.search(before[-NEAR:])
    return True


def _follows_a_metric(text: str, match: re.Match[str], metrics: list[Spot]) -> bool:
    """`accuracy of 0.87`, `F1 = 0.91`, `overall score (70.29)`: a metric, then at most a few small words."""
    for metric in metrics:
        between = text[metric.end : match.start()]
        if metric.end <= match.start() and len(between) <= NEAR and "." in match[0]:
            small = re.fullmatch(
                r"[\s:=(,]*(?:(?:levels?|scores?|rates?|of|is|was|at|to|from|reach\w*|achiev\w*|a|an|the|on|"
                r"approximately|about|around|under|over|below|above|than|[A-Z][\w-]*|improves?|aggregate|average)[\s:=(,]+)*",
                between,
            )
            if small:
                return True
    return False


def _is_pair(text: str, match: re.Match[str], metrics: list[Spot]) -> bool:
    """`from 0.74 (3.3) to 0.79 (4.1)`, `0.569 → 0.844`: two decimals of one metric, named or in the section."""
    if "." not in match[0] or not (metrics or _CHANGE.search(text)):
        return False
    if _in_brackets(text, match):
        return False
    return bool(_NEXT.match(text[match.end() :])) or bool(_FROM_TO.search(text[: match.start()]))


def _in_brackets(text: str, match: re.Match[str]) -> bool:
    return text[: match.start()].endswith("(") and text[match.end() :].startswith(")")


def _sign(text: str, start: int) -> Comparator:
    before = text[max(0, start - NEAR) : start]
    return next((sign for pattern, sign in _SIGNS if pattern.search(before)), "=")


def _figure_claim(
    text: str,
    figure: _Figure,
    benchmarks: list[Spot],
    metrics: list[Spot],
    place: Place,
    subject: str,
    titles: tuple[str, ...],
) -> Claim:
    metric = _nearest(metrics, figure)
    benchmark = _nearest(benchmarks, figure) or _last_benchmark(titles)
    value = figure.value
    value = Value(value.text, value.number, unit_of_metric(metric, value.unit), value.comparator)
    safety = metric in known_words().safety_metrics
    lead = text[max(0, figure.start - 80) : figure.start]
    is_change = bool(_CHANGE.search(lead)) and bool(re.search(r"\bby\s+(?:\w+\s+){0,2}$", lead))
    # what something moved from is no longer claimed of anything
    after = text[figure.end :]
    is_change = is_change or bool(_ARROW.match(after) or (_FROM.search(lead) and _NEXT.match(after)))
    return Claim(
        kind="change" if is_change else "number",
        topic="safety" if safety else topic_of(text, *titles[-1:]),
        text=text,
        place=place,
        found_by="prose",
        subject=subject_of_figure(text, figure.start, figure.end, subject, benchmarks),
        benchmark=benchmark,
        metric=metric,
        value=value,
        interval=" ".join(match[0].strip() for match in _INTERVAL_SPAN.finditer(text)),
        configuration="; ".join(match[0] for match in _SHOTS.finditer(text)),
    )


def _nearest(spots: list[Spot], figure: _Figure) -> str:
    def distance(spot: Spot) -> int:
        return max(spot.start - figure.end, figure.start - spot.end, 0)

    return min(spots, key=distance).name if spots else ""


def _last_benchmark(titles: tuple[str, ...]) -> str:
    for title in reversed(titles):
        found = find_benchmarks(title)
        if found:
            return found[0].name
    return ""
