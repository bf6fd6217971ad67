"""Repeated answers of one sample made into one value, as other tools do it.

The reducers are Inspect's (`inspect_ai.scorer`): mean, median, mode, max, at_least_K, pass_at_K (Chen et al. 2021,
arXiv:2107.03374), pass_k_K (arXiv:2406.12045). Answers without a number are left out; where none is left, the sample
has no value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import comb

from verilabel.interchange.importing.run import RecordedScore

_WITH_K = re.compile(r"(at_least|pass_at|pass_k)_([1-9][0-9]{0,4})")
PLAIN = ("mean", "median", "mode", "max")


def knows_reducer(name: str) -> bool:
    """True if `reduce_scores` can carry out this reducer."""
    return name in PLAIN or _WITH_K.fullmatch(name) is not None


def reduce_scores(name: str, scores: Sequence[RecordedScore]) -> Fraction | None:
    """The value of one sample from the scores of its repeated answers, in their order; None where it has none."""
    scored = [score for score in scores if score.number is not None]
    values = [score.number for score in scored if score.number is not None]
    if not values:
        return None
    match name:
        case "mean":
            return sum(values, Fraction(0)) / len(values)
        case "median":
            ordered, middle = sorted(values), len(values) // 2
            return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        case "max":
            return max(values)
        case "mode":
            # the first seen of the most frequent, by what was written and not by its number: I and N are both 0
            most, _ = Counter(score.raw for score in scored).most_common(1)[0]
            return next(score.number for score in scored if score.raw == most)
    return _reduce_with_k(name, values)


def _reduce_with_k(name: str, values: Sequence[Fraction]) -> Fraction | None:
    found = _WITH_K.fullmatch(name)
    assert found is not None, "the caller asked knows_reducer"
    kind, k, n = found[1], int(found[2]), len(values)
    reached = sum(value >= 1 for value in values)
    if kind == "at_least":
        return Fraction(int(reached >= k))
    if n < k:
        return None
    if kind == "pass_k":
        return Fraction(comb(reached, k), comb(n, k))
    return 1 - Fraction(comb(n - reached, k), comb(n, k))
