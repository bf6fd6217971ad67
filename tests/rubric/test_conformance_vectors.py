"""The committed conformance vectors are what this implementation gives, and enough to build another one by."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import generate
import msgspec
import pytest
from cases import GROUPS

from verilabel.records.canonical import digest, jcs
from verilabel.records.tally import Tally
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric

COMPARED_ELSEWHERE = {"sealed.json", "statements.json"}
"""By the tests of what they are about, which make them too."""
PAGE = generate.FOLDER.parent / "docs/label-decision.md"
CASES = [
    pytest.param(case, id=f"{name}:{case['name']}")
    for name in GROUPS
    for case in json.loads((generate.FOLDER / f"{name}.json").read_text("utf-8"))["cases"]
]


def case_names(file: str) -> set[str]:
    """The names of a file's cases."""
    return {case["name"] for case in json.loads((generate.FOLDER / file).read_text("utf-8"))["cases"]}


@pytest.mark.parametrize("name", sorted(set(generate.FILES) - COMPARED_ELSEWHERE))
def test_a_committed_file_equals_what_is_generated(name: str) -> None:
    assert generate.text_of(name) == (generate.FOLDER / name).read_text("utf-8")


def test_every_committed_file_is_generated() -> None:
    assert {path.name for path in Path(generate.FOLDER).glob("*.json")} == set(generate.FILES)


@pytest.mark.parametrize("case", CASES)
def test_a_vector_can_be_decided_from_its_json_alone(case: dict[str, Any]) -> None:
    tallies = msgspec.convert(case["tallies"], dict[str, Tally])
    references = msgspec.convert(case.get("references", {}), dict[str, Tally])
    label = decide(
        load_rubric(case["rubric"].encode(), "rubric"),
        tallies,
        design=case["design"],
        attested=case.get("attested", ()),
        references=references,
    )
    assert case["label"] == json.loads(json.dumps(label.document()))
    assert case["label_sha256"] == digest(jcs(case["label"]))


def test_there_are_vectors_for_every_status_and_flag() -> None:
    rows = [
        row
        for case in (p.values[0] for p in CASES)
        for level in case["label"]["levels"]
        for row in level["rows"]
    ]
    assert {"met", "not_met", "undetermined", "not_assessed"} == {row["status"] for row in rows}
    flags = {flag for row in rows for flag in row.get("flags", ())}
    assert {"judge_uncertified", "judge_adjusted", "finite_pool", "clustered", "reference"} == flags


def test_the_page_of_conventions_names_a_vector_for_each_and_each_of_its_vectors() -> None:
    named = set(re.findall(r"`([a-z0-9-]+)`", PAGE.read_text("utf-8")))
    committed = {name: case_names(name) for name in generate.FILES}
    assert committed["conventions.json"] <= named
    assert {name for name in named if "-" in name} <= set().union(*committed.values())


def test_each_convention_says_why_its_label_follows() -> None:
    assert [] == [case.name for case in GROUPS["conventions"] if not case.why]


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for group in GROUPS.values() for case in group]
    assert len(set(names)) == len(names)
