"""Logs made to pass for evidence: each of them agrees with its own headline, or hides the one that it does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from verilabel.errors import LimitExceeded
from verilabel.interchange.importing.detection import read_run
from verilabel.interchange.importing.judging import Judgement, judge_import


def sample(name: str, value: Any, epoch: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "epoch": epoch,
        "input": f"What is {name}?",
        "target": "four",
        "messages": [{"role": "user", "content": f"What is {name}?"}],
        "output": {"model": "m", "choices": [{"message": {"role": "assistant", "content": "four"}}]},
        "scores": {"match": {"value": value}},
        **more,
    }


def judge_log(
    tmp_path: Path, samples: Sequence[dict[str, Any]], metrics: dict[str, Any], **more: Any
) -> Judgement:
    """A log of Inspect whose header counts exactly what is in it."""
    document = {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "toy",
            "model": "m",
            "dataset": {"name": "toy", "samples": len({item["id"] for item in samples})},
            "config": {"epochs": more.get("epochs", 1)},
        },
        "results": {
            "total_samples": len(samples),
            "completed_samples": sum("error" not in item for item in samples),
            "scores": [{"name": "match", "scorer": "match", "metrics": metrics}],
        },
        "samples": list(samples),
    }
    path = tmp_path / "log.json"
    path.write_text(json.dumps(document))
    return judge_import(read_run(path))


def accuracy(value: Any, name: str = "accuracy") -> dict[str, Any]:
    return {"accuracy": {"name": name, "value": value}}


def test_huge_scores_that_cancel_out_do_not_make_any_claim_agree(tmp_path: Path) -> None:
    samples = [sample("a", 1e300), sample("b", -1e300), sample("c", 0), sample("d", 0)]
    judgement = judge_log(tmp_path, samples, accuracy(0.97))
    assert "contradicts" == judgement.findings[0].verdict
    assert not judgement.evidenced


def test_answers_that_ended_in_an_error_and_are_scored_evidence_nothing(tmp_path: Path) -> None:
    samples = [sample(name, "C", error={"message": "boom"}) for name in "abc"]
    judgement = judge_log(tmp_path, samples, accuracy(1.0))
    assert ["3 records ended with an error, and have scores that the headlines count"] == list(
        judgement.reasons
    )


def test_a_missing_epoch_is_not_made_up_for_by_another_of_another_sample(tmp_path: Path) -> None:
    samples = [sample("a", "C", 1), sample("a", "C", 2), sample("a", "C", 3), sample("b", "C", 1)]
    judgement = judge_log(tmp_path, samples, accuracy(1.0), epochs=2)
    assert [
        "1 records are of an epoch beyond the 2 that the header states",
        "1 samples lack some of their 2 epochs",
    ] == list(judgement.reasons)


def test_whole_epochs_are_evidenced(tmp_path: Path) -> None:
    samples = [sample(name, "C", epoch) for name in "ab" for epoch in (1, 2)]
    assert judge_log(tmp_path, samples, accuracy(1.0), epochs=2).evidenced


@pytest.mark.parametrize("scores", [{}, {"match": {"value": None}}])
def test_answers_without_a_score_are_not_left_out_of_an_evidenced_mean(
    tmp_path: Path, scores: dict[str, Any]
) -> None:
    samples = [sample("a", "C"), *(sample(name, "C") | {"scores": scores} for name in "bcd")]
    judgement = judge_log(tmp_path, samples, accuracy(1.0))
    assert ["accuracy match: 3 of 4 records have neither its score nor an error"] == list(judgement.reasons)


def test_a_mean_says_how_many_answers_without_a_number_it_leaves_out(tmp_path: Path) -> None:
    samples = [sample("a", 1), *(sample(name, float("nan")) for name in "bcd")]
    (finding,) = judge_log(tmp_path, samples, accuracy(1.0)).findings
    assert ("agrees", "leaves out 3 of 4 answers, which have no number") == (finding.verdict, finding.reason)
    assert finding.bounds is not None
    assert 3 == finding.bounds.missing


def test_a_headline_that_is_a_text_is_held_against_the_records_too(tmp_path: Path) -> None:
    metrics = accuracy("0.99") | {"mean": {"name": "mean", "value": 0}}
    judgement = judge_log(tmp_path, [sample(name, "I") for name in "abc"], metrics)
    assert {"accuracy": "contradicts", "mean": "agrees"} == {
        finding.metric.name: finding.verdict for finding in judgement.findings
    }


def test_a_headline_is_what_it_is_shown_as_whatever_else_it_is_called(tmp_path: Path) -> None:
    metrics = accuracy(0.99, name="something_else") | {"mean": {"name": "mean", "value": 0}}
    judgement = judge_log(tmp_path, [sample(name, "I") for name in "abc"], metrics)
    assert "contradicts" == judgement.findings[0].verdict


@pytest.mark.parametrize(
    ("scorer", "is_exact"), [("match", True), ("inspect_ai/match", True), ("stranger/match", False)]
)
def test_another_package_s_scorer_of_a_known_name_is_no_plain_match(
    tmp_path: Path, scorer: str, is_exact: bool
) -> None:
    judge_log(tmp_path, [sample("a", "C")], accuracy(1.0))
    document = json.loads((tmp_path / "log.json").read_text())
    document["eval"]["scorers"] = [{"name": scorer}]
    (tmp_path / "log.json").write_text(json.dumps(document))
    assert is_exact == ("match" in read_run(tmp_path / "log.json").exact_scorers)


def test_nesting_that_a_reader_copies_is_refused_as_too_deep(tmp_path: Path) -> None:
    depth = 700
    result = f'{{"success": true, "prompt": {{"raw": "q"}}, "vars": {"[" * depth}{"]" * depth}}}'
    path = tmp_path / "out.json"
    path.write_text(f'{{"evalId": "e", "results": {{"version": 3, "stats": {{}}, "results": [{result}]}}}}')
    with pytest.raises(LimitExceeded, match="too deep"):
        read_run(path)


# -- lm-eval -----------------------------------------------------------------------------------------------------

DATE = "2026-01-21T03-44-18.458309"


def write_lm_eval(folder: Path, metrics: dict[str, Any], docs: Sequence[int]) -> Path:
    results = {
        "results": {"toy": metrics},
        "versions": {"toy": 1},
        "n-samples": {"toy": {"original": len(docs), "effective": len(docs)}},
        "config": {},
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(results))
    lines = [
        json.dumps({"doc_id": doc, "metrics": ["acc", "acc_norm"], "acc": 0, "acc_norm": 0, "resps": [["x"]]})
        for doc in docs
    ]
    (folder / f"samples_toy_{DATE}.jsonl").write_text("\n".join(lines))
    return folder


def test_a_false_accuracy_does_not_hide_behind_a_task_that_does_not_say_how_it_is_made(
    tmp_path: Path,
) -> None:
    folder = write_lm_eval(tmp_path, {"acc,none": 0.99, "acc_norm,none": 0.0}, range(4))
    judgement = judge_import(read_run(folder))
    assert {"toy acc": "contradicts", "toy acc_norm": "agrees"} == {
        finding.metric.label: finding.verdict for finding in judgement.findings
    }
    assert not judgement.evidenced


def test_one_document_many_times_is_read_in_time_and_named(tmp_path: Path) -> None:
    # each line looked through all before it: the product of 20,000 and 20,000
    judgement = judge_import(read_run(write_lm_eval(tmp_path, {"acc,none": 0.0}, [7] * 20_000)))
    assert any("records stand twice, the first sample '7'" in reason for reason in judgement.reasons)


# -- garak, Every Eval Ever --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "fails"), [(2.0, 0), (0, 2)])
def test_a_threshold_that_no_answer_can_pass_or_miss_is_objected_to(
    tmp_path: Path, threshold: float, fails: int
) -> None:
    attempt = {
        "entry_type": "attempt",
        "status": 2,
        "uuid": "u",
        "probe_classname": "test.Test",
        "prompt": "q",
        "outputs": ["a", "b"],
        "detector_results": {"always.Fail": [1.0, 1.0]},
    }
    counts = {"passed": 2 - fails, "fails": fails, "total_evaluated": 2}
    lines = [
        {"entry_type": "start_run setup", "run.eval_threshold": threshold},
        attempt,
        {"entry_type": "eval", "probe": "test.Test", "detector": "always.Fail", **counts},
        {"entry_type": "completion"},
    ]
    path = tmp_path / "report.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    judgement = judge_import(read_run(path))
    assert {"agrees"} == {finding.verdict for finding in judgement.findings}
    assert [f"the threshold of a hit is {threshold:.6g}: every answer lies on one side of it"] == list(
        judgement.reasons
    )


def write_eee(folder: Path, description: str, algorithm: str) -> Path:
    (folder / "e_samples.jsonl").write_text(
        json.dumps(
            {"evaluation_id": "e", "sample_id": "1", "evaluation_name": "t", "evaluation": {"score": 1}}
        )
    )
    result = {
        "evaluation_name": "t",
        "metric_config": {"evaluation_description": description},
        "score_details": {"score": 1.0},
    }
    document = {
        "schema_version": "0.3.0",
        "evaluation_id": "e",
        "model_info": {"id": "m"},
        "evaluation_results": [result],
        "detailed_evaluation_results": {
            "file_path": "e_samples.jsonl",
            "hash_algorithm": algorithm,
            "checksum": "00",
        },
    }
    path = folder / "e.json"
    path.write_text(json.dumps(document))
    return path


def test_a_checksum_that_cannot_be_checked_is_not_passed_over(tmp_path: Path) -> None:
    judgement = judge_import(read_run(write_eee(tmp_path, "accuracy", "crc32")))
    assert "the instance-level file's crc32 is stated, which this reader cannot check" in judgement.reasons


def test_a_long_description_is_searched_in_time(tmp_path: Path) -> None:
    description = "accuracy " * 30_000 + "\n"  # the pattern tried each of its words against all that follow
    judgement = judge_import(read_run(write_eee(tmp_path, description, "sha256")))
    assert "agrees" == judgement.findings[0].verdict


# -- promptfoo, OpenAI evals, HELM -------------------------------------------------------------------------------


def test_a_success_whose_grading_failed_is_objected_to(tmp_path: Path) -> None:
    result = {
        "prompt": {"raw": "q"},
        "response": {"output": "a"},
        "success": True,
        "gradingResult": {"pass": False, "score": 0, "reason": "wrong"},
    }
    inner = {"version": 3, "stats": {"successes": 1, "failures": 0, "errors": 0}, "results": [result]}
    path = tmp_path / "out.json"
    path.write_text(json.dumps({"evalId": "e", "results": inner}))
    judgement = judge_import(read_run(path))
    assert ["1 results are a success where their grading is a failure, or the reverse"] == list(
        judgement.reasons
    )


def test_of_two_final_reports_both_are_held_against_the_records(tmp_path: Path) -> None:
    lines = [
        {"spec": {"eval_name": "e", "completion_fns": ["m"]}},
        {"type": "match", "sample_id": "s", "data": {"correct": True}},
        {"final_report": {"accuracy": 0.25}},
        {"final_report": {"accuracy": 1.0}},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    judgement = judge_import(read_run(path))
    assert ["contradicts", "agrees"] == [finding.verdict for finding in judgement.findings]


def write_helm(folder: Path, instances: int | str, scored: Sequence[bool]) -> Path:
    def stat(name: str, mean: Any) -> dict[str, Any]:
        return {"name": {"name": name, "split": "test"}, "count": 1, "mean": mean}

    documents = {
        "run_spec": {"name": "r", "adapter_spec": {"model": "m"}},
        "stats": [stat("exact_match", 1.0), stat("num_instances", instances)],
        "per_instance_stats": [
            {
                "instance_id": f"i{n}",
                "train_trial_index": 0,
                "stats": [stat("exact_match" if has else "other", 1.0)],
            }
            for n, has in enumerate(scored)
        ],
    }
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


def test_a_count_that_is_written_as_text_counts(tmp_path: Path) -> None:
    judgement = judge_import(read_run(write_helm(tmp_path, "4", [True, True])))
    assert "the header states 4 instances of split test, the log holds 2" in judgement.reasons


def test_a_mean_of_some_instances_says_so(tmp_path: Path) -> None:
    (finding,) = judge_import(read_run(write_helm(tmp_path, 4, [True, False, False, False]))).findings
    assert ("agrees", "leaves out 3 of 4 answers, which have no number") == (finding.verdict, finding.reason)
