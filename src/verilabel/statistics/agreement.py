"""Agreement of raters, and whether two gradings of the same items differ: kappas, alpha, exact McNemar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Literal, NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.arguments import Number, check_counts, exact_level, exact_rate
from verilabel.statistics.beta import binomial_at_least, binomial_at_most
from verilabel.statistics.exact import cp_lower, cp_upper

MAX_DECIDING_N = 10**7
DriftVerdict = Literal["stable", "drifted", "inconclusive"]


# ---------------------------------------------------------------- agreement of raters


def percent_agreement(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Share of agreeing pairs among all pairs of labels that stand on one item (Fleiss 1971, P).

    `units` holds the labels of each item, missing ones left out; with more than two raters each item's share counts by
    its number of labels less one, so that raters who skip items weigh by what they labelled. None without a pair.
    """
    observed, weight = _observed([list(unit) for unit in units])
    return None if weight == 0 else float(observed)


def cohen_kappa(pairs: Iterable[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two raters: (p_o - p_e) / (1 - p_e), Cohen (1960).

    p_e is the agreement of two raters who label at random, each with their own frequencies. None without pairs and
    where both use one and the same label throughout: agreement by chance is then certain.
    """
    table = Counter(pairs)
    n = sum(table.values())
    if n == 0:
        return None
    first: Counter[Hashable] = Counter()
    second: Counter[Hashable] = Counter()
    for (a, b), count in table.items():
        first[a] += count
        second[b] += count
    observed = Fraction(sum(count for (a, b), count in table.items() if a == b), n)
    expected = sum((Fraction(first[label] * second[label], n * n) for label in first), Fraction(0))
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def fleiss_kappa(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Fleiss' kappa of several raters: (P - P_e) / (1 - P_e), Fleiss (1971).

    Every item must have the same number (at least two) of labels, of any raters. None without items and where only one
    label occurs. Raises MalformedInput where items have different numbers of labels: take `krippendorff_alpha`.
    """
    items = [list(unit) for unit in units]
    if not items:
        return None
    sizes = {len(item) for item in items}
    if len(sizes) > 1 or min(sizes) < 2:
        raise MalformedInput(
            f"Fleiss' kappa needs as many labels on every item, here are {min(sizes)} to {max(sizes)}",
            hint="Krippendorff's alpha allows for missing labels",
        )
    observed, _ = _observed(items)
    counts = Counter(label for item in items for label in item)
    total = sum(counts.values())
    expected = sum((Fraction(count, total) ** 2 for count in counts.values()), Fraction(0))
    return None if expected == 1 else float((observed - expected) / (1 - expected))


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for nominal labels, with any raters missing: 1 - D_o / D_e.

    D_o = sum over items of (pairs that differ) / (m_u - 1), D_e = (n^2 - sum n_c^2) / (n - 1), both over the n labels
    on items with m_u >= 2 (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). None where no item has
    two labels or only one label occurs.
    """
    items = [list(unit) for unit in units]
    pairable = [item for item in items if len(item) >= 2]
    counts = Counter(label for item in pairable for label in item)
    n = sum(counts.values())
    expected = n * n - sum(count * count for count in counts.values())
    if expected == 0:
        return None
    observed = sum((Fraction(_differing(item), len(item) - 1) for item in pairable), Fraction(0))
    return float(1 - (n - 1) * observed / expected)


def _differing(item: Sequence[Hashable]) -> int:
    """Ordered pairs of labels of one item that differ."""
    return len(item) ** 2 - sum(count * count for count in Counter(item).values())


def _observed(items: Sequence[Sequence[Hashable]]) -> tuple[Fraction, int]:
    """The agreement within items, each weighed by its number of labels where it has two; and the whole weight."""
    weight = sum(len(item) for item in items if len(item) >= 2)
    if weight == 0:
        return Fraction(0), 0
    disagreement = sum(
        (Fraction(_differing(item), len(item) - 1) for item in items if len(item) >= 2), Fraction(0)
    )
    return 1 - disagreement / weight, weight


# ---------------------------------------------------------------- two gradings of the same items


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided exact p-value that changes go both ways equally often (McNemar 1947, exact binomial form).

    min(1, 2 P(X <= min(gained, lost))) with X ~ Binomial(gained + lost, 1/2): the conditional test of statistics.md
    section 3 with one grading a side.
    """
    check_counts(min(gained, lost), gained + lost)
    return min(1.0, 2 * binomial_at_most(min(gained, lost), gained + lost, 0.5)) if gained + lost else 1.0


class Drift(NamedTuple):
    """What two gradings of the same items say of a judge."""

    verdict: DriftVerdict
    changed: int
    """Items that were graded both times, differently."""
    ungraded: int
    """Items that were graded one time only."""
    n: int
    lower: float
    """One-sided lower bound of the share of changed grades, at alpha / 2, ungraded items counted as unchanged."""
    upper: float
    """One-sided upper bound of the share, at alpha, ungraded items counted as changed."""
    p_value: float
    """Of the exact McNemar test: did the rate of the event move?"""
    deciding_n: int | None
    """For `inconclusive`: items at which the share seen here would decide; None where no number would."""


def judge_drift(
    gained: int, lost: int, ungraded: int, n: int, *, margin: Number = 0.02, alpha: Number = 0.05
) -> Drift:
    """Decide whether a judge still grades as it did, from `n` items that it graded twice.

    `gained` items were without the event and have it now, `lost` the other way round; `ungraded` were graded one time
    only and count worst-case (label-semantics section 5). In the order of statistics.md section 3:

    1. **stable** if the Clopper-Pearson upper bound of the share of changed grades is at most `margin`, at alpha;
    2. **drifted** if the lower bound of the share is above the margin, or the rate of the event moved (exact McNemar),
       each at alpha / 2;
    3. else **inconclusive**, with the n at which the observed share would decide.

    Raises MalformedInput for counts that cannot be, and unless 0 < margin < 1.
    """
    check_counts(gained + lost + ungraded, n)
    share, level = exact_rate(margin, "margin"), exact_level(alpha)
    if not 0 < share < 1 or n == 0:
        raise MalformedInput("the margin must be between 0 and 1, and some items graded twice")
    changed = gained + lost
    lower, upper = cp_lower(changed, n, level / 2), cp_upper(changed + ungraded, n, level)
    p_value = mcnemar_exact(gained, lost)
    verdict: DriftVerdict = "inconclusive"
    if upper <= share:
        verdict = "stable"
    elif lower > share or p_value < level / 2:
        verdict = "drifted"
    needed = _deciding_n(changed, ungraded, n, share, level) if verdict == "inconclusive" else None
    return Drift(verdict, changed, ungraded, n, lower, upper, p_value, needed)


def _deciding_n(changed: int, ungraded: int, n: int, margin: Fraction, alpha: Fraction) -> int | None:
    """A number of items above n, least within one part in a thousand, at which the shares seen here would decide."""
    least, most = Fraction(changed, n), Fraction(changed + ungraded, n)
    if least <= margin <= most:
        return None

    def decides(size: int) -> bool:
        if most < margin:
            return binomial_at_most(ceil(most * size), size, float(margin)) <= alpha
        return binomial_at_least(floor(least * size), size, float(margin)) <= alpha / 2

    low, high = n, n + 1
    while not decides(high):
        low, high = high, 2 * high
        if high > MAX_DECIDING_N:
            return None
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high


def unflagged_audit(
    misses: int, audited: int, unflagged: int, flagged: int, sensitivity: Number, alpha: Number = 0.05
) -> tuple[float, bool]:
    """P-value that the judge misses no more than its measured sensitivity allows, and whether it alarms.

    People look at `audited` of the `unflagged` answers, drawn at random, and find `misses` with the event; `flagged`
    were flagged, all taken as real (which allows for the most misses). With sensitivity at least L the unflagged hold
    at most flagged (1 / L - 1) events, so misses are at most Binomial(audited, that / unflagged) (statistics.md
    section 2, "judge-drift audit"). An alarm (p < alpha) means `judge_uncertified`. Raises MalformedInput for counts
    that cannot be or a sensitivity of 0, LimitExceeded for more audited than unflagged answers.
    """
    check_counts(misses, audited)
    check_counts(0, flagged)
    lowest = exact_rate(sensitivity, "sensitivity")
    if audited > unflagged:
        raise LimitExceeded(f"{audited} audited answers of {unflagged} unflagged ones cannot be")
    if lowest == 0 or audited == 0:
        raise MalformedInput("an audit needs audited answers and a sensitivity above 0")
    allowed = min(Fraction(1), flagged * (1 / lowest - 1) / unflagged)
    p_value = 1.0 if misses == 0 else binomial_at_least(misses, audited, float(allowed))
    return p_value, p_value < exact_level(alpha)
