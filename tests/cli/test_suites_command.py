"""The command `verilabel suites`, as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verilabel.cli import main
from verilabel.suites.generated import generated_ids
from verilabel.suites.loading import bundled_ids, load_suite


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "prompts.csv").write_text(
        "id,question,answer,topic\nq1,Two and two?,4,sums\nq2,Sky?,blue,nature\n"
    )
    return folder / "prompts.csv"


def test_list_names_every_bundled_suite_and_where_its_data_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites", "list", "--json"]) == 0
    listed = {row["suite"].partition("@")[0]: row for row in json.loads(capsys.readouterr().out)}
    assert [*bundled_ids(), *generated_ids()] == list(listed)
    assert "generated" == listed["cap/planning"]["data"]
    assert listed["core/factual"]["data"] == "bundled"
    assert listed["xstest"]["data"] == "to pull"
    assert listed["gsm8k"]["data"] == "mirror only"
    assert main(["suites", "list"]) == 0
    assert "core/bias@1.0.0" in capsys.readouterr().out


def test_show_counts_tags_and_prints_no_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites", "show", "core/bias"]) == 0
    shown = capsys.readouterr().out
    suite = load_suite("core/bias")
    assert suite.digest in shown
    assert "72  ambiguous" in shown
    assert not any(sample.prompt in shown for sample in suite.samples)


def test_show_prints_prompts_only_where_it_is_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites", "show", "core/factual", "--samples", "2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [p["id"] for p in shown["prompts"]] == ["fa-001", "fa-002"]
    assert shown["samples"] == 144
    assert shown["counts"]["(gold letter)"] == {"A": 36, "B": 36, "C": 36, "D": 36}


def test_show_describes_a_suite_whose_data_is_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites", "show", "xstest", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["license"], shown["data"], shown["counts"]) == ("CC-BY-4.0", "to pull", {})
    assert main(["suites", "show", "xstest", "--samples", "1"]) == 2
    assert "verilabel suites pull xstest" in capsys.readouterr().err


def test_pull_from_a_mirror_makes_the_suite_usable(
    shared_data: Path, capsys: pytest.CaptureFixture[str], own_home: Path
) -> None:
    assert main(["suites", "pull", "gsm8k"]) == 2
    assert main(["suites", "pull", "gsm8k", "xstest", "--mirror", str(shared_data), "--json"]) == 0
    pulled = json.loads(capsys.readouterr().out)
    assert [(p["suite"], p["fetched"]) for p in pulled] == [("gsm8k@1.0.0", True), ("xstest@2.0.0", True)]
    assert all(Path(p["path"]).is_relative_to(own_home) for p in pulled)
    assert main(["suites", "show", "xstest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["label"] == {"safe": 250, "unsafe": 200}


def test_a_new_suite_is_checked_written_loaded_and_linted(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suites", "new", str(prompts), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["columns"] == {"prompt": "question", "id": "id", "target": "answer"}
    suite = load_suite(prompts.parent)
    assert [(s.id, s.prompt, s.target, s.tags) for s in suite.samples] == [
        ("q1", "Two and two?", ("4",), {"topic": "sums"}),
        ("q2", "Sky?", ("blue",), {"topic": "nature"}),
    ]
    assert main(["suites", "lint", str(prompts.parent), "--json"]) == 0
    assert {f["rule"] for f in json.loads(capsys.readouterr().out)["findings"]} == {
        "no-citation",
        "no-license",
    }
    assert main(["suites", "lint", str(prompts.parent), "--strict"]) == 1


def test_a_new_suite_overwrites_nothing_without_force(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = prompts.parent / "suite.yaml"
    target.write_text("mine")
    assert main(["suites", "new", str(prompts)]) == 2
    assert (target.read_text(), "--force" in capsys.readouterr().err) == ("mine", True)
    assert main(["suites", "new", str(prompts), "--force", "--id", "team/sums", "--prompt", "topic"]) == 0
    assert load_suite(prompts.parent).manifest.id == "team/sums"


@pytest.mark.parametrize(
    ("name", "content", "status", "part"),
    [
        ("x.csv", "one,two\n1,2\n", 2, "--prompt COLUMN"),
        ("x.doc", "prompt\nhello\n", 2, ".jsonl"),
        ("x.csv", "prompt,x\nhello\n", 3, "x.csv:2"),
        ("x.json", '{"list": [{"prompt": "x"}]}', 3, "'list'"),
        ("x.csv", "prompt\n", 3, "no rows"),
    ],
)
def test_data_that_makes_no_suite_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, status: int, part: str
) -> None:
    (tmp_path / name).write_text(content)
    assert main(["suites", "new", str(tmp_path / name)]) == status
    assert part in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_list_inside_a_json_object_makes_a_suite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Zoë's set.json").write_text(json.dumps({"rows": [{"prompt": "x"}, {"prompt": "y"}]}))
    assert main(["suites", "new", str(tmp_path / "Zoë's set.json"), "--records", "rows"]) == 0
    suite = load_suite(tmp_path)
    assert (suite.name, len(suite.samples)) == ("zo-s-set@0.1.0", 2)


def test_lint_refuses_changed_data_with_the_status_of_a_broken_seal(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suites", "new", str(prompts)]) == 0
    prompts.write_text(prompts.read_text() + "q3,More?,yes,x\n")
    assert main(["suites", "lint", str(prompts.parent), "--json"]) == 4
    assert json.loads(capsys.readouterr().err)["error"] == "SealError"


@pytest.mark.parametrize(
    "arguments",
    [
        ["suites"],
        ["suites", "sow"],
        ["suites", "show"],
        ["suites", "show", "nothing-like-it"],
        ["suites", "show", "core/bias", "--samples", "-1"],
        ["suites", "list", "--mirror", "/nowhere/at/all"],
        ["suites", "new", "/nowhere/at/all.csv"],
    ],
)
def test_a_command_that_cannot_be_carried_out_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "error:" in capsys.readouterr().err
