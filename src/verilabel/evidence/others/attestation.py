"""What parties sign besides labels: replications, disputes, withdrawals, findings about a system, and audits of data.

Each is an in-toto Statement v1 as JCS bytes, with a predicate of this module or of `audit`. Replications, disputes and
withdrawals are about another statement, by the digest of its bytes; a finding is about a system, by the digest of its
descriptor; an audit is about a data set, by its root, or about a system that was trained on it.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from verilabel import __version__
from verilabel.errors import MalformedInput, UsageError
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.others.audit import DATASET, DataAudit, check_audit
from verilabel.evidence.others.forms import LEVEL, check_digest, check_text, check_words
from verilabel.evidence.statement import (
    STATEMENT_TYPE,
    Issuer,
    Subject,
    Tool,
    parse_time,
    write_time,
)
from verilabel.records.canonical import DIGEST_PREFIX, digest, is_digest, jcs, parse_json
from verilabel.records.system import SystemDescriptor

BASE = "https://verilabel.example/attestation/"
MAX_ATTESTATION_BYTES = 2**20
MAX_NAME = 100
MAX_ALPHA = Decimal("0.1")
_NAME = re.compile(r"[A-Za-z0-9]+([._+-][A-Za-z0-9]+)*", re.ASCII)
_SIX_PLACES = re.compile(r"-?[01]\.[0-9]{6}", re.ASCII)
Kind = Literal["replication", "dispute", "withdrawal", "finding", "audit"]
Verdict = Literal["replicated", "not_replicated", "underpowered"]
GROUNDS = ("evidence", "scoring", "method", "scope", "conduct", "other")


class BundleReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bundle, exactly: every field is derived from it by whoever verifies it."""

    statement_sha256: str
    """Digest of the label statement's bytes: what is logged for the label."""
    manifest_sha256: str
    evidence_root: str
    system_sha256: str
    keyid: str
    """Of the key that signed the label."""
    label: str
    """The label's sentence, both halves."""


class MeasureComparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One measure of two bundles held side by side (statistics.md section 3). Decimals are strings of 6 places."""

    measure: str
    verdict: Verdict
    items: int
    """Items that both parties asked, or families where the measure counts those: the pairs of the tests."""
    n_original: int
    events_original: int
    n_replica: int
    events_replica: int
    agreeing: int
    """Items on which both found the same share of events."""
    identical: int
    """Items on which all outputs are the same, byte for byte."""
    missing: int = 0
    """Items in which an answer of either party is missing; it counts against both verdicts."""
    difference: str = ""
    """Mean of (original - replica) over the items, with the floor of two pseudo-items; missing answers count half."""
    lower: str = ""
    upper: str = ""
    """The interval at 1 - 2 alpha that is held against the margin; rounded outward."""
    p_value: str = ""
    """Of the exact conditional test of no difference; rounded up."""
    needed: int = 0
    """Items that would decide an underpowered comparison; 0 where it is decided or cannot be said."""


class Comparison(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a replication found: a pure function of two verified bundles, alpha and margin."""

    verdict: Verdict
    alpha: str
    margin: str
    scope: tuple[str, ...]
    """The keys that the rubric binds labels to."""
    differing: tuple[str, ...]
    """Those of them in which the two systems differ; none in a replication that counts."""
    label: Literal["confirmed", "contradicted", "undetermined"]
    """What the replica's own label says of the original's granted level (hazard: of the level ruled out)."""
    measures: tuple[MeasureComparison, ...]


class Replication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An independent party asked again, and what the comparison with its own bundle found."""

    original: BundleReference
    replica: BundleReference
    independence: str
    """The signer's declaration of independence from the original's issuer, in words."""
    comparison: Comparison
    issuer: Issuer
    issued: str
    tool: Tool


class EvidenceReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that a dispute points to."""

    name: str
    sha256: str


