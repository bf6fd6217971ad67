"""Signed statements as files: one changed byte is seen, a log's proof must hold, attaching is whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_factory import ATTACKER, ATTACKER_LOG, LOG, READ, Recipe
from party_factory import CRITIC, SIGNED, another_digest, dispute_of, make_party, statement_of, withdrawal_of
from verilabel.errors import CheckFailed, LimitExceeded, MalformedInput, SealError, UsageError, VerilabelError
from verilabel.evidence.container import write_zip
from verilabel.evidence.keys import KeyType
from verilabel.evidence.log import LocalLog
from verilabel.evidence.others.attaching import attach_statements, read_enclosed, read_signed_label
from verilabel.evidence.others.attestation import Dispute, build_attestation, signed_by
from verilabel.evidence.others.signed import (
    MAX_SIGNED_BYTES,
    Signed,
    entry_of,
    load_signed,
    parse_signed,
    sign_attestation,
    with_proof,
)
from verilabel.evidence.verifier import verify_bundle
from verilabel.records.canonical import jcs

ABOUT = another_digest("a label")
PLAIN = dispute_of(ABOUT)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """A dispute with the proof that it stands in a log."""
    with LocalLog.create(tmp_path_factory.mktemp("log") / "log", LOG, clock=lambda: SIGNED) as log:
        log.append(entry_of(dispute_of(another_digest("before")).attestation))
        return with_proof(PLAIN, log.public_key, log.append(entry_of(PLAIN.attestation)).bytes())


def test_a_signed_statement_is_read_as_it_was_written(logged: Signed, tmp_path: Path) -> None:
    for signed in (PLAIN, logged):
        assert signed == parse_signed(signed.data)
        (tmp_path / "s.json").write_bytes(signed.data)
        assert signed == load_signed(tmp_path / "s.json")
    assert (PLAIN.attestation, None) == (logged.attestation, PLAIN.proof)
    assert PLAIN.attestation.digest[7:23] + ".json" == logged.file_name


@settings(max_examples=400)
@given(data=st.data())
def test_one_changed_byte_anywhere_is_refused(logged: Signed, data: st.DataObject) -> None:
    signed = data.draw(st.sampled_from([PLAIN, logged]))
    at = data.draw(st.integers(0, len(signed.data) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = signed.data[:at] + bytes([signed.data[at] ^ flip]) + signed.data[at + 1 :]
    with pytest.raises(VerilabelError) as refused:
        parse_signed(changed)
    assert isinstance(refused.value, MalformedInput | SealError)


@given(st.binary(max_size=300))
def test_anything_else_is_refused_in_the_error_tree(data: bytes) -> None:
    with pytest.raises(MalformedInput):
        parse_signed(data)


def rewritten(signed: Signed, **changes: object) -> bytes:
    document = {**json.loads(signed.data), **changes}
    return jcs({key: value for key, value in document.items() if value is not None}) + b"\n"


def test_another_s_key_beside_the_signature_is_refused() -> None:
    with pytest.raises(SealError, match="key that was not given"):
        parse_signed(rewritten(PLAIN, signer=ATTACKER.public.line))


def test_the_signer_s_name_is_part_of_what_is_signed() -> None:
    with pytest.raises(SealError, match="names another key"):
        parse_signed(rewritten(PLAIN, signer=CRITIC.public.named("famous.example").line))


def test_a_witness_s_key_signs_no_statements() -> None:
    with pytest.raises(MalformedInput, match="witness's key"):
        parse_signed(rewritten(PLAIN, signer=CRITIC.public.of_type(KeyType.COSIGNATURE).line))


def test_a_statement_that_names_another_key_than_its_signer_s_is_not_signed() -> None:
    dispute = Dispute(("method",), "no", (), (), *signed_by(CRITIC.public, SIGNED))
    with pytest.raises(SealError, match="names another key"):
        sign_attestation(build_attestation("m", ABOUT, dispute), ATTACKER)


def test_a_signature_of_another_statement_is_refused() -> None:
    other = json.loads(dispute_of(ABOUT, text="something else").data)["envelope"]
    envelope = json.loads(PLAIN.data)["envelope"] | {"payload": other["payload"]}
    with pytest.raises(SealError, match="does not verify"):
        parse_signed(rewritten(PLAIN, envelope=envelope))


def test_a_proof_of_another_statement_or_by_another_log_is_refused(logged: Signed, tmp_path: Path) -> None:
    proof, line = json.loads(logged.data)["proof"], LOG.public.line
    with pytest.raises(SealError):
        parse_signed(rewritten(dispute_of(ABOUT, text="not logged"), proof=proof, log=line))
    with pytest.raises(SealError):
        parse_signed(rewritten(logged, log=ATTACKER_LOG.public.line))
    with pytest.raises(MalformedInput, match="canonical form"):
        parse_signed(rewritten(logged, log=None))


def test_other_versions_and_fields_are_refused() -> None:
    for changes in ({"format": "verilabel/signed/v2"}, {"comment": "hello"}, {"envelope": []}, {"signer": 5}):
        with pytest.raises(MalformedInput):
            parse_signed(rewritten(PLAIN, **changes))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(MAX_SIGNED_BYTES * 50)
    with pytest.raises(LimitExceeded):
        load_signed(tmp_path / "huge.json")
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("nothing.json", "pipe.json", "."):
        with pytest.raises(UsageError, match="no such statement"):
            load_signed(tmp_path / name)


# -- attaching -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same bundle as a folder and as a zip."""
    folder = tmp_path_factory.mktemp("made")
    return {
        "folder": make_party(folder / "folder"),
        "zip": make_party(folder / "zip", Recipe(zipped=True)),
    }


