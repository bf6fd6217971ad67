"""A trail left by somebody who wants its checker to stop, to hang or to say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from verilabel.errors import MalformedInput
from verilabel.gateway.audit.lines import START, seal_line
from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.audit.verifying import verify_trail
from verilabel.gateway.policy.document import AuditSettings

PLANTED: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
}


def _write_trail(folder: Path) -> None:
    with AuditTrail.open(AuditSettings(folder=str(folder)), "w") as trail:
        trail.append(AuditRecord(event="ended", id="r1", at_us=1, outcome="answered"))


def _run(action: str, folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "verilabel", "gateway", action, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_among_the_files_of_a_trail_is_a_problem_and_stops_nobody(
    tmp_path: Path, what: str
) -> None:
    folder = tmp_path / "audit"
    _write_trail(folder)
    PLANTED[what](folder / "20250101T000000Z-w-00000000.jsonl")
    report = verify_trail(folder)
    assert ["this is no file that can be read"] == [problem.says for problem in report.problems]
    assert 1 == report.counts.records
    _write_trail(folder)


def test_a_planted_pipe_keeps_no_command_waiting(tmp_path: Path) -> None:
    _write_trail(tmp_path / "audit")
    os.mkfifo(tmp_path / "audit" / "x.jsonl")
    assert 4 == _run("verify-log", tmp_path / "audit")[0]
    status, said = _run("log", tmp_path / "audit")
    assert (0, True) == (status, "r1" in said)


@pytest.mark.parametrize("at_us", [10**18, -(10**18), 10**26])
def test_a_record_of_no_time_at_all_is_shown_all_the_same(tmp_path: Path, at_us: int) -> None:
    line, h = seal_line(b'{"event":"ended","id":"before","at_us":%d}' % at_us, 0, START)
    after, _ = seal_line(b'{"event":"ended","id":"after","at_us":1}', 1, h)
    (tmp_path / "f.jsonl").write_bytes(line + after)
    status, said = _run("log", tmp_path)
    assert (0, True) == (status, "after" in said)


@pytest.mark.parametrize("count", ["9" * 5000, "٣", "-1", ""])
def test_a_checkpoint_of_no_number_of_lines_is_refused(tmp_path: Path, count: str) -> None:
    _write_trail(tmp_path / "audit")
    note = f"verilabel/audit-checkpoint/v1\nf\n{count}\nh\n1\n\n— x AAAAAAAAAAAAAAAA\n"
    with pytest.raises(MalformedInput):
        verify_trail(tmp_path / "audit", checkpoints=[note.encode()])
