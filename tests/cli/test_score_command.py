"""`verilabel score`: scores that were lost or never made, from kept answers alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite
from verilabel.detectors.catalogue import open_detector
from verilabel.records.canonical import digest

MEASURE = "suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(20))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.8")))
    return open_place(tmp_path, monkeypatch)


def run(place: Place, *more: str) -> None:
    place.succeed(
        *("run", "--model", "simulated:rate=0.2", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--seed", "7", "--store", "s.run", "--quiet", *more),
    )


def lose_scores(place: Place) -> None:
    place.write_journal(
        "s.run", [r for r in place.journal("s.run") if r["kind"] in ("attempt", "observation")]
    )


def scores(place: Place) -> dict[str, object]:
    return {r["sample"]: r["value"] for r in place.journal("s.run") if r["kind"] == "score"}


def test_lost_scores_are_made_again_and_the_bundle_is_the_same(place: Place) -> None:
    run(place)
    before = scores(place)
    root = place.succeed("decide", "s.run", "--out", "a.bundle", "--json").json["evidence_root"]
    lose_scores(place)
    assert 8 == place.run("decide", "s.run").status
    outcome = place.succeed("score", "s.run", "--suite", "suite", "--json")
    assert {"store": "s.run", "scored": 20} == outcome.json
    assert before == scores(place)
    again = place.succeed("decide", "s.run", "--out", "b.bundle", "--json")
    assert root == again.json["evidence_root"]


def test_a_store_that_lacks_nothing_is_left_as_it_is(place: Place) -> None:
    run(place)
    before = place.journal("s.run")
    outcome = place.succeed("score", "s.run", "--suite", "suite")
    assert "0 answers scored in s.run" in outcome.out
    assert before == place.journal("s.run")


def test_a_suite_of_the_product_is_found_by_its_id(place: Place) -> None:
    place.succeed(
        *("run", "--model", "simulated", "--suite", "core/bias", "--rubric", "core", "--limit", "10"),
        *("--design", "fixed", "--store", "s.run", "--quiet"),
    )
    lose_scores(place)
    assert 10 == place.succeed("score", "s.run", "--json").json["scored"]


def test_a_suite_that_is_nowhere_asks_for_its_place(place: Place) -> None:
    run(place)
    outcome = place.run("score", "s.run")
    assert 2 == outcome.status
    assert "test/harm" in outcome.err


def test_a_suite_that_was_changed_since_is_refused(place: Place) -> None:
    run(place)
    lose_scores(place)
    write_suite(place.folder / "suite", numbered_rows(21))
    outcome = place.run("score", "s.run", "--suite", "suite")
    assert 4 == outcome.status
    assert "is not the suite that was planned" in outcome.err
    assert {} == scores(place)


def test_a_suite_that_the_plan_does_not_have_is_refused(place: Place) -> None:
    run(place)
    write_suite(place.folder / "other", numbered_rows(3), suite_id="test/other")
    outcome = place.run("score", "s.run", "--suite", "suite", "--suite", "other")
    assert 2 == outcome.status
    assert "no suite test/other@1.0.0" in outcome.err and "test/harm@1.0.0" in outcome.err


def test_a_detector_with_measured_errors_scores_like_one_without(place: Place) -> None:
    card = open_detector("regex:simulated step").card
    errors = {
        "true_positives": 90,
        "positives": 100,
        "true_negatives": 90,
        "negatives": 100,
        "dataset": "people",
        "dataset_sha256": digest(b"people"),
    }
    document = {"id": card.id, "version": card.version, "event": card.event, "sha256": card.sha256}
    (place.folder / "card.json").write_text(json.dumps(document | {"errors": [errors]}))
    run(place, "--detector-card", "matched=card.json")
    before = scores(place)
    lose_scores(place)
    place.succeed("score", "s.run", "--suite", "suite")
    assert before == scores(place)


def test_a_detector_that_was_chosen_by_an_option_is_opened_again_from_its_card(place: Place) -> None:
    run(place, "--detector", "matched=regex:cannot|won't")
    before = scores(place)
    assert {True, False} == set(before.values())
    lose_scores(place)
    place.succeed("score", "s.run", "--suite", "suite")
    assert before == scores(place)


@pytest.mark.parametrize("command", ["score", "decide"])
def test_a_store_that_is_not_there_is_not_made(place: Place, command: str) -> None:
    before = place.files()
    outcome = place.run(command, "typo.run")
    assert 2 == outcome.status
    assert "there is no run here @ typo.run" in outcome.err
    assert before == place.files()
