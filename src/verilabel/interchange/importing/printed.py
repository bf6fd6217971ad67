"""Numbers as they were printed: claims keep their text, scores become exact fractions or the reason why not."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from typing import Any

from verilabel.interchange.importing.run import EMPTY, RecordedScore

MAX_DIGITS = 60
"""Characters of a number; a longer one is no measurement."""
MAX_EXPONENT = 400
"""Doubles reach down to 1e-324."""
TRUE_WORDS = frozenset({"true", "yes", "pass", "passed"})
FALSE_WORDS = frozenset({"false", "no", "fail", "failed"})


class PrintedNumber(Decimal):
    """A number of a JSON document that remembers its text."""

    text: str

    def __new__(cls, text: str) -> PrintedNumber:
        """The number that the text stands for. Raises ValueError where it is beyond the limits."""
        number = super().__new__(cls, text[: MAX_DIGITS + 1] if len(text) > MAX_DIGITS else text)
        if len(text) > MAX_DIGITS or (number and abs(number.adjusted()) > MAX_EXPONENT):
            raise ValueError(f"number {text[:20]}... is beyond what a measurement needs")
        number.text = text
        return number


def print_number(value: Any) -> str | None:
    """The text of a number of a JSON document as it was printed; None for what is no finite number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, PrintedNumber):
        return value.text
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return None


def print_claim(value: Any) -> str | None:
    """The text of a claimed number: that of a number, of `NaN` and infinities, and of a text that is a number.

    None for what claims no number. Other readers take `"0.9"` for 0.9, so it must not be passed over here.
    """
    if isinstance(value, str):
        return value.strip() if exact_number(value) is not None else None
    printed = print_number(value)
    return repr(value) if printed is None and isinstance(value, float) else printed


def exact_number(text: str) -> Fraction | None:
    """The exact value of a printed decimal; None where it is none, or beyond the limits."""
    if len(text) > MAX_DIGITS:
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or (number and abs(number.adjusted()) > MAX_EXPONENT):
        return None
    return Fraction(number)


_ONE, _ZERO = Fraction(1), Fraction(0)


def score_of(value: Any, words: tuple[tuple[str, Fraction], ...] = ()) -> RecordedScore:
    """One logged score. `words` maps a tool's own words (C, I, P, N) to numbers; yes and no are known to all.

    NaN, infinities, nulls, lists and other words are kept as text with the reason why they are no number.
    """
    if isinstance(value, str) and len(value) > MAX_DIGITS:
        return RecordedScore(value[:MAX_DIGITS], None, "the score is a word")
    if isinstance(value, str | bool | int | float | type(None)):
        is_nan = isinstance(value, float) and math.isnan(value)  # which no cache would ever find again
        return _score_of_scalar(type(value).__name__, None if is_nan else value, repr(value), words)
    if isinstance(value, Decimal):
        return _score_of_text(str(value), words)
    return RecordedScore(type(value).__name__, None, f"the score is a {_kind(value)}")


@lru_cache(maxsize=4096)
def _score_of_scalar(
    kind: str, value: str | bool | int | float | None, shown: str, words: tuple[tuple[str, Fraction], ...]
) -> RecordedScore:
    # `kind` and `shown` are in the cache's key: True, 1 and 1.0 are equal and print differently
    if kind == "bool":
        return RecordedScore(shown.lower(), _ONE if value else _ZERO)
    if isinstance(value, str):
        return _score_of_text(value, words)
    if value is None and kind != "float":
        return RecordedScore("null", None, EMPTY)
    number = exact_number(shown)
    reason = "" if number is not None else f"the score is {shown[:MAX_DIGITS]}"
    return RecordedScore(shown[:MAX_DIGITS], number, reason)


def _score_of_text(text: str, words: tuple[tuple[str, Fraction], ...]) -> RecordedScore:
    for word, number in words:
        if text == word:
            return RecordedScore(text, number)
    folded = text.strip().lower()
    if folded in TRUE_WORDS or folded in FALSE_WORDS:
        return RecordedScore(text, _ONE if folded in TRUE_WORDS else _ZERO)
    found = exact_number(text)
    reason = "" if found is not None else (EMPTY if not folded else "the score is a word")
    return RecordedScore(text[:MAX_DIGITS], found, reason)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "mapping"
    return "list" if isinstance(value, list) else type(value).__name__
