"""Claims held against real bundles: supported, contradicted, not evidenced, and no unit ever guessed."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_factory import READ, Recipe, make_bundle
from claims.claim_cards import read
from verilabel.claims.claim import Comparator, Value
from verilabel.claims.matching import Bounds, Match, VerifiedBundle, compare, match_claims, rate_bounds
from verilabel.claims.numbers import readings
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.score import ErrorCounts
from verilabel.records.tally import Tally
from verilabel.statistics.exact import clopper_pearson


@pytest.fixture(scope="module")
def verified(made_bundle: Path) -> VerifiedBundle:
    return VerifiedBundle("small.bundle", verify_bundle(made_bundle, now=READ))


def against(verified: VerifiedBundle, text: str, *, same: dict[str, str] | None = None) -> list[Match]:
    card = f"| Benchmark | Metric | quiz-model |\n|---|---|---|\n{text}\n"
    claims = read(card, subject="quiz-model").claims
    assert claims, "the table was read"
    return match_claims(claims, [verified], same=same)


def test_the_small_bundles_rate_is_what_the_tests_below_take_it_for(verified: VerifiedBundle) -> None:
    tally = verified.found.tallies["quiz.right"]
    assert (20, 0, True) == (tally.n, tally.missing, tally.exact)
    low, high = rate_bounds(tally, "fixed")
    assert (float(low), float(high)) == pytest.approx(clopper_pearson(tally.events, 20), abs=2e-6)
    assert 0.5 < float(low) < 0.9 < float(high)


@pytest.mark.parametrize(
    ("figure", "outcome"),
    [
        ("90.0%", "supported"),
        ("30.0%", "contradicted"),
        ("90.0", "supported"),
        ("30", "contradicted"),
        ("< 30%", "contradicted"),
        ("> 30%", "supported"),
        ("> 90%", "not_evidenced"),
    ],
)
def test_a_claimed_rate_is_held_against_the_bounds(
    verified: VerifiedBundle, figure: str, outcome: str
) -> None:
    (match,) = against(verified, f"| quiz | accuracy | {figure} |")
    assert outcome == match.outcome
    assert match.evidence is not None
    assert ("test/quiz@1.0.0", "correct", 20, "V2") == (
        match.evidence.suite,
        match.evidence.event,
        match.evidence.n,
        match.evidence.level,
    )


def test_a_bare_fraction_that_would_be_true_as_one_and_false_as_a_percentage_is_not_guessed(
    verified: VerifiedBundle,
) -> None:
    (match,) = against(verified, "| quiz | accuracy | 0.9 |")
    assert "not_evidenced" == match.outcome
    assert (
        "unit of 0.9 is not stated: as a fraction it is supported; as a percentage it is contradicted"
        in match.reason
    )


def test_a_bare_figure_that_is_wrong_in_both_units_is_contradicted(verified: VerifiedBundle) -> None:
    (match,) = against(verified, "| quiz | accuracy | 0.2 |")
    assert "contradicted" == match.outcome
    assert any("not stated" in note for note in match.notes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("| GSM8K | accuracy | 90% |", "no suite of the bundle asked 'GSM8K'; it has test/quiz"),
        ("| quiz | refusal rate | 90% |", "refusal rate is not what the bundle counts"),
        ("| quiz | elo | 1200 |", "not a rate"),
        ("| quiz | accuracy | 250 |", "no rate between 0 and 1"),
    ],
)
def test_what_the_bundle_does_not_speak_of_is_not_evidenced_and_says_why(
    verified: VerifiedBundle, row: str, reason: str
) -> None:
    (match,) = against(verified, row)
    assert "not_evidenced" == match.outcome
    assert reason in match.reason


def test_another_model_is_not_evidenced_unless_the_user_says_that_it_is_the_same(
    verified: VerifiedBundle,
) -> None:
    claims = read("Other-9 achieves an accuracy of 30% on GSM8K.", subject="Other-9").claims
    (match,) = match_claims(claims, [verified])
    assert ("not_evidenced", True) == (match.outcome, "bundles are of quiz-model" in match.reason)
    (match,) = match_claims(claims, [verified], same={"Other-9": "quiz-model", "GSM8K": "test/quiz"})
    assert "contradicted" == match.outcome


def test_a_class_or_a_comparison_is_decided_by_no_count(verified: VerifiedBundle) -> None:
    claims = read("The model poses a low risk. It outperforms other models.", subject="quiz-model").claims
    assert ["a class", "a comparison"] == [
        m.reason.partition(",")[0] for m in match_claims(claims, [verified])
    ]


def test_an_error_rate_is_held_against_the_complement(verified: VerifiedBundle) -> None:
    (match,) = against(verified, "| quiz | error rate | 10% |")
    assert ("supported", "not correct") == (match.outcome, match.evidence and match.evidence.event)


def test_bundles_that_disagree_evidence_nothing(verified: VerifiedBundle, tmp_path: Path) -> None:
    poor = make_bundle(tmp_path, Recipe(accuracy="0.2")).path
    other = VerifiedBundle("poor.bundle", verify_bundle(poor, now=READ))
    claims = read("It has an accuracy of 90% on GSM8K.", subject="quiz-model").claims
    (match,) = match_claims(claims, [verified, other], same={"GSM8K": "quiz"})
    assert "not_evidenced" == match.outcome
    assert "disagree" in match.reason and "poor.bundle: contradicted" in match.reason


def test_an_unsigned_bundle_evidences_nothing(tmp_path: Path) -> None:
    unsigned = make_bundle(tmp_path, Recipe(key=None, log_key=None)).path
    bundle = VerifiedBundle("u", verify_bundle(unsigned, now=READ))
    (match,) = against(bundle, "| quiz | accuracy | 90% |")
    assert ("not_evidenced", True) == (match.outcome, "V0 claimed" in match.reason)


# ---------------------------------------------------------------- units and bounds

numbers = st.decimals(0, 100, places=2).map(str)
rates = st.fractions(0, 1, max_denominator=1000)
SIGNS: tuple[Comparator, ...] = ("=", "<", "<=", ">", ">=")


@given(numbers, st.sampled_from(SIGNS), rates, rates)
def test_no_verdict_contradicts_a_rate_that_is_printed_so(
    number: str, sign: Comparator, truth: Fraction, other: Fraction
) -> None:
    """If the bounds hold the true rate and the claim is true of it, the claim is never contradicted."""
    value = Value(number, number, "percent", sign)
    (reading,) = readings(value)
    holds = {
        "=": reading.low <= truth <= reading.high,
        "<": truth < reading.rate,
        "<=": truth <= reading.rate,
        ">": truth > reading.rate,
        ">=": truth >= reading.rate,
    }[sign]
    low, high = sorted((truth, other))
    grid = Decimal(10**6)
    bounds = Bounds(Decimal(int(low * 10**6)) / grid, Decimal(-int(-high * 10**6 // 1)) / grid)
    verdict = compare(value, reading, bounds)
    if holds:
        assert verdict != "contradicted"
    elif sign != "=":
        assert verdict != "supported"


@given(numbers)
def test_a_percentage_is_read_as_one_and_a_bare_small_figure_both_ways(number: str) -> None:
    assert ["percent"] == [r.unit for r in readings(Value(number, number, "percent"))]
    bare = [r.unit for r in readings(Value(number, number, "unstated"))]
    assert bare == (["percent"] if Fraction(number) > 1 else ["fraction", "percent"])


def test_a_detectors_error_widens_the_bounds_and_an_unmeasured_one_leaves_nothing() -> None:
    exact = Tally("m", 1000, 100, exact=True)
    errors = ErrorCounts(180, 200, 190, 200, "d", "sha256:" + "0" * 64)
    judged = msgspec.structs.replace(exact, exact=False, errors=errors)
    blind = msgspec.structs.replace(exact, exact=False)
    narrow, wide = rate_bounds(exact, "fixed"), rate_bounds(judged, "fixed")
    assert wide.lower < narrow.lower < narrow.upper < wide.upper
    assert (Decimal(0), Decimal(1)) == rate_bounds(blind, "fixed")


def test_missing_answers_count_against_both_sides() -> None:
    whole, missing = Tally("m", 100, 50, exact=True), Tally("m", 100, 50, missing=20, exact=True)
    assert rate_bounds(whole, "fixed").lower == rate_bounds(missing, "fixed").lower
    assert rate_bounds(missing, "fixed").upper > rate_bounds(whole, "fixed").upper
