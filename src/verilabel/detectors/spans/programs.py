"""Rules compiled for RE2: one search for all of them, one for what may still become a match, one for each rule."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from verilabel.detectors.spans.prefixes import PatternTexts, translate_class, translate_pattern
from verilabel.detectors.spans.rule import Check, Rule
from verilabel.detectors.spans.wordlists import WordSearch
from verilabel.errors import LimitExceeded, MalformedInput, MissingExtra

MAX_MEMORY = 48 * 2**20
"""Bytes that one RE2 program and its states may take."""
MAX_CHECKED_WIDTH = 512
"""Characters of the widest match of a rule with a check: a failed check costs a look at as many again."""
MAX_RULES = 1000
"""Rules of one set."""
_NOTHING = r"[^\x00-\x{10FFFF}]"

Run = Callable[[Any, bytes, int, int], list[tuple[int, int]]]
"""An RE2 program: (anchor, text, from, to) to the (start, end) of the match and of its group, -1 where none."""


class LongKind(NamedTuple):
    """What follows the pattern of a long kind."""

    body: Run
    end: Run | None
    end_prefix: Run | None


class RuleProgram(NamedTuple):
    """One rule, to be run where it may begin."""

    run: Run | None
    """None for word lists."""
    is_narrowed: bool
    check: Check | None
    long: LongKind | None


class Programs:
    """A set of rules as programs. Positions are bytes of UTF-8 text.

    `union` finds the leftmost place where some pattern matches; `prefix` the leftmost place from which the text to
    its end can still become a match. Raises MalformedInput for a rule that cannot be run, naming it.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        if len(rules) > MAX_RULES:
            raise LimitExceeded(f"{len(rules)} rules in one set, the limit is {MAX_RULES}")
        anchor = _re2()._re2.RE2.Anchor
        self.anywhere, self.here, self.exactly = anchor.UNANCHORED, anchor.ANCHOR_START, anchor.ANCHOR_BOTH
        texts: dict[int, PatternTexts] = {}
        self.rules: list[RuleProgram] = []
        for index, rule in enumerate(rules):
            if rule.words:
                self.rules.append(_word_rule(rule))
            else:
                texts[index], program = _compile_rule(rule)
                self.rules.append(program)
        self._searched = list(texts)
        self.union, self.prefix, self._which = _compile_together(list(texts.values()))
        self.widest = max((t.widest for t in texts.values()), default=0)
        self._reach = 4 * self.widest + 2
        self.words = WordSearch(
            [(i, rule.words, rule.ignore_case) for i, rule in enumerate(rules) if rule.words]
        )
        self.has_words = bool(self.words)
        # RE2 builds the program that reads backwards at its first use: not while a stream waits
        self.union(self.anywhere, b"a", 0, 1)
        self.prefix(self.anywhere, b"a", 0, 1)

    def find_rules_at(self, text: bytes, at: int) -> list[int]:
        """The rules whose pattern matches at a place where `union` found one, in order."""
        seen = text[at - 1 : at + self._reach] if at else b" " + text[: self._reach]
        found = self._which._set.Match(seen)
        # a set that runs out of memory answers "none": then every rule is asked, so that nothing is let through
        return [self._searched[i] for i in sorted(found)] if found else self._searched


def require_rule(rule: Rule, where: str) -> None:
    """Raises MalformedInput, LimitExceeded or MissingExtra if a rule cannot be run; `where` is its place."""
    try:
        Programs([rule])
    except MalformedInput as error:
        raise type(error)(error.message, where=where, hint=error.hint) from error


def _compile_together(texts: list[PatternTexts]) -> tuple[Run, Run, Any]:
    re2 = _re2()
    which = re2.Set.MatchSet(_options(never_capture=True))
    for text in texts:
        which.Add(rf"\C(?:{text.full})")
    try:
        which.Compile()
        union = _run("|".join(f"(?:{t.full})" for t in texts) or _NOTHING, never_capture=True)
        prefixes = "|".join(f"(?:{t.prefix})" for t in texts) or _NOTHING
        return union, _run(rf"(?:{prefixes})\z", never_capture=True), which
    except re2.error as error:
        raise LimitExceeded(
            f"the {len(texts)} rules are too large together: {_message(error)}",
            hint="use smaller repeat counts or fewer rules",
        ) from error


def _compile_rule(rule: Rule) -> tuple[PatternTexts, RuleProgram]:
    where = f"rule {rule.id}"
    fold = "(?i)" if rule.ignore_case else ""
    texts = translate_pattern(fold + rule.pattern, where, may_be_long=rule.body is None)
    body = texts.body if rule.body is None else translate_class(rule.body, where)
    if rule.body is not None and rule.ignore_case:
        body = f"(?i:{body})"
    if body is None and rule.end is not None:
        raise MalformedInput("an `end` without a `body`", where=where)
    if rule.check is not None and (body is not None or texts.widest > MAX_CHECKED_WIDTH):
        raise MalformedInput(
            "a rule with a check must have a match of bounded width",
            where=where,
            hint=f"at most {MAX_CHECKED_WIDTH} characters, no `body`, no repeat without bound",
        )
    try:
        long = None if body is None else _compile_long(body, rule, fold, where)
        _run(texts.prefix, never_capture=True)
        return texts, RuleProgram(_run(texts.full), texts.is_narrowed, rule.check, long)
    except _re2().error as error:
        raise LimitExceeded(
            f"RE2 cannot run the rule: {_message(error)}", where=where, hint="use smaller repeat counts"
        ) from error


def _compile_long(body: str, rule: Rule, fold: str, where: str) -> LongKind:
    run = _run(f"{body}*", never_capture=True)
    if rule.end is None:
        return LongKind(run, None, None)
    end = translate_pattern(fold + rule.end, f"{where}, end", may_be_long=False)
    return LongKind(run, _run(end.full, never_capture=True), _run(end.prefix, never_capture=True))


def _word_rule(rule: Rule) -> RuleProgram:
    if rule.pattern or rule.body or rule.end:
        raise MalformedInput("a rule has words or a pattern, not both", where=f"rule {rule.id}")
    return RuleProgram(None, False, rule.check, None)


def _run(text: str, *, never_capture: bool = False) -> Run:
    # `search` of the public interface makes a generator and a match object for each call: twice the time
    run: Run = _re2().compile(text, _options(never_capture))._regexp.Match
    return run


@functools.cache
def _options(never_capture: bool = False) -> Any:
    options = _re2().Options()
    options.never_capture = never_capture
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    return options


def _message(error: Exception) -> str:
    reason = error.args[0] if error.args else b""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


@functools.cache
def _re2() -> Any:
    try:
        import re2
    except ImportError as error:
        raise MissingExtra("google-re2", "gateway") from error
    return re2
