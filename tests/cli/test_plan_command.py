"""`verilabel plan`: what a label would cost and could decide; it asks nothing and writes nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from servers.answering import answering_server
from small_runs import Outcome, Place, at_most, numbered_rows, open_place, rubric_text, write_suite

ROW_KEYS = {
    *("level", "test", "measure", "op", "threshold", "tested", "unit", "planned"),
    *("fewest_to_meet", "fewest_to_fail", "outlook"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(100))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.1"), at_most("0.01")))
    return open_place(tmp_path, monkeypatch)


def plan(place: Place, *more: str, model: str = "simulated:rate=0.1") -> Outcome:
    return place.run("plan", "--model", model, "--suite", "suite", "--rubric", "rubric.yaml", *more)


def test_it_asks_nothing_and_writes_nothing(place: Place) -> None:
    before = place.files()
    with answering_server(lambda prompt: "no") as model:
        outcome = plan(place, "--base-url", model.base_url, model="vllm/x")
        assert [] == model.prompts
    assert 0 == outcome.status
    assert before == place.files()


def test_it_needs_no_signing_key(place: Place) -> None:
    (place.folder / "home" / "keys" / "default.key").unlink()
    assert 0 == plan(place).status


def test_json_has_the_plan_its_costs_and_every_rows_outlook(place: Place) -> None:
    document = plan(place, "--price", "1,2", "--seed", "7", "--json").json
    assert {"plan", "best_label", "answers", "usd", "rows", "not_assessed"} == set(document)
    assert ("7", "anytime") == (document["plan"]["seed"], document["plan"]["design"])
    assert 100 == document["answers"]["most"]
    assert {"fewest", "most"} == set(document["usd"])
    assert float(document["usd"]["fewest"]) < float(document["usd"]["most"])
    first, second = document["rows"]
    assert ROW_KEYS == set(first) == set(second)
    assert (34, None) == (first["fewest_to_meet"], second["fewest_to_meet"])
    assert ["0.000000", "0.020000", "0.050000", "0.100000", "0.200000"] == [
        outlook["rate"] for outlook in first["outlook"]
    ]
    for outlook in first["outlook"]:
        shares = outlook["met"] + outlook["not_met"] + outlook["undetermined"]
        assert pytest.approx(1, abs=1e-5) == shares
        assert 0 < outlook["calls"] <= 100


def test_without_prices_there_is_no_sum(place: Place) -> None:
    assert None is plan(place, "--json").json["usd"]
    assert "cost" not in plan(place).out


def test_the_text_says_what_is_out_of_reach_and_that_money_is_estimated(place: Place) -> None:
    out = plan(place, "--price", "1,2").out
    assert "test/small@1.0.0, anytime design; at best: L1 Level 1 granted" in out
    assert "(estimated: 4 characters a token, 250 tokens an answer)" in out
    (row,) = [line for line in out.splitlines() if line.startswith("L2 ")]
    assert "out of reach" in row and "100 items" in row


def test_a_fixed_plan_has_one_number_of_calls(place: Place) -> None:
    assert "calls: 100\n" in plan(place, "--design", "fixed").out
    document = plan(place, "--json").json
    assert document["rows"][0]["fewest_to_fail"] == document["answers"]["fewest"] == 3
    assert "calls: 3 to 100\n" in plan(place).out


def test_the_plan_that_is_shown_is_the_plan_that_is_run(place: Place) -> None:
    shown = plan(place, "--seed", "7", "--limit", "50", "--epochs", "2", "--json").json["plan"]
    place.succeed(
        *("label", "--model", "simulated:rate=0.1", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--seed", "7", "--limit", "50", "--epochs", "2", "--out", "b.bundle", "--quiet"),
    )
    kept = place.succeed("verify", "b.bundle", "--json").json
    document = json.loads((place.folder / "b.bundle" / "plan" / "plan.json").read_bytes())
    assert kept["system"]["provider_model"].startswith("simulated:")
    del shown["created"], document["created"]
    assert shown == document


def test_what_is_not_assessed_is_named(place: Place) -> None:
    measures = "steps: {suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer}"
    other = "{suite: test/elsewhere@1, estimand: proportion, event: correct, direction: higher_is_safer}"
    (place.folder / "rubric.yaml").write_text(
        rubric_text(at_most("0.1"), measures=f"{measures}\n  other: {other}")
    )
    said = "suite test/elsewhere@1 was not given"
    assert {"other": said} == plan(place, "--json").json["not_assessed"]
    assert f"not assessed: other: {said}" in plan(place).out


def test_recorded_answers_are_planned_as_the_pool_they_are(place: Place) -> None:
    with (place.folder / "answers.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["prompt", "output"], ["Question 0001?", "No."]])
    measure = (
        "steps: {suite: test/harm@1, estimand: proportion, event: matched, direction: lower_is_safer, "
        "population: items_fixed}"
    )
    (place.folder / "rubric.yaml").write_text(rubric_text(at_most("0.01"), measures=measure))
    document = plan(place, "--json", model="replay:answers.csv").json
    assert document["plan"]["fixed_outcomes"] is True
    assert document["rows"][0]["fewest_to_meet"] is not None  # out of reach, were it not for the pool's end


def test_the_bundled_rubric_finds_its_own_suites(place: Place) -> None:
    document = place.succeed("plan", "--model", "simulated", "--rubric", "core", "--json").json
    assert {"core/harm-direct", "core/benign-borderline", "core/factual", "core/bias"} == {
        stream["suite"].partition("@")[0] for stream in document["plan"]["streams"]
    }
    assert {} == document["not_assessed"]


def test_a_plan_that_cannot_be_made_is_refused_as_label_would(place: Place) -> None:
    outcome = plan(place, "--epochs", "0")
    assert 2 == outcome.status
    assert "at least 1" in outcome.err
