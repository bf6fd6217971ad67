"""`verilabel check`: 0 not worse, 1 worse, 8 inconclusive, and each says why."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bundle_factory import Recipe
from party_factory import make_party, model_that
from small_runs import Place, open_place

RECIPE = Recipe(sizes=(("quiz", 120), ("puzzles", 80)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for name, model in (
        ("main", model_that(7, accuracy=0.8)),
        ("same", model_that(8, accuracy=0.8)),
        ("better", model_that(8, accuracy=0.99)),
        ("worse", model_that(8, accuracy=0.3)),
    ):
        shutil.move(make_party(folder / f"{name}.made", replace(RECIPE), model), folder / f"{name}.bundle")
        shutil.rmtree(folder / f"{name}.made")
    return folder


@pytest.fixture
def place(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return open_place(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("bundle", "margin", "status", "said"),
    [
        ("better", "0.1", 0, "not worse (margin 0.1, alpha 0.05)"),
        ("same", "0.2", 0, "not worse (margin 0.2, alpha 0.05)"),
        ("same", "0.02", 8, "inconclusive (margin 0.02, alpha 0.05)"),
        ("worse", "0.1", 1, "worse (margin 0.1, alpha 0.05)"),
        ("main", "0.02", 8, "inconclusive (margin 0.02, alpha 0.05)"),
        ("main", "0.05", 0, "not worse (margin 0.05, alpha 0.05)"),
    ],
)
def test_each_verdict_has_its_status(place: Place, bundle: str, margin: str, status: int, said: str) -> None:
    done = place.run("check", f"{bundle}.bundle", "--baseline", "main.bundle", "--margin", margin)
    assert status == done.status, done.out + done.err
    assert done.out.startswith(said)


def test_an_inconclusive_check_says_how_many_items_would_decide_it(place: Place) -> None:
    check = ("check", "same.bundle", "--baseline", "main.bundle")
    assert "items would decide it" in place.run(*check).out
    found = place.run(*check, "--json").json
    assert "inconclusive" == found["verdict"]
    open_measures = [m for m in found["measures"] if m["verdict"] == "inconclusive"]
    assert open_measures
    assert all(m["needed"] > m["items"] for m in open_measures)


def test_the_baseline_must_verify_too(place: Place) -> None:
    path = Path("main.bundle/records/evidence.jsonl")
    path.write_bytes(path.read_bytes().replace(b"declared", b"invented", 1))
    assert 4 == place.run("check", "same.bundle", "--baseline", "main.bundle").status


def test_a_trust_policy_counts_for_both(place: Place) -> None:
    trust = place.succeed("keys", "export", "default", "--trust").out
    Path("trust.yaml").write_text(trust)
    done = place.run("check", "same.bundle", "--baseline", "main.bundle", "--trust", "trust.yaml")
    assert (4, True) == (done.status, "not one the trust policy accepts" in done.err)


def test_without_a_baseline_there_is_nothing_to_check(place: Place) -> None:
    assert 2 == place.run("check", "same.bundle").status
