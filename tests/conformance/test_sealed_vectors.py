"""The vectors of sealed evidence are what the program gives, and the second implementation's check of them can fail."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from generate import text_of

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"
NODE = shutil.which("node")


def test_the_committed_vectors_are_what_the_program_gives() -> None:
    assert (CONFORMANCE / "sealed.json").read_text("utf-8") == text_of("sealed.json")


def test_every_kind_of_case_is_there() -> None:
    cases = json.loads((CONFORMANCE / "sealed.json").read_text("utf-8"))["cases"]
    assert {"commitment", "stub", "refused", "evidence", "choice"} == {case["kind"] for case in cases}
    assert len(cases) == len({case["name"] for case in cases})


@pytest.mark.skipif(NODE is None, reason="node is not on PATH")
@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("commitment", "commitment", "sha256:" + "0" * 64),
        ("stub", "sealed", "{}"),
        ("refused", "error", "SealError"),
        ("evidence", "root", "sha256:" + "0" * 64),
        ("choice", "chosen", [0]),
    ],
)
def test_a_changed_vector_is_named_by_the_second_implementation(
    tmp_path: Path, kind: str, field: str, value: object
) -> None:
    shutil.copytree(CONFORMANCE / "second", tmp_path / "conformance" / "second")
    document = json.loads((CONFORMANCE / "sealed.json").read_text("utf-8"))
    case = next(case for case in document["cases"] if case["kind"] == kind and case[field] != value)
    case[field] = value
    (tmp_path / "conformance" / "changed.json").write_text(json.dumps(document))
    script = tmp_path / "conformance" / "second" / "check.mjs"
    finished = subprocess.run(
        [str(NODE), str(script), "changed.json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert 1 == finished.returncode
    assert f"{case['name']}\n    {field}: the vector says" in finished.stdout
    assert f"{len(document['cases']) - 1} of {len(document['cases'])} agree" in finished.stdout
