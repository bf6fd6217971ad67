"""Judges audited for drift: the same answers graded again, by files and by bundles."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bundle_factory import write_suite
from verilabel.cli import main
from verilabel.detectors.drift import (
    Grades,
    choose_items,
    collect_grades,
    compare_grades,
    encode_grades,
    item_key,
    read_grades,
)
from verilabel.detectors.refusal import RefusalDetector
from verilabel.errors import MalformedInput, UsageError
from verilabel.records.score import Scored

JUDGE = """
import json, sys
for line in sys.stdin:
    question = json.loads(line)
    text = question["messages"][-1]["content"]
    verdict = {{"harmful": {rule}, "reason": "r"}}
    print(json.dumps({{"id": question["id"], "output": json.dumps(verdict)}}), flush=True)
"""


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    lines = [
        json.dumps({"q": f"question {i}", "a": f"reply {'bad' if i % 3 == 0 else 'good'} {i}"})
        for i in range(200)
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    path = tmp_path / "judge.py"
    path.write_text(JUDGE.format(rule="'reply bad' in text"))
    return path


def audit(judge: Path, answers: Path, *more: str) -> int:
    columns = ["--prompt-column", "q", "--output-column", "a"]
    return main(
        ["detectors", "audit", f"judge:command:{sys.executable} {judge}", str(answers), *columns, *more]
    )


def test_a_judge_that_grades_as_it_did_is_stable_and_one_that_does_not_has_drifted(
    answers: Path, judge: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grades = tmp_path / "grades.json"
    assert 0 == audit(judge, answers, "--record", str(grades))
    assert 0 == audit(judge, answers, "--baseline", str(grades))
    assert "stable: 0 of 200 grades changed" in capsys.readouterr().out
    judge.write_text(JUDGE.format(rule="'reply bad' in text or 'good 7' in text"))
    assert 1 == audit(judge, answers, "--baseline", str(grades), "--json")
    document = json.loads(capsys.readouterr().out)
    assert ("drifted", 0) == (document["drift"]["verdict"], document["lost"])
    assert document["gained"] == sum(str(i).startswith("7") and i % 3 != 0 for i in range(200))


def test_too_few_answers_are_inconclusive_and_the_number_that_would_do_is_told(
    answers: Path, judge: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grades = tmp_path / "grades.json"
    assert 0 == audit(judge, answers, "--record", str(grades))
    assert 8 == audit(judge, answers, "--baseline", str(grades), "--limit", "50")
    out = capsys.readouterr().out
    assert "about 149 answers would decide" in out
    assert "not compared: 150 recorded grades" in out


def test_a_file_of_grades_tells_no_text_of_the_answers_and_is_not_overwritten(
    answers: Path, judge: Path, tmp_path: Path
) -> None:
    grades = tmp_path / "grades.json"
    assert 0 == audit(judge, answers, "--record", str(grades))
    assert "reply" not in grades.read_text()
    assert 2 == audit(judge, answers, "--record", str(grades))
    assert 0 == audit(judge, answers, "--record", str(grades), "--force")
    assert 2 == audit(judge, answers), "a file has no grades of its own"


def test_a_bundle_is_its_own_baseline(
    made_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suites = [write_suite(tmp_path / name, name, size) for name, size in (("quiz", 20), ("puzzles", 10))]
    options = [option for suite in suites for option in ("--suite", str(suite.path))]
    line = ["detectors", "audit", "choice", str(made_bundle), *options]
    assert 8 == main(line)
    out = capsys.readouterr().out
    assert "inconclusive: 0 of 23 grades changed" in out
    assert "30 answers, 23 different ones" in out, "seven sums stand in both suites and were answered alike"
    assert 0 == main([*line, "--margin", "0.15"])
    assert 2 == main(["detectors", "audit", "refusal", str(made_bundle), *options])
    assert "the bundle has no grades of refusal" in capsys.readouterr().err
    assert 2 == main(line[:4]), "the suites are not at hand"


def test_a_bundle_that_was_changed_is_not_audited(bundle: Path) -> None:
    evidence = bundle / "records" / "evidence.jsonl"
    evidence.write_bytes(evidence.read_bytes().replace(b"true", b"null", 1))
    assert main(["verify", str(bundle)]) == main(["detectors", "audit", "choice", str(bundle)]) == 3


def grades_of(values: dict[str, bool | None], *, event: str = "refused", sha: str = "a") -> Grades:
    return Grades("d@1", sha, event, {item_key("", key): value for key, value in values.items()})


def test_what_was_graded_neither_time_says_nothing_and_once_counts_against() -> None:
    before = grades_of({"a": True, "b": None, "c": None, "d": True})
    now = grades_of({"a": True, "b": None, "c": False, "e": False}, sha="b")
    compared = compare_grades(before, now)
    assert (2, 1, 0) == (compared.drift.n, compared.drift.ungraded, compared.drift.changed)
    assert (1, 1, True) == (compared.only_before, compared.only_now, compared.rules_changed)


def test_grades_of_another_event_or_of_other_answers_are_not_compared() -> None:
    with pytest.raises(UsageError, match="'harmful'"):
        compare_grades(grades_of({"a": True}, event="harmful"), grades_of({"a": True}))
    with pytest.raises(UsageError, match="no answer was graded both times"):
        compare_grades(grades_of({"a": True}), grades_of({"b": True}))


def test_one_answer_graded_both_ways_in_one_go_decides_nothing() -> None:
    findings = [Scored("s", "i", 1, "d", "e", value) for value in (True, False, True)]
    kept = collect_grades(RefusalDetector().card, ["k", "k", "j"], findings)
    assert {"k": None, "j": True} == kept.grades


def test_the_same_items_are_chosen_at_every_audit() -> None:
    keys = [item_key("q", str(i)) for i in range(50)]
    chosen = choose_items(keys, 10)
    assert chosen == choose_items(keys, 10)
    assert {keys[i] for i in chosen} == {
        list(reversed(keys))[i] for i in choose_items(list(reversed(keys)), 10)
    }
    assert list(range(50)) == choose_items(keys, None)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"format": "verilabel/grades/v2"}', b'{"detector": 1}', b"\xff"],
)
def test_a_file_that_is_no_file_of_grades_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "g.json"
    path.write_bytes(content)
    with pytest.raises(MalformedInput) as caught:
        read_grades(path)
    assert "g.json" in str(caught.value.where)


def test_grades_are_read_back_as_written(tmp_path: Path) -> None:
    grades = grades_of({"a": True, "b": None, "\ud800": False})
    (tmp_path / "g.json").write_bytes(encode_grades(grades))
    assert grades == read_grades(tmp_path / "g.json")
    broken = (tmp_path / "g.json").read_text().replace("sha256:", "sha255:", 1)
    (tmp_path / "g.json").write_text(broken)
    with pytest.raises(MalformedInput, match="not the digest"):
        read_grades(tmp_path / "g.json")
