"""in-toto statements about a label: a Simple Verification Result, and eval-result claims, one a measure.

`svr` is https://in-toto.io/attestation/svr/v0.1. `eval-result` follows the proposal of in-toto/attestation pull
request 575 as of October 2026 (`evaluator`, public identities as resource descriptors or private ones as salted
commitments, `evidence` as references); it is not a merged predicate, and may change. Both are JCS bytes, so that
signing them (DSSE) and printing them give the same payload. Fields of ours stand under `verilabel_label`.
"""

from __future__ import annotations

import base64
from typing import Any

from verilabel import __version__
from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.envelope import sign
from verilabel.evidence.layout import ATTESTATION, EVIDENCE, MANIFEST
from verilabel.evidence.statement import STATEMENT_TYPE, Statement, write_time
from verilabel.evidence.verification import Level
from verilabel.interchange.exporting.facts import Measured, PlacedRow, bare, measured, rows_of, stand
from verilabel.interchange.exporting.options import ExportOptions
from verilabel.interchange.exporting.source import Source, require_signature
from verilabel.interchange.exporting.writing import Export, ExportFile, plain_file
from verilabel.records.canonical import jcs, sha256_hex
from verilabel.records.label import PAIR_WORDS

SVR = "https://in-toto.io/attestation/svr/v0.1"
EVAL_RESULT = "https://in-toto.io/attestation/eval-result/v0.1"
VERIFIER = f"https://verilabel.example/verifier/{__version__}"
COMMITMENT = "sha256-salted-v1"
MIN_SALT_BYTES = 16
PRIVATE_FACTS = ("sentence", "system_sha256", "use_case", "locale", "identity")
"""Facts that help to guess a private system."""
Document = dict[str, Any]


# -- simple verification result --------------------------------------------------------------------


def export_verification(source: Source, options: ExportOptions) -> Export:
    """One statement: this verifier, at this moment, found this label at this level.

    `timeCreated` is the moment of the verification, the one time in any export that is not the bundle's. Raises
    UsageError for a bundle that nobody signed, and for one at V0, of which nothing was verified.
    """
    statement, _ = require_signature(source, "a verification result")
    if source.found.level == "V0":
        raise UsageError(f"nothing was verified of this bundle: {source.found.reason}")
    if "revoked" in source.found.flags:
        raise UsageError("the label was withdrawn by whoever signed it: there is nothing to vouch for")
    predicate: Document = {
        "verifier": {
            "id": options.verifier or VERIFIER,
            "policy": {
                "uri": f"https://verilabel.example/rubrics/{source.rubric.name}",
                "digest": {"sha256": bare(source.rubric.sha256)},
            },
        },
        "timeCreated": write_time(source.verified_at),
        "properties": list(verified_properties(source)),
        "verilabel_label": stand(source),
    }
    document = _statement(SVR, [_system_subject(statement)], predicate)
    return Export((_statement_file("verification.svr.json", document, options),))


def verified_properties(source: Source) -> tuple[str, ...]:
    """What was verified, as the property strings of an SVR: the levels reached, the pair in one string, the signer.

    `VERILABEL_TRUSTED_SIGNER` is there only where a trust policy that does not accept every key vouched for the key.
    """
    label, found = source.label, source.found
    low, high = PAIR_WORDS[label.kind]
    reached = [
        level for level in Level if "V1" <= level <= found.level and (level != "V2s" or found.level == "V2s")
    ]
    pair = f"{low}={label.lower} {high}={label.upper}"
    vouched = not {"signer_unpinned", "trust_accepts_any_key"} & set(found.flags)
    return (
        *(f"VERILABEL_LEVEL_{level}" for level in reached),
        f"VERILABEL_LABEL {label.rubric.id}@{label.rubric.version} {pair}",
        f"VERILABEL_IDENTITY {source.system.identity}",
        f"VERILABEL_KEYID {found.keyid}",
        *((f"VERILABEL_TRUSTED_SIGNER {found.signer}",) if vouched else ()),
        *(f"VERILABEL_STEP_{step.name.upper()}" for step in found.steps if step.outcome == "passed"),
    )


# -- eval-result -----------------------------------------------------------------------------------


def export_eval_results(source: Source, options: ExportOptions) -> Export:
    """One statement for each measure, as JSON Lines: its rows are the claims, `passed` only where a row is met.

    Rows whose threshold is no decimal (relative to a reference), and attested rows, cannot be claims: notes name
    them. Raises UsageError for a bundle that nobody signed, MalformedInput for a salt that is too short.
    """
    statement, _ = require_signature(source, "an evaluation result")
    if options.salt is not None and len(options.salt) < MIN_SALT_BYTES:
        raise MalformedInput(f"a salt has at least {MIN_SALT_BYTES} bytes", where="--salt")
    documents, notes = [], []
    placed = list(rows_of(source.label))
    for measure in measured(source):
        rows = [row for row in placed if row.row.measure == measure.id]
        claims = [_claim(row) for row in rows if _is_decimal(row.row.threshold)]
        if claims:
            documents.append(_eval_result(source, statement, measure, claims, options))
        else:
            notes.append(f"{measure.id} has no row that eval-result can say")
    for row in placed:
        if row.row.measure is None or not _is_decimal(row.row.threshold):
            notes.append(f"{row.id} {row.title} is no claim of eval-result")
    lines = b"".join(_line(document, options) for document in documents)
    return Export((plain_file("eval-results.intoto.jsonl", lines),), tuple(notes))


