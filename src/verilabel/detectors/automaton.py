"""Patterns that run in linear time: a regular expression as an automaton, its states made as they are met.

Python's own `re` can need exponential time; patterns here come from data files, so they run on a set of states at
once (Thompson's construction, K. Thompson 1968) and every character is read once.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from verilabel.errors import LimitExceeded, MalformedInput

MAX_PATTERN = 1_000
"""Characters of a pattern."""
MAX_STATES = 500
"""States of the automaton; counted repeats are written out."""
MAX_CACHE = 2_000
"""Transitions kept; beyond it the cache is emptied, so memory is bounded."""
MAX_DEPTH = 50
"""Groups inside groups."""

_sre: Any = importlib.import_module("re._parser")
Test = Callable[[str], bool]
_START, _END, _BOUNDARY, _NO_BOUNDARY, _LINE_START, _LINE_END, _END_OR_NEWLINE = range(7)


class LinearPattern:
    """A compiled pattern. `found_in(text)` searches anywhere in a text, one look at each character.

    Understood are literals, classes, `.`, alternatives, groups, greedy and lazy repeats, `^ $ \\A \\Z \\b \\B`
    and the flags i, m, s, x; `\\B` also matches the empty text, as in Python 3.14. Backreferences, look-around,
    conditionals, possessive and atomic parts need more than an automaton and are refused with MalformedInput;
    so is what goes over a limit (LimitExceeded).
    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN:
            raise LimitExceeded(f"a pattern of {len(pattern)} characters, the limit is {MAX_PATTERN}")
        self.pattern = pattern
        self._tests: list[Test | None] = []
        self._targets: list[int] = []
        self._free: list[list[tuple[int | None, int]]] = []
        self._depth = 0
        self._accept = self._state()
        self._start = self._compile(pattern)
        self._cache: dict[tuple[frozenset[int], str | None, str | None], frozenset[int]] = {}

    def found_in(self, text: str) -> bool:
        """True if the pattern matches somewhere in the text."""
        before: str | None = None
        waiting: frozenset[int] = frozenset((self._start,))
        last = len(text) - 1
        for index, char in enumerate(text):
            # $ also holds before a final newline, so "newline at the very end" is a symbol of its own
            ahead = "\n$" if char == "\n" and index == last else char
            key = (waiting, before, ahead)
            after = self._cache.get(key)
            if after is None:
                after = self._advance(waiting, before, ahead)
                if len(self._cache) >= MAX_CACHE:
                    self._cache.clear()
                self._cache[key] = after
            if self._accept in after:
                return True
            waiting, before = after, _kind(char)
        return self._accept in self._closure(waiting, before, None)

    def _advance(self, waiting: frozenset[int], before: str | None, ahead: str) -> frozenset[int]:
        reached = self._closure(waiting, before, ahead)
        if self._accept in reached:
            return frozenset((self._accept,))
        char = ahead[0]
        stepped = {self._targets[s] for s in reached if (test := self._tests[s]) is not None and test(char)}
        return frozenset((*stepped, self._start))

    def _closure(self, states: frozenset[int], before: str | None, ahead: str | None) -> set[int]:
        seen = set(states)
        waiting = list(states)
        while waiting:
            for condition, target in self._free[waiting.pop()]:
                if target not in seen and (condition is None or _holds(condition, before, ahead)):
                    seen.add(target)
                    waiting.append(target)
        return seen

    # construction: every part is built towards the state that follows it

    def _compile(self, pattern: str) -> int:
        try:
            parsed = _sre.parse(pattern)
        except re.error as error:
            raise MalformedInput(f"not a pattern: {error}", where=pattern[:80]) from error
        except (RecursionError, OverflowError) as error:
            raise LimitExceeded(
                "a pattern nested too deep or repeated too often", where=pattern[:80]
            ) from error
        return self._sequence(list(parsed), parsed.state.flags, self._accept)

    def _state(self, test: Test | None = None, target: int = -1) -> int:
        if len(self._tests) >= MAX_STATES:
            raise LimitExceeded(
                f"the pattern needs more than {MAX_STATES} states", hint="use smaller repeat counts"
            )
        self._tests.append(test)
        self._targets.append(target)
        self._free.append([])
        return len(self._tests) - 1

    def _fork(self, *targets: int) -> int:
        state = self._state()
        self._free[state].extend((None, target) for target in targets)
        return state

    def _sequence(self, items: list[Any], flags: int, following: int) -> int:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LimitExceeded(f"a pattern with groups more than {MAX_DEPTH} deep", where=self.pattern[:80])
        for operator, argument in reversed(items):
            following = self._part(str(operator), argument, flags, following)
        self._depth -= 1
        return following

    def _part(self, operator: str, argument: Any, flags: int, following: int) -> int:
        match operator:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self._state(_test(operator, argument, flags), following)
            case "BRANCH":
                return self._fork(*(self._sequence(list(branch), flags, following) for branch in argument[1]))
            case "SUBPATTERN":
                _, added, removed, inner = argument
                return self._sequence(list(inner), (flags | added) & ~removed, following)
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self._repeat(argument, flags, following)
            case "AT":
                state = self._state()
                self._free[state].append((_condition(str(argument), flags), following))
                return state
        raise MalformedInput(
            f"{operator.lower().replace('_', ' ')} in a pattern is not supported",
            where=self.pattern[:80],
            hint="patterns must run in linear time: no backreferences, look-around, conditionals or atomic groups",
        )

    def _repeat(self, argument: tuple[int, Any, Any], flags: int, following: int) -> int:
        least, most, inner = argument
        items = list(inner)
        if most is _sre.MAXREPEAT:
            loop = self._fork(following)
            self._free[loop].append((None, self._sequence(items, flags, loop)))
            entry = loop
        else:
            entry = following
            for _ in range(int(most) - least):
                entry = self._fork(self._sequence(items, flags, entry), following)
        for _ in range(least):
            entry = self._sequence(items, flags, entry)
        return entry


