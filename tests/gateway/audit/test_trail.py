"""The audit trail: nothing answered is lost, failures to write refuse, and files continue one another."""

from __future__ import annotations

import json
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import audit_trails
from audit_trails import CLOCK_US, FOUND, open_trail, record, write_trail
from bundle_factory import fixed_key
from verilabel.errors import UsageError
from verilabel.evidence.keys import save_key
from verilabel.evidence.log import LocalLog
from verilabel.evidence.note import open_note, open_proof
from verilabel.gateway.audit.anchoring import anchor_checkpoint, entry_of_checkpoint
from verilabel.gateway.audit.lines import START, encode, head_of, seal_line
from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.audit.trail import UNKEYED_A_SECOND, AuditTrail, AuditUnwritable
from verilabel.gateway.audit.verifying import verify_trail
from verilabel.gateway.policy.document import AuditSettings
from verilabel.gateway.verdicts import Finding

STILL = 3_600_000
"""Milliseconds: the thread does nothing by itself."""


@contextmanager
def full_disk(path: Path, room: int = 0) -> Iterator[None]:
    """Let no file of this process grow beyond what this one has, and so many bytes more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def lines_of(path: Path) -> list[dict[str, object]]:
    """The lines of a file, decoded."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_the_chain_is_the_one_that_is_documented() -> None:
    first, h = seal_line(encode(AuditRecord(event="ended", id="req_1", at_us=5)), 0, START)
    assert (
        b'{"event":"ended","id":"req_1","at_us":5,"n":0,'
        b'"h":"3b91911e42c1da31e2e12adef9cc2ac49f40cc640f854ccd185b19cf412327f0"}\n'
    ) == first
    second, _ = seal_line(encode(AuditRecord(event="ended", id="req_2", at_us=6)), 1, h)
    assert (
        b'{"event":"ended","id":"req_2","at_us":6,"n":1,'
        b'"h":"34f332ffab710e2812bb33d884ee0787e6d7c41afc16bd392b6e3238d7df0472"}\n'
    ) == second


def test_a_file_begins_with_its_header_and_ends_with_its_last_line(tmp_path: Path) -> None:
    path = write_trail(tmp_path / "audit", 2)
    header, first, _, last = lines_of(path)
    assert ("header", "verilabel/audit/v1", path.name, "w0") == (
        header["kind"],
        header["format"],
        header["file"],
        header["worker"],
    )
    assert ("req_0", 1) == (first["id"], first["n"])
    assert "closed" == last["kind"]
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)


def test_a_record_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        trail.append(record(7))
        assert "req_7" == lines_of(trail.path)[-1]["id"]
        assert (1, 2) == (trail.appended, trail.head.lines)


def test_content_is_kept_only_where_the_operator_asks_for_it(tmp_path: Path) -> None:
    for folder, keeps in (("without", False), ("with", True)):
        with open_trail(tmp_path / folder, content=keeps) as trail:
            trail.append(record(content={"input": "the secret text"}))
        assert keeps == (b"the secret text" in trail.path.read_bytes())


def test_content_beyond_the_limit_of_a_line_is_left_out_and_said_to_be(tmp_path: Path) -> None:
    with open_trail(tmp_path, content=True) as trail:
        trail.append(record(content={"input": "x" * (17 * 2**20)}))
    assert "beyond the limit of a line" in str(lines_of(trail.path)[1]["content"])
    assert verify_trail(tmp_path).is_intact


@pytest.mark.parametrize("score", [float("nan"), float("inf"), 0.1, 1e-300])
def test_every_score_can_be_read_again(tmp_path: Path, score: float) -> None:
    found = Finding(guard="g", rule="r", action="flag", field="content", direction="input", score=score)
    with open_trail(tmp_path) as trail:
        trail.append(record(findings=(found, FOUND)))
    assert verify_trail(tmp_path).is_intact


def test_a_record_that_has_no_json_form_is_refused_and_its_text_is_not_repeated(tmp_path: Path) -> None:
    with open_trail(tmp_path) as trail:
        with pytest.raises(AuditUnwritable) as caught:
            trail.append(record(user="secret\ud800"))
        trail.append(record(1))
    assert "secret" not in str(caught.value)
    assert trail.is_writable
    assert verify_trail(tmp_path).is_intact


@pytest.mark.parametrize("worker", ["", "a/b", "..\n", "w" * 41])
def test_a_worker_s_name_cannot_lead_out_of_the_folder(tmp_path: Path, worker: str) -> None:
    with pytest.raises(UsageError):
        AuditTrail.open(AuditSettings(folder=str(tmp_path)), worker)


# -- kill -9 -------------------------------------------------------------------------------------------------


def test_kill_9_loses_no_record_whose_answer_went_out(tmp_path: Path) -> None:
    command = [sys.executable, audit_trails.__file__, str(tmp_path / "audit")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().strip() for _ in range(500)]
        process.send_signal(signal.SIGKILL)
        answered += [line.strip() for line in process.stdout if line.endswith("\n")]
    kept: list[str] = []
    report = verify_trail(tmp_path / "audit", each=lambda found: kept.append(found.id))
    assert report.is_intact
    assert report.files[0].end in ("open", "torn")
    assert answered == kept[: len(answered)]
    assert len(kept) <= len(answered) + 1


