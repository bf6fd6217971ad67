"""The shipped weights and numbers come from the public data by the recipes that are in the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from verilabel.detectors.linear import load_model, read_data
from verilabel.detectors.measure import shipped_measurements
from verilabel.records.score import ErrorCounts

pytest.importorskip("sklearn", reason="the recipes need scikit-learn (dependency group train)")

from verilabel.detectors.training import harmful, measurements, refusal, requests
from verilabel.detectors.training.answers import read_anchors, read_requests, read_xstest
from verilabel.detectors.training.writing import model_bytes


def accuracy(counts: ErrorCounts) -> float:
    return (counts.true_positives + counts.true_negatives) / (counts.positives + counts.negatives)


def test_training_on_a_few_answers_is_deterministic_and_learns_them() -> None:
    answers = list(read_anchors())
    assert model_bytes(refusal.train(answers)) == model_bytes(refusal.train(answers))
    judged = measurements.judge_folds(iter([measurements.Fold(answers, answers)]), refusal.train)
    assert sum(j.found == j.answer.event for j in judged) > 0.95 * len(answers)


def test_the_shipped_refusal_weights_are_what_the_recipe_makes(shared_data: Path) -> None:
    assert read_data("refusal.json") == model_bytes(refusal.train(refusal.training_answers(shared_data)))


def test_the_shipped_harmful_weights_are_what_the_recipe_makes(shared_data: Path) -> None:
    answers = [*harmful.human_answers(shared_data), *harmful.supporting_answers(shared_data)]
    assert load_model("harmful") == harmful.train(answers)
    assert load_model("requests") == requests.train(list(read_requests(shared_data)))


def test_the_errors_of_harmful_are_reproduced(shared_data: Path) -> None:
    assert measurements.measure_harmful(shared_data) == [
        table for table in shipped_measurements().tables if table.detector == "harmful"
    ]


def test_the_errors_of_refusal_are_reproduced_and_beat_string_matching(shared_data: Path) -> None:
    tables = measurements.measure_refusal(shared_data)
    assert tables == [t for t in shipped_measurements().tables if t.detector == "refusal"]
    held_out, matched = tables[0].counts, tables[-1].counts
    assert 3 == len(held_out)
    assert sum(map(accuracy, held_out)) / 3 >= 0.92
    assert sum(map(accuracy, held_out)) > sum(map(accuracy, matched)) + 0.1


def test_no_held_out_answer_is_in_its_own_training_set(shared_data: Path) -> None:
    answers = list(read_xstest(shared_data))
    for fold in measurements.refusal_folds(answers, new_prompts=True):
        trained = {a.prompt for a in fold.training}
        assert fold.held_out
        assert not any(a.prompt in trained for a in fold.held_out)
    human, supporting = harmful.human_answers(shared_data), harmful.supporting_answers(shared_data)
    judged = 0
    for fold in measurements.harmful_folds(human, supporting):
        prompts = {a.prompt for a in fold.training if a.source != "anchors"}
        templates = {a.template for a in fold.training} - {-1}
        judged += len(fold.held_out)
        assert not any(a.prompt in prompts or a.template in templates for a in fold.held_out)
    assert len(human) == judged