@pytest.fixture(params=["folder", "zip"])
def bundle(request: pytest.FixtureRequest, made: dict[str, Path], tmp_path: Path) -> Path:
    """A copy that may be changed."""
    source = made[request.param]
    if source.is_dir():
        return shutil.copytree(source, tmp_path / "bundle")
    return Path(shutil.copy(source, tmp_path / "bundle.zip"))


def content(path: Path) -> dict[str, bytes]:
    """All files below, or the one file."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_attaching_puts_statements_where_the_verifier_reads_them(bundle: Path) -> None:
    about = statement_of(bundle)
    one, two = dispute_of(about), dispute_of(about, ATTACKER)
    done = attach_statements(bundle, [one, two])
    assert ((one, two), ()) == done
    found = verify_bundle(bundle, now=READ)
    assert (None, 2, True) == (found.failure, len(found.statements), "disputed" in found.flags)
    assert {"statements/" + s.file_name: s for s in (one, two)} == read_enclosed(bundle)
    assert [bundle.name] == [path.name for path in bundle.parent.iterdir()]


def test_attaching_again_changes_nothing(bundle: Path) -> None:
    signed = dispute_of(statement_of(bundle))
    attach_statements(bundle, [signed])
    before = content(bundle)
    assert ((), (signed,)) == attach_statements(bundle, [signed])
    assert before == content(bundle)


def test_a_proof_takes_the_place_of_the_same_statement_without_one(bundle: Path, tmp_path: Path) -> None:
    signed = dispute_of(statement_of(bundle))
    with LocalLog.create(tmp_path / "log", LOG, clock=lambda: SIGNED) as log:
        proven = with_proof(signed, log.public_key, log.append(entry_of(signed.attestation)).bytes())
    attach_statements(bundle, [signed])
    assert (proven,) == attach_statements(bundle, [proven]).added
    assert (signed,) == attach_statements(bundle, [signed]).already_there
    assert [proven] == list(read_enclosed(bundle).values())


def test_what_is_about_another_label_is_not_attached_and_nothing_is_changed(bundle: Path) -> None:
    before = content(bundle)
    mine, foreign = dispute_of(statement_of(bundle)), dispute_of(ABOUT)
    with pytest.raises(CheckFailed, match="about another label"):
        attach_statements(bundle, [mine, foreign])
    assert before == content(bundle)


def test_the_withdrawal_of_an_attached_statement_is_attached(bundle: Path) -> None:
    dispute = dispute_of(statement_of(bundle))
    taken = withdrawal_of(dispute.attestation.digest, CRITIC)
    with pytest.raises(CheckFailed):
        attach_statements(bundle, [taken])
    attach_statements(bundle, [dispute])
    attach_statements(bundle, [taken])
    found = verify_bundle(bundle, now=READ)
    assert (None, False) == (found.failure, "disputed" in found.flags)


def test_the_sixty_fifth_statement_is_not_attached(bundle: Path) -> None:
    about = statement_of(bundle)
    attach_statements(bundle, [dispute_of(about, text=f"objection {n}") for n in range(64)])
    before = content(bundle)
    with pytest.raises(LimitExceeded, match="more than 64"):
        attach_statements(bundle, [dispute_of(about, text="one more")])
    assert before == content(bundle)


def test_a_zip_with_statements_is_still_in_its_one_canonical_form(
    made: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(made["folder"], tmp_path / "bundle")
    direct, later = tmp_path / "direct.zip", tmp_path / "later.zip"
    write_zip(folder, later)
    signed = dispute_of(statement_of(folder))
    attach_statements(folder, [signed])
    attach_statements(later, [signed])
    write_zip(folder, direct)
    assert direct.read_bytes() == later.read_bytes()


def test_nothing_is_attached_to_a_bundle_without_a_signature(tmp_path: Path) -> None:
    unsigned = make_party(tmp_path, Recipe(key=None, log_key=None))
    with pytest.raises(UsageError, match="not signed"):
        attach_statements(unsigned, [PLAIN])
    with pytest.raises(UsageError, match="not signed"):
        read_signed_label(unsigned)
