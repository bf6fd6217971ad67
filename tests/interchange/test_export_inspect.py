"""Inspect AI: our logs are ones that its reader reads, and our core suites are tasks that its runner runs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import READ, Recipe, make_bundle
from sealed_bundles import make_sealed
from verilabel.errors import UsageError
from verilabel.interchange import inspect_tasks
from verilabel.interchange.exporting.inspect_log import export_inspect_logs
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import open_source

DEFAULT = ExportOptions()

INSPECT = find_spec("inspect_ai") is not None
with_inspect = pytest.mark.skipif(not INSPECT, reason="inspect_ai is not installed")
without_inspect = pytest.mark.skipif(INSPECT, reason="inspect_ai is installed")


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with answers that are missing."""
    return make_bundle(tmp_path_factory.mktemp("gappy"), Recipe(errors="0.2")).path


def export(bundle: Path, options: ExportOptions = DEFAULT) -> dict[str, bytes]:
    with open_source(bundle, trust=None, now=READ) as source:
        return {file.name: file.data() for file in export_inspect_logs(source, options).files}


def test_each_suite_is_one_log_whose_name_the_viewer_lists(gappy: Path) -> None:
    names = sorted(export(gappy))
    assert [name.split("_")[:2] for name in names] == [
        ["2026-01-01T12-00-00+00-00", "test-puzzles"],
        ["2026-01-01T12-00-00+00-00", "test-quiz"],
    ]


def test_a_log_has_the_answers_the_scores_and_the_label(gappy: Path) -> None:
    logs = {log["eval"]["task"]: log for log in map(json.loads, export(gappy).values())}
    quiz = logs["test/quiz"]
    assert (2, "success", 20) == (quiz["version"], quiz["status"], len(quiz["samples"]))
    assert quiz["eval"]["metadata"]["verilabel.verification"] == "V2 recomputed"
    assert "cannot exclude" in quiz["eval"]["metadata"]["verilabel.label"]
    counts = json.loads((gappy / "results" / "measures.json").read_text())["measures"]["quiz.right"]
    scored = [sample["scores"]["choice@1.0.0"]["value"] for sample in quiz["samples"] if sample["scores"]]
    assert (counts["events"], counts["n"] - counts["missing"]) == (sum(scored), len(scored))
    failed = [sample for sample in quiz["samples"] if "error" in sample]
    assert counts["missing"] == len(failed) > 0
    assert all(s["error"]["message"].startswith("server_error") and s["scores"] == {} for s in failed)
    metrics = quiz["results"]["scores"][0]["metrics"]
    bounds = [metrics[f"quiz.right {half} bound"]["value"] for half in ("lower", "upper")]
    assert bounds[0] <= metrics["quiz.right"]["value"] <= bounds[1]


def test_without_texts_a_log_holds_digests(gappy: Path) -> None:
    data = b"".join(export(gappy, ExportOptions(texts=False)).values())
    assert b"What is" not in data and b"The answer is" not in data and b"picked" not in data
    assert b"not shown: sha256:" in data


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that withholds all but the first five answers of each suite."""
    return make_sealed(tmp_path_factory.mktemp("sealed"), Recipe(errors="0.2")).sealed


def test_a_withheld_exchange_is_a_sample_with_its_scores(sealed: Path) -> None:
    samples = [sample for data in export(sealed).values() for sample in json.loads(data)["samples"]]
    withheld = [sample for sample in samples if sample["metadata"]["withheld"]]
    assert (30, 20) == (len(samples), len(withheld))
    assert all(sample["input"].startswith("withheld: sha256:") for sample in withheld)
    assert any(sample["scores"] for sample in withheld)
    assert "What is" not in json.dumps(withheld)


@with_inspect
def test_inspects_own_reader_reads_the_logs(gappy: Path, sealed: Path, tmp_path: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log

    logs = {**export(gappy), **export(sealed)}
    assert 4 == len(logs)
    for name, data in logs.items():
        (tmp_path / name).write_bytes(data)
        log = read_eval_log(str(tmp_path / name))
        assert "success" == log.status
        assert log.samples is not None and len(log.samples) in (10, 20)
        raw = json.loads(data)["samples"]
        for sample, said in zip(log.samples, raw, strict=True):
            assert (said["id"], said["input"]) == (sample.id, sample.input)
            assert [m["content"] for m in said["messages"]] == [m.content for m in sample.messages]
            assert {k: v["value"] for k, v in said["scores"].items()} == {
                k: v.value for k, v in (sample.scores or {}).items()
            }
            assert (sample.error is not None) is ("error" in said)
        assert read_eval_log(str(tmp_path / name), header_only=True).eval.model.startswith("simulated:")
    assert len(logs) == len(list_eval_logs(str(tmp_path)))


# -- our suites as its tasks -----------------------------------------------------------------------


def test_every_core_suite_has_a_task_name() -> None:
    assert {
        "benign_borderline": "core/benign-borderline",
        "bias": "core/bias",
        "factual": "core/factual",
        "harm_direct": "core/harm-direct",
    } == inspect_tasks.task_names()


def test_importing_the_module_does_not_import_inspect() -> None:
    code = "import sys, verilabel.interchange.inspect_tasks; print('inspect_ai' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert "False" == done.stdout.strip()


@without_inspect
def test_without_inspect_the_error_says_what_to_install() -> None:
    with pytest.raises(UsageError, match="inspect_ai") as caught:
        inspect_tasks.register_tasks()
    assert caught.value.hint == "pip install inspect-ai"


@with_inspect
def test_inspect_runs_a_core_suite_and_our_detector_scores_it(tmp_path: Path) -> None:
    from inspect_ai import eval as inspect_eval
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    from verilabel.suites.loading import load_suite

    def answer(text: str) -> Any:
        output = ModelOutput.from_content("mockllm/model", text)
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    suite = load_suite("core/factual")
    right = suite.samples[0].target[0]
    wrong = "A" if suite.samples[1].target[0] != "A" else "B"
    model = get_model(
        "mockllm/model",
        custom_outputs=[answer(f"The answer is {right}."), answer(f"The answer is {wrong}."), answer("")],
    )
    task = inspect_tasks.TASKS["factual"]()
    (log,) = inspect_eval(
        task,
        model=model,
        limit=3,
        max_connections=1,
        max_samples=1,
        display="none",
        log_dir=str(tmp_path),
    )
    assert "success" == log.status and log.samples is not None
    assert suite.digest == (log.eval.metadata or {})["verilabel.suite_sha256"]
    values = [next(iter((sample.scores or {}).values())).value for sample in log.samples]
    assert [1, 0] == values[:2]
    assert isinstance(values[2], float) and math.isnan(values[2])


@with_inspect
def test_a_detector_that_asks_a_model_is_refused() -> None:
    from verilabel.suites.loading import load_suite

    with pytest.raises(UsageError, match="asks a model"):
        inspect_tasks.make_task(load_suite("core/harm-direct"), "judge:openai/gpt-4o")
