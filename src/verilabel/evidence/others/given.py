"""What was signed about a system before its label: findings that the label leans on, and audits of training data.

They lie in the bundle under `attestations/given/`, listed in the manifest, so that nobody can leave one out: findings
as `NAME.json`, audits as `audit-` and the first digits of their digest. A finding counts where it is about this system,
has the name and the role that the rubric asks for, and is not older than the rubric allows; it meets the label's rows.
No row leans on an audit: it declares what the system was trained on, and is judged with what others signed. Whose key
made them is for the reader's trust policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.evidence.container import Container
from verilabel.evidence.layout import GIVEN
from verilabel.evidence.others.attestation import Finding
from verilabel.evidence.others.audit import DataAudit
from verilabel.evidence.others.signed import Signed, parse_signed
from verilabel.evidence.reading import read_document
from verilabel.evidence.statement import parse_time
from verilabel.rubric.structure import Rubric

MAX_GIVEN = 64


class Given(NamedTuple):
    """What a bundle encloses that was signed before its label."""

    findings: dict[str, Signed]
    """By the name that the rubric asks for."""
    audits: tuple[Signed, ...]


def read_given(container: Container) -> Given:
    """What lies in a bundle's `attestations/given/`. Raises MalformedInput or SealError for what is not genuine."""
    paths = [path for path in container.sizes if path.startswith(GIVEN)]
    if len(paths) > MAX_GIVEN:
        raise LimitExceeded(f"more than {MAX_GIVEN} findings", where=GIVEN)
    return sort_given([parse_given(path, read_document(container, path)) for path in paths])


def sort_given(given: Sequence[Signed]) -> Given:
    """Findings by their names, and audits. Raises MalformedInput for another kind of statement."""
    findings = [signed for signed in given if not is_audit(signed)]
    named = {finding_of(signed, signed.file_name).name: signed for signed in findings}
    return Given(named, tuple(signed for signed in given if is_audit(signed)))


def is_audit(signed: Signed) -> bool:
    """True for an audit of training data."""
    return isinstance(signed.attestation.predicate, DataAudit)


def parse_given(path: str, data: bytes) -> Signed:
    """The signed finding or audit that lies at a path of a bundle. Raises MalformedInput or SealError."""
    signed = parse_signed(data, where=path)
    if path != path_of(signed):
        raise MalformedInput("a finding lies under its own name", where=path, hint=path_of(signed))
    return signed


def path_of(signed: Signed) -> str:
    """Where a signed finding or audit lies in a bundle. Raises MalformedInput for another kind of statement."""
    if is_audit(signed):
        return f"{GIVEN}audit-{signed.file_name}"
    return f"{GIVEN}{finding_of(signed, signed.file_name).name}.json"


def finding_of(signed: Signed, where: str) -> Finding:
    """The finding that was signed. Raises MalformedInput for another kind of statement."""
    if not isinstance(signed.attestation.predicate, Finding):
        raise MalformedInput(f"a {signed.attestation.kind} where a finding belongs", where=where)
    return signed.attestation.predicate


def objection_to_finding(signed: Signed, rubric: Rubric, system_sha256: str, moment: datetime) -> str | None:
    """Why a finding does not count for a rubric and a system at a moment, or None where it does."""
    finding = finding_of(signed, signed.file_name)
    asked = rubric.attestations.get(finding.name)
    if asked is None:
        return f"the rubric {rubric.name} does not ask for {finding.name!r}"
    if finding.role != asked.role:
        return f"it is signed as {finding.role!r}, the rubric asks for {asked.role!r}"
    if signed.attestation.about != system_sha256:
        return "it is about another system"
    issued = signed.attestation.issued
    if moment < issued:
        return f"it is signed only on {issued:%d %B %Y}"
    until = parse_time(finding.valid_until, where=signed.file_name)
    if asked.max_age is not None:
        until = min(until, issued + timedelta(days=int(asked.max_age[1:-1])))
    return f"it expired on {until:%d %B %Y}" if moment >= until else None


def objection_to_audit(signed: Signed, system_sha256: str, moment: datetime) -> str | None:
    """Why an audit says nothing of a system at a moment, or None where it does. Raises MalformedInput for none."""
    audit = signed.attestation.predicate
    if not isinstance(audit, DataAudit):
        raise MalformedInput(f"a {signed.attestation.kind} where an audit belongs", where=signed.file_name)
    if not audit.is_declaration:
        return "it is about a data set, and does not say that the system was trained on it"
    if signed.attestation.about != system_sha256:
        return "it is about another system"
    return objection_to_term(signed, audit.valid_until, moment)


def objection_to_term(signed: Signed, valid_until: str, moment: datetime) -> str | None:
    """Why a statement that ends is not in force at a moment, or None where it is."""
    issued = signed.attestation.issued
    if moment < issued:
        return f"it is signed only on {issued:%d %B %Y}"
    until = parse_time(valid_until, where=signed.file_name)
    return f"it expired on {until:%d %B %Y}" if moment >= until else None
