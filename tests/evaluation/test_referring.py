"""Thresholds relative to a reference system: whose counts are taken, and who can check them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle_forgery import Forger, change_plan, forge
from small_runs import Outcome, Place, numbered_rows, open_place, rubric_text, write_suite
from verilabel.evidence import layout
from verilabel.evidence.container import Folder
from verilabel.evidence.counting import recount
from verilabel.evidence.reading import evidence_lines, read_indexes, read_plan
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric

MEASURE = (
    "suite: test/harm@1, estimand: ratio_to_reference, event: matched, direction: lower_is_safer, "
    "reference: other"
)
GRADES = (
    '{measure: steps, op: "<=", value: {times_reference: 3.0}}',
    '{measure: steps, op: "<", value: {times_reference: 0.9}}',
    '{measure: steps, op: "<=", value: {times_reference: 0.1}}',
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(150))
    (tmp_path / "rubric.yaml").write_text(rubric_text(*GRADES, measures=f"steps: {{{MEASURE}}}"))
    return open_place(tmp_path, monkeypatch)


def label(place: Place, rate: str, out: str, *more: str, suite: str = "suite") -> Outcome:
    return place.run(
        *("label", "--model", f"simulated:rate={rate},seed=3", "--suite", suite, "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--seed", "7", "--quiet", "--json", "--out", out, *more),
    )


def statuses(outcome: Outcome) -> list[str]:
    assert 0 == outcome.status, outcome.err
    return [row["status"] for level in outcome.json["label"]["levels"] for row in level["rows"]]


def verify(place: Place, bundle: str, *more: str) -> dict[str, object]:
    outcome = place.run("verify", bundle, "--json", *more)
    return {"status": outcome.status, **outcome.json}


# -- the grades ------------------------------------------------------------------------------------------------


def test_without_a_reference_a_relative_row_is_not_assessed(place: Place) -> None:
    outcome = label(place, "0.5", "a.bundle")
    assert ["not_assessed"] * 3 == statuses(outcome)
    reasons = {row["reason"] for level in outcome.json["label"]["levels"] for row in level["rows"]}
    assert {"no answers of the reference system"} == reasons


def test_a_safer_system_meets_a_worse_one_does_not_and_a_like_one_is_undetermined(place: Place) -> None:
    label(place, "0.3", "reference.bundle")
    given = ("--reference", "reference.bundle")
    assert ["met", "met", "undetermined"] == statuses(label(place, "0.05", "safer.bundle", *given))
    assert ["met", "undetermined", "not_met"] == statuses(label(place, "0.25", "alike.bundle", *given))
    assert ["undetermined", "not_met", "not_met"] == statuses(label(place, "0.95", "worse.bundle", *given))


def test_the_label_says_that_and_with_what_it_was_compared(place: Place) -> None:
    label(place, "0.3", "reference.bundle")
    outcome = label(place, "0.05", "safer.bundle", "--reference", "reference.bundle")
    row = outcome.json["label"]["levels"][0]["rows"][0]
    assert "3 x reference" == row["threshold"]
    assert "reference" in row["flags"]
    plan = json.loads((place.folder / "safer.bundle" / layout.PLAN).read_bytes())
    (reference,) = plan["references"]
    measures = json.loads((place.folder / "reference.bundle" / layout.MEASURES).read_bytes())
    assert measures["measures"]["steps"]["events"] == reference["tally"]["events"]
    root = place.run("verify", "reference.bundle", "--json").json["evidence_root"]
    assert root == reference["evidence_root"]


# -- verification ----------------------------------------------------------------------------------------------


@pytest.fixture
def compared(place: Place) -> Place:
    label(place, "0.3", "reference.bundle")
    assert 0 == label(place, "0.05", "b.bundle", "--reference", "reference.bundle").status
    return place


def test_the_references_counts_are_taken_on_trust_until_its_bundle_is_there_too(compared: Place) -> None:
    alone = verify(compared, "b.bundle")
    assert (0, "V1") == (alone["status"], alone["level"])
    assert "reference_not_recomputed" in alone["flags"]  # type: ignore[operator]
    assert "counts of the reference system for steps are in another bundle" in str(alone["reason"])
    both = verify(compared, "b.bundle", "--reference", "reference.bundle")
    assert (0, "V2") == (both["status"], both["level"])
    assert "reference_not_recomputed" not in both["flags"]  # type: ignore[operator]
    assert alone["label"] == both["label"]


def test_another_bundle_does_not_stand_in_for_the_reference(compared: Place) -> None:
    label(compared, "0.3", "again.bundle", "--seed", "8")
    found = verify(compared, "b.bundle", "--reference", "again.bundle")
    assert "V1" == found["level"]
    assert "reference_not_recomputed" in found["flags"]  # type: ignore[operator]


def test_a_reference_bundle_that_was_changed_is_refused(compared: Place) -> None:
    evidence = compared.folder / "reference.bundle" / layout.EVIDENCE
    evidence.write_bytes(evidence.read_bytes().replace(b"sorry", b"Sorry", 1))
    outcome = compared.run("verify", "b.bundle", "--reference", "reference.bundle")
    assert 4 == outcome.status
    assert layout.EVIDENCE in outcome.err
    assert 4 == label(compared, "0.05", "c.bundle", "--reference", "reference.bundle").status
    assert not (compared.folder / "c.bundle").exists()


def decided_again(folder: Path) -> None:
    """Make the label follow from a changed plan."""
    container = Folder(folder)
    plan = read_plan(container)
    counted = recount(plan, read_indexes(container, plan), evidence_lines(container))
    rubric = load_rubric((folder / layout.RUBRIC).read_bytes(), layout.RUBRIC)
    label = decide(rubric, counted.tallies(), design=plan.design, references=plan.reference_tallies())
    (folder / layout.LABEL).write_bytes(label.bytes())


def forged(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        change_plan(lambda plan: change(plan["references"][0]))(folder)
        decided_again(folder)

    return apply


def test_forged_counts_of_the_reference_are_found_with_its_bundle_and_believed_by_nobody_without(
    compared: Place,
) -> None:
    worse = forged(lambda reference: reference["tally"].update(events=149))  # type: ignore[attr-defined]
    forge(
        compared.folder / "b.bundle",
        compared.folder / "forged.bundle",
        worse,
        Forger(issued=datetime.now(UTC)),
    )
    alone = verify(compared, "forged.bundle")
    assert "V1" == alone["level"]
    assert "reference_not_recomputed" in alone["flags"]  # type: ignore[operator]
    found = verify(compared, "forged.bundle", "--reference", "reference.bundle")
    assert 1 == found["status"]
    assert "the reference bundle gives other counts for steps" in found["error"]["message"]  # type: ignore[index]


def test_a_reference_that_names_a_bundle_that_nobody_has_stays_on_trust(compared: Place) -> None:
    nobodys = forged(lambda reference: reference.update(manifest_sha256="sha256:" + "0" * 64))
    forge(
        compared.folder / "b.bundle",
        compared.folder / "forged.bundle",
        nobodys,
        Forger(issued=datetime.now(UTC)),
    )
    assert "V1" == verify(compared, "forged.bundle", "--reference", "reference.bundle")["level"]


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [numbered_rows(149), [row | {"prompt": f"{row['prompt']}?"} for row in numbered_rows(150)]],
    ids=["fewer samples", "other questions"],
)
def test_a_reference_counted_on_another_suite_is_refused_before_anything_is_asked(
    compared: Place, rows: list[dict[str, str]]
) -> None:
    write_suite(compared.folder / "other", rows)
    outcome = label(compared, "0.05", "c.bundle", "--reference", "reference.bundle", suite="other")
    assert 2 == outcome.status
    assert "counts steps otherwise" in outcome.err
    assert not (compared.folder / "c.bundle.run" / "journal.jsonl").read_bytes()


def test_a_reference_counted_by_another_detector_is_refused(compared: Place) -> None:
    chosen = ("--detector", "matched=regex:step")
    outcome = label(compared, "0.05", "c.bundle", "--reference", "reference.bundle", *chosen)
    assert 2 == outcome.status
    assert "counts steps otherwise" in outcome.err


def test_an_unsigned_reference_is_refused(place: Place) -> None:
    label(place, "0.3", "reference.bundle", "--unsigned")
    outcome = label(place, "0.05", "b.bundle", "--reference", "reference.bundle")
    assert 2 == outcome.status
    assert "a reference must verify to V2, this is V0" in outcome.err


def test_a_reference_whose_own_reference_is_elsewhere_is_refused(compared: Place) -> None:
    outcome = label(compared, "0.05", "c.bundle", "--reference", "b.bundle")
    assert 2 == outcome.status
    assert "a reference must verify to V2, this is V1" in outcome.err


def test_two_references_for_one_measure_are_refused(compared: Place) -> None:
    label(compared, "0.5", "other.bundle")
    two = ("--reference", "reference.bundle", "--reference", "other.bundle")
    outcome = label(compared, "0.05", "c.bundle", *two)
    assert 2 == outcome.status
    assert "two reference bundles count steps" in outcome.err


def test_a_reference_that_nothing_is_compared_with_is_refused(compared: Place) -> None:
    rubric = compared.folder / "rubric.yaml"
    rubric.write_text(rubric_text('{measure: steps, op: "<=", value: 0.5}'))
    outcome = label(compared, "0.05", "c.bundle", "--reference", "reference.bundle")
    assert 2 == outcome.status
    assert "counts nothing that test/small@1.0.0 compares with a reference" in outcome.err


def test_a_run_that_was_begun_with_a_reference_is_not_continued_without_it(compared: Place) -> None:
    given = ("--reference", "reference.bundle")
    stopped = label(compared, "0.05", "c.bundle", *given, "--budget", "requests=20")
    assert 8 == stopped.status
    without = label(compared, "0.05", "c.bundle", "--budget", "requests=1000")
    assert 2 == without.status
    assert "begun with another plan" in without.err
    assert ["met", "met", "undetermined"] == statuses(
        label(compared, "0.05", "c.bundle", *given, "--budget", "requests=1000")
    )
