"""The view: its figures are the label's and the evidence's own, and it says what is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle_factory import HAZARD_RUBRIC, READ, Recipe, make_bundle
from verilabel.errors import SealError
from verilabel.evidence.container import open_container
from verilabel.evidence.counting import recount
from verilabel.evidence.reading import evidence_lines, read_indexes, read_label, read_plan
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.attempt import Attempt
from verilabel.records.tally import Clusters, Tally
from verilabel.report.building import build_view
from verilabel.report.grouping import read_prompt
from verilabel.report.outlook import MeasureRule, RowPlace, extend_tally
from verilabel.report.view import ReportView
from verilabel.report.walking import CURVE_POINTS, walk_evidence
from verilabel.rubric.decide import decide
from verilabel.rubric.model import find_rubric


def view_of(path: Path, now: datetime = READ) -> ReportView:
    found = verify_bundle(path, now=now)
    with open_container(path) as container:
        return build_view(container, found, bundle=path.name, read_at=now)


def test_rows_carry_the_labels_own_figures(core_bundle: Path, core_view: ReportView) -> None:
    with open_container(core_bundle) as container:
        label = read_label(container)
    rows = [row for level in label.levels for row in level.rows]
    assert len(rows) == len(core_view.rows)
    for expected, row in zip(rows, core_view.rows, strict=True):
        for name in (
            "status",
            "measure",
            "n",
            "events",
            "missing",
            "rate",
            "lower",
            "upper",
            "tested_met",
            "log_e_met",
        ):
            assert getattr(expected, name) == getattr(row, name)
    assert label.sentence in core_view.sentence
    assert (label.lower, label.upper) == tuple(half.id for half in core_view.pair)


def test_calls_are_the_attempts_that_the_evidence_holds(core_bundle: Path, core_view: ReportView) -> None:
    with open_container(core_bundle) as container:
        lines = [line for line in evidence_lines(container) if isinstance(line, Attempt)]
    by_suite = {"harm.direct": "core/harm-direct@1.0.0", "overrefusal": "core/benign-borderline@1.0.0"}
    calls = {row.measure: row.calls for row in core_view.rows if row.measure in by_suite}
    assert {m: sum(line.suite == suite for line in lines) for m, suite in by_suite.items()} == calls
    assert len(lines) == core_view.totals.requests
    failed = sum(line.failure is not None for line in lines)
    assert failed == sum(count.count for count in core_view.totals.failed_attempts) > 0


def test_groups_add_up_to_the_answers_that_were_counted(core_view: ReportView) -> None:
    rows = {row.measure: row for row in core_view.rows}
    answered = {"harm.direct": core_view.suites[0].answered, "overrefusal": core_view.suites[1].answered}
    assert set(answered) == {breakdown.measure for breakdown in core_view.breakdowns}
    for breakdown in core_view.breakdowns:
        assert answered[breakdown.measure] == sum(group.asked for group in breakdown.groups)
        # a family that is not complete is asked and not counted by the row
        assert rows[breakdown.measure].events <= sum(group.events for group in breakdown.groups)
        for group in breakdown.groups:
            assert 0 <= group.lower <= (group.rate or 0) <= group.upper <= 1


def test_a_curve_ends_at_the_rows_own_bounds(core_view: ReportView) -> None:
    drawn = [row for row in core_view.rows if row.points]
    assert drawn
    for row in drawn:
        last = row.points[-1]
        assert (row.n, float(row.lower or 0), float(row.upper or 1)) == (last.n, last.lower, last.upper)
        counts = [point.n for point in row.points]
        assert counts == sorted(set(counts))
        assert len(counts) <= 2 * CURVE_POINTS


def test_the_outlook_names_the_first_number_of_answers_that_is_enough() -> None:
    rubric = find_rubric("xstest")
    tally = Tally("overrefusal", n=100, events=7, exact=True, n_planned=250)
    place = RowPlace(level=2, row=0)
    rule = MeasureRule(rubric, "overrefusal", "anytime")
    outlook = rule.look_ahead(tally, place)
    assert outlook is not None and outlook.best_case is not None
    assert 150 == outlook.left_in_plan

    def status(more: int) -> str:
        grown = extend_tally(tally, more, favourable_event=False, at_rate=False)
        return decide(rubric, {"overrefusal": grown}, design="anytime").levels[2].rows[0].status

    assert ("undetermined", "met") == (status(outlook.best_case - 1), status(outlook.best_case))


def test_a_decided_row_has_no_outlook() -> None:
    rule = MeasureRule(find_rubric("xstest"), "overrefusal", "anytime")
    tally = Tally("overrefusal", n=250, events=0, exact=True, n_planned=250)
    assert rule.look_ahead(tally, RowPlace(level=0, row=0)) is None


def test_further_families_are_whole_families() -> None:
    clusters = (Clusters(0, 0, 2, 7), Clusters(1, 0, 2, 2), Clusters(1, 1, 2, 1))
    tally = Tally("m", n=20, events=3, missing=1, unit="family", clusters=clusters)
    grown = extend_tally(tally, 7, favourable_event=False, at_rate=False)
    assert (28, 3, 1) == (grown.n, grown.events, grown.missing)
    assert grown.n == sum(c.size * c.count for c in grown.clusters)
    doubled = extend_tally(tally, 20, favourable_event=False, at_rate=True)
    assert (40, 6, 2) == (doubled.n, doubled.events, doubled.missing)


def test_open_rows_and_missing_answers_are_named_as_what_the_label_does_not_say(
    core_view: ReportView,
) -> None:
    kinds = {gap.kind for gap in core_view.gaps}
    assert {"not_assessed", "undetermined", "missing"} <= kinds
    not_met = [row for row in core_view.rows if row.status in ("undetermined", "not_assessed")]
    assert {row.anchor for row in not_met} == {gap.anchor for gap in core_view.gaps if gap.anchor}


def test_samples_speak_against_their_row_and_missing_ones_come_last(core_bundle: Path) -> None:
    with open_container(core_bundle) as container:
        found = verify_bundle(core_bundle, now=datetime.now(UTC))
        view = build_view(container, found, bundle="b", read_at=datetime.now(UTC), samples=200)
    answered = [sample.output is not None for sample in view.samples]
    assert answered == sorted(answered, reverse=True)
    assert True in answered and False in answered
    for sample in view.samples:
        if sample.output is None:
            assert "server_error" in (sample.failure or "")
        else:
            assert any("= true" in finding for finding in sample.findings)
        assert not sample.prompt.startswith("{")
    by_measure = {row.measure: row for row in view.rows if row.status == "undetermined"}
    against = sum(row.events + row.missing for row in by_measure.values())
    assert against <= len(view.samples) < 200


def test_the_view_is_one_json_document_with_both_halves(core_view: ReportView) -> None:
    document = json.loads(json.dumps(core_view.document()))
    assert "verilabel/report/v1" == document["format"]
    assert ["granted", "cannot exclude up to"] == [half["word"] for half in document["pair"]]


def test_a_hazard_scale_is_told_in_its_own_words(tmp_path: Path) -> None:
    view = view_of(make_bundle(tmp_path, Recipe(rubric=HAZARD_RUBRIC)).path)
    assert ("established", "not ruled out up to") == tuple(half.word for half in view.pair)
    assert {level.says for level in view.scale} <= {"established", "not ruled out", "ruled out"}
    assert {"established when", "ruled out when"} == {level.test_says for level in view.levels}


def test_a_fixed_plan_is_not_said_to_go_on(tmp_path: Path) -> None:
    view = view_of(make_bundle(tmp_path, Recipe(accuracy="0.7")).path)
    open_rows = [gap for gap in view.gaps if gap.kind == "undetermined"]
    assert open_rows
    assert all("this means a new one" in gap.why for gap in open_rows)


def test_a_changed_bundle_is_shown_as_a_claim_without_validity(bundle: Path) -> None:
    evidence = bundle / "records" / "evidence.jsonl"
    lines = evidence.read_bytes().splitlines(keepends=True)
    evidence.write_bytes(b"".join([*lines[2:4], *lines[:2], *lines[4:]]))
    view = view_of(bundle)
    assert not view.genuine
    assert "This bundle is not what was sealed." == view.warning
    assert all(half.word.endswith("(claimed)") for half in view.pair)
    assert "current" not in view.sentence and view.sentence.count("V0 claimed") == 1
    assert "not checked" in view.validity
    assert "evidence" in {gap.kind for gap in view.gaps}
    assert all(row.points == () for row in view.rows)


def test_an_expired_label_is_still_derived_from_its_evidence(tmp_path: Path) -> None:
    rubric = Recipe().rubric.replace("P36500D", "P30D")
    view = view_of(make_bundle(tmp_path, Recipe(rubric=rubric)).path)
    assert view.genuine
    assert "This label is not in force." == view.warning
    assert view.validity.startswith("expired on ")


def test_a_walk_refuses_evidence_out_of_the_committed_order(made_bundle: Path) -> None:
    with open_container(made_bundle) as container:
        plan, lines = read_plan(container), list(evidence_lines(container))
        indexes = read_indexes(container, plan)
    with pytest.raises(SealError, match="answer 1 is not the one"):
        walk_evidence(plan, indexes, [*lines[2:4], *lines[:2], *lines[4:]], expected={}, wanted={}, samples=0)
    walk = walk_evidence(plan, indexes, lines, expected={}, wanted={}, samples=0)
    assert recount(plan, indexes, lines).tallies() == walk.recount.tallies()


@pytest.mark.parametrize(
    ("request_body", "prompt"),
    [
        ('{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}', "hi"),
        (
            '{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}',
            "a\nb",
        ),
        ('{"input":"plain"}', "plain"),
        (
            '{"contents":[{"role":"user","parts":[{"text":"g"}]},{"role":"model","parts":[{"text":"no"}]}]}',
            "g",
        ),
        ('{"messages":[{"role":"user","content":7}]}', '{"messages":[{"role":"user","content":7}]}'),
        ("not json", "not json"),
        ("[" * 5000, "[" * 5000),
    ],
)
def test_the_prompt_is_read_from_requests_of_every_dialect(request_body: str, prompt: str) -> None:
    assert prompt == read_prompt(request_body)
