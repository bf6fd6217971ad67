"""Judge error: thresholds that also cover what the judge misses or invents, from its counts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import isnan
from random import Random

import msgspec

from verilabel.errors import MalformedInput
from verilabel.records.score import ErrorCounts
from verilabel.statistics.arguments import Number, check_counts, exact_level, exact_rate
from verilabel.statistics.exact import cp_lower, cp_upper, round_down, round_up

MIN_CERTIFIED_POSITIVES = 100
"""Fewer outputs that people labelled with the event, and the row carries `judge_uncertified` (section 6)."""


@lru_cache(maxsize=1024)
def sensitivity_lower(true_positives: int, positives: int, alpha: Number) -> Decimal:
    """Lower bound of the judge's sensitivity at one-sided alpha, rounded down. 0 without positives."""
    return round_down(cp_lower(true_positives, positives, alpha))


@lru_cache(maxsize=1024)
def false_positive_upper(true_negatives: int, negatives: int, alpha: Number) -> Decimal:
    """Upper bound of the judge's false-positive rate, one-sided at alpha, rounded up. 1 without negatives."""
    check_counts(true_negatives, negatives)
    return round_up(cp_upper(negatives - true_negatives, negatives, alpha))


def met_threshold(tau: Number, errors: ErrorCounts, alpha: Number) -> Decimal:
    """What the flagged rate must stay within so that the true rate is <= tau: tau L_se, rounded down.

    At least p Se of all outputs are flagged, so flagged <= tau L_se gives p <= tau (label-semantics section
    6). `alpha` is the part of the level spent on the judge (0.2 of the row's); `errors` are for the event as
    counted.
    """
    sensitivity = sensitivity_lower(errors.true_positives, errors.positives, alpha)
    return round_down(exact_rate(tau, "threshold") * Fraction(sensitivity))


def not_met_threshold(tau: Number, errors: ErrorCounts, alpha: Number) -> Decimal:
    """What the flagged rate must exceed so that the true rate is > tau: tau (1 - U_fpr) + U_fpr, rounded up.

    From L_p = (L_q - U_fpr) / (1 - U_fpr) (label-semantics section 6). `alpha` as for `met_threshold`.
    """
    invented = Fraction(false_positive_upper(errors.true_negatives, errors.negatives, alpha))
    return round_up(exact_rate(tau, "threshold") * (1 - invented) + invented)


def swap(errors: ErrorCounts) -> ErrorCounts:
    """The same measurement read for the absence of the event: sensitivity and specificity change places."""
    return msgspec.structs.replace(
        errors,
        true_positives=errors.true_negatives,
        positives=errors.negatives,
        true_negatives=errors.true_positives,
        negatives=errors.positives,
    )


def is_certified(errors: ErrorCounts | None) -> bool:
    """True if enough outputs with the event were labelled by people for a row to rest on the judge."""
    return errors is not None and errors.positives >= MIN_CERTIFIED_POSITIVES


def rogan_gladen(flagged_rate: float, sensitivity: float, specificity: float) -> float:
    """Point estimate of the true rate behind a flagged rate q, within [0, 1].

    (q + Sp - 1) / (Se + Sp - 1), Rogan and Gladen (1978). A report, never a decision. Raises MalformedInput
    for a judge no better than chance.
    """
    for value, name in (
        (flagged_rate, "flagged rate"),
        (sensitivity, "sensitivity"),
        (specificity, "specificity"),
    ):
        if isnan(value) or not 0 <= value <= 1:
            raise MalformedInput(f"{name} {value} is not between 0 and 1")
    return _true_rate(flagged_rate, sensitivity, specificity)


def _true_rate(flagged_rate: float, sensitivity: float, specificity: float) -> float:
    skill = sensitivity + specificity - 1
    if skill <= 0:
        raise MalformedInput("a judge whose sensitivity and specificity add up to 1 or less tells nothing")
    return min(1.0, max(0.0, (flagged_rate + specificity - 1) / skill))


def judge_interval(
    events: int, n: int, errors: ErrorCounts, *, alpha: Number = 0.05, draws: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Two-sided interval for the true rate behind `events` flagged of n: a report, never a decision.

    Melding: confidence distributions of the flagged rate, sensitivity and specificity are combined by `draws`
    simulated triples each side (Bayer, Fay and Graubard; statistics.md section 2). The same seed gives the
    same interval. Raises MalformedInput for counts or levels that cannot be, or fewer than 100 draws.
    """
    check_counts(events, n)
    check_counts(errors.true_positives, errors.positives)
    check_counts(errors.true_negatives, errors.negatives)
    if draws < 100:
        raise MalformedInput(f"{draws} draws give no interval", hint="take at least 100")
    half = float(exact_level(alpha) / 2)
    source = Random(seed)  # noqa: S311 - a reproducible report, no secret
    found, cleared = (errors.true_positives, errors.positives), (errors.true_negatives, errors.negatives)
    lows, highs = [], []
    for _ in range(draws):
        lows.append(
            _melded(_draw_low(source, events, n), _draw_high(source, *found), _draw_low(source, *cleared))
        )
        highs.append(
            _melded(_draw_high(source, events, n), _draw_low(source, *found), _draw_high(source, *cleared))
        )
    return _quantile(lows, half), _quantile(highs, 1 - half)


def _draw_low(source: Random, events: int, n: int) -> float:
    return source.betavariate(events, n - events + 1) if events > 0 else 0.0


def _draw_high(source: Random, events: int, n: int) -> float:
    return source.betavariate(events + 1, n - events) if events < n else 1.0


def _melded(flagged: float, sensitivity: float, specificity: float) -> float:
    # beyond these two the formula would leave [0, 1], or the judge tells nothing
    if flagged <= 1 - specificity:
        return 0.0
    if flagged >= sensitivity:
        return 1.0
    return _true_rate(flagged, sensitivity, specificity)


def _quantile(values: list[float], probability: float) -> float:
    """Quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan)."""
    values = sorted(values)
    place = probability * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
