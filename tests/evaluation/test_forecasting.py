"""Forecasts against closed forms and the tables of the method: what is decided from how many answers, at what price."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, comb, exp, log
from pathlib import Path

import pytest

from small_runs import at_most, numbered_rows, rubric_text, write_suite
from verilabel.errors import UsageError
from verilabel.evaluation.forecasting import Forecast, forecast
from verilabel.evaluation.planning import PlanOptions, make_plan
from verilabel.evaluation.spending import Prices
from verilabel.records.canonical import digest
from verilabel.records.plan import PlannedReference
from verilabel.records.system import SystemDescriptor
from verilabel.records.tally import Tally
from verilabel.rubric.model import load_rubric
from verilabel.suites.loading import Suite, load_suite

OPTIONS = PlanOptions(design="anytime", seed="seed", now=datetime(2026, 1, 1, tzinfo=UTC))
FIXED = replace(OPTIONS, design="fixed")
MEASURE = "suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer"
BETS = ((0.02, 0.4), (0.2, 0.3), (0.5, 0.3))
"""The odds ratios and weights of the met side (statistics.md section 1.1), written out again."""


def fewest_without_events(tau: float, alpha: float) -> int:
    """The first n at which n answers without an event are evidence enough, from the formula alone."""
    n, needed = 0, log(1 / alpha)
    while True:
        n += 1
        factors = []
        for ratio, weight in BETS:
            odds = tau / (1 - tau) * ratio
            factors.append(log(weight) + n * log((1 - odds / (1 + odds)) / (1 - tau)))
        top = max(factors)
        if top + log(sum(exp(f - top) for f in factors)) >= needed:
            return n


def load(folder: Path, count: int, **more: str) -> Suite:
    return load_suite(write_suite(folder, numbered_rows(count), **more))


def forecast_of(
    rubric: str, *suites: Suite, options: PlanOptions = OPTIONS, prices: Prices | None = None
) -> Forecast:
    read = load_rubric(rubric.encode(), "rubric.yaml")
    planned = make_plan(SystemDescriptor("system", "simulated:", "simulated"), read, suites, options)
    return forecast(planned, read, {suite.name: suite for suite in suites}, prices)


@pytest.fixture(scope="module")
def suite_of_400(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return load(tmp_path_factory.mktemp("suite"), 400)


# -- against the tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tau", "n"), [("0.01", 355), ("0.05", 70), ("0.1", 34)])
def test_an_anytime_row_without_events_is_met_where_the_methods_table_says(
    suite_of_400: Suite, tau: str, n: int
) -> None:
    row = forecast_of(rubric_text(at_most(tau)), suite_of_400).rows[0]
    assert n == row.fewest_to_meet
    assert n == fewest_without_events(float(tau), 0.05)


@pytest.mark.parametrize("tau", ["0.02", "0.05", "0.3"])
@pytest.mark.parametrize("alpha", ["0.025", "0.01"])
def test_an_anytime_row_at_another_level_is_met_where_the_formula_says(
    suite_of_400: Suite, tau: str, alpha: str
) -> None:
    rubric = rubric_text(at_most(tau), statistics=f"alpha: {alpha}, missing: worst_case")
    assert (
        fewest_without_events(float(tau), float(alpha))
        == forecast_of(rubric, suite_of_400).rows[0].fewest_to_meet
    )


@pytest.mark.parametrize(("tau", "n"), [("0.01", 368), ("0.05", 72), ("0.1", 36), ("0.2", 17)])
def test_a_fixed_row_without_events_is_met_where_the_table_of_the_semantics_says(
    suite_of_400: Suite, tau: str, n: int
) -> None:
    rubric = rubric_text(at_most(tau), statistics="alpha: 0.025, missing: worst_case")
    row = forecast_of(rubric, suite_of_400, options=FIXED).rows[0]
    assert n == row.fewest_to_meet
    assert n == ceil(log(0.025) / log(1 - float(tau)))


def test_a_fixed_row_fails_from_the_fewest_events_that_the_exact_bound_excludes(suite_of_400: Suite) -> None:
    rubric = rubric_text(at_most("0.2"), statistics="alpha: 0.025, missing: worst_case")
    row = forecast_of(rubric, suite_of_400, options=FIXED).rows[0]
    assert 3 == row.fewest_to_fail  # 0.2 ** 2 = 0.04 > 0.025 >= 0.2 ** 3
    assert ceil(log(0.025) / log(0.2)) == row.fewest_to_fail


def test_a_row_from_below_is_forecast_as_the_mirror_of_one_from_above(suite_of_400: Suite) -> None:
    measures = f"steps: {{{MEASURE}}}\n  none: {{{MEASURE.replace('lower', 'higher')}, negate: true}}"
    rubric = rubric_text(
        f'{at_most("0.05")}, {{measure: none, op: ">=", value: 0.95}}',
        measures=measures,
    )
    below, above = forecast_of(rubric, suite_of_400).rows
    assert 70 == below.fewest_to_meet == above.fewest_to_meet
    assert below.fewest_to_fail == above.fewest_to_fail
    assert [o.characteristics for o in below.outlooks] == [o.characteristics for o in above.outlooks]
    assert [1 - o.rate for o in below.outlooks] == [o.rate for o in above.outlooks]


# -- outlooks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", ["0.05", "0.2"])
def test_a_perfect_system_needs_exactly_the_calls_that_meet_the_row(suite_of_400: Suite, tau: str) -> None:
    row = forecast_of(rubric_text(at_most(tau)), suite_of_400).rows[0]
    best = row.outlooks[0]
    assert (Decimal(0), 1.0, 0.0) == (best.rate, best.characteristics.met, best.characteristics.not_met)
    assert pytest.approx(row.fewest_to_meet) == best.characteristics.calls


def test_at_the_threshold_itself_a_row_is_rarely_met_by_luck(suite_of_400: Suite) -> None:
    at_it = forecast_of(rubric_text(at_most("0.05")), suite_of_400).rows[0].outlooks[3]
    assert Decimal("0.05") == at_it.rate
    assert 0 < at_it.characteristics.met <= 0.05
    assert 0 < at_it.characteristics.not_met <= 0.05


def test_a_fixed_outlook_is_the_binomial_one(tmp_path: Path) -> None:
    rubric = rubric_text(at_most("0.1"), statistics="alpha: 0.025, missing: worst_case")
    outlook = forecast_of(rubric, load(tmp_path, 36), options=FIXED).rows[0].outlooks[2]
    assert Decimal("0.05") == outlook.rate
    # 36 answers meet 10 % only without a single event
    assert pytest.approx(0.95**36) == outlook.characteristics.met
    assert 36 == outlook.characteristics.calls
    allowed = next(k for k in range(37) if sum(_binomial(36, j, 0.1) for j in range(k, 37)) <= 0.025)
    assert (
        pytest.approx(sum(_binomial(36, j, 0.05) for j in range(allowed, 37)))
        == outlook.characteristics.not_met
    )


def _binomial(n: int, k: int, p: float) -> float:
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def test_a_judge_that_errs_leaves_less_of_the_level_to_the_rate_and_the_outlook_knows(tmp_path: Path) -> None:
    suite = load(tmp_path, 400, scorer="refusal")
    rubric = rubric_text(
        at_most("0.1"),
        measures=f"steps: {{{MEASURE.replace('matched', 'refusal')}}}",
        statistics="alpha: 0.05, missing: worst_case, judge: {adjust: rogan-gladen-bound}",
    )
    row = forecast_of(rubric, suite).rows[0]
    assert "judge_adjusted" in row.row.flags
    tested = Decimal(row.row.tested_met or "1")
    assert tested < Decimal("0.1")
    assert fewest_without_events(float(tested), 0.04) == row.fewest_to_meet
    assert pytest.approx(row.fewest_to_meet) == row.outlooks[0].characteristics.calls


def pool_options(options: PlanOptions = OPTIONS) -> PlanOptions:
    return replace(options, fixed_outcomes=True)


POOL = f"steps: {{{MEASURE}, population: items_fixed}}"


def test_a_pool_of_fixed_outcomes_is_decided_earlier_and_always(tmp_path: Path) -> None:
    suite = load(tmp_path, 300)
    rubric = rubric_text(at_most("0.01"), measures=POOL)
    row = forecast_of(rubric, suite, options=pool_options()).rows[0]
    assert 211 == row.fewest_to_meet  # statistics.md section 1.3; 355 without the pool's end
    assert "finite_pool" in row.row.flags
    assert pytest.approx(211) == row.outlooks[0].characteristics.calls
    for outlook in row.outlooks:
        assert pytest.approx(0) == outlook.characteristics.undetermined
    # 0, 1, 2, 3 and 6 events of 300; 3 are the threshold itself, which `<=` allows
    *within, beyond = (outlook.characteristics.met for outlook in row.outlooks)
    assert 4 == len(within)
    assert min(within) >= 0.95
    assert beyond <= 0.05
    assert None is forecast_of(rubric_text(at_most("0.01")), suite).rows[0].fewest_to_meet


@pytest.mark.parametrize("options", [OPTIONS, FIXED])
def test_a_pool_that_a_detector_errs_on_is_forecast_as_answers(tmp_path: Path, options: PlanOptions) -> None:
    suite = load(tmp_path, 200, scorer="refusal")
    measure = f"steps: {{{MEASURE.replace('matched', 'refusal')}, population: items_fixed}}"
    rubric = rubric_text(at_most("0.1"), measures=measure)
    (pooled,) = forecast_of(rubric, suite, options=pool_options(options)).rows
    (plain,) = forecast_of(rubric.replace(", population: items_fixed", ""), suite, options=options).rows
    assert plain.fewest_to_meet is not None
    assert plain.fewest_to_meet == pooled.fewest_to_meet
    assert plain.outlooks == pooled.outlooks != ()


def test_a_fixed_plan_that_asks_a_whole_pool_leaves_nothing_to_chance(tmp_path: Path) -> None:
    rubric = rubric_text(at_most("0.01"), measures=POOL)
    row = forecast_of(rubric, load(tmp_path, 100), options=pool_options(FIXED)).rows[0]
    assert () == row.outlooks
    assert row.fewest_to_meet is not None


# -- units -----------------------------------------------------------------------------------------------------


def family_suite(folder: Path, families: int, size: int) -> Suite:
    rows = [row | {"family": f"f{i // size}"} for i, row in enumerate(numbered_rows(families * size))]
    return load_suite(write_suite(folder, rows, fields="{id: id, prompt: prompt, family: family}"))


@pytest.mark.parametrize("options", [OPTIONS, FIXED])
def test_families_count_once_each_however_many_answers_they_have(
    tmp_path: Path, options: PlanOptions
) -> None:
    rubric = rubric_text(at_most("0.1"), measures=f"steps: {{{MEASURE}, unit: family}}")
    found = forecast_of(rubric, family_suite(tmp_path, 50, 3), options=options)
    row = found.rows[0]
    assert ("families", 50, 34) == (row.unit, row.planned, row.fewest_to_meet)
    assert 150 == found.most_answers


def test_the_fewest_answers_of_families_are_theirs_alone(tmp_path: Path) -> None:
    rubric = rubric_text(at_most("0.1"), measures=f"steps: {{{MEASURE}, unit: family}}")
    suite = family_suite(tmp_path, 50, 3)
    row = forecast_of(rubric, suite).rows[0]
    assert row.fewest_to_fail is not None
    assert 3 * row.fewest_to_fail == forecast_of(rubric, suite).fewest_answers
    limited = forecast_of(rubric, suite, options=replace(OPTIONS, limit=120))
    assert 40 == limited.rows[0].planned
    assert 3 * row.fewest_to_fail == limited.fewest_answers


def test_a_limit_inside_a_family_plans_only_whole_families(tmp_path: Path) -> None:
    rubric = rubric_text(at_most("0.1"), measures=f"steps: {{{MEASURE}, unit: family}}")
    found = forecast_of(rubric, family_suite(tmp_path, 50, 3), options=replace(OPTIONS, limit=101))
    assert 33 == found.rows[0].planned
    assert None is found.rows[0].fewest_to_meet  # 34 are needed
    assert 101 == found.most_answers


def test_epochs_of_an_item_are_asked_and_not_counted(tmp_path: Path) -> None:
    suite = load(tmp_path, 100)
    found = forecast_of(rubric_text(at_most("0.1")), suite, options=replace(OPTIONS, epochs=3))
    row = found.rows[0]
    assert ("items", 100, 34) == (row.unit, row.planned, row.fewest_to_meet)
    assert (3 * (row.fewest_to_fail or 0), 300) == (found.fewest_answers, found.most_answers)


def test_trials_are_asked_and_counted_each(tmp_path: Path) -> None:
    rubric = rubric_text(at_most("0.1"), measures=f"steps: {{{MEASURE}, unit: trial}}")
    found = forecast_of(rubric, load(tmp_path, 20), options=replace(OPTIONS, epochs=3))
    row = found.rows[0]
    assert ("trials", 60, 34) == (row.unit, row.planned, row.fewest_to_meet)
    assert row.fewest_to_fail == found.fewest_answers


def test_a_filter_needs_more_answers_than_it_counts(tmp_path: Path) -> None:
    rows = [row | {"kind": "counted" if i % 4 == 0 else "other"} for i, row in enumerate(numbered_rows(200))]
    suite = load_suite(write_suite(tmp_path, rows, fields="{id: id, prompt: prompt, tags: {kind: kind}}"))
    rubric = rubric_text(at_most("0.1"), measures=f"steps: {{{MEASURE}, filter: {{kind: [counted]}}}}")
    found = forecast_of(rubric, suite)
    assert (50, 34) == (found.rows[0].planned, found.rows[0].fewest_to_meet)
    assert 4 * (found.rows[0].fewest_to_fail or 0) == found.fewest_answers


def test_a_least_number_of_answers_is_waited_for(suite_of_400: Suite) -> None:
    rubric = rubric_text(at_most("0.1"), measures=f"steps: {{{MEASURE}, min_n: 120}}")
    row = forecast_of(rubric, suite_of_400).rows[0]
    assert (120, 120) == (row.fewest_to_meet, row.fewest_to_fail)


def test_a_row_that_all_planned_answers_cannot_meet_is_out_of_reach(tmp_path: Path) -> None:
    found = forecast_of(rubric_text(at_most("0.5"), at_most("0.01")), load(tmp_path, 100))
    reachable, unreachable = found.rows
    assert reachable.fewest_to_meet is not None
    assert None is unreachable.fewest_to_meet
    assert unreachable.fewest_to_fail is not None
    assert "L1 Level 1 granted, cannot exclude up to L2 Level 2" == found.best_label


# -- the whole -------------------------------------------------------------------------------------------------


def test_the_best_label_is_what_no_event_at_all_would_give(suite_of_400: Suite) -> None:
    rubric = rubric_text(at_most("0.5"), at_most("0.01"))
    assert forecast_of(rubric, suite_of_400).best_label.startswith("L2 Level 2 granted")
    assert (
        "U Unlabelled granted, cannot exclude up to L2 Level 2"
        == forecast_of(rubric, suite_of_400, options=replace(OPTIONS, limit=3)).best_label
    )


def test_a_hazard_scales_best_label_rules_everything_out(tmp_path: Path) -> None:
    rubric = rubric_text(measures="skill: {" + MEASURE.replace("lower_is_safer", "higher_is_more_capable}"))
    rubric = rubric.replace("kind: assurance", "kind: hazard").replace(
        "{id: U, name: Unlabelled}",
        "{id: C1, name: None}\n    - id: C2\n      name: Some\n"
        '      rule_in: {all: [{measure: skill, op: ">=", value: 0.5}]}\n'
        '      rule_out: {all: [{measure: skill, op: "<", value: 0.5}]}',
    )
    found = forecast_of(rubric, load(tmp_path, 60))
    assert "C1 None established, C1 None not ruled out" == found.best_label
    rule_in, rule_out = found.rows
    assert ("rule_in", "rule_out") == (rule_in.test, rule_out.test)
    assert rule_in.fewest_to_meet == rule_out.fewest_to_fail
    assert rule_out.fewest_to_meet == rule_in.fewest_to_fail


def test_measures_without_a_suite_have_no_forecast(suite_of_400: Suite) -> None:
    other = "{suite: test/other@1, estimand: proportion, event: correct, direction: higher_is_safer}"
    rubric = rubric_text(
        f'{{measure: other, op: ">=", value: 0.5}}, {at_most("0.1")}',
        measures=f"steps: {{{MEASURE}}}\n  other: {other}",
    )
    rows = forecast_of(rubric, suite_of_400).rows
    assert ["steps"] == [row.row.measure for row in rows]
    # the level's error is not split over an "all", so the row is decided as if it stood alone
    assert 34 == rows[0].fewest_to_meet


def test_a_row_of_an_any_gets_its_share_of_the_error(suite_of_400: Suite) -> None:
    text = rubric_text(f"{at_most('0.1')}, {at_most('0.2')}").replace("{all: [", "{any: [")
    rows = forecast_of(text, suite_of_400).rows
    assert [fewest_without_events(tau, 0.025) for tau in (0.1, 0.2)] == [row.fewest_to_meet for row in rows]


def test_a_fixed_plan_costs_the_same_whatever_is_found(suite_of_400: Suite) -> None:
    found = forecast_of(rubric_text(at_most("0.1")), suite_of_400, options=FIXED)
    assert 400 == found.fewest_answers == found.most_answers


def test_money_is_prices_times_tokens_times_answers(suite_of_400: Suite) -> None:
    prices = Prices(Decimal("2.50"), Decimal("10"))
    found = forecast_of(rubric_text(at_most("0.1")), suite_of_400, options=FIXED, prices=prices)
    # "Question 0000?" has 14 characters, 3 tokens; an answer is taken as 250
    each = (Decimal("2.50") * 3 + Decimal("10") * 250) / 1_000_000
    assert 400 * each == found.most_usd == found.fewest_usd
    assert None is forecast_of(rubric_text(at_most("0.1")), suite_of_400).most_usd


def test_judges_that_ask_a_model_are_counted(tmp_path: Path) -> None:
    suite = load(tmp_path, 10)
    rubric = rubric_text(
        at_most("0.5"),
        measures=f"steps: {{{MEASURE}}}\n  harm: {{{MEASURE.replace('matched', 'violation')}}}",
    )
    options = replace(OPTIONS, detectors={"harmful": "judge:openai/some-model"})
    assert 1 == forecast_of(rubric, suite, options=options).judges
    assert 0 == forecast_of(rubric_text(at_most("0.5")), suite).judges


def test_a_row_relative_to_a_reference_is_forecast_from_the_references_counts(suite_of_400: Suite) -> None:
    text = rubric_text(
        at_most("{times_reference: 1.0}"),
        measures=f"steps: {{{MEASURE.replace('proportion', 'ratio_to_reference')}, reference: other}}",
    )
    read = load_rubric(text.encode(), "rubric.yaml")
    system = SystemDescriptor("system", "simulated:", "simulated")
    planned = make_plan(system, read, [suite_of_400], FIXED)
    suites = {suite_of_400.name: suite_of_400}
    (without,) = forecast(planned, read, suites, None).rows
    assert (None, None, ()) == (without.fewest_to_meet, without.fewest_to_fail, without.outlooks)
    tally = Tally(measure="steps", n=400, events=200, exact=True, n_planned=400)
    fact = PlannedReference(tally, digest(b"s"), digest(b"m"), digest(b"r"))
    referred = replace(planned, plan=_with_reference(planned.plan, fact))
    (row,) = forecast(referred, read, suites, None).rows
    tested = Fraction(row.row.tested_met or "0")
    assert Fraction(2, 5) < tested < Fraction(1, 2)
    assert ceil(log(0.025) / log(1 - float(tested))) == row.fewest_to_meet  # half of alpha is the reference's
    assert 1.0 == row.outlooks[0].characteristics.met


def test_a_perfect_system_meets_a_relative_row_in_exactly_the_calls_that_it_needs(
    suite_of_400: Suite,
) -> None:
    text = rubric_text(
        at_most("{times_reference: 1.0}"),
        measures=f"steps: {{{MEASURE.replace('proportion', 'ratio_to_reference')}, reference: other}}",
    )
    read = load_rubric(text.encode(), "rubric.yaml")
    planned = make_plan(SystemDescriptor("system", "simulated:", "simulated"), read, [suite_of_400], OPTIONS)
    tally = Tally(measure="steps", n=400, events=100, exact=True, n_planned=400)
    fact = PlannedReference(tally, digest(b"s"), digest(b"m"), digest(b"r"))
    referred = replace(planned, plan=_with_reference(planned.plan, fact))
    (row,) = forecast(referred, read, {suite_of_400.name: suite_of_400}, None).rows
    assert fewest_without_events(float(row.row.tested_met or 0), 0.025) == row.fewest_to_meet
    assert pytest.approx(row.fewest_to_meet) == row.outlooks[0].characteristics.calls


def _with_reference(plan, reference):  # type: ignore[no-untyped-def]
    import msgspec

    return msgspec.structs.replace(plan, references=(reference,))


def test_a_forecast_of_a_plan_that_cannot_be_made_is_not_made(suite_of_400: Suite) -> None:
    with pytest.raises(UsageError, match="not made for the anytime design"):
        forecast_of(
            rubric_text(at_most("0.1"), statistics="alpha: 0.05, missing: worst_case, design: [fixed]"),
            suite_of_400,
        )
