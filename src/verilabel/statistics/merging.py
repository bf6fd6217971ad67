"""Evidence of several runs or evaluators on one question, merged by what is known of how they depend."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb, exp, fsum, inf, isfinite, isnan, log

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.statistics.arguments import Number, check_counts
from verilabel.statistics.eprocess import Side, place_bets

MAX_SUBSETS = 200_000


def merge_product(log_es: Sequence[float]) -> float:
    """ln of the product of e-values: for independent or sequential evidence only.

    Certainty against certainty (infinity times zero) counts as no evidence against the null, -inf. An empty
    sequence is worth 0. Raises MalformedInput for NaN.
    """
    _refuse_nan(log_es)
    return -inf if -inf in log_es else fsum(log_es)


def merge_mean(log_es: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """ln of the weighted mean of e-values: for evidence that depends in any way.

    Weights are scaled to sum 1. Raises MalformedInput for NaN, no evidence, or weights that are negative, not
    finite or all zero.
    """
    _refuse_nan(log_es)
    given = [1.0] * len(log_es) if weights is None else list(weights)
    if not log_es or len(given) != len(log_es):
        raise MalformedInput(f"{len(given)} weights for {len(log_es)} e-values")
    total = fsum(given)
    if any(not isfinite(w) or w < 0 for w in given) or not total > 0:
        raise MalformedInput("weights must be finite, not negative, and not all zero")
    counted = [(value, w / total) for value, w in zip(log_es, given, strict=True) if w > 0]
    top = max(value for value, _ in counted)
    if top in (inf, -inf):
        return top
    return top + log(fsum(w * exp(value - top) for value, w in counted))


def quorum_counts(events: Sequence[int], ns: Sequence[int], liars: int, tau: Number, side: Side) -> float:
    """ln e that holds whatever up to `liars` of the evaluators report: the least over subsets without them.

    events[i] of ns[i] answers are evaluator i's report; the honest ones' answers must be independent. The
    true liars' complement is among the subsets, so Ville's inequality holds for the minimum (statistics.md
    section 6). 0 where every report may be a lie. Raises MalformedInput for counts that cannot be,
    LimitExceeded for more than 200,000 subsets.
    """
    if len(events) != len(ns):
        raise MalformedInput(f"{len(events)} counts of events for {len(ns)} evaluators")
    for some, n in zip(events, ns, strict=True):
        check_counts(some, n)
    check_counts(0, liars)
    honest = len(ns) - liars
    if honest <= 0:
        return 0.0
    if comb(len(ns), honest) > MAX_SUBSETS:
        raise LimitExceeded(f"{liars} liars among {len(ns)} evaluators make more than {MAX_SUBSETS} subsets")
    bets = place_bets(tau, side)
    return min(
        bets.log_e(sum(events[i] for i in kept), sum(ns[i] for i in kept))
        for kept in combinations(range(len(ns)), honest)
    )


def _refuse_nan(log_es: Sequence[float]) -> None:
    for index, value in enumerate(log_es):
        if isnan(value):
            raise MalformedInput("evidence that is not a number", where=f"$[{index}]")
