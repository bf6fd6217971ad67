"""Inspect's record of a sample, read by hand-made records: the answer, the scores, the failure, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.evaluation.inspect_backend.record import encode_request, read_response
from verilabel.evaluation.inspect_backend.reference import InspectReference
from verilabel.evaluation.inspect_backend.suite import Described, TaskFacts, _Scorer, suite_of, write_suite
from verilabel.evaluation.inspect_backend.wire import InspectWire
from verilabel.models.dialects.dialect import Decoded
from verilabel.models.interface import ModelRequest
from verilabel.records.attempt import Failure, Usage
from verilabel.records.canonical import jcs
from verilabel.records.sample import Message, Sample
from verilabel.suites.format import InspectTask
from verilabel.suites.loading import Suite

TASK = InspectTask(
    "pack/sums",
    {"inspect_ai": "0.3.285", "pack": "1.2.3"},
    scorers={"includes": "inspect_ai/includes", "odd": "pack/odd"},
)
SAMPLE = Sample("7", (Message("user", "What is 6 + 1?"),), target=("7",))
REQUEST = ModelRequest(
    "inspect/sums@1.2.3", "7", 1, SAMPLE.messages, {"temperature": "0", "agent.role.x": "y"}
)


def body(request: ModelRequest = REQUEST) -> bytes:
    return encode_request(TASK, SAMPLE, "sha256:" + "0" * 64, request, "scripted:oracle")


def record(**changes: Any) -> bytes:
    plain: dict[str, Any] = {
        "id": 7,
        "epoch": 1,
        "input": "What is 6 + 1?",
        "target": "7",
        "messages": [],
        "output": {
            "model": "m-1",
            "choices": [{"message": {"role": "assistant", "content": "7"}, "stop_reason": "stop"}],
        },
        "scores": {"includes": {"value": "C"}, "odd": {"value": {"level": None, "told": 0.5, "count": 2.0}}},
        "model_usage": {"m": {"input_tokens": 3, "output_tokens": 2}, "grader": {"input_tokens": 1}},
        "events": [{"event": "model", "call": {"request": {}, "response": {}}}],
    }
    return json.dumps(plain | changes).encode()


def suite() -> Suite:
    facts = msgspec.convert(
        {
            "name": "sums",
            "package": "pack",
            "packages": TASK.packages,
            "license": "MIT",
            "version": "0",
            "file_sha256": "",
            "epochs": 1,
            "scorers": [{"key": key, "name": name} for key, name in TASK.scorers.items()],
        },
        TaskFacts,
    )
    described, asked = Described(facts, (SAMPLE,)), InspectReference("pack/sums", {})
    return suite_of(write_suite(asked, described), described, asked)


def test_a_score_that_a_solver_wrote_under_a_scorers_name_is_not_the_scorers() -> None:
    scores = {
        "includes": {"value": "C"},
        "includes1": {"value": "I"},
        "odd": {"value": 1},
        "more": {"value": 1},
    }
    said, _ = read_response(body(), record(scores=scores))
    assert isinstance(said, Decoded)
    assert {"pack/odd": 1} == json.loads(said.output)["scores"]


def test_the_output_is_the_answer_and_each_scorers_value_under_its_registered_name() -> None:
    said, _ = read_response(body(), record())
    assert isinstance(said, Decoded)
    expected = {
        "answer": "7",
        "scores": {"inspect_ai/includes": "C", "pack/odd": {"level": None, "told": "0.5", "count": 2}},
        "stopped": "",
    }
    assert (jcs(expected).decode(), "stop", "m-1", Usage(4, 2)) == (
        said.output,
        said.finish,
        said.served_model,
        said.usage,
    )


def test_a_score_that_no_scorer_of_the_task_gave_is_left_out() -> None:
    said, _ = read_response(body(), record(scores={"includes": {"value": "C"}, "planted": {"value": "C"}}))
    assert isinstance(said, Decoded)
    assert {"inspect_ai/includes": "C"} == json.loads(said.output)["scores"]


def test_an_error_in_the_tasks_code_is_a_failure_that_is_not_asked_again_and_tells_none_of_its_words() -> (
    None
):
    said, _ = read_response(body(), record(error={"message": "KeyError('a secret')", "traceback": "..."}))
    assert isinstance(said, Failure)
    assert ("server_error", False) == (said.kind, said.retryable)
    assert "KeyError" in said.message
    assert "secret" not in said.message


def test_an_error_after_a_failed_call_of_the_model_is_asked_again() -> None:
    events = [{"event": "model"}, {"event": "model", "error": "overloaded"}, {"event": "error"}]
    said, _ = read_response(body(), record(error={"message": "x"}, events=events))
    assert isinstance(said, Failure)
    assert said.retryable


def test_a_sample_that_met_a_limit_says_which() -> None:
    said, _ = read_response(body(), record(limit={"type": "token", "limit": 9}))
    assert isinstance(said, Decoded)
    assert ("token", "token") == (said.finish, json.loads(said.output)["stopped"])


@pytest.mark.parametrize("changes", [{"id": 8}, {"epoch": 2}, {"id": "7 "}])
def test_a_record_of_another_sample_or_epoch_answers_nothing(changes: dict[str, object]) -> None:
    said, _ = read_response(body(), record(**changes))
    assert isinstance(said, Failure)
    assert "another sample" in said.message


def test_texts_that_inspect_keeps_aside_are_put_back() -> None:
    kept = {"input": "attachment://q", "attachments": {"q": "What is 6 + 1?", "a": "a long answer"}}
    output = {
        "choices": [
            {"message": {"content": [{"type": "reasoning"}, {"type": "text", "text": "attachment://a"}]}}
        ]
    }
    said = InspectWire(suite(), "scripted:oracle").read(body().decode(), record(**kept, output=output))
    assert isinstance(said, Decoded)
    assert "a long answer" == json.loads(said.output)["answer"]


def test_the_wire_writes_the_request_again_without_the_settings_of_our_own_agent() -> None:
    wire = InspectWire(suite(), "scripted:oracle")
    asked = json.loads(wire.encode(REQUEST))
    assert ({"temperature": "0"}, None, "7") == (asked["params"], asked["system"], asked["sample"])


def test_a_system_prompt_before_the_samples_messages_stands_in_the_request() -> None:
    prompted = ModelRequest(REQUEST.suite, "7", 1, (Message("system", "Be brief."), *SAMPLE.messages), {})
    assert "Be brief." == json.loads(body(prompted))["system"]


def test_a_record_whose_sample_began_otherwise_is_refused_by_the_wire() -> None:
    wire = InspectWire(suite(), "scripted:oracle")
    for other in (
        "What is 6 + 2?",
        [{"role": "user", "content": "What is 6 + 1?"}, {"role": "user", "content": "!"}],
    ):
        said = wire.read(body().decode(), record(input=other))
        assert isinstance(said, Failure)
    assert isinstance(wire.read(body().decode(), record()), Decoded)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_make_reading_raise(data: bytes) -> None:
    assert isinstance(read_response(body(), data)[0], Failure)
    assert isinstance(read_response(data, record())[0], Failure)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5)
)
def test_any_value_of_a_scorer_has_a_canonical_form_or_is_a_failure(value: object) -> None:
    said, _ = read_response(body(), record(scores={"includes": {"value": value}}))
    if isinstance(said, Decoded):
        assert jcs(json.loads(said.output)).decode() == said.output


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_whatever_a_task_calls_its_things_stands_in_the_suite_file_as_it_is(word: str) -> None:
    facts = TaskFacts(word, "", {"inspect_ai": "0"}, "MIT", "1.2.3", "", 1, (_Scorer("s", "task/s"),))
    described = Described(facts, (Sample(word, SAMPLE.messages, tags={word: word}),))
    asked = InspectReference("pack/sums", {"n": json.dumps(word, ensure_ascii=False)})
    made = suite_of(write_suite(asked, described), described, asked)
    task = made.manifest.data.inspect
    assert task is not None
    assert (asked.args, [word]) == (task.args, list(made.manifest.fields.tags))
