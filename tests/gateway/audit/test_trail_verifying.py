"""Verifying a trail: whatever is changed in it is found, and what a kill leaves is told from it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit_trails import CLOCK_US, FOUND, open_trail, record, write_trail
from bundle_factory import fixed_key
from verilabel.cli.console import plain_error
from verilabel.errors import SealError, UsageError, VerilabelError
from verilabel.evidence.keys import save_key
from verilabel.gateway.audit.lines import START, seal_line
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.audit.verifying import TrailReport, verify_trail
from verilabel.gateway.policy.document import AuditSettings
from verilabel.gateway.verdicts import Finding

KEY = fixed_key("audit", "audit.example")
OTHER = fixed_key("other audit", "audit.example")
USUAL = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of two workers, each closed, the later ones naming the earlier. Never change it."""
    folder = tmp_path_factory.mktemp("trail") / "audit"
    for worker in ("w0", "w1", "w2"):
        write_trail(folder, 4, worker)
    return folder


@pytest.fixture
def trail(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "audit"))


def oldest(folder: Path) -> Path:
    """The first worker's file, which the others name."""
    return next(folder.glob("*-w0-*"))


def newest(folder: Path) -> Path:
    """The last worker's file, which no other names."""
    return next(folder.glob("*-w2-*"))


def test_an_honest_trail_is_intact_and_counted(made: Path) -> None:
    report = verify_trail(made)
    assert (True, [], 12) == (report.is_intact, report.problems, report.counts.records)
    assert {"closed"} == {file.end for file in report.files}
    assert {("pii", "pii.email", "redact", "enforce"): 24} == report.counts.findings
    assert {"answered": 12} == report.counts.outcomes


# -- properties ----------------------------------------------------------------------------------------------


@USUAL
@given(data=st.data())
def test_any_changed_byte_is_found(
    made: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("x") / "audit"))
    path = data.draw(st.sampled_from(sorted(folder.glob("*.jsonl"))))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert not verify_trail(folder).is_intact


@USUAL
@given(data=st.data())
def test_removed_doubled_and_swapped_lines_are_found(
    made: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("x") / "audit"))
    path = oldest(folder)
    lines = path.read_bytes().splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines) - 1))
    what = data.draw(st.sampled_from(["removed", "doubled", "swapped"]))
    if what == "removed":
        del lines[place]
    elif what == "doubled":
        lines.insert(place, lines[place])
    else:
        other = data.draw(st.integers(0, len(lines) - 1).filter(lambda index: index != place))
        lines[place], lines[other] = lines[other], lines[place]
    path.write_bytes(b"".join(lines))
    assert not verify_trail(folder).is_intact


@USUAL
@given(data=st.data())
def test_an_older_file_that_was_shortened_is_found_wherever_it_was_cut(
    made: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("x") / "audit"))
    content = oldest(folder).read_bytes()
    oldest(folder).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    report = verify_trail(folder)
    assert not report.is_intact
    assert "lines at its end were removed" in report.problems[0].says


@USUAL
@given(content=st.binary(max_size=300))
def test_a_file_of_anything_is_a_finding_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("x")
    (folder / "20260101T000000Z-w0-0.jsonl").write_bytes(content + b"\n")
    assert not verify_trail(folder).is_intact


# -- one by one ----------------------------------------------------------------------------------------------


def says(report: TrailReport) -> str:
    """All problems in words."""
    return "\n".join(f"{problem.line} {problem.says}" for problem in report.problems)


def test_a_removed_file_is_named_with_who_names_it(trail: Path) -> None:
    gone = oldest(trail)
    gone.unlink()
    report = verify_trail(trail)
    assert [gone.name] == [problem.file for problem in report.problems]
    assert "the file is missing" in says(report)


def test_files_from_before_the_day_asked_for_may_be_archived_elsewhere(trail: Path) -> None:
    gone = oldest(trail)
    gone.unlink()
    later = datetime.fromtimestamp(CLOCK_US / 1e6 + 3600, UTC)
    report = verify_trail(trail, since=later)
    assert (True, [gone.name], 0) == (report.is_intact, report.archived, report.counts.records)
    assert not verify_trail(trail, since=datetime.fromtimestamp(CLOCK_US / 1e6 - 3600, UTC)).is_intact


