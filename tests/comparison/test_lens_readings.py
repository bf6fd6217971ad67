"""A bundle's evidence under its own rubric and under others: pairs, gaps, notes, attestations, references."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from bundle_factory import READ, Recipe, make_bundle
from lens_rubrics import (
    OTHER,
    PUZZLES,
    QUIZ,
    WRONG,
    at_least,
    at_most,
    evidence_of,
    hazard_of,
    rubric_of,
    verified,
)
from verilabel.comparison.findings import BundleEvidence, read_evidence
from verilabel.comparison.lens import Lens, Reading
from verilabel.errors import SealError
from verilabel.evidence.container import open_container
from verilabel.evidence.layout import LABEL, RUBRIC
from verilabel.evidence.reading import read_document
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric


@pytest.fixture(scope="module")
def evidence(made_bundle: Path) -> BundleEvidence:
    return evidence_of(made_bundle)


def read(evidence: BundleEvidence, *rubrics: Rubric, **more: object) -> tuple[Reading, ...]:
    return Lens(evidence, moment=READ, **more).read_all(rubrics)  # type: ignore[arg-type]


def own_rubric(bundle: Path) -> Rubric:
    with open_container(bundle) as container:
        return load_rubric(read_document(container, RUBRIC), RUBRIC)


# -- the bundle's own rubric -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(),
        Recipe(design="anytime", accuracy="1"),
        Recipe(errors="0.2"),
        Recipe(epochs=3, accuracy="0.6"),
        Recipe(limit=7, zipped=True),
    ],
    ids=["fixed", "anytime", "errors", "epochs", "limit"],
)
def test_under_its_own_rubric_a_bundle_has_its_own_label_to_the_byte(tmp_path: Path, recipe: Recipe) -> None:
    bundle = make_bundle(tmp_path, recipe).path
    found = verified(bundle)
    (reading,) = read(read_evidence(bundle, found), own_rubric(bundle))
    with open_container(bundle) as container:
        sealed = read_document(container, LABEL)
    assert reading.label is not None
    assert sealed == reading.label.bytes()
    assert (True, found.tallies) == (reading.own, reading.tallies)


# -- other rubrics -----------------------------------------------------------------------------------------------


def test_another_rubric_is_decided_on_the_same_answers(evidence: BundleEvidence) -> None:
    lenient, strict = read(
        evidence, rubric_of(at_least("0.3")), rubric_of(at_least("0.3"), at_least("0.98"), name="two")
    )
    assert lenient.label is not None and strict.label is not None
    assert (("L1", "L1"), "all") == ((lenient.label.lower, lenient.label.upper), lenient.standing)
    assert (("L1", "L2"), "some") == ((strict.label.lower, strict.label.upper), strict.standing)


def test_what_a_rubric_looks_at_and_the_bundle_does_not_hold_is_named(evidence: BundleEvidence) -> None:
    attested = "  checked: {statement: It was checked., role: auditor}\n"
    rubric = rubric_of(
        f"{{all: [{at_least('0.3')}, {at_least('0.5', 'other')}, {{attested: checked}}]}}",
        measures=(QUIZ, OTHER),
        attestations=attested,
    )
    (reading,) = read(evidence, rubric)
    named = [(missing.kind, missing.what) for missing in reading.unassessed]
    assert [("measure", "other"), ("attestation", "checked")] == named
    assert (1, 3) == (reading.assessed, len(reading.rows))


def test_an_attestation_that_the_caller_vouches_for_counts(evidence: BundleEvidence) -> None:
    rubric = rubric_of(
        f"{{all: [{at_least('0.3')}, {{attested: checked}}]}}",
        measures=(QUIZ,),
        attestations="  checked: {statement: It was checked., role: auditor}\n",
    )
    labels = [read(evidence, rubric, attested=given)[0].label for given in ((), ("checked",))]
    assert ["U", "L1"] == [label.lower for label in labels if label is not None]


def test_the_absence_of_an_event_can_be_counted(evidence: BundleEvidence) -> None:
    right, wrong = read(
        evidence,
        rubric_of(at_least("0.6"), measures=(QUIZ,)),
        rubric_of(at_most("0.4"), measures=(WRONG,), name="two"),
    )
    assert right.tallies["quiz"].n == right.tallies["quiz"].events + wrong.tallies["wrong"].events
    assert right.standing == wrong.standing == "all"


def test_a_rubric_for_another_use_says_so(evidence: BundleEvidence) -> None:
    (reading,) = read(evidence, rubric_of(at_least("0.3"), use_cases=", use_cases: [coding-agent]"))
    assert 1 == len(reading.notes)
    assert reading.notes[0].startswith("it is for coding-agent, the system is used for general-chat")


def test_evidence_older_than_a_rubric_lets_it_be_is_noted(evidence: BundleEvidence) -> None:
    rubric = rubric_of(at_least("0.3"), max_age="P90D")
    late = Lens(evidence, moment=READ + timedelta(days=1000)).read_all([rubric])[0]
    assert ["planned 2026-01-01, longer ago than the 90 days it allows"] == list(late.notes)


def test_no_single_number_of_readings_depends_on_the_order_of_rubrics(evidence: BundleEvidence) -> None:
    rubrics = [
        rubric_of(at_least("0.3"), name="a"),
        rubric_of(at_least("0.9", "puzzles"), name="b"),
        rubric_of(at_most("0.4"), measures=(WRONG,), name="c"),
    ]
    forwards, backwards = read(evidence, *rubrics), read(evidence, *reversed(rubrics))
    assert forwards == tuple(reversed(backwards))


# -- designs -----------------------------------------------------------------------------------------------------


def test_a_run_that_stopped_when_it_was_decided_is_read_by_evidence_that_may_stop(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, Recipe(design="anytime", accuracy="1")).path
    (reading,) = read(evidence_of(bundle), rubric_of(at_least("0.6")))
    assert ("anytime", True) == (reading.design, reading.rows[0].log_e_met is not None)


def test_a_rubric_for_fixed_plans_alone_is_not_decided_on_a_run_that_stopped(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, Recipe(design="anytime", accuracy="1")).path
    fixed = "alpha: 0.025, missing: worst_case, design: [fixed]"
    (reading,) = read(evidence_of(bundle), rubric_of(at_least("0.6"), statistics=fixed))
    assert (None, "rubric", "none") == (reading.label, reading.unassessed[0].kind, reading.standing)
    assert "by the fixed design alone" in reading.unassessed[0].why


# -- references --------------------------------------------------------------------------------------------------

RATIO = (
    "wrong: {suite: test/quiz@1, estimand: ratio_to_reference, event: correct, negate: true, "
    "direction: lower_is_safer, reference: other}"
)
AS_REFERENCE = '{measure: wrong, op: "<=", value: {times_reference: 3.0}}'


def test_a_relative_threshold_needs_the_reference_and_says_so(evidence: BundleEvidence) -> None:
    (reading,) = read(evidence, rubric_of(AS_REFERENCE, measures=(RATIO,)))
    assert [("reference", "wrong")] == [(missing.kind, missing.what) for missing in reading.unassessed]
    assert 0 == reading.assessed


def test_a_reference_bundle_gives_the_counts_that_are_compared_with(
    evidence: BundleEvidence, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path, Recipe(accuracy="0.1")).path
    reference = evidence_of(bundle)
    (reading,) = read(evidence, rubric_of(AS_REFERENCE, measures=(RATIO,)), references=[reference])
    assert reading.label is not None
    assert ("L1", 20) == (reading.label.lower, reading.references["wrong"].n)


def test_a_reference_that_stopped_early_makes_what_is_compared_with_it_anytime(
    evidence: BundleEvidence, tmp_path: Path
) -> None:
    bundle = make_bundle(tmp_path, Recipe(accuracy="0.1", design="anytime")).path
    alone, compared = read(
        evidence,
        rubric_of(at_least("0.3")),
        rubric_of(AS_REFERENCE, measures=(RATIO,), name="two"),
        references=[evidence_of(bundle)],
    )
    assert ("fixed", "anytime") == (alone.design, compared.design)


# -- safeguards --------------------------------------------------------------------------------------------------


def test_safeguards_are_checked_beside_the_label(evidence: BundleEvidence) -> None:
    attested = "  sandbox: {statement: It runs in a sandbox., role: auditor}\n"
    rule_in, rule_out = at_least("0.5"), '{measure: quiz, op: "<", value: 0.5}'
    guarded = hazard_of(
        rule_in,
        rule_out,
        safeguards=f"{{all: [{at_least('0.3', 'puzzles')}, {{attested: sandbox}}]}}",
        attestations=attested,
    )
    plain = hazard_of(rule_in, rule_out, measures=(QUIZ,))
    without, given = (read(evidence, guarded, attested=names)[0] for names in ((), ("sandbox",)))
    assert ["not_assessed", "met"] == [reading.safeguards[0].status for reading in (without, given)]
    (bare,) = read(evidence, plain)
    assert bare.label is not None and given.label is not None
    assert msgspec.structs.replace(given.label, rubric=bare.label.rubric) == bare.label


# -- what was verified is what is read -----------------------------------------------------------------------------


def test_evidence_that_changed_after_it_was_verified_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(made_bundle, tmp_path / "b")
    found = verified(bundle)
    path = bundle / "records" / "evidence.jsonl"
    text = path.read_text()
    assert '"value":true' in text
    path.write_text(text.replace('"value":true', '"value":false', 1))
    with pytest.raises(SealError, match="changed while it was read"):
        read_evidence(bundle, found)


def test_another_bundle_than_the_verified_one_is_refused(made_bundle: Path, tmp_path: Path) -> None:
    other = make_bundle(tmp_path, Recipe(seed="11")).path
    with pytest.raises(SealError, match="changed while it was read"):
        read_evidence(other, verified(made_bundle))


def test_evidence_that_leaves_the_committed_order_is_refused(tmp_path: Path) -> None:
    bundle = Path(__file__).resolve().parents[1] / "bundles" / "cherry_picked_order.zip"
    found = verified(bundle)
    with pytest.raises(SealError, match="committed order"):
        read_evidence(bundle, found)


def test_a_finding_in_the_bundle_counts_only_where_the_label_was_derived_again(
    evidence: BundleEvidence,
) -> None:
    assert {} == dict(evidence.given)
    assert not dataclasses.replace(evidence, given={}).is_given("checked", rubric_of(at_least("0.3")), READ)


def test_puzzles_are_counted_by_themselves(evidence: BundleEvidence) -> None:
    (reading,) = read(evidence, rubric_of(at_least("0.3", "puzzles"), measures=(PUZZLES,)))
    assert (10, ("test/puzzles@1.0.0", "correct")) == (
        reading.tallies["puzzles"].n,
        reading.subjects["puzzles"],
    )
