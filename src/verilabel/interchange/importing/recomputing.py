"""Every headline made again from the records, and compared with what was printed.

1. the records that the claim is about: its group, in which each has the claim's score or a reason for having none
2. are they all there? a claim about more records than the log holds cannot be made again; but where the values are
   rates, it is contradicted if no values of the missing records could reach it
3. the number, exactly: fractions until the last step
4. the comparison, to the printed digits
5. for scores of 0 and 1: exact bounds, whose unit is the item; what is missing counts worst-case on either side
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Literal

from verilabel.interchange.importing.printed import exact_number
from verilabel.interchange.importing.reducing import knows_reducer, reduce_scores
from verilabel.interchange.importing.run import ClaimedMetric, ImportedRecord, ImportedRun, RecordedScore
from verilabel.statistics.exact import cp_lower, cp_upper, round_down, round_up

Verdict = Literal["agrees", "contradicts", "not_recomputable"]
ALPHA = Decimal("0.025")
"""One-sided error of each of the two bounds."""
_RATES = ("mean", "mean_of_trials", "ones", "zeros")
_DOUBLE = Fraction(1, 2**53)
_MOST_SLACK = Fraction(1, 10**9)
"""Scores that are huge and cancel out must not make every claim agree."""
_PRECISION = 40
_MISSING = RecordedScore("", None, "the record has no such score")


@dataclass(frozen=True)
class Bounds:
    """Exact two one-sided bounds for a rate of items, missing ones worst-case on either side (Clopper, Pearson 1934).

    Where samples were asked several times, the lower bound counts items that show the event every time and the upper
    bound those that show it at least once: repetitions are never counted as items.
    """

    items: int
    events_every_time: int
    events_at_least_once: int
    missing: int
    lower: Decimal
    upper: Decimal


@dataclass(frozen=True)
class MetricFinding:
    """One headline and what the records say of it."""

    metric: ClaimedMetric
    verdict: Verdict
    recomputed: str = ""
    reason: str = ""
    values: int = 0
    """Records that have a number for it."""
    records: int = 0
    """Records that it is about."""
    bounds: Bounds | None = None


def recompute_metrics(run: ImportedRun) -> tuple[MetricFinding, ...]:
    """The findings on every headline of a run, in its order."""
    groups: dict[str | None, list[ImportedRecord]] = {None: list(run.records)}
    for record in run.records:
        groups.setdefault(record.group, []).append(record)
    bounds: dict[tuple[str, str | None, bool], Bounds | None] = {}
    findings = []
    for metric in run.metrics:
        records = groups.get(metric.group, [])
        place = (metric.key, metric.group, metric.absent_is_missing)
        if place not in bounds:
            meant = records if metric.absent_is_missing else [r for r in records if metric.key in r.scores]
            bounds[place] = bound_rate(meant, metric.key)
        findings.append(_recompute(metric, records, bounds[place]))
    return tuple(findings)


def _recompute(
    metric: ClaimedMetric, records: Sequence[ImportedRecord], bounds: Bounds | None
) -> MetricFinding:
    holding = [record for record in records if metric.key in record.scores]
    scores = [record.scores[metric.key] for record in holding]
    values = sum(score.number is not None for score in scores)

    def find(verdict: Verdict, reason: str = "", recomputed: str = "") -> MetricFinding:
        is_rate = metric.is_headline and metric.derivation is not None and metric.derivation.kind in _RATES
        kept = bounds if is_rate and verdict != "not_recomputable" else None
        return MetricFinding(metric, verdict, recomputed, reason, values, len(records), kept)

    claimed = exact_number(metric.printed)
    if claimed is None:
        return find("not_recomputable", f"the claim is {metric.printed[:40]!r}, which is no number")
    if (obstacle := _find_obstacle(metric, records, holding)) is not None:
        return find("not_recomputable", obstacle)
    if (lacking := _count_lacking(metric, records)) != 0:
        return _judge_partial(metric, claimed, scores, lacking, find("not_recomputable"))
    made = _derive(metric, holding)
    if isinstance(made, str):
        return find("not_recomputable", made)
    shown = show_number(made, metric.printed)
    if agrees_as_printed(metric.printed, made, _slack(made, scores)):
        return find("agrees", _say_left_out(metric, records, holding), shown)
    if metric.derivation is not None and metric.derivation.assumed:
        return find(
            "not_recomputable", f"a plain mean would be {shown}; the log does not say how it is made", shown
        )
    return find("contradicts", f"claimed {metric.printed}, the records give {shown}", shown)


def _say_left_out(
    metric: ClaimedMetric, records: Sequence[ImportedRecord], holding: Sequence[ImportedRecord]
) -> str:
    """How many answers a mean leaves out because they have no number; empty where it leaves out none."""
    if metric.derivation is None or metric.derivation.kind not in ("mean", "mean_of_trials"):
        return ""
    left = len(records) - sum(record.scores[metric.key].number is not None for record in holding)
    return f"leaves out {left:,} of {len(records):,} answers, which have no number" if left else ""


def _find_obstacle(
    metric: ClaimedMetric, records: Sequence[ImportedRecord], holding: Sequence[ImportedRecord]
) -> str | None:
    """Why the claim cannot be made again at all; None where it can be tried."""
    if not records:
        return metric.obstacle or "no samples are in the log"
    if metric.derivation is None:
        return metric.obstacle or "how it is made is not known"
    if metric.derivation.reducer != "none" and not knows_reducer(metric.derivation.reducer):
        return f"the reduction {metric.derivation.reducer!r} is not known"
    if not holding:
        return f"no record holds {metric.key!r}"
    if metric.derivation.kind not in ("ones", "zeros", "missing", "values"):
        scores = [record.scores[metric.key] for record in holding]
        if all(score.number is None for score in scores):
            return f"no score is a number: {scores[0].reason}"
        words = [score for score in scores if score.reason == "the score is a word"]
        if words:
            return f"{len(words)} of {len(scores)} scores are not numeric"
    return None


def _count_lacking(metric: ClaimedMetric, records: Sequence[ImportedRecord]) -> int:
    """Records that the claim is about and the log lacks; negative where the log has more."""
    return 0 if metric.of is None else metric.of - len(records)


def _judge_partial(
    metric: ClaimedMetric,
    claimed: Fraction,
    scores: Sequence[RecordedScore],
    lacking: int,
    otherwise: MetricFinding,
) -> MetricFinding:
    assert metric.of is not None
    held = otherwise.records
    reason = (
        f"partial: {held:,} of {metric.of:,} records are in the log"
        if lacking > 0
        else f"the claim is about {metric.of:,} records, the log holds {held:,}"
    )
    within = _reachable(metric, scores, lacking)
    if within is not None and not within[0] <= claimed <= within[1]:
        low, high = (show_number(end, "0.000001") for end in within)
        reason += f"; whatever the others say, it lies between {low} and {high}"
        return MetricFinding(metric, "contradicts", "", reason, otherwise.values, held)
    return MetricFinding(metric, "not_recomputable", "", reason, otherwise.values, held)


def _reachable(
    metric: ClaimedMetric, scores: Sequence[RecordedScore], lacking: int
) -> tuple[Fraction, Fraction] | None:
    """What a rate or count of 0 and 1 can be, whatever the missing records hold; None where that is not known."""
    derivation = metric.derivation
    binary = all(score.number in (0, 1) for score in scores)
    if derivation is None or derivation.assumed or lacking < 0 or not scores or not binary:
        return None
    ones = sum(score.number == 1 for score in scores)
    zeros = len(scores) - ones
    if derivation.kind in ("ones", "zeros"):
        held = ones if derivation.kind == "ones" else zeros
        return Fraction(held), Fraction(held + lacking)
    if derivation.kind == "mean" and derivation.reducer == "mean":
        total, slack = len(scores) + lacking, Fraction(1, 1000)
        # a little room on either side: the claim may be rounded
        low, high = Fraction(ones, total), Fraction(ones + lacking, total)
        return derivation.scale * (low - slack), derivation.scale * (high + slack)
    return None


# -- the number --------------------------------------------------------------------------------------------------


def _derive(metric: ClaimedMetric, holding: Sequence[ImportedRecord]) -> Fraction | str:
    """The number that the tool's own rule makes of the records, or why it makes none."""
    derivation = metric.derivation
    assert derivation is not None
    scores = [record.scores[metric.key] for record in holding]
    match derivation.kind:
        case "ones" | "zeros" | "missing" | "values":
            return Fraction(_count(derivation.kind, scores))
        case "sum":
            return _total([score.number for score in scores if score.number is not None])
        case "mean_of_trials":
            return _mean_of_trials(metric.key, holding)
    values = reduced_values(metric.key, holding, derivation.reducer)
    if not values:
        return "no sample has a value"
    if derivation.kind == "mean":
        return derivation.scale * _total(values) / len(values)
    return _spread(derivation.kind, values) * derivation.scale