# -- a disk that is full -------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 100])
def test_a_full_disk_refuses_and_what_was_lost_is_written_down_when_there_is_room(
    tmp_path: Path, room: int
) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        trail.append(record(0))
        with full_disk(trail.path, room):
            for number in (1, 2):
                with pytest.raises(AuditUnwritable, match="cannot be written"):
                    trail.append(record(number))
            assert not trail.is_writable
            with pytest.raises(OSError, match="large"):
                trail.mend()
        trail.append(record(3))
        assert (True, 2) == (trail.is_writable, trail.lost)
    ids = [line.get("id", line.get("kind")) for line in lines_of(trail.path)]
    assert ["header", "req_0", "gap", "req_3", "closed"] == ids
    report = verify_trail(tmp_path)
    assert (True, 2) == (report.is_intact, report.counts.lost)


def test_writing_is_tried_again_without_a_request(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        with full_disk(trail.path), pytest.raises(AuditUnwritable):
            trail.append(record())
        trail.mend()
        assert trail.is_writable
    assert 1 == verify_trail(tmp_path).counts.lost


# -- requests without a key ----------------------------------------------------------------------------------


def unkeyed(number: int = 0) -> AuditRecord:
    """A record of a request that had no key in force."""
    return AuditRecord(event="ended", id=f"stranger_{number}", at_us=CLOCK_US, outcome="refused", status=401)


def kinds_of(path: Path) -> list[object]:
    """What each line of a file is: its kind, how many it counts, or whose record it is."""
    return [
        line.get("refused") or line.get("kind") or str(line["id"]).partition("_")[0]
        for line in lines_of(path)
    ]


def test_of_requests_without_a_key_few_are_recorded_and_the_others_counted(tmp_path: Path) -> None:
    now = CLOCK_US
    with AuditTrail.open(
        AuditSettings(folder=str(tmp_path), sync_ms=STILL), "w0", clock_us=lambda: now
    ) as trail:
        for number in range(25):
            trail.append_unkeyed(unkeyed(number))
        for number in range(3):  # in the same second, what strangers do makes nobody's records longer
            trail.append(record(number))
        now += 1_000_000
        for number in range(12):
            trail.append_unkeyed(unkeyed(number))
        now -= 5_000_000
        trail.append(record())
        trail.append_unkeyed(unkeyed())
    first, second = ["stranger"] * UNKEYED_A_SECOND, ["stranger"] * UNKEYED_A_SECOND
    expected = ["header", *first, "req", "req", "req", 15, *second, 2, "req", "stranger", "closed"]
    assert expected == kinds_of(trail.path)
    counts = verify_trail(tmp_path).counts
    assert (38, 17, 21) == (
        counts.unkeyed + counts.outcomes["refused"],
        counts.unkeyed,
        counts.outcomes["refused"],
    )


def test_what_was_counted_is_written_down_without_a_further_request_and_at_the_end(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        for number in range(UNKEYED_A_SECOND + 4):
            trail.append_unkeyed(unkeyed(number))
        trail.tell_unkeyed()
        trail.tell_unkeyed()
        assert ["stranger", 4] == kinds_of(trail.path)[-2:]
        trail.append_unkeyed(unkeyed())
    assert [4, 1, "closed"] == kinds_of(trail.path)[-3:]
    report = verify_trail(tmp_path)
    assert (True, 5) == (report.is_intact, report.counts.unkeyed)


def test_a_thread_writes_down_what_was_counted(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=1) as trail:
        for number in range(UNKEYED_A_SECOND + 3):
            trail.append_unkeyed(unkeyed(number))
        lines = follow_lines(trail.path)
        assert 3 == next(line["refused"] for line in lines if line.get("kind") == "unkeyed")


def follow_lines(path: Path) -> Iterator[dict[str, object]]:
    """The lines of a file as they come."""
    with path.open("rb") as file:
        while True:
            if line := file.readline():
                yield json.loads(line)


def test_a_full_disk_refuses_strangers_too_and_forgets_none_that_were_counted(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        for number in range(UNKEYED_A_SECOND + 2):
            trail.append_unkeyed(unkeyed(number))
        with full_disk(trail.path):
            with pytest.raises(OSError, match="large"):
                trail.tell_unkeyed()
            assert not trail.is_writable
            for number in range(3):
                with pytest.raises(AuditUnwritable, match="cannot be written"):
                    trail.append_unkeyed(unkeyed(number))
        trail.mend()
    counts = verify_trail(tmp_path).counts
    assert (2, 3, UNKEYED_A_SECOND) == (counts.unkeyed, counts.lost, counts.outcomes["refused"])


# -- many files ----------------------------------------------------------------------------------------------


def test_a_new_day_goes_on_in_a_new_file_that_names_the_old_one(tmp_path: Path) -> None:
    now = CLOCK_US
    settings = AuditSettings(folder=str(tmp_path), sync_ms=STILL)
    with AuditTrail.open(settings, "w0", clock_us=lambda: now) as trail:
        trail.append(record(0))
        trail.look()
        first = trail.path
        now += 86_400_000_000
        trail.look()
        trail.append(record(1))
    assert first != trail.path
    assert trail.path.name == lines_of(first)[-1]["next"]
    assert {"file": first.name, "lines": 2, "h": lines_of(first)[1]["h"]} == lines_of(trail.path)[0]["after"]
    report = verify_trail(tmp_path)
    assert (True, 2) == (report.is_intact, report.counts.records)


def test_a_disk_that_is_full_when_the_day_ends_leaves_no_half_file(tmp_path: Path) -> None:
    now = CLOCK_US
    settings = AuditSettings(folder=str(tmp_path), sync_ms=STILL)
    with AuditTrail.open(settings, "w0", clock_us=lambda: now) as trail:
        trail.append(record(0))
        now += 86_400_000_000
        with full_disk(trail.path), pytest.raises(OSError, match="large"):
            trail.look()
        assert 1 == len(list(tmp_path.glob("*.jsonl")))
        trail.look()
        trail.append(record(1))
    assert 2 == len(list(tmp_path.glob("*.jsonl")))
    assert verify_trail(tmp_path).is_intact


def test_a_file_that_is_taken_away_while_it_is_written_is_seen_at_once_and_for_ever(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        trail.append(record(0))
        taken = trail.path
        taken.unlink()
        trail.look()
        assert taken != trail.path
        trail.append(record(1))
    report = verify_trail(tmp_path)
    assert [(taken.name, 0)] == [(problem.file, problem.line) for problem in report.problems]


def test_a_file_that_is_shortened_while_it_is_written_is_seen(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        trail.append(record(0))
        trail.append(record(1))
        shortened = trail.path
        data = shortened.read_bytes()
        shortened.write_bytes(data[: data[:-1].rfind(b"\n") + 1])
        trail.look()
    report = verify_trail(tmp_path)
    assert not report.is_intact
    assert {shortened.name} == {problem.file for problem in report.problems}


def test_workers_name_how_far_the_others_went(tmp_path: Path) -> None:
    with open_trail(tmp_path, "w0", sync_ms=STILL) as one, open_trail(tmp_path, "w1", sync_ms=STILL) as two:
        one.append(record(0))
        two.checkpoint()
        one.append(record(1))
        two.checkpoint()
        two.checkpoint()
        named = [line["heads"] for line in lines_of(two.path)[1:3]]
        assert [[2], [3]] == [[head["lines"] for head in heads] for heads in named]
        assert "heads" not in lines_of(two.path)[3]
    report = verify_trail(tmp_path)
    assert (True, {"w0", "w1"}) == (report.is_intact, {file.worker for file in report.files})


def test_the_end_of_a_file_is_found_however_long_its_last_line_is(tmp_path: Path) -> None:
    with open_trail(tmp_path, content=True, sync_ms=STILL) as trail:
        trail.append(record(0, content={"input": "x" * 300_000}))
        assert trail.head == head_of(trail.path)
        with trail.path.open("ab") as file:
            file.write(b'{"event":"ended","i')
        assert trail.head == head_of(trail.path)


# -- signatures ----------------------------------------------------------------------------------------------


def test_checkpoints_are_signed_and_can_be_kept_and_logged_elsewhere(tmp_path: Path) -> None:
    key = fixed_key("audit", "audit.example")
    save_key(key, tmp_path / "audit.key")
    with open_trail(tmp_path / "audit", key=str(tmp_path / "audit.key"), sync_ms=STILL) as trail:
        trail.append(record(0))
        note = trail.checkpoint()
        assert note is not None
        trail.append(record(1))
    assert note == trail.path.with_suffix(".checkpoint").read_bytes()
    title, file, lines, *_ = open_note(note, [key.public]).text.split("\n")
    assert ("verilabel/audit-checkpoint/v1", trail.path.name, "3") == (title, file, lines)
    report = verify_trail(tmp_path / "audit", keys=[key.public], checkpoints=[note])
    assert (True, 3, 0) == (report.is_intact, report.files[0].checkpoints, report.files[0].unsigned_tail)
    log_key = fixed_key("log", "log.example")
    with LocalLog.create(tmp_path / "log", log_key) as log:
        proof = anchor_checkpoint(note, log)
    opened = open_proof(proof.bytes(), entry_of_checkpoint(note).leaf, [log_key.public])
    assert 0 == opened.index


def test_without_a_key_a_checkpoint_signs_nothing(tmp_path: Path) -> None:
    with open_trail(tmp_path, sync_ms=STILL) as trail:
        assert trail.checkpoint() is None
    assert [] == list(tmp_path.glob("*.checkpoint"))
