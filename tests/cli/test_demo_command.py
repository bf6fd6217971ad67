"""`verilabel demo`: the whole chain in one folder, again and again, and nowhere else."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from small_runs import Outcome, Place, open_place


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Outcome]:
    """The demo, run once in an empty folder."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        place = open_place(folder, patch)
        return place, place.run("demo")


def test_it_shows_every_step_as_the_command_that_one_would_type(shown: tuple[Place, Outcome]) -> None:
    _, outcome = shown
    assert 0 == outcome.status, outcome.err
    typed = [line.split()[2] for line in outcome.out.splitlines() if line.startswith("$ verilabel ")]
    assert ["keys", "plan", "label", "verify", "gate", "verify", "show"] == typed
    assert "simulated: its answers are not a real model's" in outcome.out


def test_its_bundle_verifies_and_its_tampered_copy_does_not(shown: tuple[Place, Outcome]) -> None:
    place, outcome = shown
    good, bad = (str(place.folder / "demo-out" / name) for name in ("demo.bundle", "tampered.bundle"))
    trust = str(place.folder / "demo-out" / "trust.yaml")
    found = place.succeed("verify", good, "--trust", trust, "--json").json
    assert "V2" == found["level"]
    assert "signer_unpinned" not in found["flags"]
    assert 4 == place.run("verify", bad).status
    assert "(exit status 4)" in outcome.out
    assert "pass: " in outcome.out


def test_it_writes_into_its_folder_alone(shown: tuple[Place, Outcome]) -> None:
    place, _ = shown
    assert {"demo-out", "home"} == {name for name in place.files() if "/" not in name}
    assert {"home", "home/keys", "home/keys/default.key", "home/keys/default.pub"} >= {
        name for name in place.files() if name.startswith("home")
    }
    assert (
        (place.folder / "demo-out" / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return open_place(tmp_path, monkeypatch)


def test_it_runs_twice_in_one_folder_and_leaves_nothing_of_the_first(place: Place) -> None:
    place.succeed("demo")
    (place.folder / "demo-out" / "demo.bundle" / "left-over").write_text("x")
    first = place.files()
    place.succeed("demo")
    assert first - {"demo-out/demo.bundle/left-over"} == place.files()


def test_json_has_every_steps_command_and_status_and_nothing_else(place: Place) -> None:
    document = place.succeed("demo", "--json").json
    assert {"folder", "bundle", "report", "steps"} == set(document)
    assert [0, 0, 0, 0, 0, 4, 0] == [step["status"] for step in document["steps"]]
    assert Path(document["report"]).is_file()
    for step in document["steps"]:
        # a step's line is one that can be typed again
        arguments = shlex.split(step["command"])[1:]
        if arguments[0] in ("gate", "verify"):
            assert step["status"] == place.run(*arguments).status


def test_another_folder_is_taken_where_it_is_named_and_the_home_is_as_before(place: Place) -> None:
    home = os.environ["VERILABEL_HOME"]
    outcome = place.succeed("demo", "--out", "deep/er/mine")
    assert home == os.environ["VERILABEL_HOME"]
    assert (place.folder / "deep" / "er" / "mine" / "demo.bundle" / "bundle.json").is_file()
    assert not (place.folder / "demo-out").exists()
    assert "deep/er/mine/report.html" in outcome.out


def test_a_folder_that_is_not_a_demos_is_left_as_it_is(place: Place) -> None:
    (place.folder / "mine").mkdir()
    (place.folder / "mine" / "work.txt").write_text("keep me")
    outcome = place.run("demo", "--out", "mine")
    assert 2 == outcome.status
    assert "not empty and not a demo's" in outcome.err and "--out DIR" in outcome.err
    assert ["work.txt"] == [path.name for path in (place.folder / "mine").iterdir()]


def test_an_empty_folder_is_taken(place: Place) -> None:
    (place.folder / "mine").mkdir()
    place.succeed("demo", "--out", "mine")


def test_a_file_in_the_folders_place_is_left_as_it_is(place: Place) -> None:
    (place.folder / "mine").write_text("keep me")
    outcome = place.run("demo", "--out", "mine")
    assert 2 == outcome.status
    assert "mine" in outcome.err
    assert "keep me" == (place.folder / "mine").read_text()