def _kind(char: str) -> str:
    """All that a position needs to remember of the character before it."""
    return "\n" if char == "\n" else "w" if _is_word(char) else " "


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _condition(name: str, flags: int) -> int:
    multiline = bool(flags & re.MULTILINE)
    conditions = {
        "AT_BEGINNING": _LINE_START if multiline else _START,
        "AT_BEGINNING_STRING": _START,
        "AT_END": _LINE_END if multiline else _END_OR_NEWLINE,
        "AT_END_STRING": _END,
        "AT_BOUNDARY": _BOUNDARY,
        "AT_NON_BOUNDARY": _NO_BOUNDARY,
    }
    return conditions[name]


def _holds(condition: int, before: str | None, ahead: str | None) -> bool:
    match condition:
        case 0:
            return before is None
        case 1:
            return ahead is None
        case 4:
            return before is None or before == "\n"
        case 5:
            return ahead is None or ahead[0] == "\n"
        case 6:
            return ahead is None or ahead == "\n$"
    at_boundary = (before == "w") != (ahead is not None and _is_word(ahead[0]))
    return at_boundary == (condition == _BOUNDARY)


def _test(operator: str, argument: Any, flags: int) -> Test:
    match operator:
        case "ANY":
            return (lambda _: True) if flags & re.DOTALL else (lambda char: char != "\n")
        case "LITERAL" | "NOT_LITERAL":
            accepted = _cases(chr(argument)) if flags & re.IGNORECASE else frozenset((chr(argument),))
            wanted = operator == "LITERAL"
            return lambda char: (char in accepted) == wanted
    negated = bool(argument) and str(argument[0][0]) == "NEGATE"
    members = [_member(str(kind), value) for kind, value in (argument[1:] if negated else argument)]
    if flags & re.IGNORECASE:
        return lambda char: any(m(c) for m in members for c in _cases(char)) != negated
    return lambda char: any(m(char) for m in members) != negated


def _cases(char: str) -> frozenset[str]:
    return frozenset(c for c in (char, char.lower(), char.upper(), char.swapcase()) if len(c) == 1)


def _member(kind: str, value: Any) -> Test:
    if kind == "LITERAL":
        literal = chr(value)
        return lambda char: char == literal
    if kind == "RANGE":
        low, high = chr(value[0]), chr(value[1])
        return lambda char: low <= char <= high
    test, wanted = _CATEGORIES[str(value)]
    return lambda char: test(char) == wanted


def _is_digit(char: str) -> bool:
    return unicodedata.category(char) == "Nd"


_CATEGORIES: dict[str, tuple[Test, bool]] = {
    "CATEGORY_DIGIT": (_is_digit, True),
    "CATEGORY_NOT_DIGIT": (_is_digit, False),
    "CATEGORY_SPACE": (str.isspace, True),
    "CATEGORY_NOT_SPACE": (str.isspace, False),
    "CATEGORY_WORD": (_is_word, True),
    "CATEGORY_NOT_WORD": (_is_word, False),
}
