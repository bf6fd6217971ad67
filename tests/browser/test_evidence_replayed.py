"""Whatever the tests of the evidence verify, the page's verifier finds the same of it, case by case.

A rule of the program that changes with its tests, and not in `browser/src`, fails here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from two_findings import finding_there
from verification_recorder import PLACE, RECORDING

ROOT = Path(__file__).resolve().parents[2]
REPLAYED = ["hostile_statements", "given_findings", "statements_step", "lying_issuer"]
"""Tests of the evidence whose verifications are asked again. Sigstore and time stamps are for the program alone."""
TIME_LIMIT_S = 300
RunNode = Callable[..., list[dict[str, Any]]]
Case = dict[str, Any]


def key_of(case: Case) -> str:
    """What tells one question from another; the same is asked once."""
    asked = {name: case[name] for name in ("bundle", "now", "trust", "statements")}
    return json.dumps([asked, [key_of(reference) for reference in case["references"]]])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Every verification of those tests, in a run of their own that notes them."""
    folder = tmp_path_factory.mktemp("recording")
    tests = [f"tests/evidence/test_{name}.py" for name in REPLAYED]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "verification_recorder", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**plain, PLACE: str(folder), "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert 0 == finished.returncode, finished.stdout + finished.stderr
    cases = [json.loads(line) for line in (folder / RECORDING).read_text().splitlines()]
    return list({key_of(case): case for case in cases}.values())


def test_every_verification_of_the_evidence_s_tests_is_found_alike(
    run_node: RunNode, recorded: list[Case]
) -> None:
    asked = [case for case in recorded if case["left_out"] is None]
    answers = run_node("verify.mjs", "--cases", lines=asked)
    assert len(asked) == len(answers)
    differing = {}
    for case, answer in zip(asked, answers, strict=True):
        here, there = case["found"], finding_there(answer)
        if found := {name: (here[name], there[name]) for name in here if here[name] != there[name]}:
            differing[case["test"]] = found
    assert {} == differing


def test_the_recording_has_every_level_and_leaves_hardly_anything_out(recorded: list[Case]) -> None:
    assert {"V0", "V1", "V2", "V3"} <= {case["found"]["level"] for case in recorded}
    failed = {
        number for case in recorded for number, outcome in case["found"]["steps"] if outcome == "failed"
    }
    assert {6, 8, 9, 10, 11} <= failed
    assert len(REPLAYED) == len({case["test"].partition("::")[0] for case in recorded})
    assert sum(case["left_out"] is not None for case in recorded) <= len(recorded) // 50
