"""Attestations as documents: what may be signed, in which form, and that nothing else is read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_factory import ISSUER
from party_factory import CRITIC, REPLICATOR, SIGNED, another_digest
from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.evidence.others.attestation import (
    BASE,
    BundleReference,
    Comparison,
    Dispute,
    EvidenceReference,
    Finding,
    MeasureComparison,
    Replication,
    Withdrawal,
    build_attestation,
    parse_attestation,
    require_own,
    signed_by,
)
from verilabel.records.canonical import jcs

ABOUT = another_digest("the label")
BY = signed_by(CRITIC.public, SIGNED)


def reference(about: str = ABOUT, keyid: str = ISSUER.keyid) -> BundleReference:
    return BundleReference(
        about, another_digest("m"), another_digest("r"), another_digest("s"), keyid, "L1 granted"
    )


def measure(**changes: Any) -> MeasureComparison:
    fields = {
        "measure": "quiz.right",
        "verdict": "replicated",
        "items": 20,
        "n_original": 20,
        "events_original": 18,
        "n_replica": 20,
        "events_replica": 17,
        "agreeing": 15,
        "identical": 12,
        "difference": "0.045455",
        "lower": "-0.100000",
        "upper": "0.190910",
        "p_value": "1.000000",
    }
    return MeasureComparison(**{**fields, **changes})


def comparison(**changes: Any) -> Comparison:
    fields = {
        "verdict": "replicated",
        "alpha": "0.05",
        "margin": "0.2",
        "scope": ("params", "provider_model"),
        "differing": (),
        "label": "confirmed",
        "measures": (measure(),),
    }
    return Comparison(**{**fields, **changes})


def replication(**changes: Any) -> Replication:
    fields = {
        "original": reference(),
        "replica": reference(another_digest("replica"), REPLICATOR.keyid),
        "independence": "another laboratory",
        "comparison": comparison(),
    }
    return Replication(**{**fields, **changes}, issuer=BY[0], issued=BY[1], tool=BY[2])


def dispute(**changes: Any) -> Dispute:
    fields: dict[str, Any] = {
        "grounds": ("method",),
        "text": "the suite leaks",
        "rows": ("quiz.right",),
        "evidence": (),
    }
    return Dispute(**{**fields, **changes}, issuer=BY[0], issued=BY[1], tool=BY[2])


def finding(**changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "name": "elicitation",
        "role": "evaluator",
        "text": "adequate",
        "evidence": (),
        "valid_until": "2026-06-01T00:00:00Z",
    }
    return Finding(**{**fields, **changes}, issuer=BY[0], issued=BY[1], tool=BY[2])


EVERY_KIND = (
    replication(),
    dispute(evidence=(EvidenceReference("notes.md", another_digest("notes")),)),
    Withdrawal("mistaken", None, *BY),
    Withdrawal("a newer one", another_digest("newer"), *BY),
    finding(),
)


@pytest.mark.parametrize("predicate", EVERY_KIND, ids=lambda p: type(p).__name__)
def test_what_is_built_is_read_again_to_the_byte(predicate: Any) -> None:
    built = build_attestation("quiz-model", ABOUT, predicate)
    again = parse_attestation(built.payload)
    assert (built, predicate, ABOUT) == (again, again.predicate, again.about)
    document = json.loads(built.payload)
    assert f"{BASE}{built.kind}/v1" == document["predicateType"]
    assert built.payload == jcs(document)


@pytest.mark.parametrize(
    ("predicate", "place"),
    [
        (dispute(text=" "), "predicate.text"),
        (dispute(text="x" * 10_001), "predicate.text"),
        (dispute(grounds=()), "predicate.grounds"),
        (dispute(grounds=("method", "method")), "predicate.grounds"),
        (dispute(rows=("a", "a")), "predicate.rows"),
        (dispute(rows=("",)), "predicate.rows"),
        (dispute(evidence=(EvidenceReference("a", "sha256:0"),)), "evidence[0].sha256"),
        (
            dispute(evidence=(EvidenceReference("a", ABOUT), EvidenceReference("a", ABOUT))),
            "predicate.evidence",
        ),
        (finding(name="../../escape"), "predicate.name"),
        (finding(name="a/b"), "predicate.name"),
        (finding(name=".hidden"), "predicate.name"),
        (finding(name="x" * 101), "predicate.name"),
        (finding(role=" "), "predicate.role"),
        (finding(valid_until="2026-02-01T12:00:00Z"), "predicate.valid_until"),
        (finding(valid_until="tomorrow"), "predicate.valid_until"),
        (Withdrawal("", None, *BY), "predicate.reason"),
        (Withdrawal("x", "sha256:f", *BY), "predicate.superseded_by"),
        (replication(independence=""), "predicate.independence"),
        (replication(original=reference(another_digest("other"))), "predicate.original"),
        (replication(replica=reference("sha256:1")), "replica.statement_sha256"),
        (replication(comparison=comparison(alpha="0.5")), "comparison.alpha"),
        (replication(comparison=comparison(alpha="0")), "comparison.alpha"),
        (replication(comparison=comparison(margin="1")), "comparison.margin"),
        (replication(comparison=comparison(margin="0.020")), "comparison.margin"),
        (replication(comparison=comparison(margin="nan")), "comparison.margin"),
        (replication(comparison=comparison(differing=("locale",))), "comparison.differing"),
        (replication(comparison=comparison(measures=(measure(), measure()))), "comparison.measures"),
        (replication(comparison=comparison(measures=(measure(items=-1),))), "measures[0].items"),
        (replication(comparison=comparison(measures=(measure(agreeing=21),))), "measures[0]"),
        (replication(comparison=comparison(measures=(measure(p_value="1e-9"),))), "measures[0].p_value"),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_place(predicate: Any, place: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        build_attestation("quiz-model", ABOUT, predicate)
    assert refused.value.where is not None
    assert place in refused.value.where


def change(**changes: Any) -> bytes:
    document = json.loads(build_attestation("quiz-model", ABOUT, dispute()).payload)
    document.update(changes)
    return jcs(document)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"[]", "not an in-toto statement"),
        (change(more=1), "not an in-toto statement"),
        (change(_type="https://in-toto.io/Statement/v0.1"), "not an in-toto Statement v1"),
        (change(predicateType=f"{BASE}praise/v1"), "a kind that is not known here"),
        (change(predicateType=f"{BASE}label/v1"), "a kind that is not known here"),
        (change(predicateType=f"{BASE}withdrawal/v1"), "Object"),
        (change(subject=[]), "Expected `array` of length 1"),
        (change(subject=[{"name": "a", "digest": {"sha256": "0"}}]), "not a SHA-256 digest"),
        (change(predicate={"text": "a"}), "missing required field"),
        (b" " + change(), "not in canonical form"),
        (b"not json", "not JSON"),
    ],
)
def test_other_documents_are_refused(payload: bytes, said: str) -> None:
    with pytest.raises(MalformedInput, match=said):
        parse_attestation(payload)


def test_an_unknown_kind_names_those_that_are_known() -> None:
    with pytest.raises(MalformedInput) as refused:
        parse_attestation(change(predicateType=f"{BASE}praise/v1"))
    assert "known are replication, dispute, withdrawal, finding, audit" == refused.value.hint


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_gives_another_statement_or_none(position: int, change: int) -> None:
    payload = build_attestation("quiz-model", ABOUT, replication()).payload
    at = position % len(payload)
    changed = payload[:at] + bytes([payload[at] ^ change]) + payload[at + 1 :]
    try:
        read = parse_attestation(changed)
    except VerilabelError:
        return
    assert read.payload == changed
    assert read.digest != build_attestation("quiz-model", ABOUT, replication()).digest


def test_only_who_signed_takes_back() -> None:
    require_own(CRITIC.keyid, CRITIC.keyid)
    with pytest.raises(UsageError, match="signed with another key"):
        require_own(CRITIC.keyid, ISSUER.keyid)


def test_the_defaults_of_a_measure_are_left_out_of_what_is_signed() -> None:
    bare = measure(difference="", lower="", upper="", p_value="")
    payload = build_attestation("m", ABOUT, replication(comparison=comparison(measures=(bare,)))).payload
    (said,) = json.loads(payload)["predicate"]["comparison"]["measures"]
    assert not {"difference", "lower", "upper", "p_value", "needed", "missing"} & said.keys()
    assert bare == msgspec.convert(said, MeasureComparison)
