"""`verilabel compare`: two versions side by side, and refusals that name what is not the same."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bundle_factory import RUBRIC, Recipe
from party_factory import make_party, model_that
from small_runs import Place, open_place

RECIPE = Recipe(sizes=(("quiz", 80), ("puzzles", 40)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    newer = replace(RECIPE, accuracy="0.99", system={"locale": "de-DE"})
    other = replace(RECIPE, rubric=RUBRIC.replace("version: 1.0.0", "version: 1.0.1"))
    for name, recipe, model in (
        ("old", RECIPE, model_that(7, accuracy=0.5)),
        ("new", newer, model_that(8, accuracy=0.99)),
        ("part", replace(RECIPE, sizes=RECIPE.sizes[:1]), model_that(8)),
        ("other", other, model_that(8)),
    ):
        shutil.move(make_party(folder / f"{name}.made", recipe, model), folder / f"{name}.bundle")
        shutil.rmtree(folder / f"{name}.made")
    return folder


@pytest.fixture
def place(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return open_place(tmp_path, monkeypatch)


def test_the_better_version_is_named_with_its_flips(place: Place) -> None:
    done = place.succeed("compare", "old.bundle", "new.bundle")
    assert "the systems differ in provider_model, locale" in done.out
    rows = [line for line in done.out.splitlines() if line.startswith(("quiz.right", "puzzles.right"))]
    assert 2 == len(rows)
    assert all(row.endswith("second") for row in rows)


def test_json_has_rates_bounds_differences_and_corrected_tests(place: Place) -> None:
    found = place.succeed("compare", "old.bundle", "new.bundle", "--json").json
    for measure in found["measures"]:
        assert measure["gained"] > measure["lost"]
        assert float(measure["first"]["upper"]) < float(measure["second"]["lower"])
        assert float(measure["p_value"]) <= float(measure["p_adjusted"]) < 0.05
        assert 0 < float(measure["lower"]) < float(measure["difference"])
    assert ("0.05", {}) == (found["alpha"], found["not_compared"])


def test_a_measure_that_one_lacks_is_said_to_be_missing(place: Place) -> None:
    done = place.succeed("compare", "old.bundle", "part.bundle")
    assert "not compared: puzzles.right: not measured in part.bundle" in done.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("old.bundle", "other.bundle"), 1, "the rubrics are not the same: test/quiz-label@1.0.0"),
        (("old.bundle", "nowhere.bundle"), 2, "no bundle here"),
        (("old.bundle", "new.bundle", "--alpha", "1"), 2, "alpha '1' is not a decimal"),
        (("old.bundle",), 2, "required"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    place: Place, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = place.run("compare", *arguments)
    assert (status, True) == (done.status, said in done.err), done.err


def test_a_changed_bundle_is_not_compared(place: Place) -> None:
    path = Path("new.bundle/records/evidence.jsonl")
    path.write_bytes(path.read_bytes().replace(b"declared", b"invented", 1))
    assert 4 == place.run("compare", "old.bundle", "new.bundle").status