def _is_decimal(text: str | None) -> bool:
    return text is not None and text.replace(".", "", 1).isdecimal() and text.isascii()


def _claim(placed: PlacedRow) -> Document:
    row = placed.row
    claim: Document = {
        "metric": row.measure,
        "comparator": row.op,
        "threshold": row.threshold,
        "passed": row.status == "met",
        "verilabel_row": placed.id,
        "verilabel_status": row.status,
    }
    bounds = {"lower": row.lower, "upper": row.upper, "tested_at": row.tested_met}
    return claim | {f"verilabel_{key}": value for key, value in bounds.items() if value is not None}


def _eval_result(
    source: Source, statement: Statement, measure: Measured, claims: list[Document], options: ExportOptions
) -> Document:
    made = statement.predicate
    stream = source.stream(measure.plan.suite)
    facts = stand(source)
    weights = source.system.weights
    public = options.salt is None and weights is not None
    if options.salt is not None:
        facts = {key: value for key, value in facts.items() if key not in PRIVATE_FACTS}
    predicate: Document = {
        "evaluator": {"id": key_uri(made.issuer.keyid)},
        "evaluatedAt": made.issued,
        "suite": {"name": measure.suite.id, "version": measure.suite.version},
        "claims": claims,
        "sampleSize": measure.tally.n,
        **_identities(source, stream.suite_sha256, options),
        "assuranceLevel": _assurance(source, options),
        "subjectProfile": "public-model" if public else "receipt",
        "evidence": _evidence(source, options),
        "harness": {"name": made.tool.name, "version": made.tool.version},
        "verilabel_label": facts,
    }
    if made.plan.log_index is not None:
        predicate["preRegistration"] = {"alg": "sha256", "value": bare(made.plan.sha256)}
    if public and weights is not None:
        subject = {"name": source.system.provider_model, "digest": {"sha256": bare(weights)}}
    else:
        subject = {"name": "label statement", "digest": {"sha256": bare(facts["statement_sha256"])}}
    return _statement(EVAL_RESULT, [subject], predicate)


def _identities(source: Source, suite_sha256: str, options: ExportOptions) -> Document:
    """Model and dataset: by their content where they are public, by salted commitments where a salt is given."""
    if options.salt is not None:
        return {
            "commitments": {
                "model": commit(options.salt, source.system.digest),
                "dataset": commit(options.salt, suite_sha256),
            }
        }
    weights = source.system.weights
    what = "digest of the weights" if weights else "digest of the system's descriptor; no weights are known"
    return {
        "model": {
            "name": source.system.provider_model,
            "digest": {"sha256": bare(weights or source.system.digest)},
            "annotations": {"digest_of": what},
        },
        "dataset": {
            "name": "suite.yaml",
            "digest": {"sha256": bare(suite_sha256)},
            "annotations": {"digest_of": "suite file, which pins the data"},
        },
    }


def commit(salt: bytes, identifier: str) -> Document:
    """A salted commitment to an identifier: SHA-256 of the salt and the identifier's UTF-8 bytes."""
    return {"alg": COMMITMENT, "value": sha256_hex(salt + identifier.encode()), "salted": True}


def _assurance(source: Source, options: ExportOptions) -> str:
    if source.found.level >= "V3":
        return "reproduced"
    return "third_party" if options.relationship == "third_party" else "self_attested"


def _evidence(source: Source, options: ExportOptions) -> list[Document]:
    """References to the bundle's own files, each by the digest of its bytes."""
    kinds = {
        ATTESTATION: (source.envelope_sha256, "application/vnd.dsse.envelope.v1+json"),
        MANIFEST: (source.found.manifest_sha256, "application/json"),
        EVIDENCE: (source.files[EVIDENCE], "application/jsonl"),
    }
    references = []
    for path, (sha256, kind) in kinds.items():
        reference: Document = {"name": path, "digest": {"sha256": bare(sha256 or "")}, "mediaType": kind}
        if options.bundle_url and options.salt is None:
            reference["annotations"] = {"inside": options.bundle_url}
        references.append(reference)
    return references


# -- statements ------------------------------------------------------------------------------------


def key_uri(keyid: str) -> str:
    """A key's id as a URI: named information of RFC 6920, over the key's SubjectPublicKeyInfo."""
    value = base64.urlsafe_b64encode(bytes.fromhex(bare(keyid))).decode("ascii").rstrip("=")
    return f"ni:///sha-256;{value}"


def _system_subject(statement: Statement) -> Document:
    subject = statement.subject[0]
    return {"name": subject.name, "digest": {"sha256": subject.digest.sha256}}


def _statement(kind: str, subjects: list[Document], predicate: Document) -> Document:
    return {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": kind, "predicate": predicate}


def _line(document: Document, options: ExportOptions) -> bytes:
    payload = jcs(document)
    return payload + b"\n" if options.key is None else sign(payload, options.key)


def _statement_file(name: str, document: Document, options: ExportOptions) -> ExportFile:
    return plain_file(name, _line(document, options))
