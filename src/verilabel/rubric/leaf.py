"""One row decided: counts against a threshold, by a bound or by evidence, with judge error and a reference.

A row makes two claims, each tested on its own: `met` claims one side of the threshold, `not_met` the other.
A claim is `below` (the rate is at most t) or `above` (the rate is at least t). In steps (sections 1-9):

1. what is missing counts against the claim: as events for `below`, as no events for `above`;
2. the threshold: the rubric's own, or c times the reference's bound (half of the error each, section 7);
   less the margin for met (section 1); then shrunk by the judge's error (section 6: 0.8 of the level for the
   rate, 0.2 for the judge); rounded to 6 decimals against the claim;
3. fixed design: the exact bound, rounded outward, is compared with it. anytime design, and families in either
   design: the claim holds when the evidence, rounded down, reaches ln(1/level), rounded up.

What the specification leaves open, and what was decided, stands in docs/label-decision.md, sections 2 to 8.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from verilabel.records.label import Row, Status
from verilabel.records.plan import Design
from verilabel.records.score import ErrorCounts
from verilabel.records.tally import Tally
from verilabel.rubric.allocation import PlannedRow
from verilabel.rubric.counted import Claim, Direction, bound_rate, method_of, weigh_evidence
from verilabel.rubric.structure import Criterion, JudgeRule, Measure, StatisticsRule, TimesReference, plain
from verilabel.statistics.eprocess import Side, decimal_log, log_needed
from verilabel.statistics.exact import GRID
from verilabel.statistics.judge import false_positive_upper, is_certified, sensitivity_lower, swap

RATE_SHARE = Fraction(4, 5)
"""The share of a row's level that the rate gets; the judge's error gets the rest (section 6)."""


class Finding(NamedTuple):
    """What the counts say of a claim."""

    holds: bool
    bound: Decimal
    log_e: Decimal | None = None
    needed: Decimal | None = None


class RowContext(NamedTuple):
    """All that a row is decided on, beside the row itself."""

    measure: Measure
    rule: StatisticsRule
    design: Design
    tally: Tally
    reference: Tally | None = None
    """The reference system's counts; only rows with `times_reference` look at them."""


# ---------------------------------------------------------------- claims


def claims_of(row: PlannedRow, criterion: Criterion, context: RowContext) -> tuple[Claim, Claim]:
    """The claims for met and for not met (steps 1 and 2 of the module's docstring)."""
    upwards, strict = criterion.op in (">", ">="), criterion.op in ("<", ">")
    margin = Fraction(context.rule.margin)
    met, met_level = _base_threshold(criterion, context, "above" if upwards else "below", row.alpha_met)
    not_met, level = _base_threshold(criterion, context, "below" if upwards else "above", row.alpha_not_met)
    met += margin if upwards else -margin
    return (
        _claim_for("above" if upwards else "below", met, met_level, context, strict=strict, side="met"),
        _claim_for(
            "below" if upwards else "above", not_met, level, context, strict=not strict, side="not_met"
        ),
    )


def _claim_for(
    direction: Direction,
    threshold: Fraction,
    level: Fraction,
    context: RowContext,
    *,
    strict: bool,
    side: Side,
) -> Claim:
    tally = context.tally
    if judge_applies(tally, context.rule.judge):
        threshold = _allow_for_judge(threshold, direction, tally.errors, level * (1 - RATE_SHARE))
        level *= RATE_SHARE
        # a judge that may miss (or invent) everything shows nothing, not even by a pool without events
        strict = strict or threshold == (0 if direction == "below" else 1)
    return Claim(direction, strict, _to_grid(threshold, direction), level, side)


def _base_threshold(
    criterion: Criterion, context: RowContext, direction: Direction, alpha: Fraction
) -> tuple[Fraction, Fraction]:
    """The threshold before margin and judge, and what is left of the level for the rate."""
    if not isinstance(criterion.value, TimesReference):
        return Fraction(criterion.value), alpha
    assert context.reference is not None, "rows without their reference are not assessed"
    other: Direction = "above" if direction == "below" else "below"
    bound = _bound_reference(context.reference, context.rule.judge, other, alpha / 2, context.design)
    return Fraction(criterion.value.times_reference) * bound, alpha / 2


