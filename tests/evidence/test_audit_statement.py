"""Audits of training data as documents: what may be signed, in which form, and that forged sums are not read."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_statements import (
    AUDITOR,
    ROOT,
    audit_of,
    bounded,
    canary,
    check,
    matches,
    reference,
    root_digits,
    sampled,
)
from party_factory import another_digest
from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.evidence.others.attestation import (
    build_attestation,
    build_audit_attestation,
    parse_attestation,
)
from verilabel.evidence.others.audit import DataAudit, write_per_million
from verilabel.evidence.others.signed import parse_signed, sign_attestation
from verilabel.evidence.statement import Tool
from verilabel.records.canonical import digest, jcs
from verilabel.records.system import SystemDescriptor

SYSTEM = SystemDescriptor(
    name="quiz-model",
    provider_model="simulated:",
    identity="simulated",
    use_case="general-chat",
    locale="en-US",
)
GOLDEN = "sha256:6af683682fc54b77b5a22e25ee3cf1a427b14ee9bd2ad592ce8b11e2694e4837"
"""Of the payload of `audit_of()`: whoever signed such a statement can still be read."""


def test_an_audit_is_about_its_data_set_and_read_again_to_the_byte() -> None:
    built = build_audit_attestation(audit_of())
    document = json.loads(built.payload)
    assert "https://verilabel.example/attestation/training-data-audit/v1" == document["predicateType"]
    assert [{"name": "dataset", "digest": {"sha256": root_digits()}}] == document["subject"]
    assert (built, "audit", ROOT) == (parse_attestation(built.payload), built.kind, built.about)


@pytest.mark.parametrize("relation", ["declared-training-data", "declared-fine-tuning-data"])
def test_a_declaration_is_about_the_system(relation: str) -> None:
    built = build_audit_attestation(audit_of(relation=relation), SYSTEM)
    assert ("audit", SYSTEM.digest, "quiz-model") == (built.kind, built.about, built.subject.name)
    assert built == parse_attestation(built.payload)


def test_the_form_is_the_one_that_was_signed_before() -> None:
    assert GOLDEN == digest(
        build_audit_attestation(
            audit_of(tool=Tool("tests", "1"), until=datetime(2027, 6, 1, tzinfo=UTC))
        ).payload
    )


def test_a_declaration_needs_a_system_and_an_audit_has_none() -> None:
    with pytest.raises(UsageError, match="of which system"):
        build_audit_attestation(audit_of(relation="declared-training-data"))
    with pytest.raises(UsageError, match="names no system"):
        build_audit_attestation(audit_of(), SYSTEM)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"audit": reference(documents=999)}, "predicate.audit"),
        ({"audit": reference(documents_read=999)}, "predicate.audit"),
        ({"audit": reference(documents_unread=1)}, "predicate.audit"),
        ({"audit": reference(documents_unread=-2, documents=996)}, "audit.documents_unread"),
        ({"audit": reference(documents=2, documents_read=0)}, "predicate.audit"),
        ({"audit": reference(shards=0)}, "predicate.audit"),
        ({"audit": reference(shards=-1)}, "audit.shards"),
        ({"audit": reference(bytes_text=-1)}, "audit.bytes_text"),
        ({"audit": reference(manifest_sha256="sha256:0")}, "audit.manifest_sha256"),
        ({"audit": reference(dataset_root="0")}, "audit.dataset_root"),
        ({"audit": reference(dataset_root=another_digest())}, "audit.dataset_root"),
        ({"audit": reference(confidence="1")}, "audit.confidence"),
        ({"audit": reference(confidence="0.950")}, "audit.confidence"),
        ({"audit": reference(confidence="95 %")}, "audit.confidence"),
        ({"audit": reference(started="2025-12-29")}, "audit.started"),
        ({"audit": reference(ended="2025-12-29T11:59:59Z")}, "audit.ended"),
        ({"audit": reference(ended="2026-02-01T12:00:01Z")}, "audit.ended"),
        ({"checks": ()}, "predicate.checks"),
        ({"checks": (check(), check())}, "predicate.checks"),
        ({"checks": (check(name=" "),)}, "predicate.checks"),
        ({"checks": (check(version=""),)}, "checks[0].version"),
        ({"checks": (check(data_sha256="x"),)}, "checks[0].data_sha256"),
        ({"statements": (bounded(), bounded())}, "predicate.statements"),
        ({"statements": (bounded(kind=""),)}, "statements[0].kind"),
        ({"statements": (bounded(method=" "),)}, "statements[0].method"),
        ({"statements": (bounded(found_documents=999),)}, "statements[0].found_documents"),
        ({"statements": (bounded(found_documents=-1),)}, "statements[0].found_documents"),
        ({"statements": (bounded(bound_per_million="0"),)}, "statements[0].bound_per_million"),
        ({"statements": (bounded(bound_per_million="1000000.1"),)}, "statements[0].bound_per_million"),
        ({"statements": (bounded(bound_per_million="1.50"),)}, "statements[0].bound_per_million"),
        ({"statements": (bounded(bound_per_million="-1"),)}, "statements[0].bound_per_million"),
        ({"statements": (bounded(bound_per_million="1e3"),)}, "statements[0].bound_per_million"),
        ({"statements": (bounded(bound_per_million=".5"),)}, "statements[0].bound_per_million"),
        ({"statements": (bounded(bound_per_million=""),)}, "statements[0].bound_per_million"),
        ({"statements": (bounded(sample=3),)}, "statements[0].sample"),
        ({"statements": (bounded(), sampled(sample=0))}, "statements[1].sample"),
        ({"statements": (sampled(sample=999),)}, "statements[0].sample"),
        ({"statements": (sampled(found_documents=101),)}, "statements[0].found_documents"),
        ({"contamination": (matches(), matches(items=5))}, "predicate.contamination"),
        ({"contamination": (matches(benchmark=""),)}, "contamination[0].benchmark"),
        ({"contamination": (matches(benchmark_sha256="x"),)}, "contamination[0].benchmark_sha256"),
        ({"contamination": (matches(items=0, items_matched=0, documents=0),)}, "contamination[0].items"),
        ({"contamination": (matches(items=1),)}, "contamination[0].items_matched"),
        ({"contamination": (matches(unchecked=1_320),)}, "contamination[0].unchecked"),
        ({"contamination": (matches(unchecked=1_318),)}, "contamination[0].items_matched"),
        ({"audit": reference(unknown=-1)}, "audit.unknown"),
        ({"contamination": (matches(items_matched=-1),)}, "contamination[0].items_matched"),
        ({"contamination": (matches(items_matched=0),)}, "contamination[0].documents"),
        ({"contamination": (matches(documents=0),)}, "contamination[0].documents"),
        ({"contamination": (matches(documents=999),)}, "contamination[0].documents"),
        ({"canaries": (canary(), canary())}, "predicate.canaries"),
        ({"canaries": (canary(found=301),)}, "canaries[0].found"),
        ({"canaries": (canary(planted=-1, found=-2),)}, "canaries[0]"),
        ({"text": " "}, "predicate.text"),
        ({"text": "x" * 10_001}, "predicate.text"),
        ({"valid_until": "2026-02-01T12:00:00Z"}, "predicate.valid_until"),
        ({"valid_until": "never"}, "predicate.valid_until"),
        ({"checks": tuple(check(name=f"c{i}") for i in range(1_001))}, "predicate.checks"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        build_attestation("dataset", ROOT, audit_of(**changes))
    assert refused.value.where is not None
    assert place in refused.value.where


@pytest.mark.parametrize(
    ("name", "about", "relation"),
    [
        ("dataset", SYSTEM.digest, "audited"),
        ("quiz-model", ROOT, "audited"),
        ("quiz-model", ROOT, "declared-training-data"),
        ("dataset", ROOT, "declared-fine-tuning-data"),
    ],
)
def test_a_relation_and_a_subject_that_do_not_go_together_are_refused(
    name: str, about: str, relation: str
) -> None:
    with pytest.raises(MalformedInput, match=r"the data set that was audited|its own training data"):
        build_attestation(name, about, audit_of(relation=relation))


def _spoil(path: tuple[str | int, ...], value: object) -> bytes:
    document = json.loads(build_audit_attestation(audit_of()).payload)
    at = document["predicate"]
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return jcs(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("relation",), "trained"),
        (("statements", 0, "basis"), "guessed"),
        (("statements", 0, "sample"), 0),
        (("statements", 0, "bound_per_million"), 7),
        (("audit", "documents"), "1000"),
        (("audit", "documents"), True),
        (("audit", "documents"), None),
        (("audit", "more"), 1),
        (("more",), 1),
        (("canaries",), ...),
        (("audit", "confidence"), ...),
        (("checks",), {}),
    ],
)
def test_other_fields_and_types_are_not_read(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises(MalformedInput):
        parse_attestation(_spoil(path, value))


def test_a_number_beyond_what_json_can_carry_is_not_read() -> None:
    payload = build_audit_attestation(audit_of()).payload.replace(b"2500000", b"9007199254740993")
    with pytest.raises(VerilabelError):
        parse_attestation(payload)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_gives_another_statement_or_none(position: int, change: int) -> None:
    payload = build_audit_attestation(audit_of()).payload
    at = position % len(payload)
    changed = payload[:at] + bytes([payload[at] ^ change]) + payload[at + 1 :]
    try:
        read = parse_attestation(changed)
    except VerilabelError:
        return
    assert (changed, True) == (read.payload, read.digest != digest(payload))


@given(st.integers(0, 3000))
def test_a_signed_audit_with_a_changed_byte_is_refused(position: int) -> None:
    data = sign_attestation(build_audit_attestation(audit_of()), AUDITOR).data
    at = position % len(data)
    with pytest.raises(VerilabelError):
        parse_signed(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@given(st.decimals(0, 2_000_000, allow_nan=False, places=9))
def test_a_bound_is_written_in_one_spelling_and_never_below_itself(bound: Decimal) -> None:
    text = write_per_million(bound)
    assert min(bound, Decimal(1_000_000)) <= Decimal(text) < bound + Decimal("0.000001")
    found = 0 if text == "0" else 1
    statement = bounded(bound_per_million=text, found_documents=found)
    assert isinstance(build_audit_attestation(audit_of(statements=(statement,))).predicate, DataAudit)


def test_reading_an_audit_needs_no_numpy() -> None:
    payload = build_audit_attestation(audit_of()).payload
    script = (
        "import sys\nfrom verilabel.evidence.others.attestation import parse_attestation\n"
        "import verilabel.evidence.verifier\nparse_attestation(sys.stdin.buffer.read())\n"
        "heavy = {'numpy', 'numba', 'pyarrow', 'aiohttp', 'verilabel.audit'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    finished = subprocess.run([sys.executable, "-c", script], input=payload, capture_output=True, check=False)
    assert (0, b"") == (finished.returncode, finished.stderr)
