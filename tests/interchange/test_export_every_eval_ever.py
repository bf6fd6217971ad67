"""Every Eval Ever 0.3.0: the schema holds, intervals are the label's, lines add up to the aggregate."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import READ, Recipe, make_bundle
from sealed_bundles import make_sealed
from verilabel.interchange.exporting.every_eval_ever import export_every_eval_ever
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import open_source

DEFAULT = ExportOptions()

SAMPLES_PATH = re.compile(
    r"^data/[^/]+/[^/]+/[^/]+/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}_samples\.jsonl$"
)
"""The schema's pattern for the place of instance-level results."""


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with answers that are missing."""
    return make_bundle(tmp_path_factory.mktemp("gappy"), Recipe(errors="0.2")).path


def export(
    bundle: Path, options: ExportOptions = DEFAULT
) -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    """The aggregate, the lines, and the lines' bytes."""
    with open_source(bundle, trust=None, now=READ) as source:
        files = {file.name: file.data() for file in export_every_eval_ever(source, options).files}
    aggregate = next(json.loads(data) for name, data in files.items() if name.endswith(".json"))
    lines = next(data for name, data in files.items() if name.endswith(".jsonl"))
    return aggregate, [json.loads(line) for line in lines.splitlines()], lines


@pytest.mark.parametrize("texts", [None, False])
def test_the_published_schemas_accept_both_files(gappy: Path, shared_data: Path, texts: bool | None) -> None:
    import jsonschema

    folder = shared_data / "every_eval_ever" / "every_eval_ever" / "schemas"
    aggregate, lines, _ = export(gappy, ExportOptions(texts=texts))
    jsonschema.Draft7Validator(json.loads((folder / "eval.schema.json").read_text())).validate(aggregate)
    instance = jsonschema.Draft7Validator(
        json.loads((folder / "instance_level_eval.schema.json").read_text())
    )
    for line in lines:
        instance.validate(line)


def test_the_aggregate_has_what_the_schema_requires(gappy: Path) -> None:
    aggregate, lines, data = export(gappy)
    assert "0.3.0" == aggregate["schema_version"]
    details = aggregate["detailed_evaluation_results"]
    assert SAMPLES_PATH.match(details["file_path"])
    assert hashlib.sha256(data).hexdigest() == details["checksum"]
    assert len(lines) == details["total_rows"] == 30
    assert "other" == aggregate["source_metadata"]["evaluator_relationship"]
    assert aggregate["retrieved_timestamp"].isdecimal() and aggregate["evaluation_timestamp"].isdecimal()
    assert all(isinstance(v, str) for v in aggregate["source_metadata"]["additional_details"].values())
    assert {"deployment_type", "model_availability"} <= aggregate["model_info"]["additional_details"].keys()


def test_intervals_are_the_bounds_that_the_label_prints(gappy: Path) -> None:
    aggregate, _, _ = export(gappy)
    label = json.loads((gappy / "results" / "label.json").read_text())
    printed = {
        (row["measure"], float(row["lower"]), float(row["upper"]))
        for level in label["levels"]
        for row in level["rows"]
    }
    for result in aggregate["evaluation_results"]:
        interval = result["score_details"]["uncertainty"]["confidence_interval"]
        assert (result["evaluation_result_id"], interval["lower"], interval["upper"]) in printed
        assert (
            0.9625 == interval["confidence_level"]
        )  # alphas 1/40 and 1/80 of the row that is tested hardest
        assert interval["lower"] <= result["score_details"]["score"] <= interval["upper"]


def test_the_mean_over_the_lines_is_the_score_of_the_aggregate(gappy: Path) -> None:
    aggregate, lines, _ = export(gappy)
    scores: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        assert line["evaluation_id"] == aggregate["evaluation_id"]
        scores[line["evaluation_result_id"]].append(line["evaluation"]["score"])
    for result in aggregate["evaluation_results"]:
        mine = scores[result["evaluation_result_id"]]
        assert sum(mine) / len(mine) == pytest.approx(result["score_details"]["score"])
        assert len(mine) == result["score_details"]["uncertainty"]["num_samples"]


def test_a_missing_answer_stays_in_and_says_why(gappy: Path) -> None:
    aggregate, lines, _ = export(gappy)
    missing = [line for line in lines if line["output"]["raw"] == []]
    assert sum(int(r["score_details"]["details"]["missing"]) for r in aggregate["evaluation_results"]) == len(
        missing
    )
    assert len(missing) > 0
    for line in missing:
        assert (0.0, False) == (line["evaluation"]["score"], line["evaluation"]["is_correct"])
        assert line["error"].startswith("missing: server_error")


def test_prompts_and_answers_are_those_of_the_evidence(gappy: Path) -> None:
    _, lines, _ = export(gappy)
    first = json.loads((gappy / "records" / "evidence.jsonl").read_text().splitlines()[0])
    line = next(line for line in lines if line["sample_id"] == first["sample"])
    assert json.loads(first["request"])["messages"][-1]["content"] == line["input"]["raw"]
    assert first["request"] == line["input"]["formatted"]
    assert [first["output"]] == line["output"]["raw"]
    assert "1" == line["metadata"]["evidence_line"]


def test_without_texts_only_digests_are_written(gappy: Path) -> None:
    _, lines, data = export(gappy, ExportOptions(texts=False))
    assert b"What is" not in data and b"The answer is" not in data
    assert all(line["input"]["raw"].startswith("not shown: sha256:") for line in lines)
    # a failure's message may quote what came back
    assert {"missing: server_error"} == {line["error"] for line in lines if line["error"]}


def test_epochs_collapse_in_the_aggregate_and_stand_one_by_one_in_the_lines(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, Recipe(epochs=3, accuracy="0.6")).path
    aggregate, lines, _ = export(bundle)
    (quiz, puzzles) = aggregate["evaluation_results"]
    assert (20, 10) == tuple(r["score_details"]["uncertainty"]["num_samples"] for r in (quiz, puzzles))
    assert "3" == quiz["score_details"]["details"]["epochs"]
    assert 90 == len(lines)
    assert {"1", "2", "3"} == {line["metadata"]["epoch"] for line in lines}


def test_withheld_exchanges_are_commitments_with_the_scores_of_the_open_bundle(
    tmp_path: Path, shared_data: Path
) -> None:
    import jsonschema

    made = make_sealed(tmp_path, Recipe(errors="0.2"))
    aggregate, lines, data = export(made.sealed)
    _, open_lines, _ = export(made.open)
    assert [line["evaluation"] for line in open_lines] == [line["evaluation"] for line in lines]
    withheld = [line for line in lines if line["metadata"]["withheld"] == "true"]
    assert len(lines) - 10 == len(withheld)  # the first five of each suite stay open
    commitments = {line["commitment"] for line in evidence_of(made.sealed) if line["kind"] == "sealed"}
    assert {line["input"]["raw"] for line in withheld} == {f"withheld: {text}" for text in commitments}
    assert 10 == data.count(b"What is") // 2  # raw and formatted
    assert "V2s" in aggregate["source_metadata"]["additional_details"]["verification"]
    schema = (
        shared_data / "every_eval_ever" / "every_eval_ever" / "schemas" / "instance_level_eval.schema.json"
    )
    for line in lines:
        jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(line)


def evidence_of(bundle: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (bundle / "records" / "evidence.jsonl").read_text().splitlines()]
