"""Signed notes, checkpoints, cosignatures and proofs: published examples, and no unnoticed change."""

from __future__ import annotations

import base64
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.keys import KeyType, PrivateKey, parse_public
from verilabel.evidence.merkle import Tree, leaf_hash
from verilabel.evidence.note import (
    Checkpoint,
    Note,
    NoteSignature,
    Proof,
    cosign,
    open_checkpoint,
    open_note,
    open_proof,
    parse_checkpoint_text,
    parse_note,
    parse_proof,
    sign_checkpoint,
    sign_note,
)

# C2SP signed-note, section Verifier keys
SPEC_KEY = parse_public("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
SPEC_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# The documentation of golang.org/x/mod/sumdb/note, with the signing key it shows
GO_KEY = PrivateKey(
    Ed25519PrivateKey.from_private_bytes(
        base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
    ),
    "PeterNeumann",
)
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_NOTE = (
    GO_TEXT + "\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
# C2SP tlog-cosignature, section Introduction
SPEC_COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()

LOG = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"L" * 32), "log.example.org")
WITNESS = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"W" * 32), "witness.example.net")
WITNESS_PUBLIC = WITNESS.public.of_type(KeyType.COSIGNATURE)
LEAVES = [leaf_hash(b"%d" % number) for number in range(11)]
TREE = Tree(LEAVES)
CHECKPOINT = Checkpoint("log.example.org", 11, TREE.root())
SIGNED = sign_checkpoint(CHECKPOINT, LOG)
COSIGNED = cosign(SIGNED, WITNESS, time=1_790_000_000)
PROOF = Proof(6, tuple(TREE.inclusion(6)), SIGNED).bytes()


def test_the_example_note_of_the_specification_opens() -> None:
    opened = open_note(SPEC_NOTE, [SPEC_KEY])
    assert "This is an example message.\n" == opened.text
    assert (SPEC_KEY,) == opened.signers


def test_signing_gives_the_note_of_the_go_documentation_byte_for_byte() -> None:
    assert "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW" == GO_KEY.public.line
    assert GO_NOTE == sign_note(GO_TEXT, GO_KEY)


def test_the_example_checkpoint_of_the_specification_is_read_and_its_cosignature_carries_its_time() -> None:
    note = parse_note(SPEC_COSIGNED)
    assert SPEC_COSIGNED == note.bytes()
    checkpoint = parse_checkpoint_text(note.text)
    assert ("example.com/behind-the-sofa", 20852163) == (checkpoint.origin, checkpoint.size)
    assert note.text == checkpoint.text
    log, witness = note.signatures
    assert 64 == len(log.signature)
    assert (1679315147,) == struct.unpack(">Q", witness.signature[:8])


def test_the_text_of_a_note_may_hold_empty_lines() -> None:
    text = "one\n\ntwo\n\n\n"
    assert text == open_note(sign_note(text, LOG), [LOG.public]).text


def test_signatures_of_unknown_keys_are_ignored_and_reported() -> None:
    note = sign_note("text\n", LOG, WITNESS)
    opened = open_note(note, [LOG.public])
    assert (LOG.public,) == opened.signers
    assert ["witness.example.net"] == [signature.name for signature in opened.unknown]
    with pytest.raises(SealError, match="no known key"):
        open_note(note, [SPEC_KEY])


def test_a_key_is_known_by_name_and_id_together() -> None:
    note = sign_note("text\n", LOG)
    with pytest.raises(SealError, match="no known key"):
        open_note(note, [LOG.public.named("another.example.org")])
    with pytest.raises(SealError, match="no known key"):
        open_note(note, [LOG.public.of_type(KeyType.COSIGNATURE)])


def test_a_false_signature_of_a_known_key_spoils_the_whole_note() -> None:
    good = parse_note(sign_note("text\n", LOG, WITNESS))
    log, witness = good.signatures
    forged = Note("text\n", (log, NoteSignature(witness.name, witness.note_hash, log.signature)))
    with pytest.raises(SealError):
        open_note(forged.bytes(), [LOG.public, WITNESS.public])


@given(st.integers(0, len(SIGNED) - 1), st.integers(0, 255))
@settings(max_examples=400)
def test_a_checkpoint_with_one_changed_byte_is_refused(place: int, value: int) -> None:
    changed = SIGNED[:place] + bytes([value]) + SIGNED[place + 1 :]
    if changed == SIGNED:
        assert CHECKPOINT == open_checkpoint(changed, [LOG.public]).checkpoint
        return
    with pytest.raises((SealError, MalformedInput)):
        open_checkpoint(changed, [LOG.public])


