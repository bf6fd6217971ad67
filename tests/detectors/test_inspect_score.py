"""The detector that reads a scorer of Inspect: events, truths, and what stays unscored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.detectors.catalogue import find_card, open_detector
from verilabel.detectors.inspect_score import InspectScoreDetector
from verilabel.detectors.interface import Finding
from verilabel.errors import UsageError
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored

SAMPLE = Sample("a", (Message("user", "?"),))
INCLUDES = "inspect_ai/includes"


def read(setting: str, scores: Any) -> Finding:
    output = json.dumps({"answer": "x", "scores": scores, "stopped": ""})
    return InspectScoreDetector(setting).detect("inspect/x@1.0.0", SAMPLE, 1, output)


@pytest.mark.parametrize(
    ("value", "truth"), [("C", True), ("I", False), ("N", False), (1, True), (0, False), (True, True)]
)
def test_yes_and_no_in_all_of_inspects_words(value: object, truth: bool) -> None:
    found = read("includes", {INCLUDES: value})
    assert isinstance(found, Scored)
    assert ("correct", truth) == (found.event, found.value)


@pytest.mark.parametrize("value", ["P", "0.5", 2, -1, None, [], {"correct": "C"}, "c", ""])
def test_what_is_neither_yes_nor_no_is_unscored(value: object) -> None:
    assert isinstance(read("includes", {INCLUDES: value}), Unscored)


def test_agentdojo_says_security_where_the_attack_succeeded_and_agent_threat_bench_where_it_did_not() -> None:
    dojo = read(
        "inspect_evals/injection_task_scorer.security",
        {"inspect_evals/injection_task_scorer": {"security": "C"}},
    )
    bench = read(
        "inspect_evals/agent_threat_bench_scorer.security",
        {"inspect_evals/agent_threat_bench_scorer": {"security": "C"}},
    )
    assert isinstance(dojo, Scored)
    assert isinstance(bench, Scored)
    assert [("attack_succeeded", True), ("attack_succeeded", False)] == [
        (found.event, found.value) for found in (dojo, bench)
    ]


def test_another_packages_scorer_of_the_same_name_is_neither_read_nor_called_exact() -> None:
    assert isinstance(read("includes", {"other/includes": "C"}), Unscored)
    assert isinstance(read("includes", {"task/includes": "C"}), Unscored)
    cards = [
        InspectScoreDetector(name).card for name in ("includes", INCLUDES, "other/includes", "task/includes")
    ]
    assert [True, True, False, False] == [card.exact for card in cards]


def test_a_model_graded_scorer_has_unmeasured_errors() -> None:
    card = find_card("inspect:model_graded_qa")
    assert card is not None
    assert (False, ()) == (card.exact, card.errors)


def test_the_card_tells_scorers_and_keys_apart_and_opens_the_same_detector_again() -> None:
    references = ["inspect:includes", "inspect:match", "inspect:task/x.a", "inspect:task/x.b"]
    cards = [open_detector(reference).card for reference in references]
    assert 4 == len({card.name for card in cards}) == len({card.sha256 for card in cards})
    assert cards == [open_detector(card.reference).card for card in cards]


def test_a_key_gives_the_event_its_name() -> None:
    assert "did_it_plan" == InspectScoreDetector("task/judge.Did it-plan").card.event


@pytest.mark.parametrize("setting", ["", "a/b/c", "x.", "a b", "-x/../y", "x" * 300 + "!"])
def test_what_is_no_name_of_a_scorer_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="no scorer of Inspect"):
        InspectScoreDetector(setting)


@given(st.text(max_size=200))
def test_no_answer_of_any_form_raises(output: str) -> None:
    found = InspectScoreDetector("includes").detect("s", SAMPLE, 1, output)
    assert isinstance(found, Unscored)


@pytest.mark.parametrize(
    "output", ["[" * 100_000, '{"scores":{"inspect_ai/includes":' + "[" * 5000, "x" * 2_000_000]
)
def test_deep_and_long_answers_are_unscored(output: str) -> None:
    assert isinstance(InspectScoreDetector("includes").detect("s", SAMPLE, 1, output), Unscored)
