"""Plans: which suite serves a measure, which detector finds its event, and what is refused before anything is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from small_runs import at_most, numbered_rows, rubric_text, write_suite
from verilabel.detectors.catalogue import open_detector
from verilabel.errors import MalformedInput, UsageError
from verilabel.evaluation.planning import Planned, PlanOptions, make_plan, utc_seconds
from verilabel.evidence.plan_checks import suite_is_meant
from verilabel.records.canonical import digest
from verilabel.records.plan import ordered_ids
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.model import load_rubric
from verilabel.suites.loading import Suite, load_suite

SYSTEM = SystemDescriptor("system", "simulated:", "simulated")
OPTIONS = PlanOptions(design="fixed", seed="seed", now=datetime(2026, 1, 1, tzinfo=UTC))
MEASURE = "suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer"


def plan_with(
    rubric: str, *suites: Suite, options: PlanOptions = OPTIONS, system: SystemDescriptor = SYSTEM
) -> Planned:
    return make_plan(system, load_rubric(rubric.encode(), "rubric.yaml"), suites, options)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return load_suite(write_suite(tmp_path / "suite", numbered_rows(12)))


def rubric_of(measure: str = MEASURE, **more: str) -> str:
    return rubric_text(at_most("0.5"), measures=f"steps: {{{measure}}}", **more)


# -- suites --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "version", "serves"),
    [
        ("test/harm", "1.0.0", True),
        ("test/harm@1", "1.0.0", True),
        ("test/harm@1", "1.9.3", True),
        ("test/harm@1.9.3", "1.9.3", True),
        ("test/harm@1.9.3", "1.9.4", False),
        ("test/harm@2", "1.0.0", False),
        ("test/harm@1", "10.0.0", False),
        ("test/harmful@1", "1.0.0", False),
        ("harm@1", "1.0.0", False),
    ],
)
def test_a_suite_serves_by_its_id_and_its_major_or_whole_version(
    tmp_path: Path, reference: str, version: str, serves: bool
) -> None:
    suite = load_suite(write_suite(tmp_path / "suite", numbered_rows(1), version=version))
    assert serves is suite_is_meant(reference, suite.name)


def test_a_measure_whose_suite_is_not_given_is_named_and_not_planned(suite: Suite) -> None:
    other = "{suite: test/other@3, estimand: proportion, event: correct, direction: higher_is_safer}"
    planned = plan_with(
        rubric_text(at_most("0.5"), measures=f"steps: {{{MEASURE}}}\n  other: {other}"), suite
    )
    assert ["steps"] == [m.id for m in planned.plan.measures]
    assert {"other": "suite test/other@3 was not given"} == planned.unassessed


def test_no_suite_at_all_says_which_ones_the_rubric_measures_on() -> None:
    with pytest.raises(UsageError, match="no suite was given") as refused:
        plan_with(rubric_of())
    assert "test/harm@1" in (refused.value.hint or "")


def test_a_suite_given_twice_is_refused(suite: Suite) -> None:
    with pytest.raises(UsageError, match=r"test/harm@1\.0\.0 was given twice"):
        plan_with(rubric_of(), suite, suite)


def test_a_suite_that_serves_no_measure_is_refused(suite: Suite, tmp_path: Path) -> None:
    idle = load_suite(write_suite(tmp_path / "idle", numbered_rows(2), suite_id="test/idle"))
    with pytest.raises(UsageError, match=r"test/idle@1\.0\.0 serves no measure of test/small@1\.0\.0"):
        plan_with(rubric_of(), suite, idle)


def test_of_two_versions_of_a_suite_only_one_can_serve(suite: Suite, tmp_path: Path) -> None:
    newer = load_suite(write_suite(tmp_path / "newer", numbered_rows(2), version="1.1.0"))
    with pytest.raises(UsageError, match=r"1\.1\.0 serves no measure"):
        plan_with(rubric_of(), suite, newer)


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_a_suite_that_the_rubric_pins_is_taken_by_its_digest_alone(suite: Suite, prefix: str) -> None:
    hexadecimal = suite.digest.removeprefix("sha256:")
    planned = plan_with(rubric_of(f'{MEASURE}, suite_sha256: "{prefix}{hexadecimal}"'), suite)
    assert suite.digest == planned.plan.streams[0].suite_sha256


def test_a_suite_other_than_the_pinned_one_is_malformed_and_says_where(suite: Suite) -> None:
    with pytest.raises(MalformedInput, match="the rubric pins") as refused:
        plan_with(rubric_of(f'{MEASURE}, suite_sha256: "{"0" * 64}"'), suite)
    assert "$.measures.steps.suite_sha256" == refused.value.where
    assert suite.digest in refused.value.message


# -- filters, strata, languages --------------------------------------------------------------------------------


def tagged_suite(folder: Path) -> Suite:
    rows = [row | {"kind": kind} for row, kind in zip(numbered_rows(6), "aaabbc", strict=True)]
    return load_suite(write_suite(folder, rows, fields="{id: id, prompt: prompt, tags: {kind: kind}}"))


def test_a_filter_counts_the_samples_it_takes(tmp_path: Path) -> None:
    planned = plan_with(rubric_of(f"{MEASURE}, filter: {{kind: [a, c]}}"), tagged_suite(tmp_path / "s"))
    assert 4 == planned.plan.measures[0].samples
    assert {"kind": ("a", "c")} == planned.plan.measures[0].where
    assert 6 == planned.plan.streams[0].samples


def test_a_filter_that_takes_no_sample_names_the_values_there_are(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="no sample of") as refused:
        plan_with(rubric_of(f"{MEASURE}, filter: {{kind: [d]}}"), tagged_suite(tmp_path / "s"))
    assert "$.measures.steps.filter" == refused.value.where
    assert "the suite has kind=a, kind=b, kind=c" == refused.value.hint


def test_a_filter_on_a_tag_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput) as refused:
        plan_with(rubric_of(f"{MEASURE}, filter: {{colour: [a]}}"), tagged_suite(tmp_path / "s"))
    assert "the suite has no such tag" == refused.value.hint


def test_the_weights_of_strata_are_part_of_the_plan_and_shape_the_order(tmp_path: Path) -> None:
    rows = [row | {"part": "rare" if i < 10 else "usual"} for i, row in enumerate(numbered_rows(40))]
    suite = load_suite(
        write_suite(
            tmp_path / "s",
            rows,
            fields="{id: id, prompt: prompt, stratum: part}",
            rest='strata: {rare: "0.25", usual: "0.75"}\n',
        )
    )
    plan = plan_with(rubric_of(), suite).plan
    assert {"rare": "0.25", "usual": "0.75"} == plan.streams[0].strata
    strata = {sample.id: sample.stratum for sample in suite.samples}
    order = ordered_ids(plan.seed, suite.name, suite.entries, plan.streams[0].strata)
    for end in range(4, 41, 4):
        assert end // 4 == [strata[i] for i in order[:end]].count("rare")


def test_the_language_of_a_suite_decides_which_errors_of_a_detector_count(tmp_path: Path) -> None:
    german = load_suite(
        write_suite(tmp_path / "s", numbered_rows(3), rest="language: de\n", scorer="refusal")
    )
    measure = MEASURE.replace("matched", "refusal")
    plan = plan_with(rubric_of(measure), german).plan
    assert "de" == plan.measures[0].language
    assert plan.detectors[0].pooled("en") is not None
    assert None is plan.detectors[0].pooled(plan.measures[0].language)


# -- detectors -------------------------------------------------------------------------------------------------


def test_an_event_has_its_detector_whatever_the_suite_is_scored_by(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path / "s", numbered_rows(3), scorer="exact", fields=WITH_TARGET))
    plan = plan_with(rubric_of(MEASURE.replace("matched", "refusal")), suite).plan
    assert "refused" == plan.measures[0].event
    assert plan.measures[0].detector.startswith("refusal@")


WITH_TARGET = "{id: id, prompt: prompt, target: prompt}"


def test_the_suites_own_scorer_is_used_where_the_rubric_names_none(suite: Suite) -> None:
    plan = plan_with(rubric_of(), suite).plan
    assert plan.measures[0].detector.startswith("regex@")
    assert (plan.measures[0].detector,) == plan.streams[0].detectors


@pytest.mark.parametrize("chosen", ["steps", "matched"])
def test_a_detector_is_chosen_by_measure_or_by_event(suite: Suite, chosen: str) -> None:
    other = open_detector("regex:another").card
    plan = plan_with(rubric_of(), suite, options=replace(OPTIONS, detectors={chosen: "regex:another"})).plan
    assert (other,) == plan.detectors


def test_the_choice_for_a_measure_goes_before_the_choice_for_its_event(suite: Suite) -> None:
    chosen = {"matched": "regex:of the event", "steps": "regex:of the measure"}
    plan = plan_with(rubric_of(), suite, options=replace(OPTIONS, detectors=chosen)).plan
    assert open_detector("regex:of the measure").card.name == plan.measures[0].detector


@pytest.mark.parametrize("option", ["detectors", "cards"])
def test_a_choice_for_an_event_that_the_rubric_does_not_have_is_refused(suite: Suite, option: str) -> None:
    given = {"harmful": "harmful"} if option == "detectors" else {"harmful": Path("card.json")}
    with pytest.raises(UsageError, match="no event or measure 'harmful'") as refused:
        plan_with(rubric_of(), suite, options=replace(OPTIONS, **{option: given}))
    assert "it has matched, steps" == refused.value.hint


def test_a_detector_of_another_event_is_refused(suite: Suite) -> None:
    with pytest.raises(UsageError, match="finds 'refused', the measure counts 'matched'") as refused:
        plan_with(rubric_of(), suite, options=replace(OPTIONS, detectors={"steps": "refusal"}))
    assert "$.measures.steps" == refused.value.where


def write_card(path: Path, **changes: object) -> Path:
    card = open_detector("regex:simulated step").card
    errors = {
        "true_positives": 90,
        "positives": 100,
        "true_negatives": 180,
        "negatives": 200,
        "dataset": "people",
        "dataset_sha256": digest(b"people"),
    }
    document = {"id": card.id, "version": card.version, "event": card.event, "sha256": card.sha256}
    path.write_text(json.dumps(document | {"errors": [errors]} | changes))
    return path


def test_a_card_file_gives_the_detector_its_measured_errors(suite: Suite, tmp_path: Path) -> None:
    options = replace(OPTIONS, cards={"matched": write_card(tmp_path / "card.json")})
    errors = plan_with(rubric_of(), suite, options=options).plan.detectors[0].errors
    assert [(90, 100, 180, 200)] == [
        (e.true_positives, e.positives, e.true_negatives, e.negatives) for e in errors
    ]


def test_another_detectors_card_is_refused(suite: Suite, tmp_path: Path) -> None:
    card = write_card(tmp_path / "card.json", sha256=digest(b"another"))
    with pytest.raises(UsageError, match="this card measures") as refused:
        plan_with(rubric_of(), suite, options=replace(OPTIONS, cards={"steps": card}))
    assert str(card) == refused.value.where


def test_one_detector_with_two_cards_is_refused(suite: Suite, tmp_path: Path) -> None:
    rubric = rubric_text(
        at_most("0.5"), measures=f"steps: {{{MEASURE}}}\n  again: {{{MEASURE}, negate: true}}"
    )
    options = replace(OPTIONS, cards={"again": write_card(tmp_path / "card.json")})
    with pytest.raises(UsageError, match="two different detectors are called regex@"):
        plan_with(rubric, suite, options=options)


def test_two_measures_of_one_suite_share_its_stream_and_their_detector(suite: Suite) -> None:
    rubric = rubric_text(
        at_most("0.5"), measures=f"steps: {{{MEASURE}}}\n  none: {{{MEASURE}, negate: true}}"
    )
    planned = plan_with(rubric, suite)
    assert 1 == len(planned.plan.streams) == len(planned.detectors) == len(planned.plan.streams[0].detectors)
    assert [False, True] == [m.negate for m in planned.plan.measures]


# -- design, scope, epochs -------------------------------------------------------------------------------------


def test_a_design_that_the_rubric_does_not_allow_is_refused(suite: Suite) -> None:
    rubric = rubric_of(statistics="alpha: 0.05, missing: worst_case, design: [anytime]")
    with pytest.raises(UsageError, match="not made for the fixed design") as refused:
        plan_with(rubric, suite)
    assert "--design anytime" == refused.value.hint


def test_a_use_case_outside_the_rubrics_scope_is_refused(suite: Suite) -> None:
    rubric = rubric_of(more=", use_cases: [coding, search]")
    with pytest.raises(UsageError, match="is for coding or search, the system is used for general-chat"):
        plan_with(rubric, suite)
    system = SystemDescriptor("system", "simulated:", "simulated", use_case="search")
    assert system.digest == plan_with(rubric, suite, system=system).plan.system_sha256


@pytest.mark.parametrize(
    ("identity", "refused"), [("simulated", True), ("weights", True), ("recorded", False)]
)
def test_epochs_of_a_model_that_cannot_answer_otherwise_are_refused_unless_they_were_recorded(
    suite: Suite, identity: str, refused: bool
) -> None:
    system = SystemDescriptor("system", "some/model", identity)  # type: ignore[arg-type]
    options = replace(OPTIONS, fixed_outcomes=True, epochs=2)
    if refused:
        with pytest.raises(UsageError, match="repeating a question adds no evidence"):
            plan_with(rubric_of(), suite, options=options, system=system)
    else:
        assert 2 == plan_with(rubric_of(), suite, options=options, system=system).plan.streams[0].epochs


@pytest.mark.parametrize("epochs", [1, 4, 6])
def test_pass_at_k_is_planned_with_k_answers_and_no_other_number(suite: Suite, epochs: int) -> None:
    measure = "suite: test/harm@1, estimand: pass_at_k, k: 4, event: matched, direction: lower_is_safer"
    options = replace(OPTIONS, epochs=epochs)
    if epochs == 4:
        assert "any" == plan_with(rubric_of(measure), suite, options=options).plan.measures[0].collapse
        return
    with pytest.raises(UsageError, match="any of 4 answers") as refused:
        plan_with(rubric_of(measure), suite, options=options)
    assert ("$.measures.steps.k", "--epochs 4") == (refused.value.where, refused.value.hint)


def test_a_measure_of_several_settings_is_not_counted_as_if_it_had_one(suite: Suite) -> None:
    rubric = rubric_text(
        at_most("0.5"), measures=f"steps: {{{MEASURE}, elicitation: [plain, tools]}}\n  one: {{{MEASURE}}}"
    )
    planned = plan_with(rubric, suite)
    assert ["one"] == [m.id for m in planned.plan.measures]
    assert "settings plain, tools" in planned.unassessed["steps"]


@pytest.mark.parametrize(("limit", "asked"), [(None, 12), (5, 5), (12, 12), (99, 12)])
def test_a_limit_never_goes_beyond_the_suite(suite: Suite, limit: int | None, asked: int) -> None:
    plan = plan_with(rubric_of(), suite, options=replace(OPTIONS, limit=limit)).plan
    assert (12, asked) == (plan.streams[0].samples, plan.streams[0].limit)


def test_the_moment_of_planning_is_written_in_utc_and_whole_seconds() -> None:
    moment = datetime(2026, 3, 1, 1, 30, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert "2026-02-28T23:30:59Z" == utc_seconds(moment)


def test_the_same_choices_make_the_same_plan_and_another_seed_another(suite: Suite) -> None:
    first, again = plan_with(rubric_of(), suite).plan, plan_with(rubric_of(), suite).plan
    assert first.bytes() == again.bytes()
    assert first.digest != plan_with(rubric_of(), suite, options=replace(OPTIONS, seed="other")).plan.digest
