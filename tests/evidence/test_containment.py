"""Containment attestations: signed, read, and held against the machine they are meant for."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examined_boxes import box_of, made_examination
from verilabel.errors import CheckFailed, MalformedInput, SealError, UsageError, VerilabelError
from verilabel.evidence.envelope import sign
from verilabel.evidence.keys import PrivateKey, new_key
from verilabel.evidence.others.containment import (
    SignedContainment,
    check_attestation,
    load_attestation,
    parse_containment,
    require_attestation,
    sign_containment,
)
from verilabel.evidence.trust import trust_keys
from verilabel.records.canonical import digest, jcs

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = new_key("doctor.example.org")
SIGNED = sign_containment(made_examination(), KEY, NOW)


def resigned(change: Any, key: PrivateKey = KEY) -> bytes:
    """The file after a change to the statement, signed again by whoever changed it."""
    document = json.loads(SIGNED.payload)
    change(document)
    envelope = json.loads(sign(jcs(document), key))
    return jcs({"format": "verilabel/signed/v1", "envelope": envelope, "signer": key.public.line}) + b"\n"


def objections(signed: SignedContainment = SIGNED, **changed: Any) -> tuple[str, ...]:
    return check_attestation(
        signed,
        **{
            "here": signed.environment,
            "containment": box_of(signed.examination),
            "now": NOW + timedelta(days=1),
            **changed,
        },
    )


def test_what_was_signed_is_read_again_with_its_digest_and_containment(tmp_path: Path) -> None:
    path = tmp_path / "containment.json"
    path.write_bytes(SIGNED.data)
    read = load_attestation(path)
    assert SIGNED == read
    assert digest(path.read_bytes()) == read.digest
    assert box_of(made_examination()) == read.containment
    assert ("C3", NOW) == (read.containment.level, read.issued)


def test_the_statement_is_in_toto_s_with_the_environment_as_its_subject() -> None:
    document = json.loads(SIGNED.payload)
    assert "https://in-toto.io/Statement/v1" == document["_type"]
    assert "https://verilabel.example/attestation/containment/v1" == document["predicateType"]
    assert [SIGNED.environment.digest[7:]] == [subject["digest"]["sha256"] for subject in document["subject"]]


@settings(max_examples=60)
@given(st.data())
def test_an_attestation_with_one_changed_byte_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(SIGNED.data) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != SIGNED.data[place]))
    changed = SIGNED.data[:place] + bytes([value]) + SIGNED.data[place + 1 :]
    with pytest.raises(VerilabelError) as caught:
        parse_containment(changed)
    assert caught.value.status in (3, 4)


def test_one_changed_result_under_the_old_signature_is_refused() -> None:
    file = json.loads(SIGNED.data)
    statement = json.loads(SIGNED.payload)
    statement["predicate"]["examination"]["results"][0]["detail"] = "another"
    file["envelope"]["payload"] = base64.b64encode(jcs(statement)).decode()
    with pytest.raises(SealError, match="signature does not verify"):
        parse_containment(jcs(file) + b"\n")


def test_one_changed_result_signed_again_is_refused_where_the_verdict_no_longer_follows() -> None:
    def open_it(document: Any) -> None:
        document["predicate"]["examination"]["results"][0]["result"] = "open"

    with pytest.raises(SealError, match="verdict does not follow"):
        parse_containment(resigned(open_it))


def test_a_probe_that_is_left_out_is_missed() -> None:
    def leave_out(document: Any) -> None:
        del document["predicate"]["examination"]["results"][3]

    with pytest.raises(SealError, match="answers are missing"):
        parse_containment(resigned(leave_out))


def test_a_probe_that_no_longer_has_to_be_stopped_is_noticed() -> None:
    def excuse(document: Any) -> None:
        document["predicate"]["examination"]["results"][0] |= {"by": "", "result": "open"}
        document["predicate"]["examination"]["exposed"] = ["files.planted-secret"]

    with pytest.raises(SealError, match="other probes than those listed"):
        parse_containment(resigned(excuse))


def test_another_environment_under_the_same_subject_is_refused() -> None:
    def move(document: Any) -> None:
        document["predicate"]["examination"]["environment"]["kernel"] = "6.1.0"

    with pytest.raises(SealError, match="subject is not the environment"):
        parse_containment(resigned(move))


@pytest.mark.parametrize(
    ("field", "value"),
    [("program", "sha256:1"), ("results", []), ("heavy", "no"), ("unknown", 1), ("escapes", ["x", 1])],
)
def test_a_statement_of_another_form_is_malformed(field: str, value: object) -> None:
    def change(document: Any) -> None:
        document["predicate"]["examination"][field] = value

    with pytest.raises(MalformedInput):
        parse_containment(resigned(change))


def test_a_list_of_another_version_is_read_and_never_speaks_for_a_box() -> None:
    def rename(document: Any) -> None:
        document["predicate"]["examination"]["probes"] = digest(b"another list")
        document["predicate"]["examination"]["results"].pop()

    signed = parse_containment(resigned(rename))
    assert (True, False) == (SIGNED.probes_are_known, signed.probes_are_known)
    assert ("made with another version's probes",) == objections(signed)


def test_two_answers_of_one_probe_are_refused() -> None:
    def repeat(document: Any) -> None:
        results = document["predicate"]["examination"]["results"]
        results.append(results[0])

    with pytest.raises(MalformedInput, match="two answers"):
        parse_containment(resigned(repeat))


def test_a_signature_by_another_key_than_the_one_that_is_named_is_refused() -> None:
    with pytest.raises(SealError, match="names another key"):
        parse_containment(resigned(lambda document: None, key=new_key("other")))


def test_a_missing_file_is_a_usage_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_attestation(tmp_path / "none.json")
    assert "sandbox doctor --out" in (caught.value.hint or "")


# -- whether it speaks for a box -----------------------------------------------------------------------------------


def test_it_speaks_for_the_same_box_on_the_same_machine() -> None:
    assert () == objections()


def test_it_does_not_speak_for_another_kernel_provider_or_setting() -> None:
    here = msgspec.structs.replace(
        SIGNED.environment,
        kernel="6.1.0",
        provider="bubblewrap 0.9.0",
        settings={"kernel/io_uring_disabled": "9"},
    )
    found = " ".join(objections(here=here))
    assert "another provider" in found
    assert "another kernel" in found
    assert "kernel/io_uring_disabled" in found


def test_it_does_not_speak_for_a_box_of_a_higher_level_or_of_other_means() -> None:
    box = box_of(SIGNED.examination)
    assert ("made for C3, the box is C4",) == objections(containment=msgspec.structs.replace(box, level="C4"))
    without = msgspec.structs.replace(box, level="C2", means=tuple(m for m in box.means if m != "cgroup:v1"))
    assert ("made of a box with other means: cgroup:v1",) == objections(containment=without)


def test_it_grows_old_and_is_not_from_the_future() -> None:
    assert ("31 days old, 30 are allowed",) == objections(now=NOW + timedelta(days=31))
    assert () == objections(now=NOW + timedelta(days=31), max_age=timedelta(days=60))
    assert ("signed in the future",) == objections(now=NOW - timedelta(days=1))


def test_its_signer_counts_in_the_role_of_attestations_alone() -> None:
    assert () == objections(trust=trust_keys(KEY.public, roles=("attestations",)))
    assert "does not count" in " ".join(objections(trust=trust_keys(KEY.public, roles=("labels",))))
    assert "does not count" in " ".join(
        objections(trust=trust_keys(new_key("x").public, roles=("attestations",)))
    )


def test_an_examination_with_an_escape_is_signed_and_never_speaks_for_a_box() -> None:
    escaped = sign_containment(made_examination({"files.shadow": "open"}), KEY, NOW)
    assert ("1 probes escaped: files.shadow",) == objections(escaped)
    unknown = sign_containment(made_examination({"files.shadow": "error"}), KEY, NOW)
    assert ("1 probes have no answer",) == objections(unknown)


def test_an_engine_takes_the_attestation_of_its_box_and_refuses_any_other(tmp_path: Path) -> None:
    path = tmp_path / "containment.json"
    path.write_bytes(SIGNED.data)
    box = box_of(SIGNED.examination)
    user = SIGNED.environment.user
    assert SIGNED == require_attestation(path, containment=box, user=user, now=NOW)
    with pytest.raises(CheckFailed, match="another user") as caught:
        require_attestation(path, containment=box, user=user + 1, now=NOW)
    assert "sandbox doctor" in (caught.value.hint or "")
