"""A task of Inspect as a suite: what its file pins, and what it notices when something is no longer the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from verilabel.errors import MissingExtra, SandboxError, SealError, UsageError
from verilabel.evaluation.inspect_backend.suite import load_inspect_suite, make_inspect_suite, suite_id
from verilabel.models.inspect_process import find_inspect_python
from verilabel.suites.loading import Suite


@pytest.fixture(scope="module")
def adding(inspect_python: str, tasks_file: Path) -> Suite:
    return make_inspect_suite(f"inspect:{tasks_file}@adding:notes=/dev/null,n=12", python=inspect_python)


def test_the_suite_file_names_task_packages_and_scorers_and_no_place_on_this_machine(
    adding: Suite, tasks_file: Path
) -> None:
    task = adding.manifest.data.inspect
    assert task is not None
    assert ("inspect/adding@0.0.0", "tasks.py@adding", 12) == (adding.name, task.task, len(adding.samples))
    assert {"includes": "inspect_ai/includes", "match": "inspect_ai/match", "odd": "task/odd"} == task.scorers
    assert ("inspect:inspect_ai/includes", "inspect:task/odd.told") == (
        adding.manifest.scorer,
        adding.manifest.scorers[-1],
    )
    assert str(tasks_file.parent).encode() not in adding.content


def test_samples_have_text_ids_and_what_a_measure_may_filter_on(adding: Suite) -> None:
    first = adding.samples[0]
    assert ("0", "What is 0 + 1?", ("1",), "true") == (
        first.id,
        first.prompt,
        first.target,
        first.tags["even"],
    )
    assert [sample.id for sample in adding.samples] == sorted(str(i) for i in range(12))


def test_the_kept_suite_file_gives_the_same_suite_again(
    adding: Suite, inspect_python: str, tasks_file: Path
) -> None:
    again = load_inspect_suite(adding.content, file=tasks_file, python=inspect_python)
    assert (adding.digest, adding.samples) == (again.digest, again.samples)


def test_a_file_that_was_changed_is_refused_before_its_code_runs(
    adding: Suite, tasks_file: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copy(tasks_file, tmp_path / "tasks.py"))
    changed.write_text(changed.read_text() + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(SealError, match="another file"):
        load_inspect_suite(adding.content, file=changed, python="/bin/false")
    assert not (tmp_path / "ran").exists()


def test_another_version_of_a_package_or_other_samples_are_refused(
    adding: Suite, inspect_python: str, tasks_file: Path
) -> None:
    task = adding.manifest.data.inspect
    assert task is not None
    version = task.packages["inspect_ai"].encode()
    other = adding.content.replace(b'"inspect_ai": "' + version, b'"inspect_ai": "0.0.1')
    with pytest.raises(SealError, match=r"made with inspect_ai 0\.0\.1"):
        load_inspect_suite(other, file=tasks_file, python=inspect_python)
    fewer = adding.content.replace(b'"n": "12"', b'"n": "11"')
    with pytest.raises(SealError, match="samples has the digest"):
        load_inspect_suite(fewer, file=tasks_file, python=inspect_python)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("", "has 6 tasks"),
        ("@unscored", "no scorer"),
        ("@led", "brings its own model"),
        ("@failing:m=3", "takes no argument 'm'"),
    ],
)
def test_a_task_that_cannot_be_a_suite_says_why(
    inspect_python: str, tasks_file: Path, task: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_inspect_suite(f"inspect:{tasks_file}{task}", python=inspect_python)


def test_an_interpreter_without_inspect_or_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such interpreter"):
        find_inspect_python(tmp_path / "python")
    with pytest.raises(SandboxError, match="ended before"):
        make_inspect_suite("inspect:pack/task", python="/bin/true")


def test_without_inspect_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delenv("VERILABEL_INSPECT_PYTHON", raising=False)
    with pytest.raises(MissingExtra, match="inspect_ai"):
        find_inspect_python()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("agent_threat_bench_data_exfil", "inspect/agent-threat-bench-data-exfil"),
        ("AgentDojo", "inspect/agentdojo"),
        ("__", "inspect/task"),
    ],
)
def test_the_suites_id_is_the_tasks_name_with_dashes(name: str, expected: str) -> None:
    assert expected == suite_id(name)
