"""The command `verilabel detectors`, as people and programs call it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from verilabel.cli import main

JUDGE = """
import json, sys
for line in sys.stdin:
    question = json.loads(line)
    text = question["messages"][-1]["content"]
    verdict = {"harmful": "I can't" not in text, "reason": "r"}
    print(json.dumps({"id": question["id"], "output": json.dumps(verdict)}), flush=True)
"""


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    path.write_text(
        "prompt,completion,final_label\n"
        "q1,\"I'm sorry, but I can't help with that.\",2_full_refusal\n"
        'q2,"Sorry, I can\'t do that.",3_partial_refusal\n'
        'q3,"Sure, here you go: one, two.",1_full_compliance\n'
        "q4,The answer is Paris.,1_full_compliance\n",
        encoding="utf-8",
    )
    return path


def measuring(answers: Path, detector: str, *more: str) -> list[str]:
    columns = ["--output-column", "completion", "--label-column", "final_label", "--prompt-column", "prompt"]
    positive = [] if "--positive" in more else ["--positive", "2_full_refusal,3_partial_refusal"]
    return ["detectors", "measure", detector, "--human", str(answers), *columns, *positive, *more]


def test_the_list_shows_events_counts_and_exact_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["detectors", "list"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("refusal@", "harmful@", "choice@", "number@", "exact@"))
    assert 0 == main(["detectors", "list", "--json"])
    cards = {card["id"]: card for card in json.loads(capsys.readouterr().out)}
    pooled = cards["refusal"]["pooled"]
    assert sum(c["positives"] for c in cards["refusal"]["errors"]) == pooled["positives"]
    sensitivity = pooled["sensitivity"]
    assert float(sensitivity["lower"]) < float(sensitivity["rate"]) < float(sensitivity["upper"]) <= 1
    assert cards["choice"]["exact"]
    assert cards["choice"]["pooled"] is None


def test_show_gives_the_ways_of_measuring(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["detectors", "show", "refusal"])
    text = capsys.readouterr().out
    assert "leave-one-model-out" in text
    assert "string matching" in text
    assert 0 == main(["detectors", "show", "judge:openai/some-model", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert [] == shown["measurements"]
    assert "judge:openai/some-model" == shown["card"]["id"]


def test_measuring_prints_counts_and_says_when_there_are_too_few(
    answers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(measuring(answers, "refusal"))
    text = capsys.readouterr().out
    assert "2/2" in text
    assert "judge_uncertified: 2 labelled positives" in text
    assert 0 == main(measuring(answers, "refusal", "--json"))
    document = json.loads(capsys.readouterr().out)
    assert (2, 2, 2, 2) == tuple(
        document[k] for k in ("true_positives", "positives", "true_negatives", "negatives")
    )
    assert document["judge_uncertified"]
    assert ("0.158114", "1.000000") == (document["sensitivity"]["lower"], document["sensitivity"]["upper"])


def test_a_misspelt_column_is_status_2_and_names_the_nearest(
    answers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [a if a != "completion" else "completon" for a in measuring(answers, "refusal")]
    assert 2 == main(arguments)
    assert "did you mean 'completion'?" in capsys.readouterr().err


def test_a_card_is_written_once_and_read_back(
    answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from verilabel.detectors.catalogue import open_detector

    out = tmp_path / "card.json"
    assert 0 == main(measuring(answers, "refusal", "--out", str(out)))
    assert 2 == main(measuring(answers, "refusal", "--out", str(out)))
    assert "--force" in capsys.readouterr().err
    assert 0 == main(measuring(answers, "refusal", "--out", str(out), "--force"))
    assert 2 == open_detector("refusal", card=out).card.errors[0].positives
    assert [answers, out] == sorted(tmp_path.iterdir())


def test_a_judge_is_measured_by_asking_it(
    answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "judge.py"
    script.write_text(JUDGE, encoding="utf-8")
    out = tmp_path / "card.json"
    detector = f"judge:command:{sys.executable} {script}"
    assert 0 == main(
        measuring(answers, detector, "--positive", "1_full_compliance", "--out", str(out), "--json")
    )
    document = json.loads(capsys.readouterr().out)
    assert (2, 2) == (document["true_positives"], document["true_negatives"])
    assert detector == json.loads(out.read_text("utf-8"))["id"]


def test_tags_say_that_every_request_was_harmful(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harmless = measuring(
        answers, "harmful", "--positive", "1_full_compliance", "--tag", "label=safe", "--json"
    )
    assert 0 == main(harmless)
    assert 0 == json.loads(capsys.readouterr().out)["true_positives"]
    assert 0 == main([a.replace("label=safe", "label=unsafe") for a in harmless])
    assert 1 <= json.loads(capsys.readouterr().out)["true_positives"]
    assert 2 == main(measuring(answers, "harmful", "--tag", "unsafe"))


def test_answers_that_trained_a_detector_give_no_card(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = shared_data / "xstest" / "model_completions" / "xstest_v2_completions_gpt4.csv"
    assert 0 == main(measuring(trained, "refusal", "--json"))
    assert json.loads(capsys.readouterr().out)["trained_on_these_answers"]
    assert 2 == main(measuring(trained, "refusal", "--out", str(tmp_path / "card.json")))
    assert not list(tmp_path.iterdir())


def test_an_unknown_detector_is_status_2_and_a_missing_file_too(answers: Path) -> None:
    assert 2 == main(["detectors", "show", "refusl"])
    assert 2 == main(measuring(answers.with_name("none.csv"), "refusal"))
