"""`verilabel data export`: all files or none, what the provider says, and audits that are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from audit_shown import poor_audit
from verilabel.cli import main


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return poor_audit(tmp_path_factory.getbasetemp() / "poor-audit")


def test_every_format_is_written_and_named(
    audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "croissant": tmp_path / "c.json",
        "spdx": tmp_path / "s.json",
        "cyclonedx": tmp_path / "y.json",
        "eu-summary": tmp_path / "summary.md",
    }
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert 0 == main(["data", "export", str(audit), *options, "--name", "lighthouses", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert [str(path) for path in files.values()] == list(said["written"].values())
    assert "lighthouses" == json.loads(files["croissant"].read_text())["name"]
    assert "1.6" == json.loads(files["cyclonedx"].read_text())["specVersion"]
    assert "3.0.1" in json.loads(files["spdx"].read_text())["@context"]
    assert files["eu-summary"].read_text().startswith("# Public Summary of Training Content")


def test_a_summary_with_the_name_of_a_page_is_one(audit: Path, tmp_path: Path) -> None:
    assert 0 == main(["data", "export", str(audit), "--eu-summary", str(tmp_path / "summary.html")])
    assert (tmp_path / "summary.html").read_text().startswith("<!doctype html>")


def test_an_audit_that_does_not_hold_is_not_exported(
    audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(audit, tmp_path / "spoilt.audit"))
    (folder / "shards.jsonl").write_bytes(
        (folder / "shards.jsonl").read_bytes().replace(b"one.jsonl", b"two.jsonl")
    )
    assert 4 == main(["data", "export", str(folder), "--spdx", str(tmp_path / "s.json")])
    assert "is not exported" in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()


def test_nothing_is_written_where_one_file_is_there_already(
    audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.json"
    there.write_text("mine")
    wanted = ["--croissant", str(tmp_path / "new.json"), "--spdx", str(there)]
    assert 2 == main(["data", "export", str(audit), *wanted])
    assert "already there" in capsys.readouterr().err
    assert ["there.json"] == [path.name for path in tmp_path.iterdir()]
    assert "mine" == there.read_text()
    assert 0 == main(["data", "export", str(audit), *wanted, "--force"])


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--spdx", "one.json", "--croissant", "one.json"],
        ["--spdx", "absent/one.json"],
        ["--spdx", "one.json", "--url", "javascript:alert(1)"],
        ["--spdx", "one.json", "--released", "yesterday"],
        ["--spdx", "one.json", "--name", "  "],
        ["--spdx", "one.json", "--creator", "two\x1b[31m"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    audit: Path, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert 2 == main(["data", "export", str(audit), *options])
    assert [] == list(tmp_path.iterdir())
