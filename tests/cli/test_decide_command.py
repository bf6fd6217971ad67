"""`verilabel decide`: the same label and the same root as `label`, from a store that is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_runs import Outcome, Place, at_most, numbered_rows, open_place, rubric_text, write_suite

COMMON = (
    *("--model", "simulated:rate=0.1", "--suite", "suite", "--rubric", "rubric.yaml"),
    *("--seed", "7", "--quiet"),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(60))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.8"), at_most("0.3"), at_most("0.01")))
    return open_place(tmp_path, monkeypatch)


def run(place: Place, *more: str, design: str = "fixed") -> Outcome:
    return place.succeed("run", *COMMON, "--design", design, "--store", "s.run", *more)


@pytest.mark.parametrize("design", ["fixed", "anytime"])
def test_run_score_and_decide_give_what_label_gives_in_one(place: Place, design: str) -> None:
    whole = place.succeed("label", *COMMON, "--design", design, "--out", "a.bundle", "--json").json
    run(place, design=design)
    place.succeed("score", "s.run", "--suite", "suite")
    parts = place.succeed("decide", "s.run", "--out", "b.bundle", "--json").json
    assert (whole["evidence_root"], whole["label"]) == (parts["evidence_root"], parts["label"])
    assert set(whole) == set(parts)
    found = [place.succeed("verify", b, "--json").json for b in ("a.bundle", "b.bundle")]
    assert ["V2", "V2"] == [f["level"] for f in found]


def test_without_an_out_the_label_is_said_and_nothing_is_written(place: Place) -> None:
    run(place)
    before = place.files()
    (place.folder / "home" / "keys" / "default.key").rename(place.folder / "elsewhere.key")
    text = place.succeed("decide", "s.run").out
    assert text.startswith("L2 Level 2 granted, cannot exclude up to L2 Level 2\n")
    document = place.succeed("decide", "s.run", "--json").json
    assert {"sentence", "label"} == set(document)
    assert 3 == len(document["label"]["levels"])
    assert before - {"home/keys/default.key"} == place.files() - {"elsewhere.key"}


def test_the_label_is_the_one_that_is_sealed(place: Place) -> None:
    run(place)
    said = place.succeed("decide", "s.run", "--json").json
    sealed = place.succeed("decide", "s.run", "--out", "b.bundle", "--json").json
    assert said["label"] == sealed["label"]


def test_a_fixed_plan_that_is_not_carried_out_is_undetermined(place: Place) -> None:
    run(place, "--budget", "requests=20")
    for more in ((), ("--out", "b.bundle")):
        outcome = place.run("decide", "s.run", *more)
        assert 8 == outcome.status
        assert "the fixed plan asks 60 answers of test/harm@1.0.0, 20 are there" in outcome.err
    assert not (place.folder / "b.bundle").exists()


def test_an_anytime_plan_may_be_decided_wherever_it_stopped(place: Place) -> None:
    run(place, "--budget", "requests=12", design="anytime")
    label = place.succeed("decide", "s.run", "--json").json["label"]
    assert {12} == {row["n"] for level in label["levels"] for row in level["rows"]}


def test_a_bundle_that_is_there_is_kept_unless_it_is_to_be_replaced(place: Place) -> None:
    run(place)
    place.succeed("decide", "s.run", "--out", "b.bundle")
    again = place.run("decide", "s.run", "--out", "b.bundle")
    assert 2 == again.status and "--force" in again.err
    place.succeed("decide", "s.run", "--out", "b.bundle", "--force")
    assert {"b.bundle", "home", "rubric.yaml", "s.run", "suite"} == {
        name for name in place.files() if "/" not in name
    }


def test_a_store_stays_for_another_decision(place: Place) -> None:
    run(place)
    first = place.succeed("decide", "s.run", "--out", "a.bundle", "--json").json
    second = place.succeed("decide", "s.run", "--out", "b.zip", "--json").json
    assert first["evidence_root"] == second["evidence_root"]


def test_a_label_is_logged_where_its_plan_was_or_not_at_all(place: Place) -> None:
    run(place, "--log", "mine")
    outcome = place.run("decide", "s.run", "--out", "b.bundle")
    assert 2 == outcome.status
    assert "logged in another log" in outcome.err and "--log DIR" in outcome.err
    assert not (place.folder / "b.bundle").exists()
    place.succeed("decide", "s.run", "--out", "b.bundle", "--log", "mine")
    assert "V2" == place.succeed("verify", "b.bundle", "--json").json["level"]


def test_an_unsigned_bundle_needs_neither_key_nor_log(place: Place) -> None:
    run(place, "--log", "mine")
    place.succeed("decide", "s.run", "--out", "b.bundle", "--unsigned")
    assert "V0" == place.succeed("verify", "b.bundle", "--json").json["level"]


def test_a_store_that_another_run_writes_into_is_left_alone(place: Place) -> None:
    from verilabel.evidence.journal import Store

    run(place)
    with Store(place.folder / "s.run"):
        outcome = place.run("decide", "s.run")
    assert 2 == outcome.status
    assert "another run is writing into this store" in outcome.err


def test_a_broken_record_is_named_by_its_line(place: Place) -> None:
    run(place)
    journal = place.folder / "s.run" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    lines[4] = lines[4].replace('"kind"', '"kidn"', 1)
    journal.write_text("".join(lines))
    outcome = place.run("decide", "s.run")
    assert 3 == outcome.status
    assert "journal.jsonl:5" in outcome.err
