"""References to tasks of Inspect: what they ask for, and what is no reference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import UsageError, VerilabelError
from verilabel.evaluation.inspect_backend.reference import is_inspect_reference, parse_inspect_reference

PLAIN = st.text(st.characters(codec="ascii", categories=("L",)), min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=4), part, max_size=3),
    max_leaves=6,
)


def test_arguments_are_json_where_they_read_as_such_and_text_where_not() -> None:
    asked = parse_inspect_reference(
        'inspect:inspect_evals/agentdojo:with_sandbox_tasks=no,user_task_ids=[0, 1],with_injections=true,q="a,b"'
    )
    assert asked.task == "inspect_evals/agentdojo"
    assert {key: json.loads(value) for key, value in asked.args.items()} == {
        "with_sandbox_tasks": "no",
        "user_task_ids": [0, 1],
        "with_injections": True,
        "q": "a,b",
    }


@given(st.dictionaries(PLAIN, JSON, max_size=4))
def test_every_json_argument_comes_out_as_it_went_in(args: dict[str, object]) -> None:
    text = ",".join(f"{key}={json.dumps(value)}" for key, value in args.items())
    asked = parse_inspect_reference(f"inspect:pack/task{':' if args else ''}{text}")
    assert args == {key: json.loads(value) for key, value in asked.args.items()}


@given(st.text(max_size=60))
def test_any_other_text_is_refused_with_a_hint_or_read(text: str) -> None:
    try:
        asked = parse_inspect_reference(f"inspect:{text}")
    except VerilabelError as error:
        assert isinstance(error, UsageError)
    else:
        assert asked.task


def test_a_file_is_made_absolute_so_that_another_folder_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks.py").write_text("")
    monkeypatch.chdir(tmp_path)
    asked = parse_inspect_reference("inspect:tasks.py@adding:n=3")
    assert (f"{tmp_path / 'tasks.py'}@adding", tmp_path / "tasks.py") == (asked.task, asked.file)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("inspect:", "not a task"),
        ("inspect:a b", "not a task"),
        ("inspect:../x", "not a task"),
        ("inspect:nowhere.py@task", "no such file"),
        ("inspect:pack/task:n", "no argument"),
        ("inspect:pack/task:=1", "no argument"),
        ("inspect:pack/task:n=1,n=2", "given twice"),
        ("xstest", "not a task"),
        ("inspect:" + "a" * 5000, "not a task"),
    ],
)
def test_what_is_no_reference_is_a_usage_error(reference: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_inspect_reference(reference)


def test_suites_and_paths_are_not_taken_for_tasks() -> None:
    assert [False, False, True] == [
        is_inspect_reference(x) for x in ("xstest", Path("inspect:x"), "inspect:x")
    ]
