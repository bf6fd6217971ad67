"""`gateway verify-log` and `gateway log`: what they print, and the status they end with."""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path
from types import ModuleType

import pytest

from audit_trails import FOUND, open_trail, record, write_trail
from bundle_factory import fixed_key
from verilabel.cli import gateway_log, gateway_trail
from verilabel.errors import ExitStatus, UsageError
from verilabel.evidence.keys import save_key
from verilabel.gateway.audit.querying import Query, find_records, follow_records

Capture = pytest.CaptureFixture[str]


def run(module: ModuleType, *words: str) -> ExitStatus:
    """Run a word of `gateway` as the command line does."""
    parser = argparse.ArgumentParser()
    module.configure(parser)
    status: ExitStatus = module.run(parser.parse_args(words))
    return status


def test_an_intact_trail_ends_with_0_and_shows_its_counts(tmp_path: Path, capsys: Capture) -> None:
    write_trail(tmp_path, 3)
    assert ExitStatus.OK == run(gateway_log, str(tmp_path))
    out = capsys.readouterr().out
    assert out.startswith("intact; 1 files, 3 records\n")
    assert "answered        3" in out
    assert "redact  enforce         6" in out


def test_a_changed_trail_ends_with_4_and_names_the_line(tmp_path: Path, capsys: Capture) -> None:
    path = write_trail(tmp_path, 3)
    path.write_bytes(path.read_bytes().replace(b"req_1", b"req_9"))
    assert ExitStatus.SEAL == run(gateway_log, str(tmp_path))
    out = capsys.readouterr().out
    assert "NOT INTACT: 1 problems" in out
    assert f"{path.name}:3: its h does not follow" in out
    assert ExitStatus.SEAL == run(gateway_log, str(tmp_path), "--json")
    answer = json.loads(capsys.readouterr().out)
    assert (False, 1, 3) == (answer["intact"], answer["problem_count"], answer["problems"][0]["line"])


def test_keys_and_kept_checkpoints_are_files(tmp_path: Path, capsys: Capture) -> None:
    save_key(fixed_key("audit", "audit.example"), tmp_path / "audit.key")
    path = write_trail(tmp_path / "audit", 3, key=str(tmp_path / "audit.key"))
    with open_trail(tmp_path / "audit", "w1", key=str(tmp_path / "audit.key")) as trail:
        trail.checkpoint()
    kept = trail.path.with_suffix(".checkpoint")
    options = ("--key", str(tmp_path / "audit.pub"), "--checkpoint", str(kept), "--since", "2026-01-01")
    assert ExitStatus.OK == run(gateway_log, str(tmp_path / "audit"), *options)
    path.unlink()
    assert ExitStatus.SEAL == run(gateway_log, str(tmp_path / "audit"), *options)


def test_what_was_not_scanned_and_what_was_lost_is_said(tmp_path: Path, capsys: Capture) -> None:
    with open_trail(tmp_path) as trail:
        trail.append(record(0, scanned={}))
        trail.append(record(1, event="begun", outcome=""))
        for number in range(13):
            trail.append_unkeyed(record(number + 2, key="none", outcome="refused"))
    assert ExitStatus.OK == run(gateway_log, str(tmp_path))
    out = capsys.readouterr().out
    assert "3 further requests without a key in force were refused and have no records" in out
    assert "1 answered requests were not scanned" in out
    assert "unscanned: req_0" in out
    assert "1 requests had begun and have no end here" in out


def test_a_day_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a day"):
        run(gateway_log, str(tmp_path), "--since", "yesterday")


def test_names_in_a_trail_cannot_write_to_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    with open_trail(tmp_path) as trail:
        trail.append(record(0, user="\x1b[2J", route="a\x1b]0;b\x07", scanned={}))
    run(gateway_log, str(tmp_path))
    run(gateway_trail, str(tmp_path))
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([], ["req_0", "req_1", "req_2"]),
        (["--outcome", "refused"], ["req_1"]),
        (["--key", "k_2"], ["req_2"]),
        (["--guard", "pii"], ["req_0", "req_1"]),
        (["--id", "req_0", "--route", "gpt"], ["req_0"]),
        (["--since", "2099-01-01"], []),
    ],
)
def test_records_are_found_by_what_they_say(
    tmp_path: Path, capsys: Capture, words: list[str], ids: list[str]
) -> None:
    with open_trail(tmp_path) as trail:
        trail.append(record(0))
        trail.append(record(1, outcome="refused", status=403, code="guard_blocked"))
        trail.append(record(2, key="k_2", findings=()))
    assert ExitStatus.OK == run(gateway_trail, str(tmp_path), *words, "--json")
    assert ids == [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    run(gateway_trail, str(tmp_path), *words)
    assert len(ids) == len(capsys.readouterr().out.splitlines())


def test_a_line_for_people_says_what_happened_and_why(tmp_path: Path, capsys: Capture) -> None:
    with open_trail(tmp_path) as trail:
        trail.append(record(1, outcome="refused", status=403, code="guard_blocked", findings=(FOUND,)))
    run(gateway_trail, str(tmp_path))
    expected = "req_1  k_1  gpt  ended  refused  403  guard_blocked  pii/pii.email redact\n"
    assert capsys.readouterr().out.endswith(expected)


def test_following_shows_what_there_is_and_then_what_is_written(tmp_path: Path) -> None:
    seen: list[str] = []
    two, four = threading.Event(), threading.Event()

    def follow() -> None:
        for found in follow_records(tmp_path, Query(), is_over=four.is_set):
            seen.append(found.id)
            if len(seen) == 2:
                two.set()
            if len(seen) == 4:
                four.set()

    with open_trail(tmp_path) as trail:
        trail.append(record(0))
        trail.append(record(1))
        reader = threading.Thread(target=follow)
        reader.start()
        assert two.wait(20)
        trail.append(record(2))
        with open_trail(tmp_path, "w1") as other:
            other.append(record(3))
        assert four.wait(20)
        reader.join()
    assert ["req_0", "req_1", "req_2", "req_3"] == sorted(seen)


def test_looking_into_a_folder_without_a_trail_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no audit trail"):
        list(find_records(tmp_path, Query()))
