"""in-toto statements: signed bytes open again, claims pass only where rows are met, and a salt hides identities."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundle_factory import ISSUER, LOG, READ, Recipe, fixed_key, make_bundle
from sealed_bundles import make_sealed
from verilabel.errors import MalformedInput
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.layout import EVIDENCE, PLAN
from verilabel.evidence.trust import trust_keys
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source, open_source
from verilabel.interchange.exporting.statements import (
    EVAL_RESULT,
    SVR,
    export_eval_results,
    export_verification,
    key_uri,
)
from verilabel.interchange.exporting.writing import Export
from verilabel.records.canonical import jcs

DEFAULT = ExportOptions()

CHECKER = fixed_key("checker", "checker.example")
SALT = b"sixteen bytes or more, kept by the issuer"


def lines_of(export: Export) -> list[bytes]:
    return export.files[0].data().splitlines(keepends=True)


def eval_results(bundle: Path, options: ExportOptions = DEFAULT) -> list[dict[str, Any]]:
    with open_source(bundle, trust=None, now=READ) as source:
        return [json.loads(line) for line in lines_of(export_eval_results(source, options))]


def verification(source: Source, options: ExportOptions = DEFAULT) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(export_verification(source, options).files[0].data())
    return document


def test_a_verification_result_has_the_fields_of_its_predicate(made_bundle: Path) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        document = verification(source)
        subject = {"name": "quiz-model", "digest": {"sha256": source.system.digest.removeprefix("sha256:")}}
    assert ("https://in-toto.io/Statement/v1", SVR) == (document["_type"], document["predicateType"])
    assert [subject] == document["subject"]
    predicate = document["predicate"]
    assert "2026-11-22T12:00:00Z" == predicate["timeCreated"]
    assert predicate["verifier"]["id"].startswith("https://")
    properties = predicate["properties"]
    assert {"VERILABEL_LEVEL_V1", "VERILABEL_LEVEL_V2"} <= set(properties)
    assert "VERILABEL_LEVEL_V3" not in properties
    assert "VERILABEL_LABEL test/quiz-label@1.0.0 granted=L2 cannot_exclude_up_to=L3" in properties
    assert "VERILABEL_IDENTITY simulated" in properties


def test_no_property_names_one_half_of_the_pair_alone(made_bundle: Path) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        properties = verification(source)["predicate"]["properties"]
    with_half = [text for text in properties if "granted=" in text or "cannot_exclude" in text]
    assert all("granted=" in text and "cannot_exclude_up_to=" in text for text in with_half)
    assert 1 == len(with_half)


def test_a_signer_is_called_trusted_only_where_a_policy_vouches_for_the_key(made_bundle: Path) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        unpinned = verification(source)["predicate"]["properties"]
    trust = trust_keys(ISSUER.public, LOG.public)
    with open_source(made_bundle, trust=trust, now=READ) as source:
        pinned = verification(source)["predicate"]["properties"]
    assert [] == [text for text in unpinned if text.startswith("VERILABEL_TRUSTED_SIGNER")]
    assert 1 == len([text for text in pinned if text.startswith("VERILABEL_TRUSTED_SIGNER")])


def test_a_sealed_bundle_is_said_to_be_recomputed_from_sealed_records_and_no_more(tmp_path: Path) -> None:
    made = make_sealed(tmp_path)
    with open_source(made.sealed, trust=None, now=READ) as source:
        properties = verification(source)["predicate"]["properties"]
    levels = [text for text in properties if text.startswith("VERILABEL_LEVEL_")]
    assert ["VERILABEL_LEVEL_V1", "VERILABEL_LEVEL_V2s"] == levels


def test_signing_and_printing_give_the_same_payload(made_bundle: Path) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        for export in (export_verification, export_eval_results):
            plain = lines_of(export(source, ExportOptions()))
            signed = lines_of(export(source, ExportOptions(key=CHECKER)))
            assert len(plain) == len(signed)
            for bare, envelope in zip(plain, signed, strict=True):
                opened = open_envelope(envelope, (CHECKER.public,))
                assert bare == opened.payload + b"\n"
                assert jcs(json.loads(bare)) + b"\n" == bare


def test_claims_pass_exactly_where_rows_are_met(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path, Recipe(errors="0.1")).path
    label = json.loads((bundle / "results" / "label.json").read_text())
    rows = {
        (row["measure"], row["op"], row["threshold"]): row["status"]
        for level in label["levels"]
        for row in level["rows"]
    }
    documents = eval_results(bundle)
    claims = [claim for document in documents for claim in document["predicate"]["claims"]]
    assert rows == {(c["metric"], c["comparator"], c["threshold"]): c["verilabel_status"] for c in claims}
    for claim in claims:
        assert claim["passed"] is (claim["verilabel_status"] == "met")
    assert {True, False} == {claim["passed"] for claim in claims}


def test_eval_results_have_the_fields_of_the_proposal(made_bundle: Path) -> None:
    for document in eval_results(made_bundle):
        predicate = document["predicate"]
        assert EVAL_RESULT == document["predicateType"]
        assert key_uri(ISSUER.keyid) == predicate["evaluator"]["id"]
        assert predicate["evaluatedAt"].endswith("Z")
        assert {"name", "version"} == predicate["suite"].keys()
        assert predicate["sampleSize"] in (20, 10)
        assert predicate["assuranceLevel"] == "self_attested"
        assert predicate["subjectProfile"] == "receipt"
        for identity in ("model", "dataset"):  # exactly one of descriptor and commitment
            assert 64 == len(predicate[identity]["digest"]["sha256"])
        assert "commitments" not in predicate
        plan = hashlib.sha256((made_bundle / PLAN).read_bytes()).hexdigest()
        assert {"alg": "sha256", "value": plan} == predicate["preRegistration"]


def test_evidence_references_are_digests_of_the_bundles_files(made_bundle: Path) -> None:
    for reference in eval_results(made_bundle)[0]["predicate"]["evidence"]:
        data = (made_bundle / reference["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == reference["digest"]["sha256"], reference["name"]
    assert EVIDENCE in [r["name"] for r in eval_results(made_bundle)[0]["predicate"]["evidence"]]


def test_a_salt_turns_identities_into_commitments_that_only_its_holder_can_open(made_bundle: Path) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        system, model = source.system.digest, source.system.provider_model
        data = export_eval_results(source, ExportOptions(salt=SALT)).files[0].data()
    assert system.removeprefix("sha256:").encode() not in data
    assert model.encode() not in data and SALT not in data
    for line in data.splitlines():
        predicate = json.loads(line)["predicate"]
        assert "model" not in predicate and "dataset" not in predicate
        commitment = predicate["commitments"]["model"]
        expected = hashlib.sha256(SALT + system.encode()).hexdigest()
        assert {"alg": "sha256-salted-v1", "value": expected, "salted": True} == commitment


def test_a_short_salt_is_refused(made_bundle: Path) -> None:
    with (
        open_source(made_bundle, trust=None, now=READ) as source,
        pytest.raises(MalformedInput, match="at least 16"),
    ):
        export_eval_results(source, ExportOptions(salt=b"short"))


def test_known_weights_are_the_subject_as_a_public_model(made_bundle: Path) -> None:
    with open_source(made_bundle, trust=None, now=READ) as source:
        weights = "sha256:" + "ab" * 32
        system = msgspec.structs.replace(source.system, weights=weights)
        known = Source(**{**vars(source), "system": system})
        document = json.loads(lines_of(export_eval_results(known, ExportOptions()))[0])
    assert "public-model" == document["predicate"]["subjectProfile"]
    assert "ab" * 32 == document["subject"][0]["digest"]["sha256"]


def test_a_key_is_named_by_the_digest_of_its_public_half() -> None:
    scheme, _, value = key_uri(ISSUER.keyid).partition(";")
    assert "ni:///sha-256" == scheme
    assert bytes.fromhex(ISSUER.keyid.removeprefix("sha256:")) == base64.urlsafe_b64decode(value + "=")