def _bound_reference(
    tally: Tally, judge: JudgeRule, direction: Direction, alpha: Fraction, design: Design
) -> Fraction:
    """A bound of the reference's true rate (section 6).

    L_p = (L_q - U_fpr) / (1 - U_fpr) and U_p = U_q / L_se, with the split of the level that every row has.
    """
    if not judge_applies(tally, judge):
        return Fraction(bound_rate(tally, direction, alpha, design))
    flagged = Fraction(bound_rate(tally, direction, alpha * RATE_SHARE, design))
    if direction == "below":
        sensitivity = _sensitivity(tally.errors, alpha * (1 - RATE_SHARE))
        return min(Fraction(1), flagged / sensitivity) if sensitivity else Fraction(1)
    invented = _invention(tally.errors, alpha * (1 - RATE_SHARE))
    return max(Fraction(0), (flagged - invented) / (1 - invented)) if invented < 1 else Fraction(0)


def _allow_for_judge(
    threshold: Fraction, direction: Direction, errors: ErrorCounts | None, alpha: Fraction
) -> Fraction:
    """The threshold for the rate that the judge flags, instead of the true rate (section 6)."""
    if direction == "below":
        return threshold * _sensitivity(errors, alpha)
    invented = _invention(errors, alpha)
    return threshold * (1 - invented) + invented


def _sensitivity(errors: ErrorCounts | None, alpha: Fraction) -> Fraction:
    return Fraction(
        0 if errors is None else sensitivity_lower(errors.true_positives, errors.positives, alpha)
    )


def _invention(errors: ErrorCounts | None, alpha: Fraction) -> Fraction:
    return Fraction(
        1 if errors is None else false_positive_upper(errors.true_negatives, errors.negatives, alpha)
    )


def judge_applies(tally: Tally, judge: JudgeRule) -> bool:
    """True if the row's threshold is adjusted for the judge's error."""
    return not tally.exact and judge.adjust != "none"


def _to_grid(value: Fraction, direction: Direction) -> Decimal:
    """Rounded to 6 decimals against the claim; not clamped: a threshold above 1 is no threshold of 1."""
    steps = floor(value * GRID) if direction == "below" else ceil(value * GRID)
    return Decimal(steps).scaleb(-6)


def decided_by_bound(tally: Tally, claim: Claim, design: Design) -> bool:
    """True if the bound is compared with the threshold; else the evidence must reach what is needed."""
    if not 0 <= claim.threshold <= 1:
        return True
    method = method_of(tally)
    if method == "pool" and tally.n == tally.pool:
        return True
    return design == "fixed" and method != "clusters"


def check_claim(tally: Tally, claim: Claim, design: Design) -> Finding:
    """Test one claim on the counts (step 3 of the module's docstring)."""
    bound = bound_rate(tally, claim.direction, claim.alpha, design, mirrored=claim.mirrored)
    if decided_by_bound(tally, claim, design):
        return Finding(claim.is_kept_by(bound), bound)
    log_e, needed = decimal_log(weigh_evidence(tally, claim), "down"), log_needed(claim.alpha)
    return Finding(log_e >= needed, bound, log_e, needed)


# ---------------------------------------------------------------- rows


def find_obstacle(criterion: Criterion, context: RowContext) -> str | None:
    """Why these counts decide nothing, whatever they are; None where nothing stands in the way."""
    return _obstacle_in(context.tally, context) or find_reference_obstacle(criterion, context)


def find_reference_obstacle(criterion: Criterion, context: RowContext) -> str | None:
    """Why the reference's counts let nothing be decided; None too where the row looks at no reference."""
    if not isinstance(criterion.value, TimesReference) or context.reference is None:
        return None
    found = _obstacle_in(context.reference, context)
    return None if found is None else f"reference: {found}"


