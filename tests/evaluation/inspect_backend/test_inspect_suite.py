"""A task of Inspect as a suite: what its file pins, and what it notices when something is no longer the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from verilabel.errors import MissingExtra, SandboxError, SealError, UsageError
from verilabel.evaluation.inspect_backend.reference import InspectReference
from verilabel.evaluation.inspect_backend.suite import (
    Described,
    TaskFacts,
    check_described,
    load_inspect_suite,
    make_inspect_suite,
    suite_id,
    suite_of,
    write_suite,
)
from verilabel.models.inspect_process import find_inspect_python
from verilabel.records.sample import Message, Sample
from verilabel.suites.loading import Suite

pytestmark = pytest.mark.inspect


def test_the_suite_file_names_task_packages_and_scorers_and_no_place_on_this_machine(
    adding: Suite, tasks_file: Path
) -> None:
    task = adding.manifest.data.inspect
    assert task is not None
    assert ("inspect/adding@0.0.0", "tasks.py@adding", 9) == (adding.name, task.task, len(adding.samples))
    assert {"includes": "inspect_ai/includes", "match": "inspect_ai/match", "odd": "task/odd"} == task.scorers
    assert ("inspect:inspect_ai/includes", "inspect:task/odd.told") == (
        adding.manifest.scorer,
        adding.manifest.scorers[-1],
    )
    assert f"{tasks_file.parent}/tasks.py".encode() not in adding.content


def test_samples_have_text_ids_and_what_a_measure_may_filter_on(adding: Suite) -> None:
    first = adding.samples[0]
    assert ("0", "What is 0 + 1?", ("1",), "true") == (
        first.id,
        first.prompt,
        first.target,
        first.tags["even"],
    )
    assert [*"012345", "broken", "lasting", "long"] == [sample.id for sample in adding.samples]
    assert ["lasting"] == [sample.id for sample in adding.samples if sample.tags.get("sandbox") == "local"]


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


def described(**changes: object) -> Described:
    facts: dict[str, object] = {
        "name": "sums",
        "package": "pack",
        "packages": {"pack": "1.2.3"},
        "license": "MIT",
        "version": "0",
        "file_sha256": "",
        "epochs": 1,
        "scorers": [{"key": "includes", "name": "inspect_ai/includes"}],
    }
    samples = (Sample("a", (Message("user", "?"),)), Sample("b", (Message("user", "!"),)))
    return Described(msgspec.convert({**facts, **changes}, TaskFacts), samples)


def test_another_version_of_a_package_another_file_or_other_samples_are_refused() -> None:
    asked = InspectReference("pack/sums", {})
    pinned = suite_of(write_suite(asked, described()), described(), asked).manifest
    check_described(pinned, described())
    with pytest.raises(SealError, match=r"made with pack 1\.2\.3, here is 1\.2\.4"):
        check_described(pinned, described(packages={"pack": "1.2.4"}))
    with pytest.raises(SealError, match="here is none"):
        check_described(pinned, described(packages={}))
    with pytest.raises(SealError, match="task's file"):
        check_described(pinned, described(file_sha256="0" * 64))
    fewer = Described(described().facts, described().samples[:1])
    with pytest.raises(SealError, match="samples has the digest"):
        check_described(pinned, fewer)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("", "has 8 tasks"),
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
    with pytest.raises(SandboxError, match=r"ended before|no longer reads"):
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


def test_a_tasks_own_metadata_says_nothing_of_its_sandbox(inspect_python: str, tasks_file: Path) -> None:
    suite = make_inspect_suite(f"inspect:{tasks_file}@boasting", python=inspect_python)
    tags = dict(suite.samples[0].tags)
    assert 64 == len(tags.pop("rest_sha256"))
    assert {"level": "C5"} == tags
