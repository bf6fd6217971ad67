"""Which model a figure in a sentence speaks of: the document's own, the one that is named beside it, or not known."""

from __future__ import annotations

import re
from collections.abc import Sequence

from verilabel.claims.words import Spot, same_name

_NOT_MODELS = (
    r"(?!(?:Table|Figure|Fig|Section|Level|Phase|Version|Appendix|Step|Chapter|Part|Task|Category|Tier|Stage|Over|"
    r"About|With|From|Than|Only|Some|Under|Around|Between|After|ASL|Top|Pass|Best|COVID|January|February|March|"
    r"April|June|July|August|September|October|November|December)\b)"
)
_NAME = (
    rf"{_NOT_MODELS}(?:[A-Z][A-Za-z]*(?:-[A-Za-z]+)*-\d[\w.]*(?:-\w+)*|[A-Z][A-Za-z]{{2,}}\d(?:\.\d+)?|"
    r"(?:(?!(?:The|In|On|At|Our|This|With|For|And|But|While) )[A-Z][a-z]+ ){0,2}[A-Z][a-z]{3,} "
    r"\d{1,2}(?:\.\d+)?\b(?!%|\s?percent))"
)
_NAMES = re.compile(rf"(?<![\w-]){_NAME}")
_NAMED_AFTER = re.compile(rf"\s*%?\s*(?:\([^)]{{0,40}}\)\s*)?(?:for|by|of|with)\s+(?:the\s+)?({_NAME})")
_OTHERS = re.compile(
    r"\b(?:compared (?:to|with)|versus|vs\.?|than|relative to|over|baseline(?: of)?|previous(?:ly)?|prior)\s*"
    r"(?:the\s+|an?\s+)?(?:\w+\s+){0,3}$",
    re.IGNORECASE,
)
_BEATEN = re.compile(r"\b(?:above|below|behind|ahead of)\s*(?:the\s+|an?\s+)?(?:\w+\s+){0,3}$", re.IGNORECASE)
_NAMED_BEFORE = re.compile(rf"({_NAME})\s*\(\s*$")
_LESS_THAN = re.compile(r"\b(?:less|more|fewer|greater|lower|higher|better) than\s*$", re.IGNORECASE)


def subject_of_figure(text: str, start: int, end: int, subject: str, benchmarks: Sequence[Spot]) -> str:
    """The model that the figure at `start` to `end` speaks of; an empty text where the sentence leaves it open.

    `X% for NAME` is NAME's, and so is `NAME (X%)`. Else it is that of the one model that is named before the figure, or
    in the whole sentence, not counting what something is compared to or better than; of the document's own where none
    is named. A figure that something is compared to is left open, and so is one after several names.
    """
    after = _NAMED_AFTER.match(text, end)
    if after:
        return after[1].rstrip(".")
    before = text[:start]
    bracketed = _NAMED_BEFORE.search(before)
    if bracketed:
        return bracketed[1]
    if _OTHERS.search(before) and not _LESS_THAN.search(before):
        return ""
    named = [match for match in _NAMES.finditer(text) if _is_own_name(text, match, benchmarks)]
    ahead = {same_name(match[0]): match[0] for match in named if match.end() <= start}
    anywhere = {same_name(match[0]): match[0] for match in named}
    for names in (ahead, anywhere):
        if names:
            return next(iter(names.values())).rstrip(".") if len(names) == 1 else ""
    return subject


def _is_own_name(text: str, match: re.Match[str], benchmarks: Sequence[Spot]) -> bool:
    """True unless the name is a benchmark's, or one that something is compared to."""
    if any(spot.start < match.end() and match.start() < spot.end for spot in benchmarks):
        return False
    before = text[: match.start()]
    return _OTHERS.search(before) is None and _BEATEN.search(before) is None