@given(st.integers(0, len(COSIGNED) - 1), st.integers(0, 255))
@settings(max_examples=400)
def test_a_changed_byte_never_adds_and_at_most_drops_a_cosignature(place: int, value: int) -> None:
    changed = COSIGNED[:place] + bytes([value]) + COSIGNED[place + 1 :]
    if changed == COSIGNED:
        return
    try:
        opened = open_checkpoint(changed, [LOG.public], [WITNESS_PUBLIC])
    except (SealError, MalformedInput):
        return
    assert CHECKPOINT == opened.checkpoint
    assert () == opened.cosignatures and 1 == len(opened.unknown)


@given(st.integers(0, len(PROOF) - 1), st.integers(0, 255))
@settings(max_examples=400)
def test_a_proof_with_one_changed_byte_is_refused(place: int, value: int) -> None:
    changed = PROOF[:place] + bytes([value]) + PROOF[place + 1 :]
    if changed == PROOF:
        assert 6 == open_proof(changed, LEAVES[6], [LOG.public]).index
        return
    with pytest.raises((SealError, MalformedInput)):
        open_proof(changed, LEAVES[6], [LOG.public])


@given(st.binary(max_size=300))
def test_whatever_parses_as_a_note_or_proof_is_written_back_the_same(data: bytes) -> None:
    for parse in (parse_note, parse_proof):
        for candidate in (data, SIGNED[:40] + data, PROOF[:30] + data, data + b"\n\n" + SIGNED[-120:]):
            try:
                parsed = parse(candidate)
            except MalformedInput:
                continue
            assert candidate == parsed.bytes()


SIGNATURE_LINE = SIGNED.decode().split("\n\n")[1]


