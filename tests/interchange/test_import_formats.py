"""Importers of every format on small logs made here: what they claim, what the records give, and what is refused."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.interchange.importing.detection import read_run
from verilabel.interchange.importing.judging import Judgement, judge_import, select_group
from verilabel.interchange.importing.table import TableOptions


def write_json(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def write_lines(path: Path, documents: list[Any]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def verdicts(judgement: Judgement) -> dict[str, str]:
    return {finding.metric.label: finding.verdict for finding in judgement.findings}


# -- promptfoo ---------------------------------------------------------------------------------------------------


def promptfoo(results: list[dict[str, Any]], stats: dict[str, int], version: int = 3) -> dict[str, Any]:
    inner = {"version": version, "timestamp": "2026-01-01", "results": results, "stats": stats, "prompts": []}
    return {"evalId": "eval-1", "results": inner, "config": {"description": "toy"}}


def promptfoo_result(test: int, success: bool, **more: Any) -> dict[str, Any]:
    return {
        "promptIdx": 0,
        "testIdx": test,
        "prompt": {"raw": f"What is {test}?", "label": "q"},
        "vars": {"n": test},
        "provider": {"id": "openai:gpt"},
        "response": {"output": "four"},
        "success": success,
        "score": int(success),
        "gradingResult": {"pass": success, "score": int(success), "reason": "checked"},
        **more,
    }


def test_promptfoo_counts_are_made_again(tmp_path: Path) -> None:
    results = [promptfoo_result(i, i != 0) for i in range(4)]
    document = promptfoo(results, {"successes": 3, "failures": 1, "errors": 0})
    document["results"]["prompts"] = [
        {
            "provider": "openai:gpt",
            "metrics": {"testPassCount": 3, "testFailCount": 1, "testErrorCount": 0, "score": 3},
        }
    ]
    judgement = judge_import(read_run(write_json(tmp_path / "out.json", document)))
    assert {"agrees"} == set(verdicts(judgement).values())
    assert 7 == len(judgement.findings)
    assert judgement.evidenced


def test_passes_without_an_assertion_evidence_nothing(tmp_path: Path) -> None:
    unchecked = {"gradingResult": {"pass": True, "score": 1, "reason": "No assertions"}}
    results = [promptfoo_result(i, True, **unchecked) for i in range(4)]
    document = promptfoo(results, {"successes": 4, "failures": 0, "errors": 0})
    judgement = judge_import(read_run(write_json(tmp_path / "out.json", document)))
    assert {"agrees"} == set(verdicts(judgement).values())
    assert not judgement.evidenced
    assert "no result was checked by an assertion" in judgement.reasons[0]


def test_a_repeated_promptfoo_test_is_one_item(tmp_path: Path) -> None:
    results = [promptfoo_result(0, True), {**promptfoo_result(0, False), "testIdx": 1}]
    judgement = judge_import(
        read_run(
            write_json(tmp_path / "o.json", promptfoo(results, {"successes": 1, "failures": 1, "errors": 0}))
        )
    )
    assert 1 == judgement.items
    assert [1, 2] == [record.epoch for record in judgement.run.records]


def test_a_newer_promptfoo_is_refused(tmp_path: Path) -> None:
    path = write_json(
        tmp_path / "out.json", promptfoo([], {"successes": 0, "failures": 0, "errors": 0}, version=9)
    )
    with pytest.raises(MalformedInput, match="version 9"):
        read_run(path)


# -- garak -------------------------------------------------------------------------------------------------------


def garak_report(hits: list[list[float]], claim: dict[str, int]) -> list[dict[str, Any]]:
    attempts = [
        {
            "entry_type": "attempt",
            "uuid": f"u{i}",
            "seq": i,
            "status": 2,
            "probe_classname": "dan.Dan",
            "prompt": {"turns": [{"role": "user", "content": {"text": f"Prompt {i}"}}]},
            "outputs": [{"text": "no"} for _ in values],
            "detector_results": {"mitigation.Bypass": values},
        }
        for i, values in enumerate(hits)
    ]
    return [
        {"entry_type": "start_run setup", "plugins.target_type": "openai", "plugins.target_name": "gpt"},
        {"entry_type": "init", "garak_version": "0.14.0"},
        *attempts,
        {"entry_type": "eval", "probe": "dan.Dan", "detector": "mitigation.Bypass", **claim},
        {"entry_type": "completion"},
    ]


def test_garak_passes_are_counted_below_the_threshold(tmp_path: Path) -> None:
    claim = {"passed": 2, "fails": 2, "total_evaluated": 4, "nones": 0, "total_processed": 4}
    lines = garak_report([[0.0, 0.49], [0.5, 1.0]], claim)
    judgement = judge_import(read_run(write_lines(tmp_path / "a.report.jsonl", lines)))
    assert {"agrees"} == set(verdicts(judgement).values())
    assert 2 == judgement.items
    assert judgement.evidenced


def test_a_garak_report_with_a_part_of_its_attempts_is_only_claimed(tmp_path: Path) -> None:
    claim = {"passed": 37, "fails": 13, "total_evaluated": 50, "nones": 0, "total_processed": 50}
    lines = garak_report([[0.0], [0.0]], claim)
    judgement = judge_import(read_run(write_lines(tmp_path / "a.report.jsonl", lines)))
    assert "partial: 2 of 50 records are in the log" in judgement.findings[0].reason
    assert not judgement.evidenced


def test_a_garak_report_that_holds_more_hits_than_it_states_is_contradicted(tmp_path: Path) -> None:
    claim = {"passed": 50, "fails": 0, "total_evaluated": 50, "nones": 0, "total_processed": 50}
    lines = garak_report([[1.0], [0.0]], claim)
    judgement = judge_import(read_run(write_lines(tmp_path / "a.report.jsonl", lines)))
    assert "contradicts" == verdicts(judgement)["dan.Dan passed mitigation.Bypass"]
    assert "contradicts" == verdicts(judgement)["dan.Dan fails mitigation.Bypass"]


# -- OpenAI evals ------------------------------------------------------------------------------------------------


def openai_log(correct: list[bool], accuracy: float, *, finished: bool = True) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [
        {"spec": {"eval_name": "toy.test.v1", "completion_fns": ["gpt-4"], "run_config": {"seed": 1}}}
    ]
    for i, value in enumerate(correct):
        base = {"run_id": "r", "event_id": 2 * i, "sample_id": f"toy.{i}", "created_by": "", "created_at": ""}
        chat = [{"role": "user", "content": f"What is {i}?"}]
        lines.append({**base, "type": "sampling", "data": {"prompt": chat, "sampled": ["four"]}})
        lines.append(
            {**base, "type": "match", "data": {"correct": value, "expected": "four", "picked": "four"}}
        )
    if finished:
        lines.append({"final_report": {"accuracy": accuracy, "boostrap_std": 0.1}})
    return lines


def test_openai_evals_accuracy_is_made_again_and_random_numbers_are_not(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "log.jsonl", openai_log([True, False, True], 0.6666666666666666))
    judgement = judge_import(read_run(path))
    assert {"accuracy": "agrees", "boostrap_std": "not_recomputable"} == verdicts(judgement)
    assert judgement.evidenced


def test_an_openai_evals_log_without_a_report_was_not_finished(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "log.jsonl", openai_log([True], 1.0, finished=False))
    assert any("not finished" in reason for reason in judge_import(read_run(path)).reasons)


# -- Every Eval Ever ---------------------------------------------------------------------------------------------


def write_eee(folder: Path, score: float, values: list[float], **detailed: Any) -> Path:
    rows = [
        {
            "schema_version": "0.3.0",
            "evaluation_id": "e",
            "model_id": "a/b",
            "evaluation_name": "toy",
            "evaluation_result_id": "toy",
            "sample_id": f"s{i}",
            "interaction_type": "single_turn",
            "input": {"raw": f"What is {i}?", "reference": ["4"]},
            "output": {"raw": ["four"]},
            "answer_attribution": [],
            "evaluation": {"score": value, "is_correct": value == 1},
        }
        for i, value in enumerate(values)
    ]
    samples = write_lines(folder / "x_samples.jsonl", rows)
    checksum = hashlib.sha256(samples.read_bytes()).hexdigest()
    return write_json(
        folder / "x.json",
        {
            "schema_version": "0.3.0",
            "evaluation_id": "e",
            "model_info": {"name": "b", "id": "a/b"},
            "eval_library": {"name": "x", "version": "1"},
            "evaluation_results": [
                {
                    "evaluation_result_id": "toy",
                    "evaluation_name": "toy",
                    "metric_config": {"metric_kind": "accuracy", "lower_is_better": False},
                    "score_details": {"score": score},
                }
            ],
            "detailed_evaluation_results": {
                "format": "jsonl",
                "file_path": "data/x_samples.jsonl",
                "hash_algorithm": "sha256",
                "checksum": checksum,
                "total_rows": len(values),
                **detailed,
            },
        },
    )


def test_every_eval_ever_scores_are_made_again_to_the_printed_digits(tmp_path: Path) -> None:
    judgement = judge_import(read_run(write_eee(tmp_path, 0.67, [1, 0, 1])))
    assert {"toy accuracy": "agrees"} == verdicts(judgement)
    assert judgement.evidenced


def test_instances_that_are_not_the_stated_file_are_noticed(tmp_path: Path) -> None:
    judgement = judge_import(read_run(write_eee(tmp_path, 1.0, [1, 1], checksum="0" * 64)))
    assert any("sha256" in reason for reason in judgement.reasons)


def test_another_schema_of_every_eval_ever_is_refused(tmp_path: Path) -> None:
    document = {"schema_version": "1.0.0", "evaluation_id": "e", "evaluation_results": []}
    with pytest.raises(MalformedInput, match=r"1\.0\.0"):
        read_run(write_json(tmp_path / "x.json", document))


# -- Moonshot ----------------------------------------------------------------------------------------------------


def moonshot(answers: list[str], metric: str, value: float, n: int) -> dict[str, Any]:
    recipe = {
        "id": "toy",
        "details": [
            {
                "model_id": "m",
                "dataset_id": "d",
                "prompt_template_id": "p",
                "data": [
                    {"prompt": f"Q{i}", "predicted_result": {"response": a, "context": []}, "target": "Yes."}
                    for i, a in enumerate(answers)
                ],
                "metrics": [{metric: value, "grading_criteria": {metric: value}}],
            }
        ],
        "evaluation_summary": [
            {"model_id": "m", "num_of_prompts": n, "avg_grade_value": value, "grade": "A"}
        ],
        "total_num_of_prompts": n,
    }
    return {
        "metadata": {"id": "run", "status": "completed", "endpoints": ["m"]},
        "results": {"recipes": [recipe]},
    }


def test_moonshot_exact_matches_are_made_again_in_percent(tmp_path: Path) -> None:
    document = moonshot(["Yes.", "No."], "accuracy", 50.0, 2)
    judgement = judge_import(read_run(write_json(tmp_path / "run.json", document)))
    assert ["agrees"] == [finding.verdict for finding in judgement.findings]
    assert judgement.evidenced


def test_a_moonshot_metric_of_another_kind_is_not_contradicted_by_a_guess(tmp_path: Path) -> None:
    document = moonshot(["Yes.", "No."], "refusal_rate", 100.0, 2)
    judgement = judge_import(read_run(write_json(tmp_path / "run.json", document)))
    assert ["not_recomputable"] == [finding.verdict for finding in judgement.findings]
    assert not judgement.evidenced


def test_a_relaxed_match_of_moonshot_is_held_to_its_definition(tmp_path: Path) -> None:
    document = moonshot(["yes", "No."], "relax_str_match", 100.0, 2)
    judgement = judge_import(read_run(write_json(tmp_path / "run.json", document)))
    assert ["contradicts"] == [finding.verdict for finding in judgement.findings]


def test_a_moonshot_cookbook_holds_recipes(tmp_path: Path) -> None:
    document = moonshot(["Yes."], "accuracy", 100.0, 2)
    document["results"] = {"cookbooks": [{"id": "c", "recipes": document["results"]["recipes"]}]}
    judgement = judge_import(read_run(write_json(tmp_path / "run.json", document)))
    assert any("states 2" in reason for reason in judgement.reasons)


# -- tables ------------------------------------------------------------------------------------------------------


def test_a_table_is_judged_by_the_number_that_was_published(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,prompt,completion,passed\n1,"a\nb",x,true\n2,c,y,false\n3,d,z,true\n')
    options = TableOptions({"output": "completion", "score": "passed"}, {"passed": "0.67"})
    judgement = judge_import(read_run(path, table=options))
    assert judgement.evidenced
    assert "sha256:" + hashlib.sha256(b'1,"a\nb",x,true\n').hexdigest() == judgement.run.records[0].sha256


def test_a_table_without_a_claim_evidences_nothing(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"id": 1, "prompt": "a", "output": "b", "score": 1}])
    judgement = judge_import(read_run(path, form="table"))
    assert ("there is no headline to compare with",) == judgement.reasons


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_score_that_is_no_number_is_unscored_with_its_reason(tmp_path: Path, word: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"id": 1, "prompt": "a", "output": "b", "score": {word}}}\n')
    if word == "1e999":
        with pytest.raises(MalformedInput, match="beyond"):
            read_run(path, form="table")
        return
    (record,) = read_run(path, form="table").records
    assert record.scores["score"].number is None
    assert record.scores["score"].reason.startswith("the score is")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,prompt,answer\n1,a,b\n")
    with pytest.raises(MalformedInput, match="no column 'completion'"):
        read_run(path, table=TableOptions({"output": "completion"}))


def test_columns_are_not_for_logs(tmp_path: Path) -> None:
    path = write_json(tmp_path / "x.json", {})
    with pytest.raises(UsageError, match="tables"):
        read_run(path, form="inspect", table=TableOptions({"output": "x"}))


# -- all ---------------------------------------------------------------------------------------------------------


def test_one_group_may_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,output,score,model\n1,a,1,x\n1,b,0,y\n")
    run = read_run(path, table=TableOptions({"group": "model"}, {"score": "0.5"}))
    chosen = select_group(run, "x")
    assert ["a"] == [record.output for record in chosen.records]
    assert Fraction(1) == chosen.records[0].scores["score"].number


@pytest.mark.parametrize("named", ["", "/", "..", "a/..", "../../etc/passwd", "a\x00b"])
def test_a_path_inside_a_log_leads_nowhere_else(tmp_path: Path, named: str) -> None:
    path = write_eee(tmp_path, 1.0, [1], file_path=named)
    (tmp_path / "x_samples.jsonl").unlink()
    assert not read_run(path).records


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "plain words\n", '{"results": 3}', '{"a": [1,2'])
def test_what_is_no_log_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(MalformedInput):
        read_run(path)


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


@pytest.mark.parametrize("name", ["promptfoo", "moonshot", "garak", "openai-evals", "every-eval-ever"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(1, 60), value=JSON)
def test_no_value_in_a_log_breaks_a_reader(tmp_path: Path, name: str, at: int, value: Any) -> None:
    path = tmp_path / "log.json"
    match name:
        case "promptfoo":
            write_json(
                path,
                replaced(promptfoo([promptfoo_result(0, True)], {"successes": 1, "errors": 0}), at, value),
            )
        case "moonshot":
            write_json(path, replaced(moonshot(["Yes."], "accuracy", 100.0, 1), at, value))
        case "garak":
            lines = garak_report([[0.0]], {"passed": 1, "total": 1})
            path = write_lines(tmp_path / "a.jsonl", replaced(lines, at + 1, value))
        case "openai-evals":
            path = write_lines(tmp_path / "a.jsonl", replaced(openai_log([True], 1.0), at + 1, value))
        case "every-eval-ever":
            path = write_eee(tmp_path, 1.0, [1])
            write_json(path, replaced(json.loads(path.read_text()), at, value))
    try:
        judge_import(read_run(path, form=name))
    except VerilabelError as error:
        assert error.message