def _count(kind: str, scores: Sequence[RecordedScore]) -> int:
    if kind == "missing":
        return sum(score.number is None for score in scores)
    if kind == "values":
        return sum(score.number is not None for score in scores)
    return sum(score.number == (1 if kind == "ones" else 0) for score in scores)


def _total(values: Sequence[Fraction]) -> Fraction:
    # equal values are added at once: most logs hold two different ones
    return sum((value * count for value, count in Counter(values).items()), Fraction(0))


def reduced_values(key: str, records: Sequence[ImportedRecord], reducer: str) -> list[Fraction]:
    """One value a sample, repeated answers reduced; samples without a value are left out."""
    if reducer == "none":
        return [n for record in records if (n := record.scores[key].number) is not None]
    samples: dict[tuple[str, str], list[RecordedScore]] = {}
    for record in records:
        samples.setdefault((record.group, record.id), []).append(record.scores[key])
    reduced = (reduce_scores(reducer, scores) for scores in samples.values())
    return [value for value in reduced if value is not None]


def _mean_of_trials(key: str, records: Sequence[ImportedRecord]) -> Fraction | str:
    trials: dict[int, list[Fraction]] = {}
    for record in records:
        number = record.scores[key].number
        if number is not None:
            trials.setdefault(record.epoch, []).append(number)
    if not trials:
        return "no sample has a value"
    means = [_total(values) / len(values) for values in trials.values()]
    return _total(means) / len(means)


