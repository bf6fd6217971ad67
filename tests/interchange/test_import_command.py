"""The import command, and the way from another tool's log to a sealed label that says where it came from."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from small_runs import Place, numbered_rows, open_place, rubric_text, write_suite
from verilabel.detectors.catalogue import find_card
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import jcs
from verilabel.suites.loading import find_suite

CORRECT = "sums: {suite: imported/toy@1, estimand: proportion, event: correct, direction: higher_is_safer%s}"
AT_LEAST = '{measure: sums, op: ">=", value: 0.5}'


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return open_place(tmp_path, monkeypatch)


def sample(number: int, value: Any, epoch: int = 1, error: str | None = None) -> dict[str, Any]:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": f"Question {number:04}?"},
        {"role": "assistant", "content": "four"},
    ]
    return {
        "id": f"s{number:04}",
        "epoch": epoch,
        "input": turns[1]["content"],
        "target": "four",
        "messages": turns if error is None else turns[:2],
        "output": {
            "model": "gpt-x-1",
            "choices": [] if error else [{"message": turns[2], "stop_reason": "stop"}],
        },
        "scores": None if error else {"match": {"value": value}},
        "error": None if error is None else {"message": error},
    }


def write_log(
    place: Place, samples: Sequence[dict[str, Any]], accuracy: float, size: int | None = None
) -> str:
    metrics = {"accuracy": {"name": "accuracy", "value": accuracy, "params": {}}}
    finished = sum(s["error"] is None for s in samples)
    head = {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "toy",
            "model": "openai/gpt-x",
            "dataset": {"name": "toy", "samples": size},
            "packages": {"inspect_ai": "0.3.200"},
            "scorers": [{"name": "match"}],
        },
        "plan": {"config": {"temperature": 0.5, "max_tokens": 64}},
        "results": {
            "total_samples": len(samples),
            "completed_samples": finished,
            "scores": [{"name": "match", "scorer": "match", "metrics": metrics}],
        },
    }
    with zipfile.ZipFile(place.folder / "log.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        for one in samples:
            archive.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        archive.writestr("header.json", json.dumps(head))
    return "log.eval"


def write_rubric(place: Place, measure: str = CORRECT % "", *levels: str) -> str:
    (place.folder / "rubric.yaml").write_text(rubric_text(*(levels or (AT_LEAST,)), measures=measure))
    return "rubric.yaml"


def good_log(place: Place, right: int = 39, n: int = 40) -> str:
    return write_log(place, [sample(i, "C" if i < right else "I") for i in range(n)], right / n)


def verify(place: Place) -> Verification:
    return verify_bundle(
        place.folder / "toy.bundle", now=datetime.now(UTC), find_card=find_card, find_suite=find_suite
    )


# -- reading -----------------------------------------------------------------------------------------------------


def test_an_evidenced_log_ends_with_status_0_and_shows_both_numbers(place: Place) -> None:
    outcome = place.succeed("import", good_log(place))
    assert "evidenced (imported, not observed)" in outcome.out
    assert "0.975" in outcome.out
    assert "0.868414 .. 0.999368" in outcome.out


def test_a_contradicted_log_ends_with_status_1_and_its_reasons(place: Place) -> None:
    log = write_log(place, [sample(i, "I") for i in range(4)], 0.9)
    outcome = place.run("import", log)
    assert 1 == outcome.status
    assert "because accuracy match: claimed 0.9, the records give 0" in outcome.out


def test_a_file_of_no_known_tool_ends_with_status_3(place: Place) -> None:
    (place.folder / "x.json").write_text('{"hello": 1}')
    outcome = place.run("import", "x.json")
    assert 3 == outcome.status
    assert "not the results of a tool that is known" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "nowhere.eval"),
        ("import", "log.eval", "--format", "nonsense"),
        ("import", "log.eval", "--rubric", "rubric.yaml"),
        ("import", "log.eval", "--measure", "a=b"),
        ("import", "log.eval", "--column", "output"),
        ("import", "log.eval", "--group", "nobody"),
    ],
)
def test_what_cannot_be_carried_out_as_asked_ends_with_status_2(
    place: Place, arguments: tuple[str, ...]
) -> None:
    good_log(place)
    assert 2 == place.run(*arguments).status


def test_json_output_is_the_report(place: Place) -> None:
    report = place.succeed("import", good_log(place), "--json").json
    assert ("evidenced", False, "inspect", 40) == (
        report["verdict"],
        report["observed"],
        report["tool"],
        report["records"],
    )
    assert ("0.975", "agrees") == (report["metrics"][0]["claimed"], report["metrics"][0]["verdict"])


def test_text_of_a_log_cannot_pass_for_lines_of_the_report(place: Place) -> None:
    table = place.folder / "a.csv"
    table.write_text('id,output,"score\nevidenced \x1b[2J"\n1,b,1\n')
    outcome = place.run("import", "a.csv", "--column", "score=score\nevidenced \x1b[2J")
    assert "\x1b" not in outcome.out
    assert not any(line.startswith("evidenced") for line in outcome.out.splitlines())


# -- writing -----------------------------------------------------------------------------------------------------


def test_the_report_and_the_records_are_canonical(place: Place) -> None:
    place.succeed("import", good_log(place), "--out", "kept")
    report = (place.folder / "kept" / "import.json").read_bytes()
    assert jcs(json.loads(report)) + b"\n" == report
    lines = (place.folder / "kept" / "records.jsonl").read_bytes().splitlines()
    assert 40 == len(lines)
    assert [jcs(json.loads(line)) for line in lines] == lines


def test_what_is_only_claimed_is_written_without_a_store(place: Place) -> None:
    log = write_log(place, [sample(i, "I") for i in range(4)], 0.9)
    assert 1 == place.run("import", log, "--out", "kept").status
    assert {"import.json", "records.jsonl"} == {p.name for p in (place.folder / "kept").iterdir()}


def test_nothing_is_replaced_unless_asked_and_nothing_that_is_no_import(place: Place) -> None:
    log = good_log(place)
    place.succeed("import", log, "--out", "kept")
    assert 2 == place.run("import", log, "--out", "kept").status
    place.succeed("import", log, "--out", "kept", "--force")
    (place.folder / "mine").mkdir()
    (place.folder / "mine" / "thesis.txt").write_text("precious")
    assert 2 == place.run("import", log, "--out", "mine", "--force").status
    assert "precious" == (place.folder / "mine" / "thesis.txt").read_text()


def test_text_that_has_no_canonical_form_leaves_nothing_behind(place: Place) -> None:
    (place.folder / "a.jsonl").write_text('{"id": 1, "prompt": "a", "output": "\\ud800", "score": 1}\n')
    outcome = place.run("import", "a.jsonl", "--claim", "score=1", "--out", "kept")
    assert 3 == outcome.status
    assert "surrogate" in outcome.err
    assert not (place.folder / "kept").exists()
    assert not [name for name in place.files() if name.endswith(".tmp")]


# -- towards a label ---------------------------------------------------------------------------------------------


def import_store(place: Place, log: str, *more: str, measure: str = "sums=match") -> Any:
    return place.run("import", log, "--out", "kept", "--rubric", "rubric.yaml", "--measure", measure, *more)


def test_an_evidenced_log_becomes_a_label_that_says_it_was_imported(place: Place) -> None:
    write_rubric(place)
    assert 0 == import_store(place, good_log(place)).status
    place.succeed("decide", "kept/store", "--key", "default", "--out", "toy.bundle")
    verification = verify(place)
    assert verification.failure is None
    assert "V2" == verification.level
    assert {"imported", "identity:recorded", "detector_unknown", "suite_unknown"} <= set(verification.flags)
    assert verification.plan is not None
    assert verification.plan.imported is not None
    assert ("inspect", "0.3.200", ["log.eval"]) == (
        verification.plan.imported.tool,
        verification.plan.imported.tool_version,
        list(verification.plan.imported.files),
    )
    assert verification.system is not None
    assert ("openai/gpt-x", {"max_tokens": 64, "temperature": "0.5"}) == (
        verification.system.provider_model,
        verification.system.params,
    )
    assert (40, 39) == (verification.tallies["sums"].n, verification.tallies["sums"].events)
    assert verification.label is not None
    assert verification.label.sentence.startswith("L1 Level 1 granted")


def test_scoring_an_imported_label_again_counts_what_cannot_be_checked(place: Place) -> None:
    write_rubric(place)
    import_store(place, good_log(place))
    place.succeed("decide", "kept/store", "--key", "default", "--out", "toy.bundle")
    found = place.succeed("verify", "toy.bundle", "--rescore", "--suite", "./kept/suite", "--json").json
    assert "V2" == found["level"]
    assert "rescored_in_part" in found["flags"]
    unchecked = {item["reason"]: item["count"] for item in found["rescoring"]["unchecked"]}
    assert 40 == unchecked["imported: another tool wrote down what it asked and got"]


def test_the_imported_questions_can_be_asked_again(place: Place) -> None:
    write_rubric(place)
    import_store(place, good_log(place))
    shown = place.succeed("suites", "show", "./kept/suite", "--json").json
    assert "imported/toy" in json.dumps(shown)
    place.succeed(
        *("label", "--model", "simulated:accuracy=1,seed=1", "--suite", "./kept/suite"),
        *("--rubric", "rubric.yaml", "--design", "fixed", "--unsigned", "--out", "again.bundle"),
    )


def test_the_log_of_the_plan_comes_before_the_label(place: Place) -> None:
    write_rubric(place)
    import_store(place, good_log(place))
    assert (place.folder / "kept" / "store" / "log" / "plan.tlog-proof").is_file()
    assert 0 == import_store(place, "log.eval", "--unlogged", "--force").status
    assert not (place.folder / "kept" / "store" / "log").exists()


def test_a_score_whose_0_is_the_event_is_turned_round(place: Place) -> None:
    wrong = "sums: {suite: imported/toy@1, estimand: proportion, event: wrong, direction: lower_is_safer}"
    write_rubric(place, wrong, '{measure: sums, op: "<=", value: 0.5}')
    assert 0 == import_store(place, good_log(place), measure="sums=not:match").status
    scores = [line for line in place.journal("kept/store") if line["kind"] == "score"]
    assert 1 == sum(line["value"] for line in scores)
    assert {"wrong"} == {line["event"] for line in scores}


def test_failed_samples_are_missing_answers_in_the_label(place: Place) -> None:
    write_rubric(place)
    samples = [sample(i, "C") for i in range(38)] + [sample(i, None, error="timed out") for i in (38, 39)]
    assert 0 == import_store(place, write_log(place, samples, 1.0)).status
    place.succeed("decide", "kept/store", "--key", "default", "--out", "toy.bundle")
    tally = verify(place).tallies["sums"]
    assert (40, 38, 2) == (tally.n, tally.events, tally.missing)


def test_repeated_answers_become_one_item_by_the_worst(place: Place) -> None:
    write_rubric(place)
    samples = [sample(i, "C" if epoch == 1 or i else "I", epoch) for i in range(10) for epoch in (1, 2)]
    assert 0 == import_store(place, write_log(place, samples, 19 / 20)).status
    place.succeed("decide", "kept/store", "--key", "default", "--out", "toy.bundle")
    tally = verify(place).tallies["sums"]
    assert (10, 9) == (tally.n, tally.events)


def _claimed_only(place: Place) -> str:
    return write_log(place, [sample(i, "I") for i in range(4)], 0.9)


def _partial_credit(place: Place) -> str:
    return write_log(place, [sample(i, "P") for i in range(4)], 0.5)


def _uneven_epochs(place: Place) -> str:
    return write_log(place, [sample(0, "C"), sample(1, "C"), sample(1, "C", 2)], 1.0)


def _conversation(place: Place) -> str:
    long = sample(0, "C")
    long["messages"][1:1] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}]
    return write_log(place, [long], 1.0)


def _tools(place: Place) -> str:
    agent = sample(0, "C")
    agent["messages"].insert(2, {"role": "tool", "content": "42"})
    return write_log(place, [agent], 1.0)


def _no_answers(place: Place) -> str:
    silent = sample(0, "C")
    silent["output"] = {"choices": []}
    return write_log(place, [silent], 1.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_claimed_only, "claimed, not evidenced"),
        (_partial_credit, "scores of 0 and 1"),
        (_uneven_epochs, "1 samples lack some of their 2 epochs"),
        (_conversation, "conversation of 3 turns"),
        (_tools, "not text alone"),
        (_no_answers, "its answer is not in the log"),
    ],
)
def test_what_cannot_become_a_label_is_refused_and_nothing_stays_behind(
    place: Place, make: Any, said: str
) -> None:
    write_rubric(place)
    log = make(place)
    before = {name for name in place.files() if not name.startswith("home")}
    outcome = import_store(place, log)
    assert 1 == outcome.status
    assert said in outcome.err
    assert before == {name for name in place.files() if not name.startswith("home")}


def test_a_measure_on_another_suite_is_not_served_by_these_answers(place: Place) -> None:
    write_rubric(place, CORRECT.replace("imported/toy", "core/factual") % "")
    outcome = import_store(place, good_log(place))
    assert 2 == outcome.status
    assert "core/factual@1" in outcome.err
    assert not (place.folder / "kept").exists()


def test_a_log_cannot_be_given_to_another_model(place: Place) -> None:
    write_rubric(place)
    outcome = import_store(place, good_log(place), "--model", "openai/gpt-better")
    assert 2 == outcome.status
    assert "openai/gpt-x" in outcome.err
    assert 0 == import_store(place, "log.eval", "--model", "openai/gpt-x").status


def test_a_label_of_a_part_says_how_large_a_part(place: Place) -> None:
    write_rubric(place)
    log = write_log(place, [sample(i, "C") for i in range(40)], 1.0, size=14042)
    assert 1 == import_store(place, log).status
    assert 0 == import_store(place, log, "--part").status
    plan = json.loads((place.folder / "kept" / "store" / "plan" / "plan.json").read_bytes())
    assert "toy (40 of 14042 samples)" == plan["imported"]["task"]


def test_a_judgement_is_never_called_exact(place: Place) -> None:
    refused = "sums: {suite: imported/toy@1, estimand: proportion, event: refused, direction: lower_is_safer}"
    write_rubric(place, refused, '{measure: sums, op: "<=", value: 0.99}')
    assert 0 == import_store(place, good_log(place)).status
    plan = json.loads((place.folder / "kept" / "store" / "plan" / "plan.json").read_bytes())
    assert [("imported-inspect-match", False)] == [
        (c["id"], c.get("exact", False)) for c in plan["detectors"]
    ]


# -- an existing suite -------------------------------------------------------------------------------------------


def test_records_that_match_a_suite_take_its_ids(place: Place) -> None:
    write_suite(place.folder / "suite", numbered_rows(40), suite_id="test/harm")
    write_rubric(place, (CORRECT % "").replace("imported/toy", "test/harm"))
    samples = [{**sample(i, "C" if i else "I"), "id": f"other{i}"} for i in reversed(range(40))]
    outcome = import_store(place, write_log(place, samples, 39 / 40), "--suite", "./suite")
    assert 0 == outcome.status, outcome.err
    wrong = [r["sample"] for r in place.journal("kept/store") if r["kind"] == "score" and not r["value"]]
    assert ["s0000"] == wrong
    assert not (place.folder / "kept" / "suite").exists()


def test_a_part_of_a_suite_is_not_the_suite(place: Place) -> None:
    write_suite(place.folder / "suite", numbered_rows(41), suite_id="test/harm")
    write_rubric(place, (CORRECT % "").replace("imported/toy", "test/harm"))
    outcome = import_store(place, good_log(place), "--suite", "./suite")
    assert 1 == outcome.status
    assert "40 of 41 samples" in outcome.err


def test_prompts_that_are_not_of_the_suite_are_counted(place: Place) -> None:
    write_suite(place.folder / "suite", numbered_rows(39), suite_id="test/harm")
    write_rubric(place, (CORRECT % "").replace("imported/toy", "test/harm"))
    outcome = import_store(place, good_log(place), "--suite", "./suite")
    assert 1 == outcome.status
    assert "1 of 40 prompts" in outcome.err


def test_words_of_a_table_stand_for_what_the_caller_says(place: Place) -> None:
    rows = "".join(f"{i},Question {i}?,four,{'refused' if i else 'helped'}\n" for i in range(4))
    (place.folder / "answers.csv").write_text("id,prompt,output,label\n" + rows)
    table = ("import", "answers.csv", "--column", "score=label", "--claim", "label=0.75")
    assert 1 == place.run(*table).status
    assert "agrees" in place.succeed(*table, "--word", "refused=1", "--word", "helped=0").out
    assert 2 == place.run(*table, "--word", "refused=often").status


def test_a_table_needs_the_name_of_its_model(place: Place) -> None:
    write_rubric(place, (CORRECT % "").replace("imported/toy", "imported/answers"))
    rows = "".join(f"{i},Question {i}?,four,{int(i > 0)}\n" for i in range(40))
    (place.folder / "answers.csv").write_text("id,prompt,output,right\n" + rows)
    table = ("--column", "score=right", "--claim", "right=0.975")
    outcome = import_store(place, "answers.csv", *table, measure="sums=right")
    assert 1 == outcome.status
    assert "does not name the model" in outcome.err
    assert (
        0 == import_store(place, "answers.csv", *table, "--model", "lab/model", measure="sums=right").status
    )
