"""Label statements: a fixed example to the byte, and parts that must agree with each other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.envelope import open_envelope, sign
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.statement import (
    EvidenceRoot,
    PlanReference,
    Statement,
    Tool,
    build_statement,
    parse_statement,
    parse_time,
    write_time,
)
from verilabel.records.canonical import digest, jcs
from verilabel.records.label import Label, LevelResult, Row
from verilabel.records.plan import RubricReference
from verilabel.records.system import SystemDescriptor

KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"S" * 32), "labels.example.org")
SYSTEM = SystemDescriptor(name="example/tiny", provider_model="tiny-1", identity="recorded")
LABEL = Label(
    rubric=RubricReference("core", "1.0.0", digest(b"rubric")),
    kind="assurance",
    design="fixed",
    lower="L1",
    lower_name="Basic",
    upper="L2",
    upper_name="Guarded",
    scale=("L0", "L1", "L2"),
    levels=(
        LevelResult(
            level="L1",
            name="Basic",
            test="when",
            status="met",
            rows=(Row(status="met", measure="harm", op="<=", threshold="0.05", n=100, upper="0.036217"),),
        ),
    ),
)

GOLDEN = "sha256:96d5b94e6552168c7ee360882af6be56813d700d343bae8142a404046d01b6d7"


def build(**changes: Any) -> Statement:
    values: dict[str, Any] = {
        "system": SYSTEM,
        "label": LABEL,
        "plan": PlanReference(digest(b"plan"), 4),
        "evidence": EvidenceRoot(digest(b"root"), 100),
        "manifest_sha256": digest(b"manifest"),
        "issued": datetime(2026, 11, 22, 13, 0, tzinfo=UTC),
        "valid_until": datetime(2027, 5, 21, 13, 0, tzinfo=UTC),
        "issuer": KEY.public,
        "tool": Tool("verilabel", "0.1.0"),
    }
    return build_statement(**{**values, **changes})


STATEMENT = build()
DATA = STATEMENT.bytes()


def edited(path: str, value: object) -> bytes:
    """The statement with one value replaced (or added), in canonical form."""
    document = json.loads(DATA)
    *steps, last = path.split(".")
    place = document
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[last] = value
    return jcs(document)


def test_the_statement_is_in_toto_about_the_system_descriptor_alone() -> None:
    document = json.loads(DATA)
    assert "https://in-toto.io/Statement/v1" == document["_type"]
    assert "https://verilabel.example/attestation/label/v1" == document["predicateType"]
    subject = {"name": "example/tiny", "digest": {"sha256": SYSTEM.digest.removeprefix("sha256:")}}
    assert [subject] == document["subject"]
    assert SYSTEM.digest == STATEMENT.system_digest
    assert LABEL.bytes() == jcs(document["predicate"]["label"])
    assert digest(LABEL.bytes()) == document["predicate"]["label_sha256"]
    assert {"name": "labels.example.org", "keyid": KEY.keyid} == document["predicate"]["issuer"]
    assert ("2026-11-22T13:00:00Z", "2027-05-21T13:00:00Z") == (
        document["predicate"]["issued"],
        document["predicate"]["valid_until"],
    )
    expected = {"algorithm": "rfc6962-sha256", "leaves": 100, "root": digest(b"root")}
    assert expected == document["predicate"]["evidence"]


def test_the_bytes_of_a_statement_never_change() -> None:
    # A golden value: whoever changes it breaks every statement that was signed before.
    assert GOLDEN == STATEMENT.digest
    assert STATEMENT.digest == digest(DATA)


def test_a_statement_survives_signing_and_reading() -> None:
    opened = open_envelope(sign(DATA, KEY), [KEY.public])
    assert STATEMENT == parse_statement(opened.payload)


@given(st.integers(0, len(DATA) - 1), st.integers(0, 255))
@settings(max_examples=300)
def test_a_statement_is_read_from_its_exact_bytes_or_not_at_all(place: int, value: int) -> None:
    changed = DATA[:place] + bytes([value]) + DATA[place + 1 :]
    try:
        statement = parse_statement(changed)
    except (MalformedInput, SealError):
        return
    assert changed == statement.bytes()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1"),
        ("predicateType", "https://slsa.dev/provenance/v1"),
        ("comment", "hello"),
        ("subject", []),
        ("subject", [{"name": "a", "digest": {"sha256": "0" * 64}}] * 2),
        ("subject.0.digest", {"sha256": "0" * 63}),
        ("subject.0.digest", {"sha256": "A" * 64}),
        ("subject.0.digest", {"sha256": "0" * 64, "sha512": "0" * 128}),
        ("subject.0.uri", "x"),
        ("predicate.extra", 1),
        ("predicate.label", None),
        ("predicate.label_sha256", "0" * 64),
        ("predicate.rubric.sha256", "0" * 64),
        ("predicate.plan.sha256", "sha256:0"),
        ("predicate.plan.log_index", -1),
        ("predicate.plan.log_index", "4"),
        ("predicate.evidence.leaves", -1),
        ("predicate.evidence.leaves", True),
        ("predicate.evidence.root", ""),
        ("predicate.evidence.algorithm", "sha1"),
        ("predicate.manifest_sha256", "sha256:" + "g" * 64),
        ("predicate.identity", "certified"),
        ("predicate.design", "adaptive"),
        ("predicate.issued", "2026-11-22T13:00:00.5Z"),
        ("predicate.issued", "2026-11-22T13:00:00+01:00"),
        ("predicate.issued", "2026-02-30T13:00:00Z"),
        ("predicate.issued", "2026-11-22 13:00:00Z"),
        ("predicate.valid_until", "2026-11-22T13:00:00Z"),
        ("predicate.valid_until", "2020-01-01T00:00:00Z"),
        ("predicate.issuer.keyid", "mine"),
        ("predicate.tool", "verilabel"),
    ],
)
def test_a_statement_with_one_wrong_value_is_malformed(path: str, value: object) -> None:
    with pytest.raises(MalformedInput):
        parse_statement(edited(path, value))


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("predicate.label.granted", {"id": "L2", "name": "Guarded"}, "its digest"),
        ("predicate.label_sha256", digest(b"another"), "its digest"),
        ("predicate.rubric.version", "2.0.0", "another rubric"),
        ("predicate.design", "anytime", "another design"),
    ],
)
def test_a_statement_whose_parts_contradict_each_other_is_refused(
    path: str, value: object, what: str
) -> None:
    with pytest.raises(SealError, match=what):
        parse_statement(edited(path, value))


def test_a_statement_in_another_order_or_spacing_is_refused() -> None:
    document = json.loads(DATA)
    for text in (
        json.dumps(document),
        json.dumps(dict(reversed(document.items())), separators=(",", ":")),
        DATA.decode() + "\n",
        DATA.decode().replace("Basic", "\\u0042asic"),
    ):
        with pytest.raises(MalformedInput):
            parse_statement(text.encode())


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(MalformedInput, match="twice"):
        parse_statement(DATA.replace(b'"design":"fixed",', b'"design":"fixed","design":"fixed",', 1))


def test_an_error_names_the_place() -> None:
    with pytest.raises(MalformedInput) as caught:
        parse_statement(edited("predicate.plan.sha256", "x"), where="label.intoto.json")
    assert "label.intoto.json: $.predicate.plan.sha256" == caught.value.where


def test_times_are_utc_with_whole_seconds() -> None:
    moment = datetime(2026, 11, 22, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert "2026-11-22T13:00:00Z" == write_time(moment)
    assert datetime(2026, 11, 22, 13, tzinfo=UTC) == parse_time("2026-11-22T13:00:00Z", where="x")
    with pytest.raises(MalformedInput, match="time zone"):
        build(issued=datetime(2026, 11, 22))


def test_a_label_that_ends_before_it_begins_cannot_be_built() -> None:
    with pytest.raises(MalformedInput, match="never valid"):
        build(valid_until=datetime(2026, 11, 22, 13, 0, tzinfo=UTC))