class Dispute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An objection to a statement, with its grounds."""

    grounds: tuple[Literal["evidence", "scoring", "method", "scope", "conduct", "other"], ...]
    text: str
    rows: tuple[str, ...]
    """Measures or rows that it is about; empty for the whole."""
    evidence: tuple[EvidenceReference, ...]
    issuer: Issuer
    issued: str
    tool: Tool


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whoever signed a statement takes it back. `superseded_by` is the digest of the statement that takes its place."""

    reason: str
    superseded_by: str | None
    issuer: Issuer
    issued: str
    tool: Tool


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role's finding about a system, under the name by which a rubric's `attested` row or V4 asks for it."""

    name: str
    role: str
    text: str
    evidence: tuple[EvidenceReference, ...]
    valid_until: str
    issuer: Issuer
    issued: str
    tool: Tool


Predicate = Replication | Dispute | Withdrawal | Finding | DataAudit
_KINDS: dict[Kind, type[Predicate]] = {
    "replication": Replication,
    "dispute": Dispute,
    "withdrawal": Withdrawal,
    "finding": Finding,
    "audit": DataAudit,
}
_TYPES: dict[Kind, str] = {kind: f"{BASE}{kind}/v1" for kind in _KINDS} | {
    "audit": f"{BASE}training-data-audit/v1"
}


class Attestation(msgspec.Struct, frozen=True):
    """A parsed attestation and the bytes it was parsed from."""

    kind: Kind
    subject: Subject
    predicate: Predicate
    payload: bytes

    @property
    def about(self) -> str:
        """Digest of the statement, the system (a finding, a declaration) or the data set that it is about."""
        return DIGEST_PREFIX + self.subject.digest.sha256

    @property
    def digest(self) -> str:
        """What is logged for it, and what a withdrawal of it is about."""
        return digest(self.payload)

    @property
    def issued(self) -> datetime:
        """When it says that it was signed."""
        return parse_time(self.predicate.issued, where="predicate.issued")


def build_attestation(name: str, about: str, predicate: Predicate) -> Attestation:
    """The attestation about the digest `about`, whose subject is called `name`. Raises MalformedInput."""
    kind = next(kind for kind, form in _KINDS.items() if isinstance(predicate, form))
    if not is_digest(about):
        raise MalformedInput("not a SHA-256 digest", where="subject")
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": about.removeprefix(DIGEST_PREFIX)}}],
        "predicateType": _TYPES[kind],
        "predicate": msgspec.to_builtins(predicate),
    }
    return parse_attestation(jcs(document), where=kind)


def build_audit_attestation(audit: DataAudit, system: SystemDescriptor | None = None) -> Attestation:
    """The attestation of an audit, about its data set or, for a declaration, about a system.

    Raises UsageError where a declaration has no system or an audit has one, MalformedInput where it does not add up.
    """
    return build_attestation(*subject_of_audit(audit, system), audit)


def subject_of_audit(audit: DataAudit, system: SystemDescriptor | None = None) -> tuple[str, str]:
    """Name and digest of what an audit is about. Raises UsageError as `build_audit_attestation`."""
    if system is not None and audit.is_declaration:
        return system.name, system.digest
    if system is None and not audit.is_declaration:
        return DATASET, audit.audit.dataset_root
    if system is None:
        raise UsageError("of which system was this the training data?", hint="a declaration needs a system")
    raise UsageError(
        "an audit of a data set names no system", hint="declare it as training data of the system"
    )


def parse_attestation(payload: bytes, *, where: str = "attestation") -> Attestation:
    """Read an attestation from the payload of a verified envelope: strict, bounded, canonical.

    Raises MalformedInput naming the field that is wrong, also for a predicate type that this version does not know.
    """
    document = parse_json(payload, where=where, max_bytes=MAX_ATTESTATION_BYTES)
    if not isinstance(document, dict) or document.keys() != {
        "_type",
        "subject",
        "predicateType",
        "predicate",
    }:
        raise MalformedInput("not an in-toto statement", where=where)
    if document["_type"] != STATEMENT_TYPE:
        raise MalformedInput("not an in-toto Statement v1", where=f"{where}: $._type")
    kind = _kind_of(document["predicateType"], where)
    subjects = _convert(document["subject"], tuple[Subject], f"{where}: $.subject")
    predicate = _convert(document["predicate"], _KINDS[kind], f"{where}: $.predicate")
    attestation = Attestation(kind, subjects[0], predicate, payload)
    _check_forms(attestation, f"{where}: $")
    if jcs({**document, "predicate": msgspec.to_builtins(predicate)}) != payload:
        raise MalformedInput("not in canonical form", where=where)
    return attestation


def _kind_of(predicate_type: object, where: str) -> Kind:
    for kind, name in _TYPES.items():
        if predicate_type == name:
            return kind
    raise MalformedInput(
        f"a statement of a kind that is not known here: {str(predicate_type)[:100]!r}",
        where=f"{where}: $.predicateType",
        hint=f"known are {', '.join(_KINDS)}",
    )


T = TypeVar("T")


def _convert(value: object, form: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, form, strict=True)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=where) from None


def _check_forms(attestation: Attestation, where: str) -> None:
    predicate, place = attestation.predicate, f"{where}.predicate"
    check_digest(attestation.about, f"{where}.subject[0].digest")
    check_digest(predicate.issuer.keyid, f"{place}.issuer.keyid")
    parse_time(predicate.issued, where=f"{place}.issued")
    match predicate:
        case Replication():
            _check_replication(predicate, attestation.about, place)
        case Dispute():
            _check_dispute(predicate, place)
        case Withdrawal():
            check_text(predicate.reason, f"{place}.reason")
            if predicate.superseded_by is not None:
                check_digest(predicate.superseded_by, f"{place}.superseded_by")
        case Finding():
            _check_finding(predicate, attestation.issued, place)
        case DataAudit():
            check_audit(predicate, attestation.subject.name, attestation.about, attestation.issued, place)


def _check_replication(predicate: Replication, about: str, where: str) -> None:
    check_text(predicate.independence, f"{where}.independence")
    for name in ("original", "replica"):
        reference = getattr(predicate, name)
        for part in ("statement_sha256", "manifest_sha256", "evidence_root", "system_sha256", "keyid"):
            check_digest(getattr(reference, part), f"{where}.{name}.{part}")
        check_text(getattr(predicate, name).label, f"{where}.{name}.label")
    if about != predicate.original.statement_sha256:
        raise MalformedInput("the subject is not the original's statement", where=f"{where}.original")
    _check_comparison(predicate.comparison, f"{where}.comparison")


def _check_comparison(comparison: Comparison, where: str) -> None:
    for name in ("alpha", "margin"):
        if not LEVEL.fullmatch(getattr(comparison, name)):
            raise MalformedInput("not a decimal between 0 and 1 of at most 6 places", where=f"{where}.{name}")
    if Decimal(comparison.alpha) > MAX_ALPHA:
        raise MalformedInput(f"an error level above {MAX_ALPHA}", where=f"{where}.alpha")
    check_words(comparison.scope, f"{where}.scope")
    check_words(comparison.differing, f"{where}.differing")
    if not set(comparison.differing) <= set(comparison.scope):
        raise MalformedInput("a key that is not of the scope", where=f"{where}.differing")
    check_words([measure.measure for measure in comparison.measures], f"{where}.measures")
    for index, measure in enumerate(comparison.measures):
        _check_measure(measure, f"{where}.measures[{index}]")


def _check_measure(measure: MeasureComparison, where: str) -> None:
    for name in measure.__struct_fields__:
        value = getattr(measure, name)
        if isinstance(value, int) and value < 0:
            raise MalformedInput("a negative count", where=f"{where}.{name}")
        if name in ("difference", "lower", "upper", "p_value") and value and not _SIX_PLACES.fullmatch(value):
            raise MalformedInput("not a decimal of 6 places", where=f"{where}.{name}")
    if max(measure.agreeing, measure.identical, measure.missing) > measure.items:
        raise MalformedInput("more items of a kind than items", where=where)


def _check_dispute(predicate: Dispute, where: str) -> None:
    check_text(predicate.text, f"{where}.text")
    if not predicate.grounds or len(set(predicate.grounds)) != len(predicate.grounds):
        raise MalformedInput(
            "no grounds, or one of them twice", where=f"{where}.grounds", hint=", ".join(GROUNDS)
        )
    check_words(predicate.rows, f"{where}.rows")
    _check_evidence(predicate.evidence, where)


def _check_finding(predicate: Finding, issued: datetime, where: str) -> None:
    check_text(predicate.text, f"{where}.text")
    if len(predicate.name) > MAX_NAME or not _NAME.fullmatch(predicate.name):  # it becomes part of a path
        raise MalformedInput(
            "not a name: letters and digits, joined by single dots, dashes, underscores or plus signs",
            where=f"{where}.name",
        )
    check_words([predicate.role], f"{where}.role")
    if parse_time(predicate.valid_until, where=f"{where}.valid_until") <= issued:
        raise MalformedInput("it ends before it is issued", where=f"{where}.valid_until")
    _check_evidence(predicate.evidence, where)


def _check_evidence(evidence: tuple[EvidenceReference, ...], where: str) -> None:
    check_words([reference.name for reference in evidence], f"{where}.evidence")
    for index, reference in enumerate(evidence):
        check_digest(reference.sha256, f"{where}.evidence[{index}].sha256")


def signed_by(key: PublicKey, now: datetime) -> tuple[Issuer, str, Tool]:
    """The last three fields of every predicate: who signs, when, and with what."""
    return Issuer(key.name, key.keyid), write_time(now), Tool("verilabel", __version__)


def require_own(attestation_issuer: str, keyid: str) -> None:
    """Refuse to take back what another key signed. Raises UsageError."""
    if attestation_issuer != keyid:
        raise UsageError(
            "this statement was signed with another key",
            hint="only who signed a statement can withdraw it; others `verilabel dispute` it",
        )
