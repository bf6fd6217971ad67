"""Rows: how often a claim is wrong (by exact enumeration), what moves it, and what it can never do."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import comb

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import (
    AT_MOST_5,
    FAMILY,
    PLAIN,
    POOL,
    RATIO,
    STATISTICS,
    counts,
    errors,
    families,
    judged,
    row,
    rubric,
)

from verilabel.records.label import Row
from verilabel.records.plan import Design
from verilabel.records.score import ErrorCounts
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric

OPERATORS = ("<=", "<", ">=", ">")
DESIGNS: tuple[Design, ...] = ("fixed", "anytime")


@cache
def rubric_of(op: str, value: str, alpha: str = "0.1", measure: str = PLAIN) -> Rubric:
    statistics = f"alpha: {alpha}, missing: worst_case, max_missing: 0.2"
    return load_rubric(rubric(row(op, value), statistics=statistics, measures={"m": measure}).encode(), "f")


def row_of(read: Rubric, tally: Tally, design: Design = "fixed", reference: Tally | None = None) -> Row:
    references = {} if reference is None else {"m": reference}
    return decide(read, {"m": tally}, design=design, references=references).levels[0].rows[0]


def binomial(n: int, k: int, p: Fraction) -> Fraction:
    return comb(n, k) * p**k * (1 - p) ** (n - k)


# ---------------------------------------------------------------- how often a claim is wrong


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("threshold", ["0.1", "0.3", "0.5"])
def test_a_claim_is_wrong_at_most_as_often_as_its_level_says(design: Design, op: str, threshold: str) -> None:
    n, read = 40, rubric_of(op, threshold)
    statuses = [row_of(read, counts(n, events), design).status for events in range(n + 1)]
    cut, below = Fraction(threshold), op in ("<", "<=")
    for step in range(1, 40):
        p = Fraction(step, 40)
        if p == cut and op in ("<=", ">="):
            false = "not_met"
        elif p == cut:
            false = "met"
        else:
            false = "not_met" if (p < cut) == below else "met"
        wrong = sum(binomial(n, k, p) for k in range(n + 1) if statuses[k] == false)
        assert wrong <= Fraction(1, 10), (p, false, float(wrong))


@pytest.mark.parametrize("false", ["met", "not_met"])
@pytest.mark.parametrize("op", ["<=", ">="])
def test_a_judged_claim_is_wrong_at_most_as_often_as_its_level_says(op: str, false: str) -> None:
    """Both the run (20 answers) and the judge's calibration (12 labelled outputs of each kind) vary.

    The rate lies at the threshold, where either claim is wrong most often. Each claim rests on one half of the
    calibration: what says the rate is low on the positives, what says it is high on the negatives.
    """
    n, labelled, cut, read = 20, 12, Fraction(2, 5), rubric_of(op, "0.4")
    sensitivity, specificity = Fraction(4, 5), Fraction(9, 10)
    flagged = cut * sensitivity + (1 - cut) * (1 - specificity)
    on_positives = (op == "<=") == (false == "met")
    wrong = Fraction(0)
    for found in range(labelled + 1):
        judge = errors(found, labelled, 0, labelled) if on_positives else errors(0, labelled, found, labelled)
        weight = binomial(labelled, found, sensitivity if on_positives else specificity)
        wrong += weight * sum(binomial(n, k, flagged) for k in _deciding_counts(read, n, judge, false))
    assert wrong <= Fraction(1, 10)


def _deciding_counts(read: Rubric, n: int, judge: ErrorCounts, status: str) -> list[int]:
    return [k for k in range(n + 1) if row_of(read, judged(n, k, judge)).status == status]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_claim_about_a_pool_is_wrong_at_most_as_often_as_its_level_says(design: Design) -> None:
    pool, n = 30, 15
    read = rubric_of("<=", "0.2", measure=POOL["m"])
    tallies = [counts(n, k, pool=pool, population="items_fixed") for k in range(n + 1)]
    statuses = [row_of(read, tally, design).status for tally in tallies]
    for inside in range(pool + 1):
        false = "met" if Fraction(inside, pool) > Fraction(1, 5) else "not_met"
        wrong = sum(
            Fraction(comb(inside, k) * comb(pool - inside, n - k), comb(pool, n))
            for k in range(n + 1)
            if statuses[k] == false
        )
        assert wrong <= Fraction(1, 10)


def test_a_claim_relative_to_a_reference_is_wrong_at_most_as_often_as_its_level_says() -> None:
    n, read = 25, rubric_of("<=", "{times_reference: 2}", measure=RATIO)
    statuses = {
        (a, b): row_of(read, counts(n, a), reference=counts(n, b)).status
        for a in range(n + 1)
        for b in range(n + 1)
    }
    for rate in (Fraction(1, 10), Fraction(1, 5), Fraction(2, 5)):
        for false in ("met", "not_met"):  # exactly at twice the reference both are as likely as they can be
            wrong = sum(
                binomial(n, a, 2 * rate) * binomial(n, b, rate)
                for (a, b), s in statuses.items()
                if s == false
            )
            assert wrong <= Fraction(1, 10)


def test_evidence_looked_at_after_every_answer_is_wrong_at_most_as_often_as_its_level_says() -> None:
    """P(ever met | p = T) over 120 answers, walking the counts: the anytime promise (section 9)."""
    read, horizon, p = rubric_of("<=", "0.1", alpha="0.05"), 120, Fraction(1, 10)
    open_mass, ever = {0: 1.0}, 0.0
    for n in range(1, horizon + 1):
        after: dict[int, float] = {}
        for events, mass in open_mass.items():
            after[events] = after.get(events, 0.0) + mass * float(1 - p)
            after[events + 1] = after.get(events + 1, 0.0) + mass * float(p)
        open_mass = {}
        for events, mass in after.items():
            if mass > 1e-9 and events < 12 and row_of(read, counts(n, events), "anytime").status == "met":
                ever += mass
            else:
                open_mass[events] = mass
    assert 0.01 < ever <= 0.05


# ---------------------------------------------------------------- what moves a row


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    n = draw(st.integers(1, 300))
    events = draw(st.integers(0, n))
    missing = draw(st.integers(0, min(n - events, n // 5)))
    judge = draw(st.sampled_from([None, errors(180, 200, 195, 200), errors(30, 40, 10, 40)]))
    pool = draw(st.sampled_from([None, n, n + 50]))
    return counts(n, events, missing, exact=judge is None, errors=judge, pool=pool, population="items_fixed")


RANK = {"not_met": 0, "undetermined": 1, "met": 2}
VALUES = st.sampled_from(["0.01", "0.05", "0.2", "0.5", "0.9"])
FIXED_ITEMS = f"{PLAIN}, population: items_fixed"


@given(tallies(), st.sampled_from(OPERATORS), VALUES, st.sampled_from(DESIGNS))
def test_one_more_event_never_helps_the_lower_side(tally: Tally, op: str, value: str, design: Design) -> None:
    if tally.events + tally.missing >= tally.n:
        return
    read = rubric_of(op, value, measure=FIXED_ITEMS)
    worse = msgspec.structs.replace(tally, events=tally.events + 1)
    before, after = (RANK[row_of(read, counted, design).status] for counted in (tally, worse))
    assert after <= before if op in ("<", "<=") else after >= before


@given(tallies(), st.sampled_from(OPERATORS), VALUES, st.sampled_from(DESIGNS))
def test_a_missing_answer_never_decides_more_than_any_answer_in_its_place(
    tally: Tally, op: str, value: str, design: Design
) -> None:
    if tally.missing == 0:
        return
    read = rubric_of(op, value, measure=FIXED_ITEMS)
    missing = row_of(read, tally, design).status
    known = {
        row_of(
            read, msgspec.structs.replace(tally, missing=tally.missing - 1, events=tally.events + e), design
        ).status
        for e in (0, 1)
    }
    assert missing == "undetermined" or known == {missing}


@given(tallies(), st.sampled_from(OPERATORS), VALUES, st.sampled_from(DESIGNS))
def test_bounds_enclose_the_rate_and_are_on_the_grid(
    tally: Tally, op: str, value: str, design: Design
) -> None:
    found = row_of(rubric_of(op, value, measure=FIXED_ITEMS), tally, design)
    low, rate, high = (Fraction(text or "") for text in (found.lower, found.rate, found.upper))
    assert 0 <= low <= rate + Fraction(1, 10**6) and rate - Fraction(1, 10**6) <= high <= 1
    assert {6} == {
        -Decimal(text or "").as_tuple().exponent for text in (found.lower, found.upper, found.rate)
    }  # type: ignore[operator]


@given(tallies(), VALUES, st.sampled_from(DESIGNS))
def test_a_strict_row_never_says_the_contrary_of_its_twin(tally: Tally, value: str, design: Design) -> None:
    for loose, strict in (("<=", "<"), (">=", ">")):
        pair = {
            row_of(rubric_of(op, value, measure=FIXED_ITEMS), tally, design).status for op in (loose, strict)
        }
        assert {"met", "not_met"} != pair or tally.n == tally.pool


@given(tallies(), VALUES, st.sampled_from(DESIGNS))
def test_a_row_is_never_met_together_with_its_contrary(tally: Tally, value: str, design: Design) -> None:
    for op, contrary in (("<=", ">"), (">=", "<")):
        pair = [
            row_of(rubric_of(o, value, measure=FIXED_ITEMS), tally, design).status for o in (op, contrary)
        ]
        assert ["met", "met"] != pair


def test_rows_upwards_mirror_rows_downwards() -> None:
    low, high = rubric_of("<=", "0.2"), rubric_of(">=", "0.8")
    for design in DESIGNS:
        for events in range(0, 61, 3):
            down = row_of(low, counts(60, events, 2 if events < 58 else 0), design)
            up = row_of(high, counts(60, 60 - events - down.missing, down.missing), design)
            assert down.status == up.status
            assert down.log_e_met == up.log_e_met


def test_the_margin_only_makes_met_harder() -> None:
    text = rubric(row("<=", "0.05"), statistics=f"{STATISTICS}, margin: 0.02")
    found = row_of(load_rubric(text.encode(), "f"), counts(100, 0))
    assert ("0.030000", "0.050000") == (found.tested_met, found.tested_not_met)


# ---------------------------------------------------------------- the judge


def test_a_better_measured_judge_asks_for_fewer_answers() -> None:
    read = load_rubric(AT_MOST_5.encode(), "f")

    def needed(judge: ErrorCounts) -> int:
        return next(n for n in range(60, 2000) if row_of(read, judged(n, 0, judge)).status == "met")

    few, many = needed(errors(45, 50, 50, 50)), needed(errors(900, 1000, 990, 1000))
    assert many < few


def test_counts_of_another_judge_never_make_an_unmeasured_one_decide() -> None:
    read = load_rubric(AT_MOST_5.encode(), "f")
    for design in DESIGNS:
        for events in (0, 500, 1000):
            found = row_of(read, judged(1000, events, None), design)
            assert ("undetermined", "the judge's error was never measured") == (found.status, found.reason)


@pytest.mark.parametrize("factor", ["0.5", "3"])
@pytest.mark.parametrize("events", [0, 200, 400])
def test_a_reference_whose_judge_was_never_measured_decides_nothing(factor: str, events: int) -> None:
    text = rubric(row("<=", f"{{times_reference: {factor}}}"), measures={"m": RATIO})
    read = load_rubric(text.encode(), "f")
    for design in DESIGNS:
        found = row_of(read, counts(400, events), design, judged(400, 40, None))
        expected = ("undetermined", "reference: the judge's error was never measured")
        assert expected == (found.status, found.reason)


def test_against_a_threshold_of_one_all_events_are_no_evidence_at_all() -> None:
    """Every bet then stands where it began: ln e is 0 exactly, and no rounding of logarithms makes it less."""
    text = rubric(row("<=", "{times_reference: 2}"), measures={"m": f"{RATIO}, population: items_fixed"})
    read = load_rubric(text.encode(), "f")
    half = counts(40, 20, pool=40, population="items_fixed")
    for n in (1, 5, 300):
        found = row_of(read, counts(n, n, population="items_fixed"), "anytime", half)
        assert ("1.000000", "0.000000") == (found.tested_met, found.log_e_met)


# ---------------------------------------------------------------- families


def test_paraphrases_are_not_counted_as_independent_answers() -> None:
    """10 families of 10 answers without an event are 10 units, not 100."""
    ten = row_of(load_rubric(FAMILY.encode(), "f"), families((0, 0, 10, 10)))
    assert ("undetermined", ("clustered",)) == (ten.status, ten.flags)
    hundred = row_of(load_rubric(FAMILY.encode(), "f"), families((0, 0, 1, 100)))
    assert "met" == hundred.status


def test_the_order_of_clusters_does_not_matter() -> None:
    read = load_rubric(FAMILY.encode(), "f")
    parts = [(0, 0, 3, 20), (1, 1, 3, 2), (3, 0, 4, 1), (0, 0, 1, 7)]
    assert row_of(read, families(*parts)) == row_of(read, families(*reversed(parts)))


def test_a_missing_answer_in_a_family_counts_on_both_sides() -> None:
    read = load_rubric(FAMILY.encode(), "f")
    sure = row_of(read, families((0, 0, 4, 60), (1, 0, 4, 3)))
    unsure = row_of(read, families((0, 0, 4, 60), (0, 1, 4, 3)))
    assert sure.upper == unsure.upper
    assert Fraction(unsure.log_e_not_met or 0) < Fraction(sure.log_e_not_met or 0)
