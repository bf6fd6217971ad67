"""Importers of runs in several files (lm-eval, HELM): what belongs together, what is claimed, what is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verilabel.errors import VerilabelError
from verilabel.interchange.importing.detection import read_run
from verilabel.interchange.importing.judging import Judgement, judge_import

DATE = "2026-01-21T03-44-18.458309"


def write_json(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def write_lines(path: Path, documents: list[Any]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def verdicts(judgement: Judgement) -> dict[str, str]:
    return {finding.metric.label: finding.verdict for finding in judgement.findings}


# -- lm-eval -----------------------------------------------------------------------------------------------------


def lm_sample(
    doc: int, value: float, filter_name: str = "none", metric: str = "exact_match"
) -> dict[str, Any]:
    return {
        "doc_id": doc,
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": f"What is {doc}?", "arg_1": {"until": ["\n"]}}},
        "resps": [["four"]],
        "filtered_resps": ["four"],
        "filter": filter_name,
        "metrics": [metric],
        metric: value,
    }


def lm_results(metrics: dict[str, Any], n: int, aggregation: str = "mean") -> dict[str, Any]:
    return {
        "results": {"toy": {"alias": "toy", **metrics}},
        "group_subtasks": {"toy": []},
        "configs": {"toy": {"metric_list": [{"metric": "exact_match", "aggregation": aggregation}]}},
        "versions": {"toy": 1},
        "n-samples": {"toy": {"original": n, "effective": n}},
        "config": {"model": "hf", "model_args": "pretrained=toy"},
        "lm_eval_version": "0.4.13",
    }


def write_lm_eval(folder: Path, results: dict[str, Any], samples: list[dict[str, Any]]) -> Path:
    write_lines(folder / f"samples_toy_{DATE}.jsonl", samples)
    return write_json(folder / f"results_{DATE}.json", results)


def test_lm_eval_means_and_errors_are_made_again(tmp_path: Path) -> None:
    # four documents, one right: mean 1/4, standard error sqrt(0.25 / 4)
    results = lm_results({"exact_match,none": 0.25, "exact_match_stderr,none": 0.25}, 4)
    path = write_lm_eval(tmp_path, results, [lm_sample(i, float(i == 0)) for i in range(4)])
    judgement = judge_import(read_run(path))
    assert {"toy exact_match": "agrees", "toy exact_match_stderr": "agrees"} == verdicts(judgement)
    assert judgement.evidenced


def test_filters_of_one_document_are_one_record(tmp_path: Path) -> None:
    samples = [lm_sample(i, float(name == "loose"), name) for name in ("strict", "loose") for i in range(3)]
    results = lm_results({"exact_match,strict": 0.0, "exact_match,loose": 1.0}, 3)
    judgement = judge_import(read_run(write_lm_eval(tmp_path, results, samples)))
    assert 3 == len(judgement.run.records)
    assert {"toy exact_match strict": "agrees", "toy exact_match loose": "agrees"} == verdicts(judgement)


def test_a_document_that_stands_twice_is_named(tmp_path: Path) -> None:
    samples = [lm_sample(0, 1.0), lm_sample(1, 1.0), lm_sample(1, 1.0)]
    judgement = judge_import(
        read_run(write_lm_eval(tmp_path, lm_results({"exact_match,none": 1.0}, 3), samples))
    )
    assert any("stand twice" in reason and "'1'" in reason for reason in judgement.reasons)


def test_another_aggregation_than_a_mean_is_not_guessed(tmp_path: Path) -> None:
    results = lm_results({"exact_match,none": 0.9}, 2, aggregation="matthews_corrcoef")
    path = write_lm_eval(tmp_path, results, [lm_sample(0, 1.0), lm_sample(1, 0.0)])
    (finding,) = judge_import(read_run(path)).findings
    assert "not_recomputable" == finding.verdict
    assert "matthews_corrcoef" in finding.reason


def test_samples_of_another_date_are_not_taken_for_these_results(tmp_path: Path) -> None:
    write_lines(tmp_path / "samples_toy_2026-02-02T00-00-00.000000.jsonl", [lm_sample(0, 1.0)])
    path = write_json(tmp_path / f"results_{DATE}.json", lm_results({"exact_match,none": 1.0}, 1))
    judgement = judge_import(read_run(path))
    assert not judgement.evidenced
    assert "no samples are in the log" in judgement.reasons


def test_a_samples_file_leads_to_its_results(tmp_path: Path) -> None:
    write_lm_eval(tmp_path, lm_results({"exact_match,none": 1.0}, 1), [lm_sample(0, 1.0)])
    judgement = judge_import(read_run(tmp_path / f"samples_toy_{DATE}.jsonl"))
    assert judgement.evidenced


def test_the_form_of_2022_is_a_claim_without_samples(tmp_path: Path) -> None:
    old = {
        "results": {"piqa": {"acc": 0.75, "acc_stderr": 0.01}},
        "versions": {"piqa": 0},
        "config": {"model": "neox"},
    }
    judgement = judge_import(read_run(write_json(tmp_path / "old.json", old)))
    assert ("no samples are in the log",) == judgement.reasons
    assert {"piqa acc": "not_recomputable", "piqa acc_stderr": "not_recomputable"} == verdicts(judgement)


# -- HELM --------------------------------------------------------------------------------------------------------


def helm_stat(name: str, mean: float, split: str = "test", **more: Any) -> dict[str, Any]:
    return {"name": {"name": name, "split": split, **more}, "count": 1, "sum": mean, "mean": mean}


def write_helm(folder: Path, stats: list[Any], values: dict[str, float], trials: int = 1) -> Path:
    write_json(
        folder / "run_spec.json",
        {"name": "toy:model=a", "adapter_spec": {"model": "a/b", "temperature": 0.0, "max_tokens": 5}},
    )
    write_json(folder / "stats.json", stats)
    write_json(
        folder / "per_instance_stats.json",
        [
            {"instance_id": name, "train_trial_index": trial, "stats": [helm_stat("exact_match", value)]}
            for trial in range(trials)
            for name, value in values.items()
        ],
    )
    return folder


def test_helm_means_of_a_split_are_made_again(tmp_path: Path) -> None:
    stats = [helm_stat("exact_match", 0.5), helm_stat("num_instances", 2.0)]
    judgement = judge_import(read_run(write_helm(tmp_path / "run", stats, {"id1": 1.0, "id2": 0.0})))
    assert {"test exact_match": "agrees"} == verdicts(judgement)
    assert judgement.evidenced


def test_a_helm_headline_of_another_split_is_not_taken_from_this_one(tmp_path: Path) -> None:
    stats = [helm_stat("exact_match", 0.5, split="valid"), helm_stat("num_instances", 2.0)]
    judgement = judge_import(read_run(write_helm(tmp_path / "run", stats, {"id1": 1.0, "id2": 0.0})))
    assert {"valid exact_match": "not_recomputable"} == verdicts(judgement)
    assert not judgement.evidenced


def test_a_derived_number_of_helm_does_not_take_the_place_of_the_original(tmp_path: Path) -> None:
    worst = {"name": "robustness", "computed_on": "worst"}
    folder = write_helm(
        tmp_path / "run", [helm_stat("exact_match", 1.0), helm_stat("num_instances", 1.0)], {}
    )
    both = [helm_stat("exact_match", 0.0, perturbation=worst), helm_stat("exact_match", 1.0)]
    write_json(folder / "per_instance_stats.json", [{"instance_id": "id1", "stats": both}])
    judgement = judge_import(read_run(folder))
    assert {"test exact_match": "agrees"} == verdicts(judgement)


def test_perturbed_copies_are_no_instances_of_the_split(tmp_path: Path) -> None:
    folder = write_helm(
        tmp_path / "run", [helm_stat("exact_match", 1.0), helm_stat("num_instances", 1.0)], {}
    )
    items = [
        {"instance_id": "id1", "stats": [helm_stat("exact_match", 1.0)]},
        {
            "instance_id": "id1",
            "perturbation": {"name": "typos"},
            "stats": [helm_stat("exact_match", 0.0, perturbation={"name": "typos"})],
        },
    ]
    write_json(folder / "per_instance_stats.json", items)
    judgement = judge_import(read_run(folder))
    assert {"test exact_match": "agrees"} == verdicts(judgement)
    assert ["test", "test~typos"] == [record.group for record in judgement.run.records]


def test_helm_trials_are_repetitions_and_not_instances(tmp_path: Path) -> None:
    stats = [helm_stat("exact_match", 0.5), helm_stat("num_instances", 2.0)]
    folder = write_helm(tmp_path / "run", stats, {"id1": 1.0, "id2": 0.0}, trials=3)
    judgement = judge_import(read_run(folder))
    assert judgement.evidenced
    assert 2 == judgement.items
    assert judgement.findings[0].bounds is not None
    assert 2 == judgement.findings[0].bounds.items


def test_numbers_of_tokens_evidence_no_headline(tmp_path: Path) -> None:
    stats = [helm_stat("num_references", 3.0), helm_stat("num_instances", 1.0)]
    folder = write_helm(tmp_path / "run", stats, {})
    item = {"instance_id": "id1", "train_trial_index": 0, "stats": [helm_stat("num_references", 3.0)]}
    write_json(folder / "per_instance_stats.json", [item])
    judgement = judge_import(read_run(folder))
    assert {"test num_references": "agrees"} == verdicts(judgement)
    assert "no headline could be made again and agreed" in judgement.reasons


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def replaced(document: Any, at: int, value: Any) -> Any:
    """The document with its `at`-th value, in the order of reading, replaced by another."""
    seen = [0]

    def walk(item: Any) -> Any:
        seen[0] += 1
        if seen[0] == at:
            return value
        if isinstance(item, dict):
            return {key: walk(inner) for key, inner in item.items()}
        return [walk(inner) for inner in item] if isinstance(item, list) else item

    return walk(document)


@pytest.mark.parametrize("name", ["lm-eval", "helm"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(1, 60), value=JSON)
def test_no_value_in_a_run_breaks_a_reader(tmp_path: Path, name: str, at: int, value: Any) -> None:
    match name:
        case "lm-eval":
            results = replaced(lm_results({"exact_match,none": 1.0}, 1), at, value)
            path = write_lm_eval(tmp_path, results, [replaced(lm_sample(0, 1.0), at, value)])
        case "helm":
            stats = replaced([helm_stat("exact_match", 1.0), helm_stat("num_instances", 1.0)], at, value)
            path = write_helm(tmp_path / "run", stats, {"id1": 1.0})
            item = {"instance_id": "id1", "stats": [helm_stat("exact_match", 1.0)]}
            write_json(path / "per_instance_stats.json", [replaced(item, at, value)])
    try:
        judge_import(read_run(path, form=name))
    except VerilabelError as error:
        assert error.message
