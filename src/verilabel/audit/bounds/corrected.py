"""How many documents may contain something after so many were found: exact, for recall, precision and samples."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple, Protocol

from verilabel.errors import MalformedInput
from verilabel.statistics.arguments import (
    MAX_POOL,
    Number,
    check_counts,
    exact_fraction,
    exact_level,
    exact_rate,
)
from verilabel.statistics.beta import binomial_at_most
from verilabel.statistics.exact import cp_lower, cp_upper, fixed_n, pool_lower, pool_upper, round_down

_SLACK = 1e-9
"""A tail this close to the level, relatively, counts as above it: outward, whatever the floats do."""
MILLION = 10**6


class Counted(Protocol):
    """How many values were planted in one format of a kind, and how many of them were found."""

    @property
    def format(self) -> str:
        """The format's name."""
        ...

    @property
    def planted(self) -> int:
        """Values planted."""
        ...

    @property
    def found(self) -> int:
        """Of those."""
        ...


class RecallBound(NamedTuple):
    """A lower bound of recall, rounded down to six places, and where it comes from."""

    recall: Decimal
    format: str | None
    """The format that it is the bound of; None where formats were pooled or nothing was planted."""


def most_documents(found: int, read: int, recall: Number, alpha: Number) -> int:
    """The largest T <= read with P(Bin(T, recall) <= found) > alpha: an exact upper bound of those that contain it.

    If T documents contain it and each is found with probability `recall` or more, the number found is at least
    Bin(T, recall), so that a larger T gives so few finds with probability alpha or less. Documents found wrongly only
    raise the bound. For found = 0 this is ln(alpha) / ln(1 - recall), not 0. Raises MalformedInput for counts, rates or
    levels that cannot be.
    """
    check_counts(found, read)
    rate, level = float(exact_rate(recall, "recall")), float(exact_level(alpha)) * (1 - _SLACK)
    low, high = found, read
    while low < high:
        middle = (low + high + 1) // 2
        if binomial_at_most(found, middle, rate) > level:
            low = middle
        else:
            high = middle - 1
    return low


def weakest_recall(counts: Sequence[Counted], alpha: Number) -> RecallBound:
    """A lower bound of recall for values in any mix of the formats planted: the least of the formats' own bounds.

    Recall over a mix is a mean of the formats' recalls, so it is not below the least of them; and the least bound
    exceeds the least recall only where that one format's bound fails, so no level is lost to the number of formats. 0
    where nothing was planted.
    """
    bounds = [
        (round_down(cp_lower(one.found, one.planted, alpha)), one.format) for one in counts if one.planted
    ]
    if not bounds:
        return RecallBound(Decimal(0), None)
    least = min(bounds)
    return RecallBound(*least)


def pooled_recall(counts: Sequence[Counted], alpha: Number) -> RecallBound:
    """A lower bound of recall for values in the mix that was planted. 0 where nothing was planted."""
    planted = sum(one.planted for one in counts)
    if not planted:
        return RecallBound(Decimal(0), None)
    return RecallBound(round_down(cp_lower(sum(one.found for one in counts), planted, alpha)), None)


def bound_pool(events: int, n: int, pool: int, alpha: Number) -> tuple[int, int]:
    """Bounds, each one-sided at alpha, for the events in a pool of which n were drawn without replacement.

    Exact (hypergeometric) for pools of up to 10^6; beyond, counted as independent draws, which is conservative.
    """
    if not n:
        check_counts(0, pool)
        return 0, pool
    if pool <= MAX_POOL:
        return pool_lower(events, n, pool, alpha), pool_upper(events, n, pool, alpha)
    check_counts(n, pool)
    low = ceil(_exact(cp_lower(events, n, alpha), -1) * pool)
    high = floor(_exact(cp_upper(events, n, alpha), 1) * pool)
    return max(low, events), min(high, pool - (n - events))


def _exact(bound: float, outward: int) -> Fraction:
    """A float's bound as a fraction, moved outward by what floats may be wrong by."""
    moved = exact_fraction(bound) * (1 + outward * Fraction(1, 10**12))
    return min(Fraction(1), max(Fraction(0), moved))


def bound_true_share(
    flagged: int, failed: int, n: int, sensitivity: Decimal, false_positives: Decimal, alpha: Number
) -> tuple[Fraction, Fraction]:
    """Bounds for the true share behind `flagged` of n drawn documents, by a detector that errs; each at alpha.

    A share p gives flags at a rate q with p S <= q <= p + (1 - p) F, for a sensitivity of S or more and a rate of false
    positives of F or less: p <= q / S and p >= (q - F) / (1 - F) (label-semantics, section 6; Rogan and Gladen, 1978).
    `failed` documents gave no answer and count as flagged above and as clear below.
    """
    check_counts(flagged + failed, n)
    upper = _exact(cp_upper(flagged + failed, n, alpha), 1) if n else Fraction(1)
    lower = _exact(cp_lower(flagged, n, alpha), -1) if n else Fraction(0)
    invented = Fraction(false_positives)
    most = min(Fraction(1), upper / Fraction(sensitivity)) if sensitivity else Fraction(1)
    least = max(Fraction(0), (lower - invented) / (1 - invented)) if invented < 1 else Fraction(0)
    return least, most


def needed_sample(
    per_million: Number, confidence: Number = Decimal("0.95"), documents: int | None = None
) -> int:
    """How many documents to draw so that none found shows no more than so many per million, at the confidence.

    2,995 for 1,000; 29,956 for 100; 299,572 for 10. Fewer where `documents` says how many there are and they are few.
    Raises MalformedInput for a rate that is not between 0 and a million, LimitExceeded beyond 10^7.
    """
    rate = exact_fraction(per_million, "per million") / MILLION
    level = 1 - exact_level(confidence, "confidence")
    if not 0 < rate < 1:
        raise MalformedInput(f"{per_million} per million is not between 0 and 1,000,000")
    if documents is None or documents > MAX_POOL:
        return fixed_n(rate, 0, level)
    allowed = floor(rate * documents)
    low, high = 1, documents
    while low < high:
        middle = (low + high) // 2
        if pool_upper(0, middle, documents, level) <= allowed:
            high = middle
        else:
            low = middle + 1
    return low
