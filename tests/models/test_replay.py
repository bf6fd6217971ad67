"""Recorded answers: every format, matching, epochs, and what is said of files that cannot be read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.models.address import open_model
from verilabel.models.interface import ModelRequest
from verilabel.models.replay import ReplayModel
from verilabel.records.sample import Message

Ask = Callable[..., ModelRequest]
ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": "One?", "completion": "First.", "model": "m-1"},
    {"id": "b", "prompt": "Two?", "completion": 'Quoted "text",\nsecond line', "model": "m-1"},
    {"id": "c", "prompt": "One?", "completion": "Again.", "model": "m-2"},
]


def _write(folder: Path, name: str, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / name
    match path.suffix:
        case ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case ".json":
            path.write_text(json.dumps({"score": 0.5, "answers": rows}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
async def test_answers_are_found_by_the_exact_prompt_in_every_format(
    name: str, tmp_path: Path, ask: Ask
) -> None:
    async with ReplayModel(_write(tmp_path, name)) as model:
        second = await model.ask(ask("Two?"))
        other = await model.ask(ask("two?"))

    assert (second.output, second.served_model) == ('Quoted "text",\nsecond line', "m-1")
    assert json.loads(second.response)["output"] == second.output
    assert other.failure is not None
    assert other.failure.kind == "missing"


async def test_several_answers_to_one_prompt_are_its_epochs_in_file_order(tmp_path: Path, ask: Ask) -> None:
    model = ReplayModel(_write(tmp_path, "a.csv"))

    outputs = [(await model.ask(ask("One?", epoch=epoch))).output for epoch in (1, 2, 3)]

    assert outputs == ["First.", "Again.", None]
    assert "3 rows, 3 answers to 2 different prompts" in model.notes
    assert "1 prompts have several answers: they are epochs 1, 2, ... in the file's order" in model.notes


async def test_answers_are_found_by_id_when_asked(tmp_path: Path, ask: Ask) -> None:
    model = open_model(f"replay:{_write(tmp_path, 'a.jsonl')}", match_by="id")

    assert (await model.ask(ask("anything", sample="c"))).output == "Again."


async def test_named_columns_win_over_guessed_ones(tmp_path: Path, ask: Ask) -> None:
    rows = [{"prompt": "attack text", "goal": "the goal", "response": "no", "final": "yes"}]
    model = ReplayModel(_write(tmp_path, "a.json", rows), columns={"prompt": "goal", "output": "final"})

    assert (await model.ask(ask("the goal"))).output == "yes"
    assert model.columns == {"prompt": "goal", "output": "final"}


def test_guessed_columns_are_said(tmp_path: Path) -> None:
    notes = ReplayModel(_write(tmp_path, "a.csv")).notes

    assert "output is read from column 'completion' (guessed from its name)" in notes


async def test_a_null_answer_is_missing_and_a_blank_one_is_empty(tmp_path: Path, ask: Ask) -> None:
    rows = [
        {"prompt": "a", "response": None},
        {"prompt": "b", "response": "  "},
        {"prompt": None, "response": "x"},
    ]
    model = ReplayModel(_write(tmp_path, "a.jsonl", rows))

    failures = [(await model.ask(ask(prompt))).failure for prompt in ("a", "b")]

    assert [failure.kind for failure in failures if failure is not None] == ["missing", "empty"]
    assert "2 rows have no prompt or no output and answer nothing" in model.notes


async def test_the_system_is_bound_to_the_files_exact_bytes(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.csv")
    before = ReplayModel(path).provider_model
    path.write_text(path.read_text().replace("First.", "First!"))

    assert before.startswith("a.csv@sha256:")
    assert before != ReplayModel(path).provider_model


def _misuse(folder: Path, name: str, text: str | bytes, **options: Any) -> VerilabelError:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(VerilabelError) as caught:
        ReplayModel(path, **options)
    return caught.value


def test_a_misspelt_column_names_the_nearest_and_those_that_exist(tmp_path: Path) -> None:
    error = _misuse(tmp_path, "a.csv", "prompt,completion\na,b\n", columns={"output": "completoin"})

    assert isinstance(error, UsageError)
    assert error.message == "no column 'completoin' for the output"
    assert error.hint == "did you mean 'completion'? there are: prompt, completion"


def test_a_file_without_a_column_of_answers_names_its_columns(tmp_path: Path) -> None:
    error = _misuse(tmp_path, "a.csv", "prompt,verdict\na,b\n")

    assert (
        error.message,
        error.hint,
    ) == ("no column looks like the output", "name it; columns: prompt, verdict")


MALFORMED = [
    ("a.csv", "prompt,response\na\n", "row 1 has 1 fields, the header has 2"),
    ("a.csv", "prompt,response,prompt\na,b,c\n", "two columns are named 'prompt'"),
    ("a.csv", 'prompt,response\n"a,b\n', "not CSV"),
    ("a.csv", b"prompt,response\n\xff,b\n", "not UTF-8 at byte 16"),
    ("a.csv", "prompt,response\na\0,b\n", "NUL at character 17"),
    ("a.csv", "prompt,response\n", "the file holds no rows"),
    ("a.jsonl", '{"prompt": "a"}\n{"prompt": \n', "not JSON"),
    ("a.jsonl", "[1]\n", "expected an object, found list"),
    ("a.json", '["x"]', "expected an object, found str"),
    ("a.json", "[" * 100_000, "not JSON"),
    (
        "a.jsonl",
        '{"prompt": "a", "response": 5}\n',
        "row 1: the output in column 'response' is a int, not text",
    ),
]


@pytest.mark.parametrize(("name", "text", "message"), MALFORMED)
def test_a_file_that_cannot_be_read_is_malformed_and_says_where(
    name: str, text: str | bytes, message: str, tmp_path: Path
) -> None:
    error = _misuse(tmp_path, name, text)

    assert isinstance(error, MalformedInput)
    assert error.message.startswith(message)
    assert str(tmp_path / name) in str(error.where)


def test_the_line_of_a_malformed_row_is_named(tmp_path: Path) -> None:
    error = _misuse(tmp_path, "a.jsonl", '{"prompt": "a", "response": "b"}\n\n{\n')

    assert f"{tmp_path / 'a.jsonl'}:3" == error.where


def test_an_object_with_two_lists_must_say_which_one(tmp_path: Path) -> None:
    text = '{"jailbreaks": [{"prompt": "a", "response": "b"}], "others": []}'

    error = _misuse(tmp_path, "a.json", text)
    wrong = _misuse(tmp_path, "a.json", text, columns={"records": "jailbreak"})
    model = ReplayModel(tmp_path / "a.json", columns={"records": "jailbreaks"})

    assert error.hint == "give the role `records`: jailbreaks, others"
    assert wrong.hint == "did you mean 'jailbreaks'? there are: jailbreaks, others"
    assert model.notes[0] == "1 rows, 1 answers to 1 different prompts"


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    _write(tmp_path, "answers.csv")

    with pytest.raises(UsageError) as caught:
        ReplayModel(tmp_path / "answer.csv")

    assert caught.value.hint == "did you mean 'answers.csv'?"


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=40)


@given(
    answers=st.dictionaries(texts, texts.filter(str.strip), min_size=1, max_size=6),
    suffix=st.sampled_from([".csv", ".jsonl"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_text_written_is_the_text_that_answers(
    tmp_path: Path, answers: dict[str, str], suffix: str
) -> None:
    path = _write(tmp_path, f"a{suffix}", [{"prompt": k, "response": v} for k, v in answers.items()])
    model = ReplayModel(path)

    for prompt, output in answers.items():
        request = ModelRequest("s@1", "x", 1, (Message("user", prompt),), {})
        assert output == (await model.ask(request)).output


PUBLISHED = [
    ("xstest/model_completions/xstest_v2_completions_gpt4.csv", {}, 450, 450),
    ("xstest/model_completions/xstest_v2_completions_llama2orig.csv", {}, 450, 450),
    ("jailbreakbench/PAIR/black_box/vicuna-13b-v1.5.json", {"prompt": "goal"}, 82, 81),
    ("gptfuzz/responses_labeled/train_every10th.csv", {}, 616, 80),
    ("refusal_direction/gemma-2b-it/completions/jailbreakbench_baseline_evaluations.json", {}, 100, 99),
]


@pytest.mark.parametrize(("name", "columns", "answers", "prompts"), PUBLISHED)
def test_published_files_of_completions_are_read_as_they_are(
    name: str, columns: dict[str, str], answers: int, prompts: int, shared_data: Path
) -> None:
    model = ReplayModel(shared_data / name, columns=columns)

    assert f"{answers} answers to {prompts} different prompts" in model.notes[0]
