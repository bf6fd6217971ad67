"""Every bundle of a folder under another version of its rubric: which labels flip, and what is never passed over."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundle_factory import RUBRIC, Recipe, make_bundle
from lens_rubrics import verified
from verilabel.comparison.impact import Impact, find_bundles, weigh_impact
from verilabel.errors import UsageError
from verilabel.evidence.verifier import verify_bundle
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Rubric

DEFECTS = Path(__file__).resolve().parents[1] / "bundles"


def version(*changes: tuple[str, str]) -> Rubric:
    """The small bundles' rubric in a version with these changes."""
    text = RUBRIC.replace("version: 1.0.0", "version: 1.1.0")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return load_rubric(text.encode(), "new.yaml")


STRICTER = version(
    ('{measure: quiz.right, op: ">=", value: 0.50}', '{measure: quiz.right, op: ">=", value: 0.97}')
)


def weigh(rubric: Rubric, *bundles: Path, any_rubric: bool = False) -> list[Impact]:
    return list(weigh_impact(rubric, bundles, verified, any_rubric=any_rubric))


def test_a_version_that_asks_the_same_flips_nothing(made_bundle: Path) -> None:
    (impact,) = weigh(version(("A small label for tests", "Another title")), made_bundle)
    assert ("same", impact.old, ()) == (impact.outcome, impact.new, impact.why)


def test_a_stricter_version_flips_a_label_and_says_by_which_row(made_bundle: Path) -> None:
    (impact,) = weigh(STRICTER, made_bundle)
    assert "flipped" == impact.outcome
    assert impact.old is not None and impact.new is not None
    assert impact.old.startswith("L2 Solid granted") and impact.new.startswith("L1 Basic granted")
    assert ("L2 when: quiz.right >= 0.5 met, quiz.right >= 0.97 undetermined",) == impact.why


def test_a_measure_that_the_bundle_does_not_hold_is_why_its_label_flips(made_bundle: Path) -> None:
    new = "new: {suite: test/new@1, estimand: proportion, event: correct, direction: higher_is_safer}"
    row = '{measure: quiz.right, op: ">=", value: 0.30}'
    asks_more = version(
        ("measures:", f"measures:\n  {new}"),
        (f"{{all: [{row}]}}", f'{{all: [{row}, {{measure: new, op: ">=", value: 0.5}}]}}'),
    )
    (impact,) = weigh(asks_more, made_bundle)
    assert "flipped" == impact.outcome
    assert "L1 when: also asks new >= 0.5: not assessed" in impact.why
    assert "new: suite test/new@1 was not asked" in impact.why


def test_what_does_not_verify_and_what_is_by_another_rubric_is_listed_and_not_decided(
    made_bundle: Path,
) -> None:
    other = load_rubric(RUBRIC.replace("test/quiz-label", "test/another").encode(), "other.yaml")
    broken = DEFECTS / "changed_byte.zip"
    assert ["other_rubric"] == [impact.outcome for impact in weigh(other, made_bundle)]
    assert ["same"] == [impact.outcome for impact in weigh(other, made_bundle, any_rubric=True)]
    (impact,) = weigh(STRICTER, broken)
    assert ("not_decided", None) == (impact.outcome, impact.new)
    assert impact.why[0].startswith("V0 claimed: ")


def test_bundles_are_found_in_folders_below_as_folders_and_zips(
    made_bundle: Path, made_zip: Path, tmp_path: Path
) -> None:
    shutil.copytree(made_bundle, tmp_path / "a" / "one.bundle")
    (tmp_path / "b").mkdir()
    shutil.copy(made_zip, tmp_path / "b" / "two.zip")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    found = find_bundles(tmp_path)
    assert [tmp_path / "a" / "one.bundle", tmp_path / "b" / "two.zip"] == list(found)
    assert (made_bundle,) == find_bundles(made_bundle)


def test_a_folder_without_bundles_or_no_folder_is_refused(tmp_path: Path) -> None:
    for folder, message in ((tmp_path, "no bundle here"), (tmp_path / "none", "no such folder")):
        with pytest.raises(UsageError, match=message):
            find_bundles(folder)


def test_an_anytime_run_is_weighed_by_its_own_evidence(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, Recipe(design="anytime", accuracy="1")).path
    (impact,) = weigh(STRICTER, bundle)
    assert "flipped" == impact.outcome


def test_a_version_compares_with_the_reference_that_the_plan_holds(tmp_path: Path) -> None:
    from small_runs import numbered_rows, open_place, rubric_text, write_suite

    measure = (
        "steps: {suite: test/harm@1, estimand: ratio_to_reference, event: matched, direction: lower_is_safer, "
        "reference: another}"
    )
    old, new = (
        rubric_text(f'{{measure: steps, op: "<=", value: {{times_reference: {factor}}}}}', measures=measure)
        for factor in ("1.0", "0.01")
    )
    write_suite(tmp_path / "suite", numbered_rows(80))
    (tmp_path / "old.yaml").write_text(old)
    with pytest.MonkeyPatch.context() as patch:
        place = open_place(tmp_path, patch)
        asked = ("--suite", "suite", "--rubric", "old.yaml", "--design", "fixed", "--seed", "7", "--quiet")
        place.succeed("label", "--model", "simulated:rate=0.6", *asked, "--out", "reference.bundle")
        more = ("--reference", "reference.bundle", "--out", "b.bundle")
        place.succeed("label", "--model", "simulated:rate=0.01", *asked, *more)
    rubrics = [load_rubric(text.encode(), "new.yaml") for text in (old, new)]
    now = datetime.now(UTC)
    same, flipped = (
        weigh_impact(rubric, [tmp_path / "b.bundle"], lambda path: verify_bundle(path, now=now))[0]
        for rubric in rubrics
    )
    assert ("same", "flipped") == (same.outcome, flipped.outcome)
    assert ("L1 when: steps <= 1 x reference met, steps <= 0.01 x reference undetermined",) == flipped.why
