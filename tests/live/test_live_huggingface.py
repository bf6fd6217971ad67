"""Whole labels of a real language model in this process: `hf/PATH`, whose label binds the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evaluation.conftest import Workplace
from live.conftest import QUESTIONS
from live.serving import Served, attempts_of, verified

PARAMS = ("--param", "max_tokens=24")


@pytest.mark.parametrize("design", ["fixed", "anytime"])
def test_a_killed_run_resumes_to_the_same_root(workplace: Workplace, tiny_model: Path, design: str) -> None:
    served = Served(("--model", f"hf/{tiny_model}", *PARAMS))
    done = served.label(workplace, "whole.bundle", design=design)
    assert 0 == done.returncode, done.stderr
    served.label_and_kill(workplace, "b.bundle", after=6, design=design)
    done = served.label(workplace, "b.bundle", design=design)
    assert 0 == done.returncode, done.stderr
    whole, resumed = verified(workplace, "whole.bundle"), verified(workplace, "b.bundle")
    assert whole["evidence_root"] == resumed["evidence_root"]
    assert whole["label"] == resumed["label"]
    assert {"V2"} == {whole["level"], resumed["level"]}
    assert {"rescored", "identity:weights"} <= set(resumed["flags"])
    assert QUESTIONS == len(attempts_of(workplace, "b.bundle"))
    assert 0 == workplace.run("gate", "b.bundle", "--min", "L1").returncode


def test_other_weights_are_another_system(workplace: Workplace, tiny_model: Path) -> None:
    rubric = (workplace.folder / "rubric.yaml").read_text()
    (workplace.folder / "rubric.yaml").write_text(rubric.replace("bind: [", "bind: [weights, "))
    changed = Path(shutil.copytree(tiny_model, workplace.folder / "tiny"))
    first = Served(("--model", f"hf/{changed}", *PARAMS))
    assert 0 == first.label(workplace, "a.bundle", "--limit", "10").returncode
    weights = changed / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    assert 0 == first.label(workplace, "b.bundle", "--limit", "10").returncode
    systems = [
        json.loads((workplace.folder / bundle / "subject" / "system.json").read_bytes())
        for bundle in ("a.bundle", "b.bundle")
    ]
    assert systems[0]["weights"] != systems[1]["weights"]
    gate = workplace.run("gate", "a.bundle", "--min", "L1", "--system", "b.bundle/subject/system.json")
    assert 1 == gate.returncode
    assert "the label is for another system: weights differ" in gate.stdout


def test_a_parameter_that_greedy_decoding_excludes_is_a_usage_error(
    workplace: Workplace, tiny_model: Path
) -> None:
    done = Served(("--model", f"hf/{tiny_model}", "--param", "temperature=0.7")).label(workplace, "b.bundle")
    assert 2 == done.returncode
    assert "temperature" in done.stderr