def _obstacle_in(tally: Tally, context: RowContext) -> str | None:
    least, most = context.measure.min_n, context.rule.max_missing
    families = tally.unit == "family"
    units = sum(cluster.count for cluster in tally.clusters) if families else tally.n
    if units < least:
        return f"{units} {'families' if families else 'answers'}, at least {least} are required"
    if tally.missing > Fraction(most) * tally.n:
        return f"{tally.missing} of {tally.n} answers are missing, a share above {plain(most)}"
    if context.design == "fixed" and tally.n < tally.n_planned:
        return f"{tally.n} of {tally.n_planned} planned answers: a fixed design is read at its end"
    if judge_applies(tally, context.rule.judge) and tally.errors is None:
        return "the judge's error was never measured"
    return None


def decide_row(
    row: PlannedRow,
    measure: Measure,
    rule: StatisticsRule,
    tally: Tally | None,
    reference: Tally | None,
    design: Design,
) -> Row:
    """Decide a measured row. Pure: the same counts give the same row, byte for byte.

    Without counts (or, for rows relative to a reference, without the reference's) it is not assessed.
    """
    criterion = row.criterion
    assert criterion is not None, "attested rows are decided by decide_attested"
    if tally is None or tally.n == 0:
        return _leave_unassessed(row, criterion, "no answers")
    if isinstance(criterion.value, TimesReference) and (reference is None or reference.n == 0):
        return _leave_unassessed(row, criterion, "no answers of the reference system")
    return _decide_counts(row, criterion, RowContext(measure, rule, design, tally, reference))


def _decide_counts(row: PlannedRow, criterion: Criterion, context: RowContext) -> Row:
    tally, design = context.tally, context.design
    met_claim, not_met_claim = claims_of(row, criterion, context)
    met, not_met = check_claim(tally, met_claim, design), check_claim(tally, not_met_claim, design)
    reason = find_obstacle(criterion, context)
    status: Status = "undetermined"
    if reason is None and (met.holds or not_met.holds):
        status = "met" if met.holds else "not_met"
    upper, lower = (met, not_met) if met_claim.direction == "below" else (not_met, met)
    return Row(
        status=status,
        measure=row.measure,
        op=criterion.op,
        threshold=criterion.threshold,
        n=tally.n,
        events=tally.events,
        missing=tally.missing,
        rate=f"{round(Fraction(tally.events, tally.n) * GRID) / Decimal(GRID):.6f}",
        lower=_six(lower.bound),
        upper=_six(upper.bound),
        alpha_met=str(row.alpha_met),
        alpha_not_met=str(row.alpha_not_met),
        tested_met=_six(met_claim.threshold),
        tested_not_met=_six(not_met_claim.threshold),
        log_e_met=_six(met.log_e),
        log_e_not_met=_six(not_met.log_e),
        log_needed=_six(met.needed),
        reason=reason,
        flags=flags_of(criterion, context.rule.judge, tally),
    )


def _leave_unassessed(row: PlannedRow, criterion: Criterion, reason: str) -> Row:
    return Row(
        status="not_assessed",
        measure=row.measure,
        op=criterion.op,
        threshold=criterion.threshold,
        alpha_met=str(row.alpha_met),
        alpha_not_met=str(row.alpha_not_met),
        reason=reason,
    )


def decide_attested(name: str, *, given: bool) -> Row:
    """An attested row: met where the attestation is given, else not assessed; its absence shows nothing."""
    return Row(status="met" if given else "not_assessed", attested=name)


def flags_of(criterion: Criterion, judge: JudgeRule, tally: Tally) -> tuple[str, ...]:
    """What a reader must know about how the row was decided."""
    errors = tally.errors
    if errors is not None and criterion.op in (">", ">="):
        errors = swap(errors)
    labelled = 0 if errors is None else errors.positives + errors.negatives
    certified = tally.exact or (is_certified(errors) and labelled >= judge.min_calibration_n)
    method = method_of(tally)
    raised = {
        "judge_uncertified": not certified,
        "judge_adjusted": judge_applies(tally, judge),
        "finite_pool": method == "pool",
        "clustered": method == "clusters",
        "reference": isinstance(criterion.value, TimesReference),
    }
    return tuple(name for name, is_raised in raised.items() if is_raised)


def _six(number: Decimal | None) -> str | None:
    if number is None:
        return None
    return str(number) if number.is_infinite() else f"{number:.6f}"
