"""The `number` detector: is the number an answer ends on the gold number?"""

from __future__ import annotations

import re
from fractions import Fraction

from verilabel.detectors.interface import Finding, leave_unscored, score
from verilabel.errors import UsageError
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.records.score import DetectorCard

READ_CHARACTERS = 20_000
"""Only this many last characters of an answer are read."""
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-+−]?)(?:[$€£¥]\s?)?"
    r"(?P<whole>\d{1,3}(?:[,\u202f\u00a0]\d{3}){1,9}(?!\d)|\d{1,400}(?!\d))?"
    r"(?P<decimals>(?(whole)(?:\.\d{1,400})?|\.\d{1,400}))(?!\.?\d)"
    r"(?:[eE](?P<power>[-+]?\d{1,3})(?!\w))?(?:\s?/\s?(?P<denominator>\d{1,30})(?![\d/]))?"
)
_MARKED = (re.compile(r"####[ \t]*([^\n]{1,80})"), re.compile(r"\\boxed\s?\{([^{}\n]{1,80})\}"))
_SEPARATORS = re.compile("[,\u202f\u00a0]")
MAX_POWER = 300


class NumberDetector:
    """Event `correct`: the number an answer gives is within `tolerance` of a target.

    A number marked `#### 42` or `\\boxed{42}` counts; else the last number in the answer. Read are signs,
    thousands separators (comma or narrow space), decimals with a point, powers of ten and fractions such as 3/4;
    decimal commas are not. `tolerance` is an absolute decimal, zero for equality. No number, or a target that is
    none, is unscored.
    """

    def __init__(self, tolerance: str = "0") -> None:
        allowed = read_number(tolerance)
        if allowed is None or allowed < 0:
            raise UsageError(f"{tolerance!r} is not a tolerance", hint="a decimal from zero up: number:0.01")
        self._tolerance = allowed
        rules = "\n".join((_NUMBER.pattern, *(p.pattern for p in _MARKED), str(allowed)))
        sha256 = digest(rules.encode())
        version = "1.0.0" if allowed == 0 else f"1.0.0+{sha256[7:15]}"
        setting = "" if allowed == 0 else str(allowed)
        self.card = DetectorCard(
            id="number", version=version, event="correct", sha256=sha256, exact=True, setting=setting
        )

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Compare the number that the answer gives with the targets."""
        gold = [number for target in sample.target if (number := read_number(target)) is not None]
        if not gold:
            return leave_unscored(self.card, suite, sample, epoch, "the sample's target is no number")
        if not output.strip():
            return leave_unscored(self.card, suite, sample, epoch, "empty answer")
        found = read_number(output)
        if found is None:
            return leave_unscored(self.card, suite, sample, epoch, "no number in the answer")
        correct = any(abs(found - number) <= self._tolerance for number in gold)
        return score(self.card, suite, sample, epoch, value=correct, detail=f"read {_shown(found)}")


def read_number(text: str) -> Fraction | None:
    """The number that a text gives, exactly, or None where it has none."""
    text = text[-READ_CHARACTERS:]
    for marked in _MARKED:
        said = marked.findall(text)
        if said and (number := _last_number(said[-1])) is not None:
            return number
    return _last_number(text)


def _last_number(text: str) -> Fraction | None:
    last = None
    for match in _NUMBER.finditer(text):
        value = _value(match)
        last = last if value is None else value
    return last


def _value(match: re.Match[str]) -> Fraction | None:
    digits = _SEPARATORS.sub("", match["whole"] or "0") + (match["decimals"] or "")
    power = int(match["power"] or 0)
    if abs(power) > MAX_POWER:
        return None
    value = Fraction(digits) * Fraction(10) ** power
    if match["denominator"]:
        if int(match["denominator"]) == 0:
            return None
        value /= int(match["denominator"])
    return -value if match["sign"] in ("-", "−") else value


def _shown(number: Fraction) -> str:
    text = str(number)
    return text if len(text) <= 40 else f"{text[:40]}..."