def _spread(kind: str, values: Sequence[Fraction]) -> Fraction:
    """Sample variance (n - 1), its root, or the standard error of the mean; 0 for a single value, as Inspect prints."""
    n = len(values)
    if n < 2:
        return Fraction(0)
    mean = _total(values) / n
    squares = sum((count * (value - mean) ** 2 for value, count in Counter(values).items()), Fraction(0))
    variance = squares / (n - 1)
    if kind == "variance":
        return variance
    return _root(variance if kind == "std" else variance / n)


def _root(value: Fraction) -> Fraction:
    with localcontext() as context:
        context.prec = _PRECISION
        return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())


# -- the comparison ----------------------------------------------------------------------------------------------


def agrees_as_printed(printed: str, exact: Fraction, slack: Fraction = Fraction(0)) -> bool:
    """True if rounding the exact value to the printed digits gives the printed number; a tie may go either way.

    A number with fewer than two decimals is taken as it stands: 1.0 and 0.5 are what programs print for exactly one and
    one half, and a rate of 0.0004 must not pass for 0.0. `slack` is the error of adding doubles, for a number that is
    printed in full.
    """
    claimed = exact_number(printed)
    if claimed is None:
        return False
    distance = abs(claimed - exact)
    if distance <= slack:
        return True
    number = Decimal(printed.strip())
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "a finite number has one"
    if exponent > -2:
        return distance == 0
    return distance <= Fraction(10) ** exponent / 2


def _slack(exact: Fraction, scores: Sequence[RecordedScore]) -> Fraction:
    """How far a double may lie from the exact value: a rounding error for each addition, and a few more.

    Never more than a billionth of the value, or of 1 where it is smaller.
    """
    size = max(
        [abs(exact), *(abs(score.number) for score in scores if score.number is not None)],
        default=Fraction(1),
    )
    return min(_DOUBLE * (len(scores) + 16) * size, _MOST_SLACK * max(abs(exact), Fraction(1)))


def show_number(value: Fraction, like: str) -> str:
    """A recomputed number with as many decimals as the claim has, and at least four where it is not whole."""
    if value.denominator == 1:
        return str(value.numerator)
    exponent = Decimal(like.strip()).as_tuple().exponent
    places = max(4, -exponent if isinstance(exponent, int) else 4)
    with localcontext() as context:
        context.prec = 80
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        return f"{quotient.quantize(Decimal(1).scaleb(-min(places, 30)), rounding=ROUND_HALF_EVEN):f}"


# -- bounds ------------------------------------------------------------------------------------------------------


def bound_rate(records: Sequence[ImportedRecord], key: str) -> Bounds | None:
    """Exact bounds for the rate of items whose score is 1; None where the scores are not all 0, 1 or missing.

    A record of the group without this score, or with an error, is missing. Records of several groups are several
    measurements of one item at best, so there are no bounds across groups.
    """
    if not key or len({record.group for record in records}) != 1:
        return None
    scores = [_MISSING if record.error else record.scores.get(key, _MISSING) for record in records]
    if not any(score.number is not None for score in scores):
        return None
    if any(score.number not in (0, 1, None) for score in scores):
        return None
    items: dict[str, list[Fraction | None]] = {}
    for record, score in zip(records, scores, strict=True):
        items.setdefault(record.id, []).append(score.number)
    every = sum(all(value == 1 for value in values) for values in items.values())
    once = sum(any(value == 1 for value in values) for values in items.values())
    doubtful = sum(None in values and 1 not in values for values in items.values())
    n = len(items)
    return Bounds(
        items=n,
        events_every_time=every,
        events_at_least_once=once,
        missing=sum(None in values for values in items.values()),
        lower=round_down(cp_lower(every, n, ALPHA)),
        upper=round_up(cp_upper(once + doubtful, n, ALPHA)),
    )
