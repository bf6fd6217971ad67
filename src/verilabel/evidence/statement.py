"""The signed statement of a label: an in-toto Statement v1 about a system descriptor, as JCS bytes.

The predicate carries the whole label and the digests of everything that it was derived from, so that the
signature over it covers rubric, plan, evidence and manifest. Digests in the predicate are written
`sha256:HEX`; the subject's digest set has bare hexadecimal, as in-toto asks.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.keys import PublicKey
from verilabel.evidence.merkle import ALGORITHM
from verilabel.records.canonical import DIGEST_PREFIX, digest, is_digest, jcs, parse_json
from verilabel.records.label import Label
from verilabel.records.plan import Design, RubricReference
from verilabel.records.system import Identity, SystemDescriptor

STATEMENT_TYPE: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
LABEL_PREDICATE: Literal["https://verilabel.example/attestation/label/v1"] = (
    "https://verilabel.example/attestation/label/v1"
)
MAX_STATEMENT_BYTES = 4 * 2**20
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


class DigestSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """in-toto's digest set, with SHA-256 alone; 64 hexadecimal digits."""

    sha256: str


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the statement is about: a system by the digest of its descriptor."""

    name: str
    digest: DigestSet


class PlanReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The plan, and where it was logged before the run."""

    sha256: str
    log_index: int | None
    """None for a plan that was not logged."""


class EvidenceRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Merkle root over the evidence lines, and how many there are."""

    root: str
    leaves: int
    algorithm: Literal["rfc6962-sha256"] = ALGORITHM


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who signs: a name for people and the key that the envelope must verify with."""

    name: str
    keyid: str


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What made the statement."""

    name: str
    version: str


class LabelPredicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The label and everything it binds to. Times are RFC 3339 UTC with whole seconds."""

    label: dict[str, Any]
    label_sha256: str
    rubric: RubricReference
    plan: PlanReference
    evidence: EvidenceRoot
    manifest_sha256: str
    design: Design
    identity: Identity
    issued: str
    valid_until: str
    issuer: Issuer
    tool: Tool


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto Statement v1 with one subject and one label."""

    subject: tuple[Subject]
    predicate: LabelPredicate
    type_: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type", default=STATEMENT_TYPE)
    predicate_type: Literal["https://verilabel.example/attestation/label/v1"] = msgspec.field(
        name="predicateType", default=LABEL_PREDICATE
    )

    def bytes(self) -> bytes:
        """The canonical bytes: what is signed."""
        return jcs(msgspec.to_builtins(self))

    @property
    def digest(self) -> str:
        """The digest that is logged for a label: of the statement's canonical bytes."""
        return digest(self.bytes())

    @property
    def system_digest(self) -> str:
        """The digest of the system descriptor that the label is for, as this project writes digests."""
        return DIGEST_PREFIX + self.subject[0].digest.sha256


def build_statement(
    *,
    system: SystemDescriptor,
    label: Label,
    plan: PlanReference,
    evidence: EvidenceRoot,
    manifest_sha256: str,
    issued: datetime,
    valid_until: datetime,
    issuer: PublicKey,
    tool: Tool,
) -> Statement:
    """The statement of a label. Times need a time zone and are cut to whole seconds.

    Raises MalformedInput where a value does not have its form, SealError where the parts contradict each
    other.
    """
    predicate = LabelPredicate(
        label=label.document(),
        label_sha256=digest(label.bytes()),
        rubric=label.rubric,
        plan=plan,
        evidence=evidence,
        manifest_sha256=manifest_sha256,
        design=label.design,
        identity=system.identity,
        issued=write_time(issued),
        valid_until=write_time(valid_until),
        issuer=Issuer(issuer.name, issuer.keyid),
        tool=tool,
    )
    subject = Subject(system.name, DigestSet(system.digest.removeprefix(DIGEST_PREFIX)))
    statement = Statement(subject=(subject,), predicate=predicate)
    return parse_statement(statement.bytes(), where="statement")


def parse_statement(data: bytes, *, where: str = "statement") -> Statement:
    """Read a statement from the payload of a verified envelope.

    In order: 1 strict JSON of bounded size, 2 exactly these fields and types, 3 canonical bytes, 4 every
    digest, time and count in its form, 5 the label's own digest, rubric and design agree with those beside it.
    Raises MalformedInput for steps 1 to 4, SealError for step 5.
    """
    document = parse_json(data, where=where, max_bytes=MAX_STATEMENT_BYTES)  # step 1
    try:
        statement = msgspec.convert(document, Statement, strict=True)  # step 2
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a label statement: {error}", where=where) from None
    if statement.bytes() != data:  # step 3
        raise MalformedInput("the statement is not in its canonical form", where=where)
    _check_forms(statement, where)  # step 4
    _check_agreement(statement.predicate, where)  # step 5
    return statement


def _check_forms(statement: Statement, where: str) -> None:
    predicate = statement.predicate
    digests = {
        "subject[0].digest.sha256": statement.system_digest,
        "predicate.label_sha256": predicate.label_sha256,
        "predicate.rubric.sha256": predicate.rubric.sha256,
        "predicate.plan.sha256": predicate.plan.sha256,
        "predicate.evidence.root": predicate.evidence.root,
        "predicate.manifest_sha256": predicate.manifest_sha256,
        "predicate.issuer.keyid": predicate.issuer.keyid,
    }
    for path, value in digests.items():
        if not is_digest(value):
            raise MalformedInput("not a SHA-256 digest", where=f"{where}: $.{path}")
    if (predicate.plan.log_index or 0) < 0 or predicate.evidence.leaves < 0:
        raise MalformedInput("a negative count", where=f"{where}: $.predicate")
    issued = parse_time(predicate.issued, where=f"{where}: $.predicate.issued")
    until = parse_time(predicate.valid_until, where=f"{where}: $.predicate.valid_until")
    if until <= issued:
        raise MalformedInput(
            "the label is never valid: it ends before it is issued", where=f"{where}: $.predicate"
        )


def _check_agreement(predicate: LabelPredicate, where: str) -> None:
    label = predicate.label
    if digest(jcs(label)) != predicate.label_sha256:
        raise SealError("the label is not the one of its digest", where=f"{where}: $.predicate.label_sha256")
    if label.get("rubric") != msgspec.to_builtins(predicate.rubric):
        raise SealError("the label is of another rubric", where=f"{where}: $.predicate.rubric")
    if label.get("design") != predicate.design:
        raise SealError("the label is of another design", where=f"{where}: $.predicate.design")


def write_time(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, cut to whole seconds. Raises MalformedInput where it has no time zone."""
    if moment.tzinfo is None:
        raise MalformedInput("a time without a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str, *, where: str) -> datetime:
    """A moment written by `write_time`, with time zone UTC. Raises MalformedInput."""
    if _TIME.fullmatch(text):
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            pass
    raise MalformedInput("not a time in UTC such as 2026-11-22T13:00:00Z", where=where)
