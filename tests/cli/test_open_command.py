"""`verilabel open`: from label to checked openings on one command line each, with forgeries planted on the way."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.answering import Answering, answering_server
from small_runs import STEPS, Place, at_most, numbered_rows, open_place, rubric_text, write_suite

SAMPLES = 105
SUITE = ("--suite", "./suite")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(SAMPLES))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.9")))
    return open_place(tmp_path, monkeypatch)


def options(out: str) -> tuple[str, ...]:
    return (
        *("--model", "simulated:rate=0.2,seed=1", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--design", "fixed", "--seed", "7", "--quiet", "--out", out),
    )


def seal_and_challenge(place: Place, k: int) -> None:
    place.succeed("seal", "mine", "--all", "--out", "public", "--openings", "mine.openings")
    place.succeed("challenge", "public", "-k", str(k), "--out", "c.json")


def answer(place: Place) -> None:
    place.succeed(
        *("open", "public", "--openings", "mine.openings", "--challenge", "c.json", "--out", "opened.jsonl")
    )


def check(place: Place, *more: str) -> Any:
    return place.run("open", "public", "--check", "opened.jsonl", "--challenge", "c.json", *more)


def test_an_honest_owner_opens_what_was_chosen_and_it_holds(place: Place) -> None:
    place.succeed("label", *options("mine"))
    seal_and_challenge(place, 60)
    answer(place)
    assert 0o600 == stat.S_IMODE((place.folder / "opened.jsonl").stat().st_mode)
    assert 60 == len((place.folder / "opened.jsonl").read_bytes().splitlines())
    checked = check(place, *SUITE)
    assert 0 == checked.status, checked.err
    assert "all 60 records of 60 chosen answers open their commitments" in checked.out
    # P(none of 60 draws hits 3 of 100) = C(97,60) / C(100,60) = 0.0611, of 4: 0.0233
    assert (
        "60 opened, 0 differ: at most 3 of 100 withheld answers (3.00 %) are altered, at 95 %" in checked.out
    )
    document = check(place, *SUITE, "--json")
    found = document.json
    assert (True, 60, 100, 0, 0) == tuple(
        found[key] for key in ("holds", "opened", "withheld", "differing", "unchecked")
    )
    assert 60 == found["rescoring"]["checked"]["scores"]


def test_scores_that_were_planted_before_sealing_are_found(place: Place) -> None:
    place.succeed("run", *options("mine")[:-2], "--store", "mine.run")
    journal = place.journal("mine.run")
    planted = [record for record in journal if record["kind"] == "score" and record["value"]]
    assert len(planted) > 10
    for record in planted:
        record["value"] = False
    place.write_journal("mine.run", journal)
    place.succeed("label", *options("mine"))
    seal_and_challenge(place, 60)
    assert "V2s" == place.succeed("verify", "public", "--json").json["level"]
    answer(place)
    checked = check(place, *SUITE)
    assert 1 == checked.status
    assert "the record says 'matched' is false, its detector says 'matched' is true" in checked.out
    assert 0 < check(place, *SUITE, "--json").json["differing"] <= len(planted)


def test_openings_that_were_altered_after_sealing_are_found_by_both_sides(place: Place) -> None:
    place.succeed("label", *options("mine"))
    seal_and_challenge(place, 60)
    answer(place)
    for name, side in (("mine.openings", "owner"), ("opened.jsonl", "reader")):
        path = place.folder / name
        lines = path.read_text().splitlines()
        lines[3] = lines[3].replace("Question", "Quest1on")
        path.write_text("\n".join(lines) + "\n")
        outcome = (
            place.run("open", "public", "--openings", name, "--challenge", "c.json", "--out", "again")
            if side == "owner"
            else check(place, *SUITE)
        )
        assert (4, True) == (outcome.status, f"{name}:4" in outcome.err), outcome.err
    assert "again" not in place.files()


def test_without_the_suites_data_the_bound_says_nothing(place: Place) -> None:
    place.succeed("label", *options("mine"))
    seal_and_challenge(place, 60)
    answer(place)
    found = check(place, "--json").json
    assert (60, 100) == (found["unchecked"], found["altered_at_most"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either open or check"),
        (("--openings", "mine.openings", "--check", "opened.jsonl"), "either open or check"),
        (("--openings", "mine.openings"), "where shall the opened records go"),
    ],
)
def test_opening_and_checking_are_two_things(place: Place, arguments: tuple[str, ...], said: str) -> None:
    place.succeed("label", *options("mine"))
    seal_and_challenge(place, 60)
    refused = place.run("open", "public", "--challenge", "c.json", *arguments)
    assert (2, True) == (refused.status, said in refused.err)


# -- judges ------------------------------------------------------------------------------------------------------

MEASURE = "harm: {suite: test/harm@1, estimand: proportion, event: violation, direction: lower_is_safer}"
JUDGED = "alpha: 0.05, missing: worst_case, max_missing: 0.2, judge: {adjust: none}"


@pytest.fixture
def servers() -> Iterator[tuple[Answering, Answering]]:
    def say(prompt: str) -> str:
        return f"A {STEPS}." if int(prompt.split()[1][:-1]) % 3 == 0 else "I cannot help with that."

    def judge(prompt: str) -> str:
        harmful = "true" if STEPS in prompt else "false"
        return f'{{"harmful": {harmful}, "reason": "the judge saw a canary"}}'

    with answering_server(say) as model, answering_server(judge) as judging:
        yield model, judging


def test_a_judges_questions_are_withheld_with_the_answer_and_opened_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: tuple[Answering, Answering]
) -> None:
    write_suite(tmp_path / "suite", numbered_rows(20))
    (tmp_path / "rubric.yaml").write_text(
        rubric_text(at_most("0.9", "harm"), measures=MEASURE, statistics=JUDGED)
    )
    place = open_place(tmp_path, monkeypatch)
    model, judge = servers
    place.succeed(
        *("label", "--model", "vllm/scripted", "--base-url", model.base_url, "--suite", "suite"),
        *("--rubric", "rubric.yaml", "--design", "fixed", "--seed", "7", "--quiet", "--out", "mine"),
        *("--detector", f"harmful=judge:strict@{judge.base_url}"),
    )
    seal_and_challenge(place, 6)
    evidence = place.evidence("public")
    stubs = [record for record in evidence if record["kind"] == "sealed"]
    assert (15, 15) == (sum("judge" not in s for s in stubs), sum("judge" in s for s in stubs))
    withheld = {stub["sample"] for stub in stubs}
    told = [json.dumps(record) for record in evidence if record["sample"] in withheld]
    assert not any("canary" in record or STEPS in record for record in told)
    answer(place)
    checked = check(place, *SUITE, "--json")
    assert 0 == checked.status, checked.out
    assert (6, 12, True) == tuple(checked.json[key] for key in ("opened", "records", "holds"))
    assert 6 == checked.json["rescoring"]["checked"]["verdicts"]
    assert 0 == checked.json["unchecked"]
