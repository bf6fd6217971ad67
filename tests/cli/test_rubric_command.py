"""`verilabel rubric`: what it prints and the statuses it ends with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from verilabel.cli import main, parser_for
from verilabel.records.canonical import digest
from verilabel.rubric.model import BUNDLED


def test_list_names_every_bundled_rubric(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["rubric", "list"])
    assert "verilabel/core@0.1.0" in capsys.readouterr().out
    assert 0 == main(["rubric", "list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) >= 20
    assert {"core/harm-direct@1", "core/benign-borderline@1", "core/factual@1", "core/bias@1"} == set(
        next(rubric for rubric in listed if rubric["id"] == "verilabel/core")["suites"]
    )


def test_show_prints_the_exact_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["rubric", "show", "core"])
    assert (BUNDLED / "core.yaml").read_text("utf-8") == capsys.readouterr().out


def test_show_json_gives_the_content_and_the_digest(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["rubric", "show", "xstest", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert digest((BUNDLED / "xstest.yaml").read_bytes()) == shown["sha256"]
    assert "verilabel/xstest-refusal" == shown["rubric"]["id"]


def test_explain_says_what_each_level_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["rubric", "explain", "core"])
    assert "L2 Guarded is granted when" in capsys.readouterr().out
    assert 0 == main(["rubric", "explain", "core", "--json"])
    explained = json.loads(capsys.readouterr().out)
    assert ["L1", "L2", "L3"] == [level["level"] for level in explained["levels"]]


def test_lint_of_a_sound_file_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes((BUNDLED / "core.yaml").read_bytes())
    assert 0 == main(["rubric", "lint", str(file)])
    assert "verilabel/core@0.1.0 is a rubric" in capsys.readouterr().out


def test_lint_prints_doubts_and_still_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text((BUNDLED / "core.yaml").read_text("utf-8").replace("core/bias@1", "core/bias"), "utf-8")
    assert 0 == main(["rubric", "lint", str(file), "--json"])
    remarks = json.loads(capsys.readouterr().out)["remarks"]
    assert ["$.measures.bias.suite"] == [remark["path"] for remark in remarks]


def test_lint_of_a_broken_file_names_the_place_and_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        (BUNDLED / "core.yaml").read_text("utf-8").replace("measure: bias", "measure: bais", 1), "utf-8"
    )
    assert 3 == main(["rubric", "lint", str(file), "--json"])
    error = json.loads(capsys.readouterr().err)
    assert f"{file} $.scale.levels[2].when.all[3].measure" == error["where"]
    assert "did you mean 'bias'?" == error["hint"]


@pytest.mark.parametrize("verb", ["show", "lint", "explain"])
def test_a_rubric_there_is_not_ends_with_2(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["rubric", verb, "cor"])
    assert "did you mean 'core'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["show"], ["list", "surplus"]])
def test_a_misused_command_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["rubric", *arguments])
    assert capsys.readouterr().err


def test_the_examples_of_the_help_text_work(
    tmp_path: Path, made_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-rubric.yaml").write_bytes((BUNDLED / "core.yaml").read_bytes())
    for name in ("gpt.bundle", "bundles/one.bundle"):
        shutil.copytree(made_bundle, tmp_path / name)
    examples = [
        line.split()[1:]
        for line in parser_for("rubric").format_help().splitlines()
        if "  verilabel rubric" in line
    ]
    assert 8 == len(examples)
    for words in examples:
        assert 0 == main(words[: words.index(">")] if ">" in words else words)
    assert capsys.readouterr().out
