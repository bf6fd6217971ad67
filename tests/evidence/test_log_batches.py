"""A local log's batches, cosigned checkpoints and stored hashes: all or none, and nothing that an audit would miss."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verilabel.errors import MalformedInput, SealError, UsageError
from verilabel.evidence.keys import KeyType, PrivateKey
from verilabel.evidence.log import Entry, LocalLog
from verilabel.evidence.merkle import Tree
from verilabel.evidence.note import cosign, open_checkpoint, open_proof
from verilabel.records.canonical import digest

KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"K" * 32), "log.example.org")
WITNESS = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"W" * 32), "witness.example.net")
WITNESS_PUBLIC = WITNESS.public.of_type(KeyType.COSIGNATURE)


def entries(first: int, end: int) -> list[Entry]:
    return [Entry("verilabel.statement/v1", digest(b"%d" % number)) for number in range(first, end)]


def test_a_batch_gets_one_checkpoint_and_a_proof_each(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        log.append_all(entries(0, 3))
        proofs = log.append_all(entries(3, 20))
        assert 1 == len({proof.checkpoint_note for proof in proofs})
        for number, proof in enumerate(proofs, 3):
            opened = open_proof(proof.bytes(), entries(number, number + 1)[0].leaf, [KEY.public])
            assert (number, 20) == (opened.index, opened.checkpoint.size)
        assert 20 == log.audit().size
        assert [] == log.append_all([])


def test_one_entry_that_is_none_keeps_the_whole_batch_out(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        with pytest.raises(MalformedInput):
            log.append_all([*entries(0, 3), Entry("verilabel.plan/v1", "sha256:0")])
        assert 0 == log.size == log.audit().size


def test_hashes_and_entries_are_those_of_the_tree(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        log.append_all(entries(0, 11))
        tree = Tree([entry.leaf for entry in entries(0, 11)])
        assert [tree.node(1, position) for position in range(2, 5)] == log.hashes(1, 2, 3)
        assert [entry.bytes() for entry in entries(4, 11)] == log.entry_bytes(4, 7)
        for read in (lambda: log.hashes(1, 3, 3), lambda: log.entry_bytes(9, 3), lambda: log.hashes(4, 0, 1)):
            with pytest.raises(SealError, match="missing"):
                read()


def test_a_hole_among_the_hashes_is_not_read_over(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        log.append_all(entries(0, 11))
    connection = sqlite3.connect(tmp_path / "log" / "log.sqlite")
    connection.execute("DELETE FROM nodes WHERE level = 0 AND position = 5")
    connection.commit()
    connection.close()
    with LocalLog.open(tmp_path / "log") as log, pytest.raises(SealError, match="node 0/5 is missing"):
        log.hashes(0, 2, 6)


def test_a_proof_may_be_asked_for_at_an_earlier_checkpoint(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        log.append_all(entries(0, 11))
        opened = open_proof(log.prove(2, 7).bytes(), entries(2, 3)[0].leaf, [KEY.public])
        assert 7 == opened.checkpoint.size
        with pytest.raises(UsageError, match="no entry 7 in a tree of 7"):
            log.prove(7, 7)


def test_cosignatures_are_kept_with_their_checkpoint(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        log.append_all(entries(0, 5))
        for size, time in ((3, 10), (5, 20), (5, 30)):
            note = log.checkpoint_note(size)
            bare = b"".join(line for line in note.splitlines(keepends=True) if b"witness" not in line)
            line = cosign(bare, WITNESS, time=time).removeprefix(bare)
            log.add_cosignatures(size, line, [WITNESS_PUBLIC])
        opened = open_checkpoint(log.checkpoint_note(), [KEY.public], [WITNESS_PUBLIC])
        assert [30] == [cosignature.time for cosignature in opened.cosignatures]
        assert log.checkpoint_note() == (tmp_path / "log" / "checkpoint").read_bytes()
        cosigned = open_proof(log.prove(1, 3).bytes(), entries(1, 2)[0].leaf, [KEY.public], [WITNESS_PUBLIC])
        assert [10] == [cosignature.time for cosignature in cosigned.cosignatures]
        assert 5 == log.audit().size
        log.append_all(entries(5, 6))


def test_a_cosignature_of_another_tree_is_not_kept(tmp_path: Path) -> None:
    with LocalLog.create(tmp_path / "log", KEY) as log:
        log.append_all(entries(0, 5))
        before = log.checkpoint_note()
        other = log.checkpoint_note(4)
        line = cosign(other, WITNESS, time=1).removeprefix(other)
        with pytest.raises(SealError):
            log.add_cosignatures(5, line, [WITNESS_PUBLIC])
        assert before == log.checkpoint_note()
    with LocalLog.open(tmp_path / "log") as reader, pytest.raises(UsageError):
        own = cosign(before, WITNESS, time=1).removeprefix(before)
        reader.add_cosignatures(5, own, [WITNESS_PUBLIC])