def test_a_file_under_another_name_or_put_in_from_elsewhere_is_found(trail: Path, tmp_path: Path) -> None:
    shutil.copy(oldest(trail), trail / "20260101T000000Z-w9-00000000.jsonl")
    assert "under another name" in says(verify_trail(trail))


def test_a_trail_that_somebody_wrote_anew_differs_from_what_others_saw(trail: Path, tmp_path: Path) -> None:
    path = oldest(trail)
    forged = write_trail(tmp_path / "forged", 4, "w0")
    text = forged.read_text().replace(forged.name, path.name)
    path.write_text(text)
    report = verify_trail(trail)
    assert "saw another line here" in says(report)


def test_a_line_in_another_spelling_is_found_although_its_chain_holds(tmp_path: Path) -> None:
    doubled = b'{"event":"ended","id":"a","id":"b","at_us":1}'
    (tmp_path / "f.jsonl").write_bytes(seal_line(doubled, 0, START)[0])
    assert "not in its canonical form" in says(verify_trail(tmp_path))


def test_lines_behind_the_last_one_are_found(trail: Path) -> None:
    path = newest(trail)
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[-1])
    assert "a line behind the last one" in says(verify_trail(trail))


def test_the_part_of_a_line_that_a_kill_leaves_is_no_problem_and_is_named(tmp_path: Path) -> None:
    path = write_trail(tmp_path, 3)
    content = path.read_bytes()
    begin = content[:-1].rfind(b"\n") + 1  # of the last line
    for end in range(begin + 1, len(content)):
        path.write_bytes(content[:end])
        report = verify_trail(tmp_path)
        assert (True, "torn", 4) == (report.is_intact, report.files[0].end, report.files[0].lines)
    path.write_bytes(content[:begin])
    assert "open" == verify_trail(tmp_path).files[0].end


def test_a_whole_line_and_something_more_is_not_what_a_kill_leaves(tmp_path: Path) -> None:
    path = write_trail(tmp_path, 3)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert "more than part of a line" in says(verify_trail(tmp_path))


def test_the_lost_end_of_a_file_that_another_continues_is_found(tmp_path: Path) -> None:
    now = CLOCK_US
    with AuditTrail.open(AuditSettings(folder=str(tmp_path)), "w0", clock_us=lambda: now) as writing:
        writing.append(record(0))
        first = writing.path
        now += 86_400_000_000
        writing.look()
        second = writing.path
    content = first.read_bytes()
    first.write_bytes(content[: content[:-1].rfind(b"\n") + 1])
    assert "continues it, and its last line is missing" in says(verify_trail(tmp_path))
    first.write_bytes(content)
    second.unlink()
    assert "the file is missing" in says(verify_trail(tmp_path))


# -- signatures ----------------------------------------------------------------------------------------------


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, bytes]:
    """A folder with one signed file, and a checkpoint that was taken of it."""
    save_key(KEY, tmp_path / "audit.key")
    with open_trail(tmp_path / "audit", key=str(tmp_path / "audit.key")) as writing:
        writing.append(record(0))
        writing.append(record(1))
        note = writing.checkpoint()
    assert note is not None
    return tmp_path / "audit", note


def test_a_trail_written_anew_without_the_key_is_found_with_it(
    signed: tuple[Path, bytes], tmp_path: Path
) -> None:
    folder, _ = signed
    assert verify_trail(folder, keys=[KEY.public]).is_intact
    (path,) = folder.glob("*.jsonl")
    forged = write_trail(tmp_path / "forged", 2)
    path.write_text(forged.read_text().replace(forged.name, path.name))
    report = verify_trail(folder, keys=[KEY.public])
    assert "names none of the given keys" in says(report)
    assert "no checkpoint in it is signed" in says(report)


def test_a_trail_signed_with_another_key_of_the_same_name_is_found(
    signed: tuple[Path, bytes], tmp_path: Path
) -> None:
    folder, _ = signed
    assert "names none of the given keys" in says(verify_trail(folder, keys=[OTHER.public]))


