"""From an audit's manifest to the statement that is signed: of the data, or for a system that was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from verilabel.audit.bounds.statements import Statement
from verilabel.audit.canaries.recall import Recall
from verilabel.audit.contamination.summary import BenchmarkSummary
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.errors import CheckFailed, MalformedInput
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.others.attestation import build_audit_attestation, signed_by
from verilabel.evidence.others.audit import (
    AuditCheck,
    AuditReference,
    BenchmarkMatches,
    BoundedStatement,
    CanaryRecall,
    DataAudit,
    Relation,
    write_per_million,
)
from verilabel.evidence.others.signed import Signed, sign_attestation
from verilabel.evidence.statement import write_time

VALID_DAYS = 365
"""How long an audit's own signature is about; the data do not change, what is known of checks does."""


def audit_predicate(
    manifest: AuditManifest,
    *,
    relation: Relation,
    text: str,
    valid_until: datetime,
    key: PrivateKey,
    now: datetime,
) -> DataAudit:
    """What is signed of an audit. `text` are the signer's own words; what it leaves out is added to them."""
    coverage = manifest.coverage
    return DataAudit(
        AuditReference(
            manifest_sha256=manifest.digest,
            dataset_root=manifest.root.sha256,
            shards=coverage.shards,
            documents=coverage.rows,
            documents_read=coverage.read,
            documents_unread=coverage.unread,
            bytes_text=coverage.text_bytes,
            confidence=manifest.settings.confidence,
            started=manifest.started,
            ended=manifest.ended,
            unknown=coverage.unknown,
        ),
        tuple(AuditCheck(card.name, card.version, card.data_sha256) for card in manifest.checks),
        tuple(map(_statement_of, manifest.statements)),
        tuple(map(_matches_of, manifest.contamination)),
        _recalls_of(manifest.canaries),
        relation,
        " ".join([text, *_left_out(manifest)]),
        write_time(valid_until),
        *signed_by(key.public, now),
    )


def sign_audit(manifest: AuditManifest, key: PrivateKey, now: datetime) -> Signed:
    """The signature of an audit itself: about its data set, by the root."""
    predicate = audit_predicate(
        manifest,
        relation="audited",
        text=manifest.says,
        valid_until=now + timedelta(days=VALID_DAYS),
        key=key,
        now=now,
    )
    return sign_attestation(build_audit_attestation(predicate), key)


def check_signed(signed: Signed, manifest: AuditManifest) -> None:
    """Check that a signed statement says of an audit what its manifest says.

    Raises MalformedInput for a statement of another kind, CheckFailed where it says anything else.
    """
    said = signed.attestation.predicate
    if not isinstance(said, DataAudit):
        raise MalformedInput("a statement of another kind than an audit")
    if said.audit.manifest_sha256 != manifest.digest or said.audit.dataset_root != manifest.root.sha256:
        raise CheckFailed("the statement is about another audit")
    coverage = manifest.coverage
    counts = (coverage.shards, coverage.rows, coverage.read, coverage.unread, coverage.unknown)
    reference = said.audit
    if counts != (
        reference.shards,
        reference.documents,
        reference.documents_read,
        reference.documents_unread,
        reference.unknown,
    ):
        raise CheckFailed("the statement has other counts than the manifest")
    ours = (
        tuple(AuditCheck(card.name, card.version, card.data_sha256) for card in manifest.checks),
        tuple(map(_statement_of, manifest.statements)),
        tuple(map(_matches_of, manifest.contamination)),
        _recalls_of(manifest.canaries),
        manifest.settings.confidence,
        coverage.text_bytes,
    )
    theirs = (
        said.checks,
        said.statements,
        said.contamination,
        said.canaries,
        said.audit.confidence,
        said.audit.bytes_text,
    )
    if ours != theirs:
        raise CheckFailed("the statement says what the manifest does not")


def _statement_of(statement: Statement) -> BoundedStatement:
    upper = Decimal(statement.upper_per_million)
    is_census = statement.method == "census"
    return BoundedStatement(
        kind=statement.kind,
        found_documents=statement.found,
        bound_per_million=write_per_million(upper),
        method=_METHODS[statement.method],
        basis="census" if is_census else "sampled",
        sample=0 if is_census else statement.drawn,
    )


_METHODS = {
    "census": "exact, corrected by the recall of canaries",
    "sample": "exact for samples without replacement; of what the detector flags",
    "sample_with_errors": "exact, corrected by the detector's measured errors",
}


def _matches_of(summary: BenchmarkSummary) -> BenchmarkMatches:
    return BenchmarkMatches(
        summary.name,
        summary.sha256,
        summary.items,
        summary.matched,
        summary.documents,
        unchecked=summary.unchecked,
    )


def _recalls_of(canaries: Sequence[Recall]) -> tuple[CanaryRecall, ...]:
    sums: dict[str, tuple[int, int]] = {}
    for one in canaries:
        planted, found = sums.get(one.kind, (0, 0))
        sums[one.kind] = planted + one.planted, found + one.found
    return tuple(CanaryRecall(kind, *counts) for kind, counts in sorted(sums.items()))


def _left_out(manifest: AuditManifest) -> list[str]:
    words = []
    if manifest.coverage.unknown:
        words.append(
            f"At {manifest.coverage.unknown} places nobody can know how many documents were not read: the number of"
            " documents is a lower bound."
        )
    words += [
        f"Of {summary.name}, {summary.unchecked} of {summary.items} items are too short, or too much like others, to be"
        " found."
        for summary in manifest.contamination
        if summary.unchecked
    ]
    return words