@pytest.mark.parametrize(
    "defect",
    {
        "no_signature": b"text\n\n",
        "no_empty_line": b"text\n" + SIGNATURE_LINE.encode(),
        "no_final_newline": SIGNED[:-1],
        "carriage_returns": SIGNED.replace(b"\n", b"\r\n"),
        "a_hyphen_for_the_dash": SIGNED.replace("—".encode(), b"-"),
        "two_spaces": SIGNED.replace("— ".encode(), "—  ".encode()),
        "a_tab_in_the_text": b"a\tb\n\n" + SIGNATURE_LINE.encode(),
        "not_utf8": b"\xff\n\n" + SIGNATURE_LINE.encode(),
        "one_signature_twice": SIGNED + SIGNATURE_LINE.encode(),
        "a_plus_in_the_name": SIGNED.replace("— log.".encode(), "— log+".encode()),
        "sixty_five_signatures": b"text\n\n"
        + b"".join(NoteSignature(f"k{n}", b"1234", b"x").line.encode() for n in range(65)),
        "too_large": b"a" * 300_000 + b"\n\n" + SIGNATURE_LINE.encode(),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_note_with_a_named_defect_is_malformed(defect: tuple[str, bytes]) -> None:
    with pytest.raises(MalformedInput):
        parse_note(defect[1])


@pytest.mark.parametrize("size", ["", "01", "+1", "-1", "1 ", "٣", "9223372036854775808", "1" * 30, "1e3"])
def test_a_tree_size_is_written_in_one_way(size: str) -> None:
    root = base64.b64encode(bytes(32)).decode()
    with pytest.raises(MalformedInput):
        parse_checkpoint_text(f"origin\n{size}\n{root}\n")


@pytest.mark.parametrize(
    "text",
    ["origin\n1\n", "\n1\n{root}\n", "origin\n1\n{root}", "origin\n1\n{root}\n\n", "origin\n1\nAAAA\n"],
)
def test_a_checkpoint_text_has_its_three_lines(text: str) -> None:
    with pytest.raises(MalformedInput):
        parse_checkpoint_text(text.replace("{root}", base64.b64encode(bytes(32)).decode()))


def test_an_origin_with_a_line_break_cannot_be_signed() -> None:
    with pytest.raises(MalformedInput):
        sign_checkpoint(Checkpoint("a\n5", 1, bytes(32)), LOG)


def test_extension_lines_are_signed_and_cosigned() -> None:
    extended = Checkpoint("log.example.org", 11, TREE.root(), ("note from the keeper",))
    signed = cosign(sign_checkpoint(extended, LOG), WITNESS, time=5)
    assert extended == open_checkpoint(signed, [LOG.public], [WITNESS_PUBLIC]).checkpoint
    with pytest.raises(SealError):
        open_checkpoint(signed.replace(b"keeper", b"reaper"), [LOG.public], [WITNESS_PUBLIC])


def test_a_witness_alone_does_not_make_a_checkpoint() -> None:
    cosigned = Note(CHECKPOINT.text, parse_note(COSIGNED).signatures[1:]).bytes()
    with pytest.raises(SealError, match="did not sign"):
        open_checkpoint(cosigned, [LOG.public], [WITNESS_PUBLIC])


def test_a_checkpoint_is_signed_under_the_name_of_its_origin() -> None:
    foreign = sign_note(CHECKPOINT.text, WITNESS)
    with pytest.raises(SealError, match="did not sign"):
        open_checkpoint(foreign, [LOG.public, WITNESS.public])


def test_a_witness_cosigns_a_checkpoint_once() -> None:
    with pytest.raises(MalformedInput, match="same key"):
        cosign(COSIGNED, WITNESS, time=1_790_000_001)
    with pytest.raises(MalformedInput):
        cosign(SIGNED, WITNESS, time=2**63)


def test_a_cosignature_holds_for_its_own_time_alone() -> None:
    note = parse_note(COSIGNED)
    log, witness = note.signatures
    later = NoteSignature(
        witness.name, witness.note_hash, struct.pack(">Q", 1_790_000_001) + witness.signature[8:]
    )
    with pytest.raises(SealError):
        open_checkpoint(Note(note.text, (log, later)).bytes(), [LOG.public], [WITNESS_PUBLIC])
    opened = open_checkpoint(COSIGNED, [LOG.public], [WITNESS_PUBLIC])
    assert [1_790_000_000] == [cosignature.time for cosignature in opened.cosignatures]


@pytest.mark.parametrize("index", range(11))
def test_a_proof_opens_for_its_entry_alone(index: int) -> None:
    data = Proof(index, tuple(TREE.inclusion(index)), COSIGNED).bytes()
    opened = open_proof(data, LEAVES[index], [LOG.public], [WITNESS_PUBLIC], witness_quorum=1)
    assert (index, CHECKPOINT) == (opened.index, opened.checkpoint)
    with pytest.raises(SealError):
        open_proof(data, LEAVES[index - 1], [LOG.public])


def test_a_quorum_counts_known_witnesses_other_than_the_log_itself() -> None:
    by_log = cosign(SIGNED, LOG, time=9)
    for note, keys in (
        (SIGNED, [WITNESS_PUBLIC]),
        (COSIGNED, []),
        (by_log, [LOG.public.of_type(KeyType.COSIGNATURE)]),
    ):
        data = Proof(6, tuple(TREE.inclusion(6)), note).bytes()
        with pytest.raises(SealError, match="0 known witnesses"):
            open_proof(data, LEAVES[6], [LOG.public], keys, witness_quorum=1)


def test_one_witness_under_two_names_is_one_witness() -> None:
    twice = cosign(COSIGNED, WITNESS.named("second.example.net"), time=7)
    keys = [WITNESS_PUBLIC, WITNESS_PUBLIC.named("second.example.net")]
    data = Proof(6, tuple(TREE.inclusion(6)), twice).bytes()
    assert 2 == len(open_proof(data, LEAVES[6], [LOG.public], keys, witness_quorum=1).cosignatures)
    with pytest.raises(SealError, match="1 known witnesses"):
        open_proof(data, LEAVES[6], [LOG.public], keys, witness_quorum=2)


def test_a_proof_carries_extra_data_back() -> None:
    proof = Proof(0, (), SIGNED, b"beside")
    assert proof == parse_proof(proof.bytes())
    assert b"c2sp.org/tlog-proof@v1\nextra YmVzaWRl\nindex 0\n\n" + SIGNED == proof.bytes()


@pytest.mark.parametrize(
    "defect",
    {
        "another_header": PROOF.replace(b"@v1", b"@v2"),
        "no_index": PROOF.replace(b"index 6\n", b""),
        "index_with_leading_zero": PROOF.replace(b"index 6", b"index 06"),
        "index_twice": PROOF.replace(b"index 6\n", b"index 6\nindex 6\n"),
        "extra_twice": PROOF.replace(b"index 6\n", b"extra YQ==\nextra YQ==\nindex 6\n"),
        "a_short_hash": PROOF.replace(b"index 6\n", b"index 6\nYQ==\n"),
        "no_checkpoint": PROOF.split(b"\n\n")[0] + b"\n\n",
        "sixty_five_hashes": b"c2sp.org/tlog-proof@v1\nindex 0\n"
        + (base64.b64encode(bytes(32)) + b"\n") * 65
        + b"\n"
        + SIGNED,
    }.items(),
    ids=lambda item: item[0],
)
def test_a_proof_with_a_named_defect_is_malformed(defect: tuple[str, bytes]) -> None:
    with pytest.raises(MalformedInput):
        open_proof(defect[1], LEAVES[6], [LOG.public])
