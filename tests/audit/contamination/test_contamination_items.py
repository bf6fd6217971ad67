"""Benchmarks as they are given: suites, files, and what is wrong with them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from verilabel.audit.contamination.items import Item, load_benchmark, load_benchmarks
from verilabel.errors import LimitExceeded, MalformedInput, UsageError


def write(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_file_of_json_lines_gives_question_options_and_answers(tmp_path: Path):
    path = write(
        tmp_path / "own.jsonl",
        {
            "id": 7,
            "question": "Which?",
            "choices": ["this", "that"],
            "answer": 1,
            "solution": ["for", "reasons"],
        },
    )
    benchmark = load_benchmark(path)
    assert "own.jsonl" == benchmark.name
    assert (Item("7", ("Which?", "this", "that"), ("1", "for", "reasons")),) == benchmark.items


def test_columns_are_found_by_name_in_any_case(tmp_path: Path):
    path = tmp_path / "own.csv"
    path.write_text('Question,Best Answer,Note\n"Who, then?",Nobody,x\nWhere?,,\n')
    expected = (Item("1", ("Who, then?",), ("Nobody",)), Item("2", ("Where?",), ("",)))
    assert expected == load_benchmark(str(path)).items


def test_a_text_file_has_one_item_a_line_and_may_be_packed(tmp_path: Path):
    path = tmp_path / "own.txt.gz"
    path.write_bytes(gzip.compress(b"first question\n\nsecond question\n"))
    assert ["first question", "second question"] == [
        item.question[0] for item in load_benchmark(str(path)).items
    ]


@pytest.mark.parametrize(
    ("rows", "words", "where"),
    [
        ([{"title": "x"}], "no column holds the question", "own.jsonl"),
        ([{"question": "a"}, {"question": " "}], "the question is empty", "own.jsonl:2"),
        ([{"question": "a"}, {"prompt": "b"}], "the question is empty", "own.jsonl:2"),
        ([{"question": "a", "id": 1}, {"question": "b", "id": 1}], "stands twice", "own.jsonl:2"),
        ([{"question": "a", "id": None}], "the id is neither", "own.jsonl:1"),
        ([{"question": {"deep": 1}}], "holds neither text", "own.jsonl:1"),
        ([{"question": "a", "answer": [["b"]]}], "holds neither text", "own.jsonl:1"),
        ([{"question": True}], "holds neither text", "own.jsonl:1"),
        ([], "no rows", "own.jsonl"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_refused_by_its_place(tmp_path: Path, rows, words, where):
    with pytest.raises(MalformedInput, match=words) as refused:
        load_benchmark(write(tmp_path / "own.jsonl", *rows))
    assert str(refused.value.where).endswith(where)


def test_a_long_id_is_refused(tmp_path: Path):
    with pytest.raises(LimitExceeded, match="200 characters"):
        load_benchmark(write(tmp_path / "own.jsonl", {"question": "a", "id": "x" * 201}))


def test_what_is_not_there_is_a_mistake_of_use(tmp_path: Path):
    for reference in (str(tmp_path / "none.jsonl"), "gsm9k", str(tmp_path)):
        with pytest.raises(UsageError):
            load_benchmark(reference)
    with pytest.raises(UsageError, match="the mirror is no folder"):
        load_benchmarks(["core/factual"], str(tmp_path / "none"))


def test_two_benchmarks_of_one_name_are_refused(tmp_path: Path):
    (tmp_path / "a").mkdir()
    paths = [write(folder / "test.jsonl", {"question": "x"}) for folder in (tmp_path, tmp_path / "a")]
    with pytest.raises(UsageError, match=r"two benchmarks are called 'test.jsonl'"):
        load_benchmarks(paths)


def test_a_bundled_suite_is_known_by_its_name():
    (benchmark,) = load_benchmarks(["core/factual"])
    assert benchmark.name.startswith("core/factual@") or benchmark.name.startswith("factual@")
    assert benchmark.sha256.startswith("sha256:")
    assert len(benchmark.items) > 10


def test_data_that_is_not_on_this_machine_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="is not on this machine") as refused:
        load_benchmark("truthfulqa")
    assert "suites pull truthfulqa" in str(refused.value.hint)


def test_options_are_taken_out_of_a_prompt(shared_data: Path):
    benchmark = load_benchmark("truthfulqa-mc", shared_data)
    item = benchmark.items[0]
    assert len(item.question) >= 3
    assert item.question[1] not in item.question[0]
    assert () == item.answer
