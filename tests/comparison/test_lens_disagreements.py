"""Where two rubrics disagree about the same answers, and whether the cause that is named is the cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle_factory import READ
from lens_rubrics import OTHER, PUZZLES, QUIZ, WRONG, at_least, at_most, evidence_of, hazard_of, rubric_of
from verilabel.comparison.disagreement import Disagreement, find_disagreements
from verilabel.comparison.findings import BundleEvidence
from verilabel.comparison.lens import Lens
from verilabel.rubric.structure import Rubric

PUZZLES_FEW = PUZZLES.replace("}", ", min_n: 50}")


@pytest.fixture(scope="module")
def evidence(made_bundle: Path) -> BundleEvidence:
    return evidence_of(made_bundle)


def disagreements(evidence: BundleEvidence, *rubrics: Rubric) -> tuple[Disagreement, ...]:
    return find_disagreements(Lens(evidence, moment=READ).read_all(rubrics))


def only(evidence: BundleEvidence, *rubrics: Rubric) -> Disagreement:
    (found,) = disagreements(evidence, *rubrics)
    return found


def test_rubrics_that_ask_the_same_agree(evidence: BundleEvidence) -> None:
    assert () == disagreements(
        evidence, rubric_of(at_least("0.5"), name="a"), rubric_of(at_least("0.5"), name="b")
    )


def test_rubrics_on_other_suites_are_not_held_against_each_other(evidence: BundleEvidence) -> None:
    assert () == disagreements(
        evidence, rubric_of(at_least("0.99"), name="a"), rubric_of(at_least("0.3", "puzzles"), name="b")
    )


def test_a_stricter_threshold_is_named_with_both_rows(evidence: BundleEvidence) -> None:
    found = only(evidence, rubric_of(at_least("0.5"), name="a"), rubric_of(at_least("0.98"), name="b"))
    assert (("threshold",), ">= 0.5 against >= 0.98") == (found.causes, found.why)
    assert ("met", "undetermined") == (found.left.status, found.right.status)
    assert ("quiz >= 0.5", "correct often on test/quiz@1.0.0") == (found.left.row, found.about)


def test_a_smaller_error_is_named_where_it_alone_makes_the_difference(evidence: BundleEvidence) -> None:
    (reading,) = Lens(evidence, moment=READ).read_all([rubric_of(at_least("0.5"))])
    row = reading.rows[0]
    assert row.lower is not None
    careful = rubric_of(
        at_least(row.lower), name="b", statistics="alpha: 0.0001, missing: worst_case, max_missing: 0.2"
    )
    found = only(evidence, rubric_of(at_least(row.lower), name="a"), careful)
    assert (("alpha",), "tested at an error of 1/40 against 1/10000") == (found.causes, found.why)


def test_paying_for_a_choice_of_rows_shows_as_the_error(evidence: BundleEvidence) -> None:
    (reading,) = Lens(evidence, moment=READ).read_all([rubric_of(at_least("0.5"))])
    bound = reading.rows[0].lower
    assert bound is not None
    either = rubric_of(
        f"{{any: [{at_least(bound)}, {at_least('0.9', 'other')}]}}", name="b", measures=(QUIZ, OTHER)
    )
    found = only(evidence, rubric_of(at_least(bound), name="a"), either)
    assert (("alpha",), "tested at an error of 1/40 against 1/80") == (found.causes, found.why)


def test_a_margin_is_named(evidence: BundleEvidence) -> None:
    (reading,) = Lens(evidence, moment=READ).read_all([rubric_of(at_least("0.5"))])
    bound = reading.rows[0].lower
    assert bound is not None
    margin = "alpha: 0.025, missing: worst_case, max_missing: 0.2, margin: 0.1"
    found = only(
        evidence,
        rubric_of(at_least(bound), name="a"),
        rubric_of(at_least(bound), name="b", statistics=margin),
    )
    assert (("statistics",), "margin 0 against 0.1") == (found.causes, found.why)


def test_a_least_number_of_answers_is_named_where_it_decides(evidence: BundleEvidence) -> None:
    found = only(
        evidence,
        rubric_of(at_least("0.3", "puzzles"), name="a"),
        rubric_of(at_least("0.3", "puzzles"), name="b", measures=(PUZZLES_FEW,)),
    )
    assert ("statistics",) == found.causes
    assert "answers at least" in found.why and "50" in found.why


def test_an_event_and_its_absence_are_the_same_thing_seen_from_two_sides(evidence: BundleEvidence) -> None:
    found = only(
        evidence,
        rubric_of(at_least("0.5"), name="a"),
        rubric_of(at_most("0.01"), name="b", measures=(WRONG,)),
    )
    assert ("correct often on test/quiz@1.0.0", ("threshold",)) == (found.about, found.causes)


def test_a_measure_that_is_not_there_is_why_one_rubric_shows_less(evidence: BundleEvidence) -> None:
    both = f"{{all: [{at_least('0.5')}, {at_least('0.5', 'other')}]}}"
    found = only(
        evidence, rubric_of(at_least("0.5"), name="a"), rubric_of(both, name="b", measures=(QUIZ, OTHER))
    )
    assert (("missing_measure",), "also asks for other: not in the evidence") == (found.causes, found.why)
    assert ("test/b@1.0.0", "none", "all") == (
        found.left.rubric,
        found.left.standing,
        found.right.standing,
    )


def test_another_row_that_is_not_met_is_why_one_rubric_shows_less(evidence: BundleEvidence) -> None:
    both = f"{{all: [{at_least('0.5')}, {at_least('0.99', 'puzzles')}]}}"
    found = only(evidence, rubric_of(at_least("0.5"), name="a"), rubric_of(both, name="b"))
    assert ("structure",) == found.causes
    assert found.why.startswith("also asks for puzzles >= 0.99")


def test_hazard_rows_are_compared_by_what_they_rule_out(evidence: BundleEvidence) -> None:
    hazard = hazard_of(
        '{measure: quiz, op: ">=", value: 0.3}', '{measure: quiz, op: "<", value: 0.3}', measures=(QUIZ,)
    )
    other = rubric_of(
        at_most("0.9999", "right"),
        name="b",
        measures=(WRONG.replace("negate: true, ", "").replace("wrong", "right"),),
    )
    found = only(evidence, hazard, other)
    assert ("correct rarely on test/quiz@1.0.0", "not_met") == (found.about, found.left.status)


def test_a_disagreement_is_found_whichever_rubric_comes_first(evidence: BundleEvidence) -> None:
    rubrics = [
        rubric_of(at_least("0.5"), at_least("0.98"), name="a"),
        rubric_of(at_least("0.4"), name="b"),
        rubric_of(f"{{all: [{at_least('0.4')}, {at_least('0.4', 'puzzles')}]}}", name="c"),
    ]
    forwards = {frozenset((d.left.rubric, d.right.rubric)) for d in disagreements(evidence, *rubrics)}
    backwards = {
        frozenset((d.left.rubric, d.right.rubric)) for d in disagreements(evidence, *reversed(rubrics))
    }
    assert forwards == backwards


def test_rows_that_stop_alike_at_other_heights_are_told_with_both_heights(evidence: BundleEvidence) -> None:
    found = only(
        evidence,
        rubric_of(at_least("0.97"), name="a"),
        rubric_of(at_least("0.5"), at_least("0.98"), name="b"),
    )
    assert (("threshold",), "stops at L1 quiz >= 0.97, the other at L2 quiz >= 0.98") == (
        found.causes,
        found.why,
    )
    assert ("none", "some") == (found.left.standing, found.right.standing)


def test_filters_that_have_no_sample_in_common_are_not_held_against_each_other(tmp_path: Path) -> None:
    from small_runs import numbered_rows, open_place, write_suite

    rows = [row | {"kind": "ab"[i % 2]} for i, row in enumerate(numbered_rows(60))]
    write_suite(tmp_path / "suite", rows, fields="{id: id, prompt: prompt, tags: {kind: kind}}")
    steps = "suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer"
    measures = tuple(f"{kind}: {{{steps}, filter: {{kind: {kind}}}}}" for kind in "ab")
    rubrics = [
        rubric_of(at_most(value, kind), name=kind, measures=(measure,))
        for kind, value, measure in zip("ab", ("0.9", "0.01"), measures, strict=True)
    ]
    both = rubric_of(at_most("0.01", "c"), name="c", measures=(f"c: {{{steps}}}",))
    (tmp_path / "own.yaml").write_text(_text_of(measures[0]))
    with pytest.MonkeyPatch.context() as patch:
        place = open_place(tmp_path, patch)
        place.succeed(
            *("label", "--model", "simulated:rate=0.02", "--suite", "suite", "--rubric", "own.yaml"),
            *("--design", "fixed", "--seed", "7", "--quiet", "--out", "b.bundle"),
        )
    read = evidence_of(tmp_path / "b.bundle")
    assert () == disagreements(read, *rubrics)
    found = only(read, rubrics[0], both)
    assert {"threshold"} <= set(found.causes) and "kind a" not in found.left.rubric


def _text_of(measure: str) -> str:
    from small_runs import rubric_text

    return rubric_text(at_most("0.9", "a"), measures=measure)
