"""The local log: proofs anyone can check, writers that share it, kills in the middle, every change found."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.keys import KeyType, PrivateKey, save_key
from verilabel.evidence.log import Entry, LocalLog, parse_entry
from verilabel.evidence.merkle import leaf_hash, root_of, verify_consistency
from verilabel.evidence.note import (
    Checkpoint,
    cosign,
    open_checkpoint,
    open_proof,
    parse_checkpoint_text,
    parse_note,
    sign_checkpoint,
)
from verilabel.records.canonical import digest

KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"K" * 32), "log.example.org")
NOW = datetime(2026, 11, 22, 13, 0, 5, tzinfo=UTC)


def entry(number: int) -> Entry:
    return Entry("verilabel.plan/v1" if number % 2 == 0 else "verilabel.label/v1", digest(b"%d" % number))


def make_log(path: Path, entries: int) -> None:
    with LocalLog.create(path, KEY, clock=lambda: NOW) as log:
        for number in range(entries):
            log.append(entry(number))


@pytest.fixture(scope="module")
def log_of_seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seven") / "log"
    make_log(path, 7)
    return path


@pytest.fixture
def copied(log_of_seven: Path, tmp_path: Path) -> Path:
    """A copy of a log with seven entries, free to be damaged."""
    return shutil.copytree(log_of_seven, tmp_path / "log")


def edit(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path / "log.sqlite")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_each_entry_gets_a_proof_that_anyone_checks_with_the_public_key_alone(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        for number in range(9):
            proof = log.append(entry(number))
            opened = open_proof(proof.bytes(), entry(number).leaf, [log.public_key])
            assert (number, number + 1) == (opened.index, opened.checkpoint.size)
        for number in range(9):
            opened = open_proof(log.prove(number).bytes(), entry(number).leaf, [KEY.public])
            assert (number, 9) == (opened.index, opened.checkpoint.size)
        expected = root_of([leaf_hash(entry(number).bytes()) for number in range(9)])
        assert expected.hex() == log.audit().root


def test_an_entry_is_a_small_canonical_document_that_a_verifier_can_rebuild() -> None:
    expected = b'{"digest":"' + digest(b"0").encode() + b'","kind":"verilabel.plan/v1"}'
    assert expected == entry(0).bytes()
    assert entry(0) == parse_entry(expected)
    assert leaf_hash(expected) == entry(0).leaf


@given(st.binary(max_size=150))
def test_what_parses_as_an_entry_is_written_back_the_same(data: bytes) -> None:
    for candidate in (data, entry(0).bytes()[:60] + data, entry(0).bytes().replace(b"plan", data)):
        try:
            parsed = parse_entry(candidate)
        except MalformedInput:
            continue
        assert candidate == parsed.bytes()


def test_what_is_no_digest_is_not_logged(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        with pytest.raises(MalformedInput):
            log.append(Entry("verilabel.plan/v1", "sha256:0"))
        assert 0 == log.size == log.audit().size


def test_consistency_between_any_two_sizes_is_proved(log_of_seven: Path) -> None:
    roots = [root_of([entry(number).leaf for number in range(size)]) for size in range(8)]
    with LocalLog.open(log_of_seven) as log:
        for new in range(8):
            for old in range(new + 1):
                verify_consistency(old, new, log.consistency(old, new), roots[old], roots[new])
        assert log.consistency(3) == log.consistency(3, 7)
        with pytest.raises(UsageError):
            log.consistency(3, 8)


def test_entries_are_listed_with_the_keepers_time(log_of_seven: Path) -> None:
    with LocalLog.open(log_of_seven) as log:
        listed = log.entries(5)
    assert [(5, entry(5), "2026-11-22T13:00:05Z"), (6, entry(6), "2026-11-22T13:00:05Z")] == [
        (item.number, item.entry, item.logged) for item in listed
    ]


def test_a_new_log_signs_its_empty_tree_under_its_origin(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY, origin="another.example.org/log") as log:
        opened = open_checkpoint(log.checkpoint_note(), [KEY.public.named("another.example.org/log")])
        assert Checkpoint("another.example.org/log", 0, root_of([])) == opened.checkpoint
        assert 0 == log.audit().size
    with LocalLog.open(tmp_path / "log", KEY) as again:
        assert "another.example.org/log" == again.origin
        open_proof(again.append(entry(0)).bytes(), entry(0).leaf, [again.public_key])


def test_a_log_is_not_made_over_something_that_is_there(copied: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        LocalLog.create(copied, KEY)
    with LocalLog.open(copied) as log:
        assert 7 == log.audit().size


def test_nothing_is_left_beside_a_new_log(tmp_path: Path) -> None:
    make_log(tmp_path / "log", 2)
    assert ["log"] == [item.name for item in tmp_path.iterdir()]
    assert ["checkpoint", "log.sqlite"] == sorted(item.name for item in (tmp_path / "log").iterdir())


def test_a_log_without_its_key_is_for_reading_alone(copied: Path) -> None:
    with LocalLog.open(copied) as log, pytest.raises(UsageError, match="reading alone"):
        log.append(entry(7))
    other = PrivateKey(Ed25519PrivateKey.generate(), "log.example.org")
    with pytest.raises(UsageError, match="another key"):
        LocalLog.open(copied, other)


def test_a_log_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no log here"):
        LocalLog.open(tmp_path)


def test_the_number_of_an_entry_that_is_not_there_is_a_usage_error(log_of_seven: Path) -> None:
    with LocalLog.open(log_of_seven) as log, pytest.raises(UsageError, match="no entry 7"):
        log.prove(7)


# -- changes


def replace_entry(number: int) -> str:
    return f"UPDATE entries SET entry = x'{entry(99).bytes().hex()}' WHERE number = {number}"


DEFECTS: dict[str, tuple[list[str], int | None]] = {
    "an_entry_replaced": ([replace_entry(3)], 3),
    "an_entry_replaced_with_its_leaf": (
        [
            replace_entry(6),
            f"UPDATE nodes SET hash = x'{entry(99).leaf.hex()}' WHERE level = 0 AND position = 6",
        ],
        6,
    ),
    "an_entry_that_is_no_entry": (["UPDATE entries SET entry = x'7b7d' WHERE number = 2"], 2),
    "an_entry_of_another_type": (["UPDATE entries SET entry = 'text' WHERE number = 2"], 2),
    "an_entry_removed": (["DELETE FROM entries WHERE number = 4"], 4),
    "the_last_entry_removed": (["DELETE FROM entries WHERE number = 6"], 6),
    "the_last_entry_and_its_checkpoint_removed": (
        [
            "DELETE FROM entries WHERE number = 6",
            "DELETE FROM checkpoints WHERE size = 7",
            "DELETE FROM nodes WHERE level = 0 AND position = 6",
        ],
        6,
    ),
    "an_entry_without_checkpoint": (
        [f"INSERT INTO entries VALUES (7, x'{entry(7).bytes().hex()}', 'x')"],
        7,
    ),
    "an_entry_before_the_first": ([f"INSERT INTO entries VALUES (-1, x'{entry(7).bytes().hex()}', 'x')"], 0),
    "a_node_changed": (["UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND position = 1"], 3),
    "a_node_removed": (["DELETE FROM nodes WHERE level = 2 AND position = 0"], 0),
    "a_node_too_many": (["INSERT INTO nodes VALUES (0, 7, zeroblob(32))"], 7),
    "a_checkpoint_removed": (["DELETE FROM checkpoints WHERE size = 5"], 4),
    "a_checkpoint_of_another_size": (
        ["UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 4) WHERE size = 5"],
        4,
    ),
    "a_checkpoint_too_many": (["INSERT INTO checkpoints SELECT 8, note FROM checkpoints WHERE size = 7"], 7),
    "a_checkpoint_that_is_none": (["UPDATE checkpoints SET note = x'00' WHERE size = 5"], None),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_an_audit_names_the_first_entry_that_does_not_fit(copied: Path, defect: str) -> None:
    statements, number = DEFECTS[defect]
    edit(copied, *statements)
    with LocalLog.open(copied) as log, pytest.raises(SealError) as caught:
        log.audit()
    if number is not None:
        assert f"{copied}: entry {number}" == caught.value.where


@pytest.mark.parametrize(
    "defect",
    [
        "the_last_entry_removed",
        "the_last_entry_and_its_checkpoint_removed",
        "an_entry_replaced_with_its_leaf",
        "an_entry_without_checkpoint",
        "a_checkpoint_too_many",
    ],
)
def test_a_log_that_was_changed_signs_nothing_more(copied: Path, defect: str) -> None:
    edit(copied, *DEFECTS[defect][0])
    before = (copied / "checkpoint").read_bytes()
    with LocalLog.open(copied, KEY) as log, pytest.raises(SealError):
        log.append(entry(50))
    assert before == (copied / "checkpoint").read_bytes()


def test_a_log_put_back_to_an_older_copy_is_noticed(tmp_path: Path) -> None:
    make_log(tmp_path / "log", 3)
    old = shutil.copytree(tmp_path / "log", tmp_path / "old")
    with LocalLog.open(tmp_path / "log", KEY) as log:
        log.append(entry(3))
    shutil.copy(old / "log.sqlite", tmp_path / "log" / "log.sqlite")
    with LocalLog.open(tmp_path / "log", KEY) as log:
        for use in (log.audit, lambda: log.append(entry(4)), lambda: log.prove(0)):
            with pytest.raises(SealError, match="4 entries, 3 are left"):
                use()


def test_a_log_rewritten_whole_with_its_key_is_seen_by_a_checkpoint_kept_elsewhere(tmp_path: Path) -> None:
    make_log(tmp_path / "log", 5)
    kept = (tmp_path / "log" / "checkpoint").read_bytes()
    shutil.rmtree(tmp_path / "log")
    with LocalLog.create(tmp_path / "log", KEY) as log:
        for number in (0, 1, 77, 3, 4, 5):
            log.append(entry(number))
        assert 6 == log.audit().size
        with pytest.raises(SealError, match="the given checkpoint"):
            log.audit(against=kept)


def test_a_log_rewritten_with_its_key_beneath_its_own_last_checkpoint_is_not_used(tmp_path: Path) -> None:
    make_log(tmp_path / "log", 5)
    kept = (tmp_path / "log" / "checkpoint").read_bytes()
    shutil.rmtree(tmp_path / "log")
    with LocalLog.create(tmp_path / "log", KEY) as log:
        for number in (0, 1, 77, 3, 4, 5):
            log.append(entry(number))
        (tmp_path / "log" / "checkpoint").write_bytes(kept)
        for use in (lambda: log.append(entry(6)), lambda: log.prove(0), log.audit):
            with pytest.raises(SealError, match="the first 5 entries"):
                use()
        assert 6 == log.size


def test_a_changed_tree_is_noticed_though_the_checkpoint_beside_is_an_older_one(
    copied: Path, tmp_path: Path
) -> None:
    # What a writer leaves that was killed after its transaction and before it renewed the checkpoint beside.
    make_log(tmp_path / "older", 4)
    shutil.copy(tmp_path / "older" / "checkpoint", copied / "checkpoint")
    with LocalLog.open(copied) as log:
        open_proof(log.prove(6).bytes(), entry(6).leaf, [KEY.public])
    edit(copied, f"UPDATE nodes SET hash = x'{entry(99).leaf.hex()}' WHERE level = 0 AND position = 6")
    with LocalLog.open(copied, KEY) as log:
        for use in (lambda: log.prove(0), lambda: log.append(entry(7)), log.audit):
            with pytest.raises(SealError):
                use()


def test_a_kept_checkpoint_of_the_same_log_holds_with_the_cosignatures_of_witnesses(copied: Path) -> None:
    witness = PrivateKey(Ed25519PrivateKey.generate(), "w.example.net")
    kept = cosign((copied / "checkpoint").read_bytes(), witness, time=5)
    with LocalLog.open(copied, KEY) as log:
        log.append(entry(7))
        assert 8 == log.audit(against=kept).size
        foreign = sign_checkpoint(Checkpoint(log.origin, 2, bytes(32)), witness)
        with pytest.raises(SealError):
            log.audit(against=foreign)
        ahead = sign_checkpoint(Checkpoint(log.origin, 9, bytes(32)), KEY)
        with pytest.raises(SealError, match="9 entries, 8 are left"):
            log.audit(against=ahead)
    opened = open_checkpoint(kept, [KEY.public], [witness.public.of_type(KeyType.COSIGNATURE)])
    assert 1 == len(opened.cosignatures)


@pytest.mark.parametrize("damage", ["removed", "another_key", "nonsense"])
def test_a_checkpoint_file_that_does_not_hold_stops_the_log(copied: Path, damage: str) -> None:
    path = copied / "checkpoint"
    stranger = PrivateKey(Ed25519PrivateKey.generate(), "log.example.org")
    path.write_bytes(sign_checkpoint(Checkpoint(stranger.name, 7, bytes(32)), stranger))
    if damage == "nonsense":
        path.write_bytes(b"nonsense")
    if damage == "removed":
        path.unlink()
    with LocalLog.open(copied, KEY) as log:
        for use in (log.audit, lambda: log.append(entry(7))):
            with pytest.raises(SealError):
                use()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM nodes; END",
        "CREATE VIEW v AS SELECT 1",
        "ALTER TABLE entries ADD COLUMN extra TEXT",
        "UPDATE meta SET value = 'verilabel/log/v9' WHERE name = 'format'",
        "UPDATE meta SET value = 'nobody' WHERE name = 'key'",
    ],
)
def test_a_database_of_another_shape_is_refused(copied: Path, statement: str) -> None:
    edit(copied, statement)
    with pytest.raises(MalformedInput):
        LocalLog.open(copied, KEY)


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look at" * 200])
def test_a_file_that_is_no_database_is_refused(copied: Path, content: bytes) -> None:
    (copied / "log.sqlite").write_bytes(content)
    with pytest.raises((SealError, MalformedInput)):
        LocalLog.open(copied)


def test_every_flipped_byte_in_the_database_is_found_or_without_effect(copied: Path) -> None:
    original = (copied / "log.sqlite").read_bytes()
    with LocalLog.open(copied) as log:
        sound = log.audit()
    for place in range(0, len(original), 97):
        data = bytearray(original)
        data[place] ^= 0x15
        (copied / "log.sqlite").write_bytes(data)
        try:
            with LocalLog.open(copied) as log:
                audit = log.audit()
        except (SealError, MalformedInput, UsageError):
            continue
        assert sound == audit


# -- processes

WRITER = """
import sys
from pathlib import Path
from verilabel.evidence.keys import load_key
from verilabel.evidence.log import Entry, LocalLog
from verilabel.records.canonical import digest

folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
key = load_key(folder / "k.key")
with LocalLog.open(folder / "log", key) as log:
    for number in range(count):
        proof = log.append(Entry("verilabel.plan/v1", digest(f"{name}/{number}".encode())))
        print(proof.index, flush=True)
"""


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Callable[[str, int], subprocess.Popen[str]]]:
    """Starts writer processes on one log; what still runs at the end is stopped."""
    save_key(KEY, tmp_path / "k.key")
    make_log(tmp_path / "log", 0)
    started: list[subprocess.Popen[str]] = []

    def start(name: str, count: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WRITER, str(tmp_path), name, str(count)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_processes_that_append_at_once_keep_one_consistent_log(
    workplace: Callable[[str, int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    writers = [workplace(name, 25) for name in ("a", "b", "c")]
    indexes: list[int] = []
    with LocalLog.open(tmp_path / "log") as reader:
        while any(writer.poll() is None for writer in writers):
            size = reader.size  # a reader in the middle sees a whole log every time
            if size:
                number = reader.prove(size - 1).index
                assert size - 1 == number
        for writer in writers:
            out, err = writer.communicate(timeout=60)
            assert 0 == writer.returncode, err
            indexes.extend(int(line) for line in out.split())
        assert list(range(75)) == sorted(indexes), "no index was given twice"
        audit = reader.audit()
        assert 75 == audit.size
        assert (
            75 == parse_checkpoint_text(parse_note((tmp_path / "log" / "checkpoint").read_bytes()).text).size
        )


def test_a_writer_killed_at_any_moment_leaves_a_sound_log_with_all_it_promised(
    workplace: Callable[[str, int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    promised = 0
    for turn in range(4):
        process = workplace(f"killed{turn}", 100_000)
        assert process.stdout is not None
        for _ in range(1 + 3 * turn):
            promised = max(promised, int(process.stdout.readline()) + 1)
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        promised = max([promised, *(int(line) + 1 for line in out.split("\n")[:-1] if line)])
        with LocalLog.open(tmp_path / "log", KEY) as log:
            assert promised <= log.audit().size <= promised + 1
            promised = log.append(entry(turn)).index + 1
    assert ["checkpoint", "log.sqlite"] == sorted(item.name for item in (tmp_path / "log").iterdir())
