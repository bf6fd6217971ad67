"""The vectors of step 11 are what the program gives, and the second implementation's check of them can fail."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from generate import text_of

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    """The file as it stands."""
    document: dict[str, Any] = json.loads((CONFORMANCE / "statements.json").read_text("utf-8"))
    return document


def test_the_committed_vectors_are_what_the_program_gives() -> None:
    assert (CONFORMANCE / "statements.json").read_text("utf-8") == text_of("statements.json")


def test_cases_have_names_of_their_own_and_every_statement_is_used(committed: dict[str, Any]) -> None:
    cases = committed["cases"]
    assert len(cases) == len({case["name"] for case in cases})
    readings = [case for case in cases if case["kind"] == "reading"]
    used = {name for case in readings for name in (*case["beside"], *case["enclosed"].values())}
    assert committed["statements"].keys() == used
    assert committed["policies"].keys() == {case["policy"] for case in readings} - {None}


def test_the_cases_reach_every_reason_that_the_page_on_replication_names(committed: dict[str, Any]) -> None:
    whys = {
        found["why"].replace("quiz.right", "M")
        for case in committed["cases"]
        if case["kind"] == "reading"
        for found in case["found"]["statements"]
    }
    reasons = """
        it is dated in the future|its signer withdrew it|it is about another label
        it names other evidence than the label's|the label's own issuer signed it|it is older than the label
        it speaks of a bundle that its signer did not sign|its signer withdrew the label of the replica
        its records are the label's own, byte for byte: nothing shows that anybody asked again
        no trust policy says whose key that is|it compares another scope than the rubric's
        it compares other measures than the label's|its counts of M are not those of the label's evidence
        it has nothing to compare of M|the systems differ in params|the results differ: not replicated
        its own label leaves the granted level undetermined|its own label leaves the granted level contradicted
        the trust policy: not a key of this policy|it is not signed with the key of the label
        the trust policy takes any key and does not say whose this one is
        the trust policy calls its signer and the label's by one name
        it is about another statement, or of another signer|it is about another system
        it is about a data set, and does not say that the system was trained on it
        it expired on 22 November 2026|no level asks for a finding of this name
    """
    expected = {reason.strip() for line in reasons.strip().splitlines() for reason in line.split("|")}
    assert set() == expected - whys


@pytest.mark.skipif(NODE is None, reason="node is not on PATH")
@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("replication-alone", "level", "V2"),
        ("withdrawal-alone", "flags", []),
        ("dispute-of-something-else-enclosed", "failed_step", None),
        ("dispute-logged-alone", "statements", []),
        ("V4-with-audit", "level", "V3"),
        ("V4-with-audit-that-found-the-suite", "flags", []),
        ("V4-without-elicitation", "lacking_for_v4", []),
        ("audit-enclosed", "statements", []),
        ("refused-statement-audit-of-no-checks", "error", "SealError"),
        ("refused-statement-with-a-space", "error", "SealError"),
        ("refused-policy-without-rules", "error", "SealError"),
    ],
)
def test_a_changed_vector_is_named_by_the_second_implementation(
    tmp_path: Path, committed: dict[str, Any], name: str, field: str, value: object
) -> None:
    shutil.copytree(CONFORMANCE / "second", tmp_path / "conformance" / "second")
    document = json.loads(json.dumps(committed))
    case = next(case for case in document["cases"] if case["name"] == name)
    case.get("found", case)[field] = value
    document["cases"] = [case]
    (tmp_path / "conformance" / "changed.json").write_text(json.dumps(document))
    script = tmp_path / "conformance" / "second" / "check.mjs"
    finished = subprocess.run(
        [str(NODE), str(script), "changed.json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert 1 == finished.returncode
    assert f"{name}\n    {field}: the vector says" in finished.stdout
    assert "0 of 1 agree" in finished.stdout
