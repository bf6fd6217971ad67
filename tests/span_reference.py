"""What `RuleSet` says a match is, in the slowest and plainest way: the reference that tests hold it against."""

from __future__ import annotations

import re
from collections.abc import Sequence

from verilabel.detectors.spans.rule import Match, Rule


def find_plainly(rules: Sequence[Rule], text: str, active: int | None = None) -> list[Match]:
    """The matches in a text, by Python's own `re` at every place."""
    found: list[Match] = []
    place = 0
    while place < len(text):
        match = _match_at(rules, text, place, active)
        if match is None:
            place += 1
        else:
            found.append(match)
            place = match.end
    return found


def redact_plainly(rules: Sequence[Rule], text: str, active: int | None = None) -> str:
    """The text with `[label]` in place of each match."""
    out, place = "", 0
    for match in find_plainly(rules, text, active):
        out += text[place : match.start] + f"[{rules[match.rule].label}]"
        place = match.end
    return out + text[place:]


def _match_at(rules: Sequence[Rule], text: str, place: int, active: int | None) -> Match | None:
    for index, rule in enumerate(rules):
        if active is not None and not active >> index & 1:
            continue
        span = _word_at(rule, text, place) if rule.words else _span_at(rule, text, place)
        if span is not None and (rule.check is None or rule.check(text[span[0] : span[1]])):
            return Match(index, *span, text[span[0] : span[1]])
    return None


def _span_at(rule: Rule, text: str, place: int) -> tuple[int, int] | None:
    flags = re.ASCII | (re.IGNORECASE if rule.ignore_case else re.NOFLAG)
    match = re.compile(rule.pattern, flags).match(text, place)
    if match is None:
        return None
    start, end = (
        match.span("secret") if match.re.groupindex and match.span("secret")[0] >= 0 else match.span()
    )
    if end == start:
        return None
    if rule.body is not None:
        body = re.compile(rule.body, flags)
        while end < len(text) and body.match(text, end):
            end += 1
        if rule.end is not None and (last := re.compile(rule.end, flags).match(text, end)):
            end = last.end()
    return start, end


def _word_at(rule: Rule, text: str, place: int) -> tuple[int, int] | None:
    for end in range(len(text), place, -1):
        alone = not _joins(text, place) and not _joins(text, end)
        if alone and any(_same(text[place:end], word, rule.ignore_case) for word in rule.words):
            return place, end
    return None


def _same(text: str, word: str, ignores_case: bool) -> bool:
    return text.casefold() == word.casefold() if ignores_case else text == word


def _joins(text: str, place: int) -> bool:
    # 日 is of a script that writes without spaces
    return 0 < place < len(text) and all(
        (c.isalnum() or c == "_") and c != "日" for c in text[place - 1 : place + 1]
    )
