"""Findings that a label leans on: what a rubric calls attested, signed by somebody before the label was.

They lie in the bundle under `attestations/given/NAME.json`, listed in the manifest. A finding counts where it is about
this system, has the name and the role that the rubric asks for, and is not older than the rubric allows. Whose key
made it is for the reader's trust policy.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from verilabel.errors import LimitExceeded, MalformedInput
from verilabel.evidence.container import Container
from verilabel.evidence.layout import GIVEN
from verilabel.evidence.others.attestation import Finding
from verilabel.evidence.others.signed import Signed, parse_signed
from verilabel.evidence.reading import read_document
from verilabel.evidence.statement import parse_time
from verilabel.rubric.structure import Rubric

MAX_GIVEN = 64


def read_given(container: Container) -> dict[str, Signed]:
    """The signed findings of a bundle by name. Raises MalformedInput or SealError for one that is not genuine."""
    paths = [path for path in container.sizes if path.startswith(GIVEN)]
    if len(paths) > MAX_GIVEN:
        raise LimitExceeded(f"more than {MAX_GIVEN} findings", where=GIVEN)
    found = (parse_given(path, read_document(container, path)) for path in paths)
    return {finding_of(signed, signed.file_name).name: signed for signed in found}


def parse_given(path: str, data: bytes) -> Signed:
    """The signed finding that lies at a path of a bundle. Raises MalformedInput or SealError."""
    signed = parse_signed(data, where=path)
    if path != path_of(signed):
        raise MalformedInput("a finding lies under its own name", where=path, hint=path_of(signed))
    return signed


def path_of(signed: Signed) -> str:
    """Where a signed finding lies in a bundle."""
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