def test_a_checkpoint_that_was_kept_shows_that_the_end_was_cut_away(signed: tuple[Path, bytes]) -> None:
    folder, note = signed
    (path,) = folder.glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    assert verify_trail(folder).is_intact  # nothing in the folder itself can show it
    report = verify_trail(folder, keys=[KEY.public], checkpoints=[note])
    assert "checkpoint 1 saw 4 lines: lines at its end were removed" in says(report)
    path.unlink()
    assert "the file is missing; checkpoint 1 names it" in says(verify_trail(folder, checkpoints=[note]))


def test_a_kept_checkpoint_that_is_none_or_by_another_key_is_an_error(signed: tuple[Path, bytes]) -> None:
    folder, note = signed
    with pytest.raises(VerilabelError, match="not a"):
        verify_trail(folder, checkpoints=[b"nothing"])
    with pytest.raises(SealError) as caught:
        verify_trail(folder, keys=[OTHER.public], checkpoints=[note])
    assert "checkpoint 1" in plain_error(caught.value)


def test_a_chain_made_anew_under_the_old_checkpoints_does_not_hold(signed: tuple[Path, bytes]) -> None:
    folder, _ = signed
    (path,) = folder.glob("*.jsonl")
    previous, lines = START, []
    for number, line in enumerate(path.read_bytes().splitlines()):
        body = line[: line.rfind(b',"n":')].replace(b"req_1", b"req_9") + b"}"
        forged, previous = seal_line(body, number, previous)
        lines.append(forged)
    path.write_bytes(b"".join(lines))
    assert {"the checkpoint signs other lines than those before it"} == {
        problem.says for problem in verify_trail(folder).problems
    }


# -- what records say ----------------------------------------------------------------------------------------


def test_what_was_not_scanned_is_never_counted_as_clean(tmp_path: Path) -> None:
    with open_trail(tmp_path) as writing:
        writing.append(record(0, scanned={}))
        writing.append(record(1, scanned={"input.content": 4}))
        writing.append(record(2, scanned={"input.content": 0, "output.content": 0}))
        writing.append(record(3, scanned={}, outcome="refused"))
    counts = verify_trail(tmp_path).counts
    assert (1, 2, ["req_0", "req_1"]) == (
        counts.unscanned_requests,
        counts.unscanned_replies,
        counts.unscanned,
    )


def test_what_people_did_is_no_request_and_never_unscanned(tmp_path: Path) -> None:
    with open_trail(tmp_path) as writing:
        writing.append(record(0))
        writing.append(record(1, event="approval_approve", id="adm_1", scanned={}, findings=()))
    counts = verify_trail(tmp_path).counts
    assert ({"answered": 1}, 0, 0, []) == (
        dict(counts.outcomes),
        counts.unscanned_requests,
        counts.unscanned_replies,
        counts.unscanned,
    )
    assert {"ended": 1, "approval_approve": 1} == dict(counts.events)


def test_errors_and_shadow_findings_are_counted_apart(tmp_path: Path) -> None:
    error = Finding(guard="model", rule="", action="block", field="content", direction="output", error=True)
    shadow = Finding(guard="pii", rule="r", action="block", field="content", direction="input", shadow=True)
    with open_trail(tmp_path) as writing:
        writing.append(record(0, findings=(error, shadow, FOUND)))
    counts = verify_trail(tmp_path).counts
    assert {"model": 1} == counts.guard_errors
    assert {
        ("pii", "r", "block", "shadow"): 1,
        ("pii", "pii.email", "redact", "enforce"): 2,
    } == counts.findings


def test_requests_in_flight_when_the_process_ended_are_counted(tmp_path: Path) -> None:
    with open_trail(tmp_path) as writing:
        for number in range(3):
            writing.append(record(number, event="begun", outcome=""))
        writing.append(record(1))
    assert 2 == verify_trail(tmp_path).counts.unfinished


def test_a_request_that_ends_in_the_file_of_the_next_day_has_ended(tmp_path: Path) -> None:
    now = CLOCK_US
    with AuditTrail.open(AuditSettings(folder=str(tmp_path)), "w0", clock_us=lambda: now) as writing:
        writing.append(record(0, event="begun", outcome=""))
        writing.append(record(1, event="begun", outcome=""))
        now += 86_400_000_000
        writing.look()
        writing.append(record(0))
    assert 1 == verify_trail(tmp_path).counts.unfinished


def test_a_folder_without_a_trail_is_a_usage_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no audit trail"):
            verify_trail(folder)
