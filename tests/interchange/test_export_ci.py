"""JUnit and SARIF: rows become test cases and findings that a build server can act on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bundle_factory import HAZARD_RUBRIC, READ, RUBRIC, Recipe, make_bundle
from verilabel.interchange.exporting.junit import export_junit
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.sarif import export_sarif
from verilabel.interchange.exporting.source import open_source

DEFAULT = ExportOptions()

FAIL = ExportOptions(undetermined="fail")


@pytest.fixture(scope="module")
def open_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with rows that are met and rows that are undetermined."""
    return make_bundle(tmp_path_factory.mktemp("open"), Recipe(errors="0.1")).path


@pytest.fixture(scope="module")
def hazard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a hazard scale whose C2 is established."""
    return make_bundle(tmp_path_factory.mktemp("hazard"), Recipe(rubric=HAZARD_RUBRIC)).path


def junit(bundle: Path, options: ExportOptions = DEFAULT) -> ElementTree.Element:
    with open_source(bundle, trust=None, now=READ) as source:
        return ElementTree.fromstring(export_junit(source, options).files[0].data())


def sarif(bundle: Path, options: ExportOptions = DEFAULT) -> dict[str, Any]:
    with open_source(bundle, trust=None, now=READ) as source:
        document: dict[str, Any] = json.loads(export_sarif(source, options).files[0].data())
    return document


def outcomes(root: ElementTree.Element) -> dict[str, str]:
    """Test case to how it ended."""
    found = {}
    for case in root.iter("testcase"):
        ends = [child.tag for child in case if child.tag in ("failure", "skipped", "error")]
        found[case.attrib["name"]] = ends[0] if ends else "passed"
    return found


def test_each_row_is_one_test_case_and_the_counts_add_up(open_rows: Path) -> None:
    root = junit(open_rows)
    found = outcomes(root)
    assert {
        "L1/when/1 quiz.right >= 0.3": "passed",
        "L2/when/1 quiz.right >= 0.5": "passed",
        "L2/when/2 puzzles.right >= 0.4": "skipped",
        "L3/when/1 quiz.right >= 0.95": "skipped",
    } == found
    for element in (root, root[0]):
        counts = {key: int(element.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
        assert {"tests": 4, "failures": 0, "errors": 0, "skipped": 2} == counts


def test_open_rows_fail_where_that_is_asked_for(open_rows: Path) -> None:
    found = Counter(outcomes(junit(open_rows, FAIL)).values())
    assert {"passed": 2, "failure": 2} == found
    failure = next(junit(open_rows, FAIL).iter("failure"))
    assert "undetermined" == failure.attrib["type"]
    assert "bounds" in failure.attrib["message"]


def test_an_established_danger_fails_and_one_that_is_ruled_out_passes(hazard: Path) -> None:
    found = outcomes(junit(hazard))
    assert "failure" == found["C2/rule_in/1 quiz.right >= 0.5"]
    assert "failure" == found["C2/rule_out/1 quiz.right < 0.5"]
    label = json.loads((hazard / "results" / "label.json").read_text())
    statuses = {(level["level"], level["test"]): level["status"] for level in label["levels"]}
    assert ("met", "not_met") == (statuses["C2", "rule_in"], statuses["C2", "rule_out"])
    assert "met" == statuses["C3", "rule_out"]
    assert "passed" == found["C3/rule_out/1 puzzles.right < 0.999"]


def test_sarif_reports_what_is_against_the_label_and_what_is_open(open_rows: Path) -> None:
    (run,) = sarif(open_rows)["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert ["test/quiz-label/L2/when/2", "test/quiz-label/L3/when/1"] == [r["ruleId"] for r in run["results"]]
    for result in run["results"]:
        assert result["ruleId"] == rules[result["ruleIndex"]]
        assert ("open", "none") == (result["kind"], result["level"])
        assert "cannot exclude up to L3" in result["message"]["text"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "results/label.json"


def test_sarif_levels_are_none_unless_the_kind_is_fail(open_rows: Path, hazard: Path) -> None:
    for bundle in (open_rows, hazard):
        for options in (ExportOptions(), FAIL):
            document = sarif(bundle, options)
            assert "2.1.0" == document["version"]
            for result in document["runs"][0]["results"]:
                assert (result["kind"] == "fail") is (result["level"] != "none")
    assert {"warning"} == {r["level"] for r in sarif(open_rows, FAIL)["runs"][0]["results"]}
    assert "error" in {r["level"] for r in sarif(hazard)["runs"][0]["results"]}


def test_fingerprints_stay_when_only_the_numbers_change(open_rows: Path, tmp_path: Path) -> None:
    again = make_bundle(tmp_path, Recipe(errors="0.1", seed="aabb")).path
    first, second = (
        {r["ruleId"]: r["partialFingerprints"] for r in sarif(bundle)["runs"][0]["results"]}
        for bundle in (open_rows, again)
    )
    assert {key: first[key] for key in first.keys() & second.keys()} == {
        key: second[key] for key in first.keys() & second.keys()
    }
    assert first.keys() & second.keys()


def test_markup_in_a_rubric_stays_text(tmp_path: Path) -> None:
    rubric = RUBRIC.replace("name: Solid", "name: 'So<b>lid</b> & \"more\" ]]>'")
    bundle = make_bundle(tmp_path, Recipe(rubric=rubric)).path
    root = junit(bundle)
    values = [p.attrib["value"] for p in root.iter("property") if p.attrib["name"] == "verilabel.label"]
    assert 'So<b>lid</b> & "more" ]]>' in values[0]
    assert [] == list(root.iter("b"))
