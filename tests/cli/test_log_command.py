"""The command `verilabel log`, run as its users run it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from verilabel import cli
from verilabel.evidence.keys import new_key
from verilabel.evidence.log import Entry, LocalLog
from verilabel.evidence.note import open_proof
from verilabel.records.canonical import digest

KEY = new_key("log.example.org")
ENTRIES = [Entry("verilabel.plan/v1", digest(b"plan")), Entry("verilabel.label/v1", digest(b"label"))]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, with a log of two entries."""
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path))
    with LocalLog.create(tmp_path / "log", KEY) as log:
        for entry in ENTRIES:
            log.append(entry)
    return tmp_path / "log"


def test_entries_are_shown_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["log", "show"]) == 0
    shown = capsys.readouterr().out
    assert "log.example.org: 2 entries" in shown
    assert digest(b"plan") in shown and digest(b"label") in shown
    assert cli.main(["log", "show", "--last", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [1] == [entry["number"] for entry in document["entries"]]
    assert (2, KEY.keyid) == (document["size"], document["keyid"])


def test_a_proof_goes_to_the_screen_or_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["log", "prove", "0"]) == 0
    proof = capsys.readouterr().out.encode()
    assert 0 == open_proof(proof, ENTRIES[0].leaf, [KEY.public]).index
    out = tmp_path / "plan.tlog-proof"
    assert cli.main(["log", "prove", "0", "--out", str(out)]) == 0
    assert proof == out.read_bytes()
    assert cli.main(["log", "prove", "1", "--out", str(out)]) == 2
    assert proof == out.read_bytes()
    assert cli.main(["log", "prove", "1", "--out", str(out), "--force", "--json"]) == 0
    assert 1 == open_proof(out.read_bytes(), ENTRIES[1].leaf, [KEY.public]).index


def test_a_sound_log_passes_its_check(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = shutil.copy(folder / "checkpoint", tmp_path / "kept")
    assert cli.main(["log", "check"]) == 0
    assert "all 2 entries and 3 signed checkpoints hold" in capsys.readouterr().out
    assert cli.main(["log", "check", "--from-checkpoint", str(kept), "--json"]) == 0
    assert 2 == json.loads(capsys.readouterr().out)["size"]


def test_a_changed_log_fails_its_check_with_status_four(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = sqlite3.connect(folder / "log.sqlite")
    connection.execute(
        "UPDATE entries SET entry = ? WHERE number = 1", (Entry("verilabel.label/v1", digest(b"x")).bytes(),)
    )
    connection.commit()
    connection.close()
    assert cli.main(["log", "check", "--json"]) == 4
    error = json.loads(capsys.readouterr().err)
    assert ("SealError", f"{folder}: entry 1") == (error["error"], error["where"])


def test_another_log_is_checked_by_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LocalLog.create(tmp_path / "other", new_key("other.example.org")).close()
    assert cli.main(["log", "check", "--log", str(tmp_path / "other")]) == 0
    assert "other.example.org: all 0 entries" in capsys.readouterr().out


def test_a_checkpoint_of_another_log_does_not_pass(folder: Path, tmp_path: Path) -> None:
    LocalLog.create(tmp_path / "other", new_key("log.example.org")).close()
    assert cli.main(["log", "check", "--from-checkpoint", str(tmp_path / "other" / "checkpoint")]) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["log"],
        ["log", "prove"],
        ["log", "prove", "-1"],
        ["log", "prove", "2"],
        ["log", "prove", "one"],
        ["log", "check", "--from-checkpoint", "/nowhere/at/all"],
        ["log", "show", "--log", "/nowhere/at/all"],
    ],
)
def test_what_cannot_be_done_is_a_usage_error(arguments: list[str]) -> None:
    assert 2 == cli.main(arguments)
